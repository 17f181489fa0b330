package notify

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	mochi "github.com/mochi-mqtt/server/v2"
)

// BrokerConfig says where the embedded broker listens, whom it lets in and
// what it keeps where.
type BrokerConfig struct {
	Listen          string // HOST:PORT, not encrypted: for this machine, and for us
	ListenTLS       string // HOST:PORT, encrypted; empty: none
	ListenWebSocket string // HOST:PORT for WebSockets, encrypted if there is a certificate; empty: none
	Plain           bool   // other machines may use what is not encrypted

	CertFile, KeyFile string   // PEM: the broker's certificate
	ClientCAFile      string   // PEM: encrypted clients need a certificate of this authority; empty: none needed
	Origins           []string // of web pages that may connect by WebSocket, such as https://scada.example

	Dir       string // sessions, undelivered and retained messages; one broker each
	UsersFile string // lines USER:BCRYPT-HASH, as htpasswd -B writes; empty: whoever is on this machine may connect
	ACLFile   string // as mosquitto's acl_file; empty: whoever connects may read and write everything
	Limits    Limits // the zero value: the defaults
}

// Limits are what the broker gives to its clients, and to each of them.
type Limits struct {
	Clients  int // connections to each listener; 0: 256
	Packet   int // bytes; a client that sends more is disconnected; 0: 256 KiB
	Queue    int // undelivered messages of one session; more are dropped and counted; 0: 8192
	Inflight int // QoS 2 messages that a client sent and has not released; 0: 1024
	Messages int // a second from one client, which is held back; 0: no limit
	Bytes    int // a second from one client, likewise
}

const keepSession = 30 * 24 * 3600 // s that a session waits for its client

// whole fills in the defaults.
func (l Limits) whole() Limits {
	l.Clients, l.Packet, l.Queue, l.Inflight = cmp.Or(l.Clients, 256), cmp.Or(l.Packet, MaxPayload*2), cmp.Or(l.Queue, 8192), cmp.Or(l.Inflight, 1024)
	return l
}

func (l Limits) capabilities() *mochi.Capabilities {
	c := mochi.NewDefaultServerCapabilities()
	c.MaximumClients = int64(3 * l.Clients)
	c.MaximumInflight, c.MaximumClientWritesPending = uint16(l.Queue), int32(l.Queue)
	c.ReceiveMaximum = uint16(l.Inflight)
	c.MaximumPacketSize = uint32(l.Packet)
	c.MaximumSessionExpiryInterval = keepSession
	c.MaximumMessageExpiryInterval = 0 // retained ones stay, and waiting ones end with their session
	c.TopicAliasMaximum = 0            // an alias would pass by the access rules
	return c
}

// The keys of the configuration that name listeners.
const (
	keyListen    = "mqtt.listen"
	keyListenTLS = "mqtt.listen_tls"
	keyListenWeb = "mqtt.listen_websocket"
)

// listenAt is one place to listen.
type listenAt struct {
	key, address string
	secure, web  bool
}

// listeners are those that are wanted, the plain one first.
func (c BrokerConfig) listeners() []listenAt {
	all := []listenAt{{key: keyListen, address: c.Listen}}
	if c.ListenTLS != "" {
		all = append(all, listenAt{key: keyListenTLS, address: c.ListenTLS, secure: true})
	}
	if c.ListenWebSocket != "" {
		all = append(all, listenAt{key: keyListenWeb, address: c.ListenWebSocket, secure: c.CertFile != "", web: true})
	}
	return all
}

// Faults tells report everything that Listen would refuse before it looks at
// the machine, each with its key.
func (c BrokerConfig) Faults(report func(key, problem string)) {
	want := func(ok bool, key, format string, args ...any) {
		if !ok {
			report(key, fmt.Sprintf(format, args...))
		}
	}
	for _, l := range c.listeners() {
		if loopback(l.address) {
			continue
		}
		certified := l.secure && c.ClientCAFile != ""
		want(c.UsersFile != "" || certified, l.key, "%s is open to other machines, but there are no users: set mqtt.users_file"+
			" (make it with: htpasswd -B -c FILE USER), or mqtt.client_ca_file for encrypted clients, or listen on 127.0.0.1", l.address)
		want(l.secure || c.Plain || c.UsersFile == "", l.key, "%s is open to other machines and not encrypted: passwords can be read on the way."+
			" Set mqtt.listen_tls with mqtt.server_cert_file instead, or mqtt.plain: true if this network is yours alone", l.address)
	}
	want((c.CertFile == "") == (c.KeyFile == ""), "mqtt.server_cert_file", "it and mqtt.server_key_file need each other")
	want(c.ListenTLS == "" || c.CertFile != "", keyListenTLS, "it needs a certificate: set mqtt.server_cert_file and mqtt.server_key_file")
	want(c.ClientCAFile == "" || c.CertFile != "", "mqtt.client_ca_file", "it is for encrypted connections: set mqtt.server_cert_file and mqtt.server_key_file")
	l := c.Limits.whole()
	want(l.Clients > 0 && l.Clients <= 10_000, "mqtt.limits.clients", "%d is not within 1 to 10000", l.Clients)
	want(l.Packet >= 1024 && l.Packet <= 256<<20, "mqtt.limits.packet", "%d bytes are not within 1024 to 256 MiB", l.Packet)
	want(l.Queue > 0 && l.Queue <= maxQueue, "mqtt.limits.queue", "%d is not within 1 to %d", l.Queue, maxQueue)
	want(l.Inflight > 0 && l.Inflight <= 65535, "mqtt.limits.inflight", "%d is not within 1 to 65535", l.Inflight)
	want(l.Messages >= 0, "mqtt.limits.messages", "%d is negative; 0 is no limit", l.Messages)
	want(l.Bytes >= 0, "mqtt.limits.bytes", "%d is negative; 0 is no limit", l.Bytes)
}

// Validate reports every fault at once. It reads no file.
func (c BrokerConfig) Validate() error {
	var errs []error
	c.Faults(func(key, problem string) { errs = append(errs, fmt.Errorf("%s: %s", key, problem)) })
	if len(errs) == 0 {
		return nil
	}
	return &configError{errors.Join(errs...)}
}

// Check tells report what is wrong in the files, each with its key. Files that
// are not there are left out.
func (c BrokerConfig) Check(report func(key, problem string)) {
	_, users := readUsers(c.UsersFile, user{})
	_, rules := readACL(c.ACLFile)
	var secure error
	if c.CertFile != "" && c.KeyFile != "" {
		_, secure = brokerTLS{c.CertFile, c.KeyFile, c.ClientCAFile}.config()
	}
	for _, f := range []struct {
		key string
		err error
	}{{"mqtt.users_file", users}, {"mqtt.acl_file", rules}, {"mqtt.server_cert_file", secure}} {
		if f.err != nil && !errors.Is(f.err, fs.ErrNotExist) {
			report(f.key, strings.TrimPrefix(f.err.Error(), f.key+": "))
		}
	}
}
