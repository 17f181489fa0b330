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

// BrokerConfig says where the embedded broker listens and what it keeps where.
type BrokerConfig struct {
	Listen    string // HOST:PORT; any host but this machine's loopback needs UsersFile
	Dir       string // sessions, undelivered and retained messages; one broker each
	UsersFile string // lines USER:BCRYPT-HASH, as htpasswd -B writes; empty: whoever is on this machine may connect
}

// What one broker and one of its clients may use.
const (
	maxClients  = 256
	maxQueued   = 8192           // undelivered messages for one session; more are dropped and counted
	maxPacket   = MaxPayload * 2 // bytes; a client that sends more is disconnected
	keepSession = 30 * 24 * 3600 // s that a session waits for its client
	keepMessage = 365 * 24 * 3600
)

// Broker is an MQTT broker (3.1.1 and 5) inside this program. Its PUBACK means
// what a line needs it to mean: the message is on the disk for every persistent
// session that subscribed to it, and survives a power cut.
type Broker struct {
	config BrokerConfig
	log    *slog.Logger
	self   user // the appliance's own login, new at every start
	users  *users
	net    *listener
	fs     vfs.FS
	server atomic.Pointer[mochi.Server]
}

// NewBroker returns a broker at rest.
func NewBroker(c BrokerConfig, log *slog.Logger) *Broker {
	return &Broker{config: c, log: log, fs: vfs.Default, self: user{name: "inspector-" + rand.Text()[:8], password: inspector.Secret(rand.Text())}}
}

// Validate reports what Listen would refuse before it looks at the machine.
func (c BrokerConfig) Validate() error {
	if !loopback(c.Listen) && c.UsersFile == "" {
		return &configError{fmt.Errorf("mqtt.listen: %s is open to other machines, but there are no users: set mqtt.users_file"+
			" (make it with: htpasswd -B -c FILE USER), or listen on 127.0.0.1", c.Listen)}
	}
	return nil
}

// Listen binds the port, so that Addr is known. After it, Run must be called.
// Errors are for a person to solve and say how.
func (b *Broker) Listen() error {
	users, err := readUsers(b.config.UsersFile, b.self)
	if err != nil {
		return err
	}
	if err := b.config.Validate(); err != nil {
		return err
	}
	l, err := net.Listen("tcp", b.config.Listen)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("mqtt broker: %w: another program, perhaps another broker, listens on %s;"+
			" set mqtt.listen to another port, or mqtt.broker to tcp://%s to use that broker", err, b.config.Listen, b.config.Listen)
	case err != nil:
		return fmt.Errorf("mqtt broker: %w; set mqtt.listen to an address of this machine", err)
	}
	b.users, b.net = users, &listener{Listener: l, open: map[net.Conn]struct{}{}}
	return nil
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
	return b.net.Addr()
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
	defer func() {
		b.net.Listener.Close()
		b.config.Listen, b.net = b.net.Addr().String(), nil
	}()
	if err := os.MkdirAll(b.config.Dir, 0o750); err != nil {
		return fmt.Errorf("mqtt broker: %w; set data to a directory that can be written", err)
	}
	s := newStore(filepath.Join(b.config.Dir, "pebble"), b.fs, b.log)
	server := mochi.New(&mochi.Options{
		Logger:       slog.New(slog.DiscardHandler), // it prints packets, and a line for every lost connection
		Capabilities: capabilities(),
	})
	s.server, s.own = server, server.NewClient(nil, mochi.LocalListener, "broker", true)
	if err := s.contain(func() error { return b.start(server, s) }); err != nil {
		s.failed(err)
	} else {
		b.server.Store(server)
		b.log.Info("mqtt broker: listening", "address", b.Addr().String(), "data", b.config.Dir)
	}
	select {
	case <-ctx.Done():
	case <-s.broken:
	}
	return s.contain(func() error {
		_ = server.Close()
		return s.cause()
	})
}

func capabilities() *mochi.Capabilities {
	c := mochi.NewDefaultServerCapabilities()
	c.MaximumClients = maxClients
	c.MaximumInflight, c.MaximumClientWritesPending = maxQueued, maxQueued
	c.MaximumPacketSize = maxPacket
	c.MaximumSessionExpiryInterval = keepSession
	c.MaximumMessageExpiryInterval = keepMessage // the default, a day, also ends retained ones
	return c
}

func (b *Broker) start(server *mochi.Server, s *store) error {
	if err := server.AddHook(&guard{users: b.users, log: b.log}, nil); err != nil {
		return fmt.Errorf("mqtt broker: %w", err)
	}
	if err := server.AddHook(&numbers{}, nil); err != nil {
		return fmt.Errorf("mqtt broker: %w", err)
	}
	if err := server.AddHook(s, nil); err != nil {
		return err
	}
	if err := server.AddListener(b.net); err != nil {
		return fmt.Errorf("mqtt broker: %w", err)
	}
	if err := server.Serve(); err != nil {
		return fmt.Errorf("mqtt broker: %w", err)
	}
	return nil
}

// BrokerHealth counts what the broker holds and has lost.
type BrokerHealth struct {
	Clients  int64 `json:"clients"`  // connected, ours included
	Queued   int64 `json:"queued"`   // messages on the way to persistent sessions
	Dropped  int64 `json:"dropped"`  // messages for sessions that had too many waiting
	Retained int64 `json:"retained"` // the broker's own included
}

// Health tells how the broker is; zero before Run.
func (b *Broker) Health() BrokerHealth {
	s := b.server.Load()
	if s == nil {
		return BrokerHealth{}
	}
	i := s.Info.Clone()
	return BrokerHealth{i.ClientsConnected, i.Inflight, i.InflightDropped + i.MessagesDropped, i.Retained}
}
