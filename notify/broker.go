package notify

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/pebble/vfs"
	mochi "github.com/mochi-mqtt/server/v2"

	"inspector"
)

// Broker is an MQTT broker (3.1.1 and 5) inside this program. Its PUBACK means
// what a line needs it to mean: the message is on the disk for every persistent
// session that subscribed to it, and survives a power cut.
type Broker struct {
	config BrokerConfig
	log    *slog.Logger
	self   user // the appliance's own login, new at every start
	users  *users
	acl    *acl
	net    []*listener // the plain one first; nil before Listen
	fs     vfs.FS
	now    atomic.Pointer[serving] // nil before Run
	failed trouble                 // connections that ended before CONNECT
}

// serving is one Run of a broker.
type serving struct {
	server *mochi.Server
	guard  *guard
	store  *store
}

// NewBroker returns a broker at rest.
func NewBroker(c BrokerConfig, log *slog.Logger) *Broker {
	c.Limits = c.Limits.whole()
	return &Broker{config: c, log: log, fs: vfs.Default, self: user{name: "inspector-" + rand.Text()[:8], password: inspector.Secret(rand.Text())}}
}

// Listen binds the ports, so that Addr is known. After it, Run must be called.
// Errors are for a person to solve and say how.
func (b *Broker) Listen() (err error) {
	if err := b.config.Validate(); err != nil {
		return err
	}
	if b.users, err = readUsers(b.config.UsersFile, b.self); err != nil {
		return err
	}
	if b.acl, err = readACL(b.config.ACLFile); err != nil {
		return err
	}
	secure := brokerTLS{b.config.CertFile, b.config.KeyFile, b.config.ClientCAFile}
	if secure.cert != "" {
		if _, err := secure.config(); err != nil {
			return &configError{err}
		}
	}
	for _, want := range b.config.listeners() {
		l, err := b.listen(want, secure)
		if err != nil {
			for _, l := range b.net {
				_ = l.Listener.Close()
			}
			b.net = nil
			return err
		}
		b.net = append(b.net, l)
	}
	return nil
}

func (b *Broker) listen(want listenAt, secure brokerTLS) (*listener, error) {
	l, err := net.Listen("tcp", want.address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("mqtt broker: %w: another program, perhaps another broker, listens on %s;"+
			" set %s to another port, or mqtt.broker to tcp://%s to use that broker", err, want.address, want.key, want.address)
	case err != nil:
		return nil, fmt.Errorf("mqtt broker: %w; set %s to an address of this machine", err, want.key)
	}
	web := webSocket{b.config.Origins, int64(b.config.Limits.Packet) + 16}
	prepare := func(conn net.Conn) (_ net.Conn, err error) {
		if want.secure {
			if conn, err = secure.accept(conn); err != nil {
				return nil, err
			}
		}
		if want.web {
			return web.accept(conn)
		}
		return conn, nil
	}
	return &listener{Listener: l, id: want.key, most: b.config.Limits.Clients, open: map[net.Conn]struct{}{}, prepare: prepare, failed: b.notTalking}, nil
}

// notTalking notes a connection that ended before it said CONNECT.
func (b *Broker) notTalking(remote net.Addr, err error) {
	host, _, _ := net.SplitHostPort(remote.String())
	b.failed.add(b.log, "mqtt broker: refused a connection", fmt.Sprintf("from %s: %v", host, err))
}

// loopback reports whether only this machine can reach the address.
func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Addr is where the broker listens; nil before Listen. Not to be called while
// Run does.
func (b *Broker) Addr() net.Addr {
	if b.net == nil {
		return nil
	}
	return b.net[0].Addr()
}

// Client returns c changed so that it reaches this broker, with a login that
// needs no configuration. To be called after Listen.
func (b *Broker) Client(c Config) Config {
	at := *b.Addr().(*net.TCPAddr)
	if at.IP.IsUnspecified() {
		at.IP = net.IPv4(127, 0, 0, 1)
	}
	c.URL, c.Username, c.Password, c.PasswordFile = "tcp://"+at.String(), b.self.name, b.self.password, ""
	return c
}

// Run serves until ctx ends and returns when everything is closed: nil, or why
// the broker cannot go on (the disk, mostly). What it acknowledged is safe, and
// another Run goes on with it, at the same address and with the same login.
// Clients of this program should be stopped first, or their last wills speak.
func (b *Broker) Run(ctx context.Context) error {
	if b.net == nil {
		if err := b.Listen(); err != nil {
			return err
		}
	}
	defer b.release()
	if err := os.MkdirAll(b.config.Dir, 0o750); err != nil {
		return fmt.Errorf("mqtt broker: %w; set data to a directory that can be written", err)
	}
	s := newStore(filepath.Join(b.config.Dir, "pebble"), b.fs, b.log)
	server := mochi.New(&mochi.Options{
		Logger:       slog.New(slog.DiscardHandler), // it prints packets, and a line for every lost connection
		Capabilities: b.config.Limits.capabilities(),
	})
	quit := make(chan struct{})
	s.server, s.own = server, server.NewClient(nil, mochi.LocalListener, "broker", true)
	if err := s.contain(func() error { return b.start(server, s, quit) }); err != nil {
		s.failed(err)
	} else {
		for _, l := range b.net {
			b.log.Info("mqtt broker: listening", "address", l.Addr().String(), "key", l.id, "data", b.config.Dir)
		}
	}
	select {
	case <-ctx.Done():
	case <-s.broken:
	}
	close(quit)
	return s.contain(func() error {
		_ = server.Close()
		return s.cause()
	})
}

// release closes the ports and remembers them for the next Run.
func (b *Broker) release() {
	at := []*string{&b.config.Listen, &b.config.ListenTLS, &b.config.ListenWebSocket}
	for _, l := range b.net {
		_ = l.Listener.Close()
		for i, key := range []string{keyListen, keyListenTLS, keyListenWeb} {
			if l.id == key {
				*at[i] = l.Addr().String()
			}
		}
	}
	b.net = nil
}

func (b *Broker) start(server *mochi.Server, s *store, quit <-chan struct{}) error {
	g := &guard{users: b.users, acl: b.acl, limits: b.config.Limits, quit: quit, log: b.log, known: server.Clients.Get}
	for _, hook := range []mochi.Hook{g, &numbers{}} {
		if err := server.AddHook(hook, nil); err != nil {
			return fmt.Errorf("mqtt broker: %w", err)
		}
	}
	if err := server.AddHook(s, nil); err != nil {
		return err
	}
	b.now.Store(&serving{server, g, s})
	for _, l := range b.net {
		if err := server.AddListener(l); err != nil {
			return fmt.Errorf("mqtt broker: %w", err)
		}
	}
	if err := server.Serve(); err != nil {
		return fmt.Errorf("mqtt broker: %w", err)
	}
	return nil
}

// BrokerHealth counts what the broker holds, has lost and has refused.
type BrokerHealth struct {
	Clients  int64 `json:"clients"`  // connected, ours included
	Queued   int64 `json:"queued"`   // messages on the way to persistent sessions
	Dropped  int64 `json:"dropped"`  // messages for sessions that had too many waiting
	Retained int64 `json:"retained"` // the broker's own included

	Refused Trouble `json:"refused"` // logins: unknown, wrong password, somebody else's session
	Failed  Trouble `json:"failed"`  // connections that never came to a login: certificates, mostly
	Denied  Trouble `json:"denied"`  // messages and subscriptions that mqtt.acl_file does not allow
	Held    Trouble `json:"held"`    // messages of clients that sent more than mqtt.limits allow; none is lost
}

// Health tells how the broker is; zero before Run.
func (b *Broker) Health() BrokerHealth {
	now := b.now.Load()
	if now == nil {
		return BrokerHealth{}
	}
	i, g := now.server.Info.Clone(), now.guard
	return BrokerHealth{
		Clients: i.ClientsConnected, Queued: i.Inflight, Dropped: i.InflightDropped + i.MessagesDropped, Retained: i.Retained,
		Refused: g.refused.now(), Failed: b.failed.now(), Denied: g.denied.now(), Held: g.held.now(),
	}
}
