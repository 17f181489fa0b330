package workflow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"inspector/workflow/asl"
)

// A Begin is an execution that the appliance begins by itself: a delivery of
// an event, say. It is EXPRESS, so its own changes begin none.
type Begin struct {
	Machine string // hash of a definition that was deployed in this process
	Called  string // the name of its machine in lists and for holds: with a "/", unless it acts for a machine of somebody's
	ID      string // the same whenever it is asked for again: it is begun once
	Input   json.RawMessage
}

// internal reports whether the name is of a machine that the appliance made.
func internal(name string) bool { return strings.Contains(name, "/") }

// Begin begins executions durably, all in one commit. Those that have begun
// already are left out.
func (e *Engine) Begin(ctx context.Context, all ...Begin) error {
	var written []Transition
	now := e.now()
	for _, b := range all {
		made, err := e.begin(b, now)
		if err != nil {
			return err
		}
		written = append(written, made...)
	}
	written, err := e.append(ctx, nil, written)
	if err != nil {
		return fmt.Errorf("begin executions: %w", err)
	}
	e.Wake(written...)
	return nil
}

// PrepareBegin is Prepare for what the appliance begins.
func (e *Engine) PrepareBegin(b Begin, at time.Time) ([]Transition, error) {
	if now := e.now(); at.Before(now) {
		at = now // the clock of events
	}
	return e.begin(b, at)
}

func (e *Engine) begin(b Begin, at time.Time) ([]Transition, error) {
	m := e.known(b.Machine)
	if m == nil {
		return nil, fmt.Errorf("begin execution %q: definition %s: %w; deploy it first", b.ID, b.Machine, ErrNotFound)
	}
	return e.first(m, &asl.Execution{}, Execution{ID: b.ID, Machine: b.Machine, StateMachine: b.Called, Type: Express, Started: at}, b.Input)
}

// Running is an execution that has ended as it was before.
func (x Execution) Running() Execution {
	x.Status, x.Stopped, x.Output, x.Error, x.Cause = asl.StatusRunning, time.Time{}, nil, "", ""
	return x
}

// consequences are the first transitions of what the change of an execution's
// status begins. One that cannot begin must not hold up the execution.
func (e *Engine) consequences(before asl.Status, t Transition, x *asl.Execution) (out []Transition) {
	if e.options.Emit == nil || t.Execution.Type == Express || before == x.Status() {
		return nil
	}
	begins := e.options.Emit(before, t.Execution, x.Input(), t.Event.At)
	if before == "" && x.Status() != asl.StatusRunning { // it ended as it began
		begins = slices.Concat(e.options.Emit(before, t.Execution.Running(), x.Input(), t.Event.At), begins)
	}
	for _, b := range begins {
		all, err := e.begin(b, t.Event.At)
		if err != nil {
			e.log.Error("a change of status does not begin what it should", "execution", t.Execution.ID, "status", x.Status(), "begins", b.ID, "err", err)
			continue
		}
		out = append(out, all...)
	}
	return out
}

// append makes first and begins durable in one commit, and gives what was
// written. What begins may have begun already: that is no conflict.
func (e *Engine) append(ctx context.Context, first, begins []Transition) ([]Transition, error) {
	all := first
	if len(begins) > 0 {
		all = slices.Concat(first, begins)
	}
	err := e.journal.Append(ctx, all...)
	if !errors.Is(err, ErrConflict) || len(begins) == 0 {
		return all, err
	}
	if begins, err = e.unbegun(ctx, begins); err != nil {
		return nil, err
	}
	if all = slices.Concat(first, begins); len(all) == 0 {
		return nil, nil
	}
	return all, e.journal.Append(ctx, all...)
}

// follow gives the lanes the work of transitions just made durable, of which
// the first made f what it is. The caller holds f. by is the deed that it tells
// of, if any.
func (e *Engine) follow(f *folded, all []Transition, by *deed) {
	for _, w := range all[0].Begin {
		l := e.lanes[w.Lane]
		if l == nil {
			continue
		}
		if c, ok := f.x.Command(w.Command); ok {
			l.offer(w, c, by)
		} else {
			l.look()
		}
	}
	e.Wake(all[1:]...)
}

// unbegun leaves out the executions that the journal has.
func (e *Engine) unbegun(ctx context.Context, all []Transition) (fresh []Transition, err error) {
	for _, t := range all {
		switch _, _, err := e.journal.Load(ctx, t.Execution.ID); {
		case errors.Is(err, ErrNotFound):
			fresh = append(fresh, t)
		case err != nil:
			return nil, err
		}
	}
	return fresh, nil
}
