package workflow

import (
	"context"
	"errors"
	"fmt"

	"inspector/workflow/asl"
)

// consequences are the first transitions of what the change of an execution's
// status begins. One that cannot begin must not hold up the execution.
func (e *Engine) consequences(before asl.Status, t Transition, x *asl.Execution) (out []Transition) {
	if e.options.Emit == nil || t.Execution.Type == Express || before == x.Status() {
		return nil
	}
	for _, b := range e.options.Emit(before, t.Execution, x.Input(), t.Event.At) {
		w := Execution{ID: b.ID, Machine: b.Machine, Type: Express, Started: t.Event.At}
		var all []Transition
		err := fmt.Errorf("machine %s: %w; deploy it first", b.Machine, ErrNotFound)
		if m := e.known(b.Machine); m != nil {
			all, err = e.first(m, &asl.Execution{}, w, b.Input)
		}
		if err != nil {
			e.log.Error("a change of status does not begin what it should", "execution", t.Execution.ID, "status", x.Status(), "begins", b.ID, "err", err)
			continue
		}
		out = append(out, all...)
	}
	return out
}

// append makes the transitions durable and gives what was written. What the
// first of them begins may have begun already: that is no conflict.
func (e *Engine) append(ctx context.Context, all []Transition) ([]Transition, error) {
	err := e.journal.Append(ctx, all...)
	if errors.Is(err, ErrConflict) && len(all) > 1 {
		fresh, unread := e.unbegun(ctx, all[1:])
		if unread != nil {
			return nil, unread
		}
		all = append(all[:1:1], fresh...)
		err = e.journal.Append(ctx, all...)
	}
	return all, err
}

// follow gives the lanes the work of transitions just made durable, of which
// the first made f what it is. The caller holds f.
func (e *Engine) follow(f *folded, all []Transition) {
	for _, w := range all[0].Begin {
		l := e.lanes[w.Lane]
		if l == nil {
			continue
		}
		if c, ok := f.x.Command(w.Command); ok {
			l.offer(w, c)
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
