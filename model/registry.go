package model

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Aliases of a version.
const (
	Production = "production" // judges
	Shadow     = "shadow"     // judges the same boards for comparison, and decides nothing
)

// A Ref names a model: at a version, or at what an alias stands for.
type Ref struct{ Name, At string }

// ParseRef reads NAME, which is NAME@production, NAME@VERSION, NAME@ALIAS, or
// NAME/VERSION.
func ParseRef(text string) (Ref, error) {
	name, at, cut := strings.Cut(text, "@")
	if !cut {
		name, at, cut = strings.Cut(text, "/")
		if cut && !validVersion.MatchString(at) {
			name = ""
		}
	}
	if !cut {
		at = Production
	}
	if !validName.MatchString(name) || at != Production && at != Shadow && !validVersion.MatchString(at) {
		return Ref{}, fmt.Errorf("model: %q does not name a model; want NAME, NAME@MAJOR.MINOR.PATCH, NAME@production or NAME@shadow", text)
	}
	return Ref{name, at}, nil
}

// Pinned reports whether the reference is to one version for ever.
func (r Ref) Pinned() bool { return validVersion.MatchString(r.At) }

func (r Ref) String() string { return r.Name + "@" + r.At }

// A Change is one entry of the registry's audit: who let an alias stand for
// another version.
type Change struct {
	At     time.Time `json:"at"`
	By     string    `json:"by"`
	Model  string    `json:"model"`
	Alias  string    `json:"alias"`
	From   string    `json:"from"` // version; empty: none
	To     string    `json:"to"`   // version; empty: none
	Back   bool      `json:"rollback,omitempty"`
	Reason string    `json:"reason"`
}

// A Registry knows the versions of models that lie side by side in a folder,
// and which of them an alias stands for. Versions never change; aliases do,
// each time with a Change. All methods may be called from any goroutine.
type Registry struct {
	models fs.FS
	file   string // holds the changes; empty: nobody may change anything

	mu      sync.Mutex
	changes []Change
}

// maxRegistry is far beyond what people promote in the life of a machine.
const maxRegistry = 64 << 20

// OpenRegistry reads the registry of the folder of models. Its aliases and its
// audit are one file, so that what is in force and who made it so cannot
// disagree; it need not exist yet.
func OpenRegistry(models fs.FS, file string) (*Registry, error) {
	r := &Registry{models: models, file: file}
	if file == "" {
		return r, nil
	}
	data, err := read(os.DirFS(filepath.Dir(file)), filepath.Base(file), maxRegistry)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err == nil {
		r.changes, err = parseChanges(data)
	}
	if err != nil {
		return nil, fmt.Errorf("model registry: %s: %w; put a copy of it back, or remove it and promote again", file, err)
	}
	return r, nil
}

type registryFile struct {
	Changes []Change `json:"changes"`
}

func parseChanges(data []byte) ([]Change, error) {
	var f registryFile
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, err
	}
	for i, c := range f.Changes {
		if err := c.check(); err != nil {
			return nil, fmt.Errorf("change %d: %w", i+1, err)
		}
	}
	return f.Changes, nil
}

func (c Change) check() error {
	version := func(v string) bool { return v == "" || validVersion.MatchString(v) }
	if !validName.MatchString(c.Model) || c.Alias != Production && c.Alias != Shadow || !version(c.From) || !version(c.To) || c.To == "" && c.Alias == Production {
		return fmt.Errorf("%q of %q from %q to %q is no change of an alias", c.Alias, c.Model, c.From, c.To)
	}
	return nil
}

// Versions of a model, oldest first.
func (r *Registry) Versions(name string) ([]string, error) {
	if !validName.MatchString(name) {
		return nil, fmt.Errorf("model: %q does not name a model", name)
	}
	entries, err := fs.ReadDir(r.models, name)
	if err != nil {
		return nil, fmt.Errorf("model: cannot look for versions of %q: %w", name, err)
	}
	var out []string
	for _, e := range entries {
		if validVersion.MatchString(e.Name()) {
			out = append(out, e.Name())
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("model: no version of %q is there; want a folder %s/MAJOR.MINOR.PATCH", name, name)
	}
	slices.SortFunc(out, compareVersions)
	return out, nil
}

// Names of the models that have versions.
func (r *Registry) Names() ([]string, error) {
	entries, err := fs.ReadDir(r.models, ".")
	if err != nil {
		return nil, fmt.Errorf("model: cannot look for models: %w", err)
	}
	var out []string
	for _, e := range entries {
		if !validName.MatchString(e.Name()) {
			continue
		}
		if v, err := r.Versions(e.Name()); err == nil && len(v) > 0 {
			out = append(out, e.Name())
		}
	}
	return out, nil
}

// Resolve gives the version that a reference stands for. Production that
// nobody has set is the newest version; a shadow that nobody has set is none,
// an empty version.
func (r *Registry) Resolve(ref Ref) (string, error) {
	if ref.Pinned() {
		return ref.At, nil
	}
	if v := r.Alias(ref.Name, ref.At); v != "" || ref.At == Shadow {
		return v, nil
	}
	all, err := r.Versions(ref.Name)
	if err != nil {
		return "", err
	}
	return all[len(all)-1], nil
}

// Alias gives the version that the last change let an alias stand for; empty:
// none.
func (r *Registry) Alias(name, alias string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, c := range slices.Backward(r.changes) {
		if c.Model == name && c.Alias == alias {
			return c.To
		}
	}
	return ""
}

// Former gives the versions that were in production before the present one,
// the one that a rollback brings back first. A rollback is no step forward: it
// takes the version that it leaves off the list.
func (r *Registry) Former(name string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var past []string
	for _, c := range r.changes {
		switch {
		case c.Model != name || c.Alias != Production:
		case c.Back:
			past = past[:max(len(past)-1, 0)]
		case c.From != "" && c.From != c.To:
			past = append(past, c.From)
		}
	}
	slices.Reverse(past)
	return past
}

// Changes gives the audit, oldest first.
func (r *Registry) Changes() []Change {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.changes)
}

// Apply makes the changes and their entries in the audit durable together: once
// it has returned nil a power cut cannot take them back, and after an error all
// is as it was, or the changes are whole.
func (r *Registry) Apply(changes ...Change) error {
	for _, c := range changes {
		if err := c.check(); err != nil {
			return fmt.Errorf("model registry: %w", err)
		}
	}
	if r.file == "" {
		return errors.New("model registry: there is no data directory to keep the change in")
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	next := slices.Concat(r.changes, changes)
	data, err := json.MarshalIndent(registryFile{next}, "", " ")
	if err == nil {
		err = Put(r.file, data)
	}
	if err != nil {
		return fmt.Errorf("model registry: nothing was changed: %w", err)
	}
	r.changes = next
	return nil
}

// Load reads and checks one version: its manifest, every hash, its shapes, and
// its signature if there are trusted keys.
func (r *Registry) Load(name, version string, t Trust) (*Package, error) {
	p, err := Find(r.models, path.Join(name, version))
	if err != nil {
		return nil, err
	}
	return p, t.verify(r.models, path.Join(name, version), p)
}

// In gives the package with another of its networks.
func (r *Registry) In(variant string, p *Package) (*Package, error) {
	return p.in(variant, r.models, path.Join(p.Name, p.Version))
}
