package notify

import (
	"bytes"
	"crypto/subtle"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
	"golang.org/x/crypto/bcrypt"

	"inspector"
)

// user is a login by plain password.
type user struct {
	name     string
	password inspector.Secret
}

// users are who may connect. They never change.
type users struct {
	self   user
	hashes map[string][]byte // empty: whoever is on this machine
	decoy  []byte            // checked for unknown names, so that they take as long
	turn   chan struct{}     // hashing is slow on purpose: never on all cores
}

// readUsers reads a file of lines USER:BCRYPT-HASH; # begins a comment. An
// empty path means no users but self.
func readUsers(path string, self user) (*users, error) {
	u := &users{self: self, hashes: map[string][]byte{}, turn: make(chan struct{}, 1)}
	if path == "" {
		return u, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, &configError{fmt.Errorf("read mqtt.users_file: %w; make it with: htpasswd -B -c %s USER", err, path)}
	}
	n := 0
	for line := range strings.Lines(string(b)) {
		n++
		if line = strings.TrimSpace(line); line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		name, hash, ok := strings.Cut(line, ":")
		if _, err := bcrypt.Cost([]byte(hash)); !ok || name == "" || err != nil {
			return nil, &configError{fmt.Errorf("mqtt.users_file: %s:%d is not USER:BCRYPT-HASH; make lines with: htpasswd -B %s USER", path, n, path)}
		}
		if _, twice := u.hashes[name]; twice {
			return nil, &configError{fmt.Errorf("mqtt.users_file: %s:%d: user %q is there twice", path, n, name)}
		}
		u.hashes[name], u.decoy = []byte(hash), []byte(hash)
	}
	if len(u.hashes) == 0 {
		return nil, &configError{fmt.Errorf("mqtt.users_file: %s names nobody; add a line with: htpasswd -B %s USER", path, path)}
	}
	return u, nil
}

// admit decides who may connect from where.
func (u *users) admit(remote, name string, password []byte) bool {
	if name == u.self.name {
		return loopback(remote) && subtle.ConstantTimeCompare(password, []byte(u.self.password)) == 1
	}
	if len(u.hashes) == 0 {
		return loopback(remote)
	}
	u.turn <- struct{}{}
	defer func() { <-u.turn }()
	hash, known := u.hashes[name]
	if !known {
		hash = u.decoy
	}
	return bcrypt.CompareHashAndPassword(hash, password) == nil && known
}

// guard lets clients in, or not.
type guard struct {
	mochi.HookBase
	users *users
	log   *slog.Logger

	mu      sync.Mutex
	logged  time.Time
	refused int // since then
}

func (g *guard) ID() string { return "guard" }

func (g *guard) Provides(b byte) bool {
	return bytes.IndexByte([]byte{mochi.OnConnectAuthenticate, mochi.OnACLCheck}, b) >= 0
}

// OnConnectAuthenticate checks user and password.
func (g *guard) OnConnectAuthenticate(cl *mochi.Client, pk packets.Packet) bool {
	name := string(pk.Connect.Username)
	if g.users.admit(cl.Net.Remote, name, pk.Connect.Password) {
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.refused++; time.Since(g.logged) > 10*time.Second {
		host, _, _ := net.SplitHostPort(cl.Net.Remote)
		g.log.Warn("mqtt broker: refused a client", "user", name, "host", host, "times", g.refused)
		g.logged, g.refused = time.Now(), 0
	}
	return false
}

// OnACLCheck lets whoever is in read and write every topic, but not write the
// broker's own.
func (g *guard) OnACLCheck(_ *mochi.Client, topic string, write bool) bool {
	return !write || !strings.HasPrefix(topic, "$")
}
