package workflow

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// A Machine is what a name stands for: a definition that changes, its numbered
// versions, which never do, and aliases of them. It is a value: nobody changes
// the slices of one that was given away.
type Machine struct {
	Name        string    `json:"name"`
	Type        Type      `json:"type"`
	Hash        string    `json:"machine"`           // of the newest revision's definition
	Revision    int       `json:"revision"`          // counts the changes, from 1
	Shipped     bool      `json:"shipped,omitempty"` // nobody changed what came with the program
	Description string    `json:"description,omitempty"`
	Created     time.Time `json:"creationDate"`
	Updated     time.Time `json:"updateDate"`
	Published   int       `json:"published,omitempty"` // the number given last: none is given twice
	Versions    []Version `json:"versions,omitempty"`  // oldest first
	Aliases     []Alias   `json:"aliases,omitempty"`   // by name
}

// A Version is a revision that was published: it stays as it is.
type Version struct {
	Number      int       `json:"version"`
	Hash        string    `json:"machine"`
	Description string    `json:"description,omitempty"`
	Created     time.Time `json:"creationDate"`
}

// An Alias stands for one version, or for two of which chance takes one.
type Alias struct {
	Name        string    `json:"name"`
	Description string    `json:"description,omitempty"`
	Routes      []Route   `json:"routingConfiguration"`
	Created     time.Time `json:"creationDate"`
	Updated     time.Time `json:"updateDate"`
}

// A Route is how many of 100 executions begin on a version.
type Route struct {
	Version int `json:"version"`
	Weight  int `json:"weight"`
}

// A Refusal is an order that cannot be carried out, by the name that Step
// Functions gives the reason.
type Refusal struct {
	Code    string // StateMachineDoesNotExist, InvalidName, …
	Message string // what, and the remedy
	is      error  // as errors.Is knows it; nil: nothing else
}

func (r *Refusal) Error() string { return r.Message }
func (r *Refusal) Unwrap() error { return r.is }

// Permanent tells whoever retries not to.
func (r *Refusal) Permanent() bool { return true }

// Name is what Retry and Catch of a task that met the refusal call it.
func (r *Refusal) Name() string {
	return "StepFunctions." + strings.TrimSuffix(r.Code, "Exception") + "Exception"
}

func refuse(code string, is error, format string, args ...any) error {
	return &Refusal{code, fmt.Sprintf(format, args...), is}
}

// The limits of AWS.
const (
	maxName     = 80   // characters
	maxVersions = 1000 // of one machine
	maxAliases  = 100  // likewise
)

var (
	hashForm  = regexp.MustCompile(`^[0-9a-f]{64}$`)
	aliasForm = regexp.MustCompile(`^[a-zA-Z0-9_.-]*[a-zA-Z_.-][a-zA-Z0-9_.-]*$`)
)

// checkName says what is wrong with the name of a machine or an execution.
func checkName(what, name string) error {
	bad := func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || r == utf8.RuneError || r >= 0xfffe && r <= 0xffff || strings.ContainsRune("<>{}[]?*\"#%\\^|~`$&,;:/", r)
	}
	if n := utf8.RuneCountInString(name); n == 0 || n > maxName || strings.ContainsFunc(name, bad) || hashForm.MatchString(name) {
		return refuse("InvalidName", nil, "%s name %.100q: want 1 to %d characters without spaces, control characters or any of <>{}[]?*\"#%%\\^|~`$&,;:/", what, name, maxName)
	}
	return nil
}

// A target is what a reference stands for at one moment.
type target struct {
	hash    string
	version int
	alias   string
}

// resolve finds what the qualifier stands for: nothing is the newest
// revision, a number a version, anything else an alias. draw is uniform in
// [0,1) and chooses between the versions of an alias.
func (m Machine) resolve(qualifier string, draw float64) (target, error) {
	if qualifier == "" {
		return target{hash: m.Hash}, nil
	}
	if n, err := strconv.Atoi(qualifier); err == nil {
		v, err := m.version(n)
		return target{hash: v.Hash, version: n}, err
	}
	i := m.alias(qualifier)
	if i < 0 {
		return target{}, refuse("ResourceNotFound", ErrNotFound, "machine %q has no alias %.100q: inspector workflow alias %s lists them", m.Name, qualifier, m.Name)
	}
	n := m.Aliases[i].choose(draw)
	v, err := m.version(n)
	return target{hash: v.Hash, version: n, alias: qualifier}, err
}

// choose gives a version of the alias.
func (a Alias) choose(draw float64) int {
	if draw*100 < float64(a.Routes[0].Weight) {
		return a.Routes[0].Version
	}
	return a.Routes[len(a.Routes)-1].Version
}

func (m Machine) version(n int) (Version, error) {
	for _, v := range m.Versions {
		if v.Number == n {
			return v, nil
		}
	}
	return Version{}, refuse("ResourceNotFound", ErrNotFound, "machine %q has no version %d: inspector workflow versions %s lists them", m.Name, n, m.Name)
}

// alias gives its place, or -1.
func (m Machine) alias(name string) int {
	return slices.IndexFunc(m.Aliases, func(a Alias) bool { return a.Name == name })
}

// publish gives the newest revision a number, unless the version published
// last is the same.
func (m Machine) publish(description string, now time.Time) (Machine, error) {
	if n := len(m.Versions); n > 0 && m.Versions[n-1].Hash == m.Hash {
		return m, nil
	}
	if len(m.Versions) >= maxVersions {
		return m, refuse("ServiceQuotaExceeded", nil, "machine %q has %d versions: delete some first", m.Name, maxVersions)
	}
	m.Published++
	m.Versions = append(slices.Clone(m.Versions), Version{Number: m.Published, Hash: m.Hash, Description: description, Created: now})
	return m, nil
}

// without is the machine without a version that no alias needs.
func (m Machine) without(n int) (Machine, error) {
	if _, err := m.version(n); err != nil {
		return m, err
	}
	for _, a := range m.Aliases {
		if slices.ContainsFunc(a.Routes, func(r Route) bool { return r.Version == n }) {
			return m, refuse("Conflict", ErrConflict, "version %d of machine %q is where its alias %q leads: point that elsewhere first", n, m.Name, a.Name)
		}
	}
	m.Versions = slices.DeleteFunc(slices.Clone(m.Versions), func(v Version) bool { return v.Number == n })
	return m, nil
}

// aliased is the machine with the alias, a new one or one that leads elsewhere.
func (m Machine) aliased(a Alias, now time.Time) (Machine, error) {
	if err := m.checkAlias(a); err != nil {
		return m, err
	}
	a.Created, a.Updated, a.Routes = now, now, slices.Clone(a.Routes)
	m.Aliases = slices.Clone(m.Aliases)
	if i := m.alias(a.Name); i >= 0 {
		a.Created = m.Aliases[i].Created
		m.Aliases[i] = a
		return m, nil
	}
	if len(m.Aliases) >= maxAliases {
		return m, refuse("ServiceQuotaExceeded", nil, "machine %q has %d aliases: delete some first", m.Name, maxAliases)
	}
	m.Aliases = append(m.Aliases, a)
	slices.SortFunc(m.Aliases, func(a, b Alias) int { return strings.Compare(a.Name, b.Name) })
	return m, nil
}

func (m Machine) checkAlias(a Alias) error {
	if len(a.Name) > maxName || !aliasForm.MatchString(a.Name) {
		return refuse("InvalidName", nil, "alias name %.100q: want 1 to %d letters, digits and any of _.-, and not digits alone", a.Name, maxName)
	}
	sum := 0
	for _, r := range a.Routes {
		if _, err := m.version(r.Version); err != nil {
			return err
		}
		if r.Weight < 0 || r.Weight > 100 {
			sum = -1
			break
		}
		sum += r.Weight
	}
	if sum != 100 || len(a.Routes) > 2 || len(a.Routes) == 2 && a.Routes[0].Version == a.Routes[1].Version {
		return refuse("ValidationException", nil, "alias %q: want one version, or two different ones, with weights that sum to 100", a.Name)
	}
	return nil
}
