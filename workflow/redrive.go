package workflow

import (
	"context"
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
		if e.lanes[w.Lane] == nil && w.Lane != LaneToken {
			return fmt.Errorf("redrive execution %q: %w %q: %s", id, ErrUnhandled, w.Lane, e.options.Remedy(w.Lane))
		}
		if err := e.journal.Park(ctx, id, w.Command, ""); err != nil && !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("redrive execution %q: %w", id, err)
		}
	}
	e.wake(work)
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
