package workflow_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"inspector/workflow"
	"inspector/workflow/asl"
	"inspector/workflow/journaltest"
)

// memory is a journal without a disk: what it says is durable survives the
// engine, not the process.
type memory struct {
	mu          sync.Mutex
	definitions map[string][]byte
	executions  map[string]workflow.Execution
	events      map[string][]asl.Event
	work        []workflow.Work // in order of journalling
	order       map[string]int  // of executions, from 1
	machines    map[string]workflow.Machine
	holds       map[string]hold
	before      func(t workflow.Transition) error      // may refuse
	after       func(t workflow.Transition, did error) // looks on
	dues        int
	unread      int // loads to refuse
}

func newMemory() *memory {
	return &memory{definitions: map[string][]byte{}, executions: map[string]workflow.Execution{}, events: map[string][]asl.Event{}, order: map[string]int{}, machines: map[string]workflow.Machine{}, holds: map[string]hold{}}
}

func (m *memory) Define(_ context.Context, hash string, definition []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.definitions[hash] = slices.Clone(definition)
	return nil
}

func (m *memory) Definition(_ context.Context, hash string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d, ok := m.definitions[hash]
	if !ok {
		return nil, workflow.ErrNotFound
	}
	return d, nil
}

func (m *memory) Append(_ context.Context, all ...workflow.Transition) error {
	for _, t := range all {
		if m.before != nil {
			if err := m.before(t); err != nil {
				return err
			}
		}
	}
	err := m.append(all)
	for _, t := range all {
		if m.after != nil {
			m.after(t, err)
		}
	}
	return err
}

func (m *memory) append(all []workflow.Transition) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	had := map[string]int{}
	for _, t := range all {
		id := t.Execution.ID
		if had[id] == 0 {
			had[id] = len(m.events[id])
		}
		if had[id]++; had[id] != t.N {
			return workflow.ErrConflict
		}
	}
	for _, t := range all {
		m.apply(t)
	}
	return nil
}

func (m *memory) apply(t workflow.Transition) {
	id := t.Execution.ID
	m.events[id] = append(m.events[id], t.Event)
	if m.order[id] == 0 {
		m.order[id] = len(m.order) + 1
	}
	m.executions[id] = t.Execution
	if len(t.End) > 0 {
		m.work = slices.DeleteFunc(m.work, func(w workflow.Work) bool { return w.Execution == id && slices.Contains(t.End, w.Command) })
	}
	m.work = append(m.work, t.Begin...)
}

func (m *memory) Load(_ context.Context, id string) (workflow.Execution, []asl.Event, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.unread > 0 {
		m.unread--
		return workflow.Execution{}, nil, errors.New("input/output error")
	}
	x, ok := m.executions[id]
	if !ok {
		return x, nil, workflow.ErrNotFound
	}
	x.Parked = ""
	for _, w := range m.work {
		if w.Execution == id && x.Parked == "" {
			x.Parked = w.Parked
		}
	}
	return x, slices.Clone(m.events[id]), nil
}

func (m *memory) Due(_ context.Context, lane string, now time.Time, limit int, newest bool) (out []workflow.Work, next time.Time, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dues++
	all := slices.Clone(m.work)
	if newest {
		slices.Reverse(all)
	}
	for _, w := range all {
		switch {
		case w.Lane != lane || w.Parked != "" || m.held(w.Execution):
		case !w.Due.After(now):
			if out = append(out, w); len(out) == limit {
				return out, time.Time{}, nil
			}
		case next.IsZero() || w.Due.Before(next):
			next = w.Due
		}
	}
	return out, next, nil
}

func (m *memory) Lanes(context.Context) (out []string, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, w := range m.work {
		if w.Parked == "" && !slices.Contains(out, w.Lane) {
			out = append(out, w.Lane)
		}
	}
	return out, nil
}

func (m *memory) Work(_ context.Context, id string) (out []workflow.Work, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, w := range m.work {
		if w.Execution == id {
			out = append(out, w)
		}
	}
	return out, nil
}

func (m *memory) Park(_ context.Context, id string, command int64, reason string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, w := range m.work {
		if w.Execution == id && w.Command == command {
			m.work[i].Parked = reason
			return nil
		}
	}
	return workflow.ErrNotFound
}

func (m *memory) Postpone(_ context.Context, id string, command int64, until time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, w := range m.work {
		if w.Execution == id && w.Command == command {
			m.work[i].Due = until
			return nil
		}
	}
	return workflow.ErrNotFound
}

func (m *memory) Done(_ context.Context, id string, command int64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	before := len(m.work)
	m.work = slices.DeleteFunc(m.work, func(w workflow.Work) bool { return w.Execution == id && w.Command == command })
	if len(m.work) == before {
		return workflow.ErrNotFound
	}
	return nil
}

// A hold with the executions that it leaves alone.
type hold struct {
	workflow.Hold
	mark int
}

func (m *memory) held(id string) bool {
	for _, name := range []string{m.executions[id].StateMachine, workflow.AllMachines} {
		if h, ok := m.holds[name]; ok && m.order[id] > h.mark {
			return true
		}
	}
	return false
}

func (m *memory) Hold(_ context.Context, h workflow.Hold) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	mark := 0
	if h.Drain {
		mark = len(m.order)
	}
	m.holds[h.Machine] = hold{h, mark}
	return nil
}

func (m *memory) Release(_ context.Context, machine string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.holds[machine]; !ok {
		return workflow.ErrNotFound
	}
	delete(m.holds, machine)
	return nil
}

func (m *memory) Holds(context.Context) (out []workflow.Hold, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(m.holds)) {
		h := m.holds[name]
		h.Left = 0
		for id, x := range m.executions {
			if h.Drain && x.Status == asl.StatusRunning && m.order[id] <= h.mark && (name == workflow.AllMachines || x.StateMachine == name) {
				h.Left++
			}
		}
		out = append(out, h.Hold)
	}
	return out, nil
}

func (m *memory) Machines(context.Context) ([]workflow.Machine, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Collect(maps.Values(m.machines)), nil
}

func (m *memory) PutMachine(_ context.Context, machine workflow.Machine) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.machines[machine.Name].Revision != machine.Revision-1 {
		return workflow.ErrConflict
	}
	m.machines[machine.Name] = machine
	return nil
}

func (m *memory) DropMachine(_ context.Context, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.machines[name]; !ok {
		return workflow.ErrNotFound
	}
	delete(m.machines, name)
	return nil
}

func TestMemoryKeepsTheJournalsPromises(t *testing.T) {
	journaltest.Test(t, func(*testing.T) workflow.Journal { return newMemory() })
}

func (m *memory) Events(ctx context.Context, id string) (workflow.Execution, []asl.Event, error) {
	return m.Load(ctx, id)
}
