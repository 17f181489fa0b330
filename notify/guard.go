package notify

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// guard lets clients in, or not, and lets pass what they may say and as much
// of it as they may.
type guard struct {
	mochi.HookBase
	users  *users
	acl    *acl
	limits Limits
	quit   <-chan struct{} // closed: nobody is held back any more
	log    *slog.Logger
	known  func(clientID string) (*mochi.Client, bool) // of a session that is there

	buckets sync.Map // *mochi.Client to *bucket
	refused trouble  // connections
	denied  trouble  // publishes and subscriptions
	held    trouble  // clients that sent more than they may
}

func (g *guard) ID() string { return "guard" }

func (g *guard) Provides(b byte) bool {
	return bytes.IndexByte([]byte{mochi.OnConnectAuthenticate, mochi.OnACLCheck, mochi.OnSubscribed, mochi.OnPacketRead, mochi.OnDisconnect}, b) >= 0
}

// OnConnectAuthenticate checks who it is, that its last will is one that it
// may speak, and that the session that it asks for is its own. From then on
// the client has the name that it proved.
func (g *guard) OnConnectAuthenticate(cl *mochi.Client, pk packets.Packet) bool {
	said := string(pk.Connect.Username)
	host, _, _ := net.SplitHostPort(cl.Net.Remote)
	name, ok := g.users.admit(cl.Net.Remote, said, pk.Connect.Password, identity(cl.Net.Conn))
	if !ok {
		g.refused.add(g.log, "mqtt broker: refused a client", fmt.Sprintf("user %q from %s: unknown, wrong password, or not from this machine", said, host))
		return false
	}
	cl.Properties.Username = []byte(name)
	if will := pk.Connect.WillTopic; pk.Connect.WillFlag && (strings.ContainsAny(will, "+#") || !g.may(cl, will, mayWrite)) {
		g.denied.add(g.log, "mqtt broker: refused a client", fmt.Sprintf("last will of client %q (user %q) to %.80q", pk.Connect.ClientIdentifier, name, will))
		return false
	}
	if old, there := g.known(pk.Connect.ClientIdentifier); there && name != "" && persistent(old) && len(old.Properties.Username) > 0 && string(old.Properties.Username) != name {
		g.refused.add(g.log, "mqtt broker: refused a client", fmt.Sprintf("user %q from %s: the client id %q belongs to another user", name, host, pk.Connect.ClientIdentifier))
		return false
	}
	return true
}

// persistent reports whether the session outlives its connection, so that it
// may hold messages for its user.
func persistent(cl *mochi.Client) bool {
	if cl.Properties.ProtocolVersion == 5 {
		return cl.Properties.Props.SessionExpiryInterval > 0
	}
	return !cl.Properties.Clean
}

// OnACLCheck is asked about a topic to write, a topic that is on its way to
// the client, and a filter that it subscribes to. Nobody writes the broker's
// own topics.
func (g *guard) OnACLCheck(cl *mochi.Client, topic string, write bool) bool {
	if !write {
		return g.may(cl, topic, mayRead)
	}
	ok := g.may(cl, topic, mayWrite)
	if !ok {
		g.denied.add(g.log, "mqtt broker: denied a message", fmt.Sprintf("client %q (user %q) to %.80q", cl.ID, cl.Properties.Username, topic))
	}
	return ok
}

func (g *guard) may(cl *mochi.Client, topic string, want access) bool {
	if want == mayWrite && (topic == "" || strings.HasPrefix(topic, "$")) {
		return false
	}
	if g.self(cl) || cl.Net.Inline {
		return true
	}
	p := person{string(cl.Properties.Username), cl.ID}
	if want == mayRead {
		if mochi.IsSharedFilter(topic) {
			_, topic, _ = strings.Cut(topic, "/")
			_, topic, _ = strings.Cut(topic, "/")
		}
		if strings.ContainsAny(topic, "+#") {
			return g.acl.allowsAny(p, topic)
		}
	}
	return g.acl.allows(p, topic, want)
}

// OnSubscribed counts what was not granted.
func (g *guard) OnSubscribed(cl *mochi.Client, pk packets.Packet, codes []byte) {
	for i, s := range pk.Filters {
		if codes[i] >= packets.ErrUnspecifiedError.Code {
			g.denied.add(g.log, "mqtt broker: denied a subscription", fmt.Sprintf("client %q (user %q) to %.80q", cl.ID, cl.Properties.Username, s.Filter))
		}
	}
}

// OnPacketRead holds back a client that sends more than it may: it is read no
// further, and nothing is lost.
func (g *guard) OnPacketRead(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	if pk.FixedHeader.Type != packets.Publish || g.limits.Messages == 0 && g.limits.Bytes == 0 || g.self(cl) {
		return pk, nil
	}
	b, _ := g.buckets.LoadOrStore(cl, &bucket{limits: g.limits})
	pause := b.(*bucket).take(time.Now(), pk.FixedHeader.Remaining)
	if pause <= 0 {
		return pk, nil
	}
	g.held.add(g.log, "mqtt broker: holds back a client", fmt.Sprintf("client %q (user %q)", cl.ID, cl.Properties.Username))
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-timer.C:
		return pk, nil
	case <-g.quit:
		return pk, errors.New("the broker stops")
	}
}

// OnDisconnect forgets how much the client sent.
func (g *guard) OnDisconnect(cl *mochi.Client, _ error, _ bool) { g.buckets.Delete(cl) }

// self reports whether it is the appliance's own client.
func (g *guard) self(cl *mochi.Client) bool {
	return string(cl.Properties.Username) == g.users.self.name
}

// identity is the common name in the certificate that the client proved to
// have; empty without one.
func identity(conn net.Conn) string {
	if w, ok := conn.(*webConn); ok {
		conn = w.Conn
	}
	secure, ok := conn.(*tls.Conn)
	if !ok {
		return ""
	}
	chains := secure.ConnectionState().VerifiedChains
	if len(chains) == 0 {
		return ""
	}
	return chains[0][0].Subject.CommonName
}

// bucket is what one client may still send: a second's worth at most.
type bucket struct {
	limits          Limits
	messages, bytes float64 // left; below zero: owed
	last            time.Time
}

// take counts a message of so many bytes and says how long to wait before it
// is passed on. Only one goroutine may call it.
func (b *bucket) take(now time.Time, size int) time.Duration {
	elapsed := now.Sub(b.last).Seconds()
	b.last = now
	pause := max(spend(&b.messages, float64(b.limits.Messages), 1, elapsed), spend(&b.bytes, float64(b.limits.Bytes), float64(size), elapsed))
	return time.Duration(pause * float64(time.Second))
}

// spend takes n of what is left, after elapsed seconds brought more of it, and
// gives the seconds until the debt is paid; a rate of 0 is no limit.
func spend(left *float64, rate, n, elapsed float64) float64 {
	if rate == 0 {
		return 0
	}
	*left = min(*left+max(elapsed, 0)*rate, rate) - n
	return max(-*left/rate, 0)
}

// trouble counts one kind of it and remembers the last; it is logged once in a
// while.
type trouble struct {
	mu     sync.Mutex
	n      int64
	last   string
	at     time.Time
	logged time.Time
}

func (t *trouble) add(log *slog.Logger, what, words string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.n, t.last, t.at = t.n+1, words, time.Now()
	if time.Since(t.logged) > 10*time.Second {
		t.logged = t.at
		log.Warn(what, "what", words, "so_far", t.n)
	}
}

func (t *trouble) now() Trouble {
	t.mu.Lock()
	defer t.mu.Unlock()
	return Trouble{t.n, t.last, t.at}
}

// Trouble is one kind of it.
type Trouble struct {
	Times int64     `json:"times"`
	Last  string    `json:"last,omitempty"` // in words
	At    time.Time `json:"at,omitzero"`    // of the last
}
