package workflow

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"sync"
	"time"

	"inspector/workflow/asl"
)

// An unfitError says that a journal and its definition do not fit: no retry
// helps, a person must look.
type unfitError struct{ err error }

func (e unfitError) Error() string   { return e.err.Error() }
func (e unfitError) Unwrap() error   { return e.err }
func (e unfitError) Permanent() bool { return true }

// A fold is an execution as its first n events have made it.
type fold struct {
	x *asl.Execution // nil: not folded yet, or no longer what the journal says
	m *asl.Machine
	w Execution
	n int
}

// A folded execution in the cache. Its lock orders the transitions of one
// execution.
type folded struct {
	mu sync.Mutex
	id string
	fold

	users   int           // guarded by the cache
	element *list.Element // likewise
}

// A cache keeps the executions that were used last, and all that are in use.
type cache struct {
	mu   sync.Mutex
	size int
	byID map[string]*folded
	used *list.List // of *folded, the last used first
}

func newCache(size int) *cache {
	return &cache{size: size, byID: map[string]*folded{}, used: list.New()}
}

// take gives the execution's place, locked. put gives it back.
func (c *cache) take(id string) *folded {
	c.mu.Lock()
	f := c.byID[id]
	if f == nil {
		f = &folded{id: id}
		f.element = c.used.PushFront(f)
		c.byID[id] = f
	}
	c.used.MoveToFront(f.element)
	f.users++
	c.mu.Unlock()
	f.mu.Lock()
	return f
}

func (c *cache) put(f *folded) {
	over := f.x == nil || f.x.Status() != asl.StatusRunning // not worth keeping
	f.mu.Unlock()
	c.mu.Lock()
	defer c.mu.Unlock()
	f.users--
	if over && f.users == 0 {
		c.drop(f)
	}
	for e := c.used.Back(); e != nil && len(c.byID) > c.size; {
		f := e.Value.(*folded)
		e = e.Prev()
		if f.users == 0 {
			c.drop(f)
		}
	}
}

func (c *cache) drop(f *folded) {
	c.used.Remove(f.element)
	delete(c.byID, f.id)
}

// refold builds an execution from its journal. each, if given, sees the
// history.
func (e *Engine) refold(ctx context.Context, id string, each func([]asl.HistoryEvent)) (fold, error) {
	w, events, err := e.journal.Events(ctx, id)
	if err != nil {
		return fold{}, fmt.Errorf("load execution %q: %w", id, err)
	}
	m, err := e.begunOn(ctx, w.Machine)
	if err != nil {
		return fold{}, fmt.Errorf("load execution %q: %w", id, err)
	}
	f := fold{x: &asl.Execution{}, m: m, w: w, n: len(events)}
	for i, event := range events {
		history, _, err := m.Advance(f.x, event)
		if err != nil {
			return fold{}, unfitError{fmt.Errorf("event %d of execution %q does not fit definition %s: %w", i+1, id, w.Machine, err)}
		}
		if each != nil {
			each(history)
		}
	}
	return f, nil
}

// load folds f anew unless it is.
func (e *Engine) load(ctx context.Context, f *folded) (err error) {
	if f.x == nil {
		f.fold, err = e.refold(ctx, f.id, nil)
	}
	return err
}

// advance takes x on by one event and completes t, which holds the execution and
// the number of events before. What the change begins follows it.
func (e *Engine) advance(m *asl.Machine, x *asl.Execution, t Transition, event asl.Event) ([]Transition, error) {
	before := x.Status()
	commands, err := m.Step(x, event)
	if err != nil {
		return nil, err
	}
	t.N++
	t.Event = event
	if event.Command != 0 && event.Kind != asl.Heartbeat {
		t.End = append(t.End, event.Command)
	}
	for _, c := range commands {
		if c.Kind == asl.Cancel {
			t.End = append(t.End, c.ID)
			if w, ok := abort(t.Execution.ID, c, event.At); ok {
				t.Begin = append(t.Begin, w)
			}
			continue
		}
		t.Begin = append(t.Begin, e.work(t.Execution.ID, c, event.At))
	}
	w := &t.Execution
	w.Status, w.States, w.Output, w.Error, w.Cause = x.Status(), x.States(), x.Output(), x.Error(), x.Cause()
	w.Stopped = time.Time{}
	if w.Status != asl.StatusRunning {
		w.Stopped = event.At
	}
	if event.Kind == asl.Redriven {
		w.Redrives, w.Redriven = x.Redrives(), event.At
	}
	if w.ParentToken != "" && w.Status != asl.StatusRunning {
		t.End = append(t.End, reportCommand) // of before a redrive
		t.Begin = append(t.Begin, Work{Execution: w.ID, Command: reportCommand, Lane: LaneReport, State: "end", Due: event.At, Since: event.At})
	}
	return append([]Transition{t}, e.consequences(before, t, x)...), nil
}

// work is what a command asks to be journalled.
func (e *Engine) work(id string, c asl.Command, now time.Time) Work {
	w := Work{Execution: id, Command: c.ID, State: c.State, Lane: c.Resource, Due: now, Since: now}
	switch c.Kind {
	case asl.SetTimer:
		w.Lane, w.Due = LaneTimer, c.Due
	case asl.Await:
		w.Lane = LaneToken
	default:
		w.Lane = e.options.Lane(c.Resource, c.Input)
		if e.lanes[w.Lane] == nil || w.Lane == LaneTimer {
			w.Parked = e.unhandled(w.Lane)
		}
	}
	return w
}

// tell makes one event of an execution durable and wakes the lanes that have
// work by it. what is asked once the execution is folded and may refuse. The
// event's time and chance are drawn here.
func (e *Engine) tell(ctx context.Context, id string, what func(*asl.Execution) (asl.Event, error)) error {
	return e.tellOf(ctx, id, what, nil, nil)
}

// tellOf is tell of how a deed in the lane l went; d is finished once that is
// durable, and its worker goes on with what follows.
func (e *Engine) tellOf(ctx context.Context, id string, what func(*asl.Execution) (asl.Event, error), l *lane, d *deed) error {
	f := e.cache.take(id)
	defer e.cache.put(f)
	err := e.tellFolded(ctx, f, what, l, d)
	if errors.Is(err, ErrConflict) { // somebody else wrote: look again, once
		err = e.tellFolded(ctx, f, what, l, d)
	}
	return err
}

func (e *Engine) tellFolded(ctx context.Context, f *folded, what func(*asl.Execution) (asl.Event, error), l *lane, d *deed) error {
	if err := e.load(ctx, f); err != nil {
		return err
	}
	event, err := what(f.x)
	if err != nil {
		return err
	}
	event.At, event.Random = e.now(), mathrand.Float64()
	all, err := e.advance(f.m, f.x, Transition{Execution: f.w, N: f.n}, event)
	if err != nil {
		return err
	}
	t := all[0]
	if all, err = e.append(ctx, all[:1], all[1:]); err != nil {
		f.x = nil // it is ahead of the journal
		return fmt.Errorf("journal event %d of execution %q: %w", t.N, f.id, err)
	}
	if d != nil {
		l.retryLater(all[0], d.State)
		l.finish(d)
	}
	f.n, f.w = t.N, t.Execution
	for _, id := range t.End {
		e.withdraw(f.id, id)
	}
	e.follow(f, all, d)
	return nil
}
