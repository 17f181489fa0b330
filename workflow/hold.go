package workflow

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Pause keeps the lanes from beginning any work of the machine, or with
// AllMachines of any, until Resume: also after a restart. What is being done
// ends and is recorded; new executions are accepted, and wait.
func (e *Engine) Pause(ctx context.Context, machine, by string) error {
	return e.hold(ctx, Hold{Machine: machine, By: by})
}

// Drain lets executions of the machine that have begun go on to their end, and
// keeps those that begin from now on waiting, until Resume.
func (e *Engine) Drain(ctx context.Context, machine, by string) error {
	return e.hold(ctx, Hold{Machine: machine, By: by, Drain: true})
}

func (e *Engine) hold(ctx context.Context, h Hold) error {
	if err := e.holdable(ctx, h.Machine); err != nil {
		return err
	}
	h.At = time.Now().UTC()
	e.holding.Lock()
	defer e.holding.Unlock()
	e.held.Store(true)
	if err := e.journal.Hold(ctx, h); err != nil {
		return fmt.Errorf("hold machine %q: %w", h.Machine, err)
	}
	e.log.Warn("a machine is held: its work waits until somebody resumes it", "machine", h.Machine, "drain", h.Drain, "by", h.By)
	e.wakeAll() // a drain may free what a pause held
	return nil
}

// holdable reports a name that no machine has.
func (e *Engine) holdable(ctx context.Context, machine string) error {
	if machine == AllMachines || internal(machine) {
		return nil
	}
	_, err := e.machineOf(ctx, machine)
	return err
}

// Resume ends Pause and Drain; of a machine that is not held it is harmless.
func (e *Engine) Resume(ctx context.Context, machine string) error {
	e.holding.Lock()
	defer e.holding.Unlock()
	err := e.journal.Release(ctx, machine)
	if errors.Is(err, ErrNotFound) {
		return e.holdable(ctx, machine)
	}
	if err != nil {
		return fmt.Errorf("resume machine %q: %w", machine, err)
	}
	e.recount(ctx)
	e.log.Info("a machine is resumed", "machine", machine)
	e.wakeAll()
	return nil
}

// Holds gives what is held.
func (e *Engine) Holds(ctx context.Context) ([]Hold, error) { return e.journal.Holds(ctx) }

// recount finds out whether anything is held; if that cannot be known, the
// lanes ask the journal for each piece of work.
func (e *Engine) recount(ctx context.Context) {
	holds, err := e.journal.Holds(ctx)
	e.held.Store(err != nil || len(holds) > 0)
}

// remind says at the start what is held since before.
func (e *Engine) remind(ctx context.Context) {
	held, err := e.Holds(ctx)
	if err != nil && ctx.Err() == nil {
		e.log.Error("cannot read what is held", "err", err)
	}
	for _, h := range held {
		e.log.Warn("a machine is held since before this start: its work waits until somebody resumes it", "machine", h.Machine, "drain", h.Drain, "by", h.By, "since", h.At)
	}
}

func (e *Engine) wakeAll() {
	for _, l := range e.lanes {
		l.look()
	}
}
