package workflow

import (
	"context"
	"errors"
	"fmt"
	"maps"
	mathrand "math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"time"

	"inspector/workflow/asl"
)

// InspectionMachine is the machine that boards begin on. It is always there.
const InspectionMachine = "inspection"

// machineOf gives the machine of a name.
func (e *Engine) machineOf(ctx context.Context, name string) (Machine, error) {
	all, err := e.catalogue(ctx)
	if err != nil {
		return Machine{}, err
	}
	m, ok := all[name]
	if !ok {
		return m, refuse("StateMachineDoesNotExist", ErrNotFound, "there is no machine %.100q: inspector workflow machines lists them", name)
	}
	return m, nil
}

// catalogue gives all machines by name, read once from the journal. The map is
// never changed, only replaced.
func (e *Engine) catalogue(ctx context.Context) (map[string]Machine, error) {
	e.mu.Lock()
	all := e.names
	e.mu.Unlock()
	if all != nil {
		return all, nil
	}
	e.changing.Lock()
	defer e.changing.Unlock()
	return e.reread(ctx)
}

// reread needs changing.
func (e *Engine) reread(ctx context.Context) (map[string]Machine, error) {
	list, err := e.journal.Machines(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the machines: %w", err)
	}
	all := map[string]Machine{}
	for _, m := range list {
		all[m.Name] = m
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.names = all
	return all, nil
}

// compile makes everything that an unqualified start or one by an alias may
// need known, so that Prepare need not read.
func (e *Engine) compile(ctx context.Context, m Machine) error {
	_, err := e.machine(ctx, m.Hash)
	for _, a := range m.Aliases {
		for _, r := range a.Routes {
			v, missing := m.version(r.Version)
			if missing == nil {
				_, missing = e.machine(ctx, v.Hash)
			}
			err = errors.Join(err, missing)
		}
	}
	return err
}

// resolve says on which definition an execution begun by the reference would
// run: NAME is a machine's newest revision, NAME:7 its version 7, NAME:ALIAS
// what chance takes of the alias; 64 hexadecimal digits are the hash of a
// definition.
func (e *Engine) resolve(all map[string]Machine, ref string) (Execution, error) {
	if hashForm.MatchString(ref) {
		return Execution{Machine: ref}, nil
	}
	name, qualifier, qualified := strings.Cut(ref, ":")
	m, ok := all[name]
	if !ok || qualified && qualifier == "" {
		return Execution{}, refuse("StateMachineDoesNotExist", ErrNotFound, "there is no machine %.100q: inspector workflow machines lists them", ref)
	}
	t, err := m.resolve(qualifier, mathrand.Float64())
	return Execution{Machine: t.hash, StateMachine: m.Name, Type: m.Type, Version: t.version, Alias: t.alias}, err
}

// CreateMachine gives a checked definition a name. Again with the same
// definition and type it is harmless. publish makes it version 1 at once.
func (e *Engine) CreateMachine(ctx context.Context, m Machine, definition []byte, publish bool) (Machine, error) {
	if m.Type == "" {
		m.Type = Standard
	}
	if m.Type != Standard && m.Type != Express {
		return m, refuse("ValidationException", nil, "type %.100q: want STANDARD or EXPRESS", m.Type)
	}
	if err := checkName("machine", m.Name); err != nil {
		return m, err
	}
	hash, err := e.deployed(ctx, definition)
	if err != nil {
		return m, err
	}
	m.Hash = hash
	return e.change(ctx, m.Name, func(old Machine, there bool, now time.Time) (Machine, error) {
		if there && old.Hash == hash && old.Type == m.Type {
			return old, nil
		}
		if there {
			return old, refuse("StateMachineAlreadyExists", ErrExists, "machine %q exists with another definition or type: update it", m.Name)
		}
		m.Created, m.Updated = now, now
		if publish {
			return m.publish(m.Description, now)
		}
		return m, nil
	})
}

func (e *Engine) deployed(ctx context.Context, definition []byte) (string, error) {
	hash, err := e.Deploy(ctx, definition)
	var faults asl.Faults
	if errors.As(err, &faults) {
		err = refuse("InvalidDefinition", faults, "Invalid State Machine Definition: %v", faults)
	}
	return hash, err
}

// UpdateMachine gives a machine a new revision. Executions that run finish on
// the definition they began with. publish makes it a version at once.
func (e *Engine) UpdateMachine(ctx context.Context, name string, definition []byte, publish bool, description string) (Machine, error) {
	if _, err := e.machineOf(ctx, name); err != nil {
		return Machine{}, err
	}
	hash, err := e.deployed(ctx, definition)
	if err != nil {
		return Machine{}, err
	}
	return e.amend(ctx, name, func(m Machine, now time.Time) (Machine, error) {
		if m.Hash != hash {
			m.Hash, m.Shipped, m.Updated = hash, false, now
		}
		if publish {
			return m.publish(description, now)
		}
		return m, nil
	})
}

// Ship makes the definition what the machine's name stands for, unless a
// person has changed it: then that stays. It gives the hash of the shipped
// definition, which is known from then on.
func (e *Engine) Ship(ctx context.Context, name string, definition []byte) (hash string, err error) {
	if hash, err = e.deployed(ctx, definition); err != nil {
		return "", fmt.Errorf("machine %q as shipped: %w", name, err)
	}
	m, err := e.change(ctx, name, func(old Machine, there bool, now time.Time) (Machine, error) {
		switch {
		case !there:
			return Machine{Name: name, Type: Standard, Hash: hash, Shipped: true, Created: now, Updated: now}, nil
		case old.Shipped && old.Hash != hash:
			old.Hash, old.Updated = hash, now
		}
		return old, nil
	})
	if err != nil {
		return "", fmt.Errorf("machine %q as shipped: %w", name, err)
	}
	if !m.Shipped {
		e.log.Info("a machine is as somebody changed it, not as shipped", "machine", name, "definition", m.Hash)
	}
	if err := e.compile(ctx, m); err != nil {
		e.log.Error("a definition that boards may begin on does not fit this release: boards begin on the shipped one until it is mended", "machine", name, "err", err)
	}
	return hash, nil
}

// PublishVersion gives the newest revision a number.
func (e *Engine) PublishVersion(ctx context.Context, name, description string) (Machine, error) {
	return e.amend(ctx, name, func(m Machine, now time.Time) (Machine, error) { return m.publish(description, now) })
}

// DeleteVersion forgets a version that no alias leads to. Executions that run
// on it finish on it.
func (e *Engine) DeleteVersion(ctx context.Context, name string, version int) (Machine, error) {
	return e.amend(ctx, name, func(m Machine, _ time.Time) (Machine, error) { return m.without(version) })
}

// PutAlias makes an alias, or has it lead elsewhere.
func (e *Engine) PutAlias(ctx context.Context, name string, a Alias) (Machine, error) {
	return e.amend(ctx, name, func(m Machine, now time.Time) (Machine, error) {
		m, err := m.aliased(a, now)
		if err != nil {
			return m, err
		}
		return m, e.compile(ctx, m)
	})
}

// DeleteAlias forgets an alias.
func (e *Engine) DeleteAlias(ctx context.Context, name, alias string) (Machine, error) {
	return e.amend(ctx, name, func(m Machine, _ time.Time) (Machine, error) {
		i := m.alias(alias)
		if i < 0 {
			_, err := m.resolve(alias, 0)
			return m, err
		}
		m.Aliases = slices.Delete(slices.Clone(m.Aliases), i, i+1)
		return m, nil
	})
}

// DeleteMachine forgets a name. Executions that run finish.
func (e *Engine) DeleteMachine(ctx context.Context, name string) error {
	if name == InspectionMachine {
		return refuse("Conflict", ErrConflict, "boards begin on machine %q: it cannot be deleted, only updated", name)
	}
	if _, err := e.machineOf(ctx, name); err != nil {
		return err
	}
	e.changing.Lock()
	defer e.changing.Unlock()
	if err := e.journal.DropMachine(ctx, name); err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("delete machine %q: %w", name, err)
	}
	_, err := e.reread(ctx)
	return err
}

// Machines gives all machines, by name.
func (e *Engine) Machines(ctx context.Context) ([]Machine, error) {
	all, err := e.catalogue(ctx)
	return slices.SortedFunc(maps.Values(all), func(a, b Machine) int { return strings.Compare(a.Name, b.Name) }), err
}

// DescribeMachine gives the machine that the reference, as of Start, names,
// and the definition that it stands for; of an alias, its first version.
func (e *Engine) DescribeMachine(ctx context.Context, ref string) (Machine, []byte, error) {
	name, qualifier, _ := strings.Cut(ref, ":")
	m, err := e.machineOf(ctx, name)
	if err != nil {
		return m, nil, err
	}
	t, err := m.resolve(qualifier, 0)
	if err != nil {
		return m, nil, err
	}
	definition, err := e.journal.Definition(ctx, t.hash)
	return m, definition, err
}

// amend changes a machine that is there.
func (e *Engine) amend(ctx context.Context, name string, how func(Machine, time.Time) (Machine, error)) (Machine, error) {
	if _, err := e.machineOf(ctx, name); err != nil {
		return Machine{}, err
	}
	return e.change(ctx, name, func(m Machine, there bool, now time.Time) (Machine, error) {
		if !there {
			return m, refuse("StateMachineDoesNotExist", ErrNotFound, "machine %q is deleted", name)
		}
		return how(m, now)
	})
}

// change makes how's machine durable, unless it is as before.
func (e *Engine) change(ctx context.Context, name string, how func(old Machine, there bool, now time.Time) (Machine, error)) (Machine, error) {
	e.changing.Lock()
	defer e.changing.Unlock()
	all, err := e.reread(ctx)
	if err != nil {
		return Machine{}, err
	}
	old, there := all[name]
	m, err := how(old, there, time.Now().UTC())
	if err != nil || there && reflect.DeepEqual(old, m) {
		return m, err
	}
	m.Revision = old.Revision + 1
	if err := e.journal.PutMachine(ctx, m); err != nil {
		return m, fmt.Errorf("change machine %q: %w", name, err)
	}
	all = maps.Clone(all)
	all[name] = m
	e.mu.Lock()
	defer e.mu.Unlock()
	e.names = all
	return m, nil
}
