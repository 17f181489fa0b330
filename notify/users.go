package notify

import (
	"crypto/subtle"
	"fmt"
	"os"
	"strings"

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

// admit decides who may connect from where, and gives the name that is proven:
// none if there are no users. certified is the name in a certificate that the
// broker's own authority signed; without users it is proof enough.
func (u *users) admit(remote, name string, password []byte, certified string) (proven string, ok bool) {
	switch {
	case name == u.self.name:
		return name, loopback(remote) && subtle.ConstantTimeCompare(password, []byte(u.self.password)) == 1
	case len(u.hashes) > 0:
		return name, u.knows(name, password)
	case certified != "":
		return certified, certified != u.self.name
	}
	return "", loopback(remote)
}

// knows checks a password.
func (u *users) knows(name string, password []byte) bool {
	u.turn <- struct{}{}
	defer func() { <-u.turn }()
	hash, known := u.hashes[name]
	if !known {
		hash = u.decoy
	}
	return bcrypt.CompareHashAndPassword(hash, password) == nil && known
}
