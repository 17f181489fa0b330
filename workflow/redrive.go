package workflow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"inspector/workflow/asl"
)

// ErrNotParked is given by Redrive if the execution waits for nobody and runs,
// or has succeeded.
var ErrNotParked = errors.New("nothing of the execution is parked, and it did not fail")

// ErrUnhandled is given by Redrive if nobody handles what is parked.
var ErrUnhandled = errors.New("nobody handles the resource")

// Redrive lets an execution go on. What of it is parked is tried again, with
// the same keys; one that failed, timed out or was stopped goes on at the state
// where it ended, on the definition it began with.
func (e *Engine) Redrive(ctx context.Context, id string) error {
	work, err := e.journal.Work(ctx, id)
	if err != nil {
		return fmt.Errorf("redrive execution %q: %w", id, err)
	}
	work = slices.DeleteFunc(work, func(w Work) bool { return w.Parked == "" })
	if len(work) == 0 {
		return e.redriveEnded(ctx, id)
	}
	for _, w := range work {
		if err := e.RedriveWork(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

// RedriveWork tries again one piece of parked work, alone: what else of its
// execution is parked stays so. One that is over or was redriven is fine.
func (e *Engine) RedriveWork(ctx context.Context, w Work) error {
	if e.lanes[w.Lane] == nil && w.Lane != LaneToken {
		return fmt.Errorf("redrive execution %q: %w %q: %s", w.Execution, ErrUnhandled, w.Lane, e.options.Remedy(w.Lane))
	}
	if err := e.journal.Park(ctx, w.Execution, w.Command, ""); err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("redrive execution %q: %w", w.Execution, err)
	}
	e.wake([]Work{w})
	return nil
}

// CheckAmended refuses, with a Refusal, an input that cannot be that of the
// task which has the other.
func CheckAmended(before, after json.RawMessage) error {
	if err := asl.SameShape(before, after); err != nil {
		return &Refusal{Code: "InvalidExecutionInput", Message: "the input is not of the shape that the task takes: " + err.Error(), is: err}
	}
	return nil
}

// Asked is the input that an open command of the execution has.
func (e *Engine) Asked(ctx context.Context, id string, command int64) (json.RawMessage, error) {
	c, err := e.command(ctx, id, command)
	if err != nil {
		return nil, fmt.Errorf("input of a task of execution %q: %w", id, err)
	}
	return c.Input, nil
}

// Amend replaces the input of a parked task, for good, and tries it again.
// The input must be of the shape of the one that is there (asl.SameShape); by
// says who did it. ErrNotParked if the command is not parked.
func (e *Engine) Amend(ctx context.Context, id string, command int64, input json.RawMessage, by string) error {
	err := e.tell(ctx, id, func(x *asl.Execution) (asl.Event, error) {
		work, err := e.journal.Work(ctx, id)
		if err != nil {
			return asl.Event{}, err
		}
		n := slices.IndexFunc(work, func(w Work) bool { return w.Command == command && w.Parked != "" })
		c, ok := x.Command(command)
		if n < 0 || !ok {
			return asl.Event{}, fmt.Errorf("command %d: %w", command, ErrNotParked)
		}
		if e.lanes[work[n].Lane] == nil {
			return asl.Event{}, fmt.Errorf("%w %q: %s", ErrUnhandled, work[n].Lane, e.options.Remedy(work[n].Lane))
		}
		if err := CheckAmended(c.Input, input); err != nil {
			return asl.Event{}, err
		}
		return asl.Event{Kind: asl.Amended, Command: command, Input: input, By: by}, nil
	})
	if err != nil {
		return fmt.Errorf("amend the input of execution %q: %w", id, err)
	}
	return nil
}

func (e *Engine) redriveEnded(ctx context.Context, id string) error {
	err := e.tell(ctx, id, func(*asl.Execution) (asl.Event, error) { return asl.Event{Kind: asl.Redriven}, nil })
	if errors.Is(err, asl.ErrMoot) {
		err = ErrNotParked
	}
	if err != nil {
		return fmt.Errorf("redrive execution %q: %w", id, err)
	}
	return nil
}
