package notify

import (
	"bytes"
	"fmt"
	"os"
	"strings"
)

// access is what a rule allows; none is a denial.
type access byte

const (
	mayRead access = 1 << iota
	mayWrite
)

// A grant allows or denies the topics that match a filter.
type grant struct {
	access access // 0: denied, whatever else allows it
	filter string
}

// An acl says who may read and write which topics, as mosquitto's acl_file
// does: who is not named there may do nothing. It never changes.
type acl struct {
	anonymous []grant            // lines before the first user
	users     map[string][]grant // by user name
	patterns  []grant            // for everybody; %u is the user, %c the client
}

// readACL reads the file; an empty path means that nothing is forbidden.
func readACL(path string) (*acl, error) {
	if path == "" {
		return nil, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, &configError{fmt.Errorf("read mqtt.acl_file: %w; write lines such as: user NAME, topic read FILTER", err)}
	}
	a, err := parseACL(b)
	if err != nil {
		return nil, &configError{fmt.Errorf("mqtt.acl_file: %s:%w", path, err)}
	}
	return a, nil
}

// parseACL reads what mosquitto's acl_file has: lines "user NAME",
// "topic [read|write|readwrite|deny] FILTER" and "pattern ..." likewise. Its
// errors begin with the number of the line.
func parseACL(text []byte) (*acl, error) {
	a, user, named, n := &acl{users: map[string][]grant{}}, "", false, 0
	for line := range bytes.Lines(text) {
		n++
		if line = bytes.TrimSpace(line); len(line) == 0 || line[0] == '#' {
			continue
		}
		word, rest := cutWord(string(line))
		if word == "user" {
			if rest == "" {
				return nil, fmt.Errorf("%d: user without a name", n)
			}
			user, named = rest, true
			continue
		}
		if word != "topic" && word != "pattern" {
			return nil, fmt.Errorf("%d: %.40q is unknown; want user, topic or pattern", n, word)
		}
		g, err := parseGrant(rest)
		switch {
		case err != nil:
			return nil, fmt.Errorf("%d: %w", n, err)
		case word == "pattern":
			a.patterns = append(a.patterns, g)
		case named:
			a.users[user] = append(a.users[user], g)
		default:
			a.anonymous = append(a.anonymous, g)
		}
	}
	return a, nil
}

// cutWord gives the first word of s and the rest without the blanks between.
func cutWord(s string) (word, rest string) {
	if at := strings.IndexAny(s, " \t"); at >= 0 {
		return s[:at], strings.TrimLeft(s[at:], " \t")
	}
	return s, ""
}

// parseGrant reads "[read|write|readwrite|deny] FILTER"; a filter alone may be
// read and written.
func parseGrant(s string) (grant, error) {
	g := grant{access: mayRead | mayWrite, filter: s}
	if word, rest := cutWord(s); rest != "" {
		switch word {
		case "read":
			g.access = mayRead
		case "write":
			g.access = mayWrite
		case "readwrite":
		case "deny":
			g.access = 0
		default:
			return g, fmt.Errorf("%.40q is no kind of access; want read, write, readwrite or deny", word)
		}
		g.filter = rest
	}
	return g, checkFilter(g.filter)
}

// checkFilter refuses what MQTT does not allow as a filter of topics.
func checkFilter(filter string) error {
	if filter == "" || len(filter) > 65535 || strings.ContainsRune(filter, 0) {
		return fmt.Errorf("a filter of %d bytes; want 1 to 65535, and no zero among them", len(filter))
	}
	levels := strings.Split(filter, "/")
	for i, l := range levels {
		if strings.ContainsAny(l, "+#") && (len(l) > 1 || l == "#" && i < len(levels)-1) {
			return fmt.Errorf("%.80q is no filter: + and # stand alone between slashes, # only at the end", filter)
		}
	}
	return nil
}

// A person is who a client proved to be; user is empty without a proof.
type person struct{ user, client string }

// allows reports whether p may do what want says with the topic. A nil acl
// allows everything.
func (a *acl) allows(p person, topic string, want access) bool {
	return a == nil || a.decide(p, want, func(filter string) bool { return matches(filter, topic) })
}

// allowsAny reports whether there can be a topic below the filter of a
// subscription that p may read. What p may not read is left out when it comes.
func (a *acl) allowsAny(p person, filter string) bool {
	if a == nil {
		return true
	}
	for _, g := range a.grants(p) {
		if g.access&mayRead != 0 && overlap(g.filter, filter) {
			return true
		}
	}
	return false
}

// decide is true if a grant of p allows it and none denies it.
func (a *acl) decide(p person, want access, meant func(filter string) bool) (allowed bool) {
	for _, g := range a.grants(p) {
		if g.access&want == 0 && g.access != 0 || !meant(g.filter) {
			continue
		}
		if g.access == 0 {
			return false
		}
		allowed = true
	}
	return allowed
}

// grants are those of p, the patterns filled in.
func (a *acl) grants(p person) []grant {
	own := a.anonymous
	if p.user != "" {
		own = a.users[p.user]
	}
	if len(a.patterns) == 0 {
		return own
	}
	if strings.ContainsAny(p.user+p.client, "+#") { // it would widen the pattern
		return nil
	}
	own = append(make([]grant, 0, len(own)+len(a.patterns)), own...)
	for _, g := range a.patterns {
		if p.user == "" && strings.Contains(g.filter, "%u") {
			continue
		}
		g.filter = strings.NewReplacer("%u", p.user, "%c", p.client).Replace(g.filter)
		own = append(own, g)
	}
	return own
}

// matches reports whether the filter matches the topic. Wildcards at its
// beginning do not match the broker's own topics, $SYS/...
func matches(filter, topic string) bool {
	if wild(filter) && strings.HasPrefix(topic, "$") {
		return false
	}
	for {
		f, moreF, deeperF := strings.Cut(filter, "/")
		t, moreT, deeperT := strings.Cut(topic, "/")
		switch {
		case f == "#":
			return true
		case f != "+" && f != t:
			return false
		case !deeperT:
			return !deeperF || moreF == "#"
		case !deeperF:
			return false
		}
		filter, topic = moreF, moreT
	}
}

// overlap reports whether there is a topic that both filters match.
func overlap(a, b string) bool {
	if wild(a) && strings.HasPrefix(b, "$") || wild(b) && strings.HasPrefix(a, "$") {
		return false
	}
	for {
		x, moreA, deeperA := strings.Cut(a, "/")
		y, moreB, deeperB := strings.Cut(b, "/")
		switch {
		case x == "#" || y == "#":
			return true
		case x != "+" && y != "+" && x != y:
			return false
		case !deeperA && !deeperB:
			return true
		case !deeperA:
			return moreB == "#"
		case !deeperB:
			return moreA == "#"
		}
		a, b = moreA, moreB
	}
}

func wild(filter string) bool { return filter != "" && (filter[0] == '+' || filter[0] == '#') }
