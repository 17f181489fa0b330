package workflow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"inspector/workflow/asl"
)

// do makes one attempt at a piece of work and records how it went. A deed
// done is recorded even if ctx ended meanwhile; a deed interrupted is not,
// and so is repeated at the next start. task ends when the work is withdrawn
// or the grace is over.
func (l *lane) do(ctx, task context.Context, d *deed) {
	e, w, probe := l.engine, d.Work, d.probe
	if l.chore != nil {
		l.doChore(task, w)
		return
	}
	c, err := e.commanded(ctx, d)
	if err != nil {
		l.unstarted(ctx, task, w, err)
		return
	}
	if l.handler == nil {
		l.record(task, d, asl.Event{Kind: asl.Fired, Command: w.Command})
		return
	}
	output, err := Attempt(task, l.handler, taskOf(w, c), c.Timeout)
	l.note(e.tells(ctx, task, err), probe, err)
	l.makeRoom(d)
	l.settle(ctx, task, d, Result{output, err})
}

func taskOf(w Work, c asl.Command) Task {
	return Task{Execution: w.Execution, Key: w.Key(), State: w.State, Resource: c.Resource, Input: c.Input, Attempt: c.Attempt, Token: c.Token}
}

// tells is what an attempt that gave err says about whoever stands behind the
// lane.
func (e *Engine) tells(ctx, task context.Context, err error) outcome {
	_, later := postponed(err)
	switch {
	case withdrawn(task), later:
		return neutral
	case err == nil:
		return worked
	case ctx.Err() != nil, permanent(err), answered(err):
		return neutral
	}
	return failed
}

func withdrawn(task context.Context) bool { return errors.Is(context.Cause(task), errWithdrawn) }

// settle makes durable how an attempt went.
func (l *lane) settle(ctx, task context.Context, d *deed, r Result) {
	e, w := l.engine, d.Work
	until, later := postponed(r.Err)
	switch {
	case withdrawn(task):
	case r.Err == nil:
		l.delivered.Add(1)
		l.record(task, d, asl.Event{Kind: asl.Succeeded, Command: w.Command, Output: r.Output})
	case later:
		e.postpone(task, w, until)
	case ctx.Err() != nil: // interrupted, or failing because all else is ending
	case permanent(r.Err) && !e.named(ctx, w, errorName(r.Err)):
		e.park(task, w, r.Err.Error())
	default:
		l.record(task, d, asl.Event{Kind: asl.Failed, Command: w.Command, Error: errorName(r.Err), Cause: causeOf(r.Err)})
	}
}

// unstarted deals with work whose execution could not be folded.
func (l *lane) unstarted(ctx, task context.Context, w Work, err error) {
	switch {
	case ctx.Err() != nil:
	case permanent(err):
		l.engine.park(task, w, err.Error())
	default: // the journal cannot be read just now
		sleep(ctx, l.unread(ctx, err))
		l.left(true) // it is due still
	}
}

// commanded is what the execution asks for by the deed.
func (e *Engine) commanded(ctx context.Context, d *deed) (asl.Command, error) {
	if d.command != nil {
		return *d.command, nil
	}
	return e.command(ctx, d.Execution, d.Command)
}

// errNotAsked says that an execution does not, or no longer, ask for a command.
var errNotAsked = errors.New("its journal does not fit it")

// command is what the execution asks for by the number.
func (e *Engine) command(ctx context.Context, id string, number int64) (asl.Command, error) {
	f := e.cache.take(id)
	defer e.cache.put(f)
	if err := e.load(ctx, f); err != nil {
		if errors.Is(err, ErrNotFound) {
			err = unfitError{err}
		}
		return asl.Command{}, err
	}
	c, ok := f.x.Command(number)
	if !ok {
		return c, unfitError{fmt.Errorf("execution %q does not ask for command %d: %w", id, number, errNotAsked)}
	}
	return c, nil
}

// named reports whether the definition deals with the error by its name.
func (e *Engine) named(ctx context.Context, w Work, name string) bool {
	f := e.cache.take(w.Execution)
	defer e.cache.put(f)
	return e.load(ctx, f) == nil && f.x.Names(w.Command, name)
}

// record makes the event durable, however often the journal must be asked, and
// parks the work if the event does not fit. It gives up only when the grace
// ends: then the deed is repeated at the next start. Once it is recorded the
// lane has room for what follows.
func (l *lane) record(task context.Context, d *deed, event asl.Event) {
	e, w := l.engine, d.Work
	err := e.insist(task, w, "record", func(ctx context.Context) error {
		err := e.tellOf(ctx, w.Execution, func(*asl.Execution) (asl.Event, error) { return event, nil }, l, d)
		if errors.Is(err, asl.ErrMoot) {
			return nil // recorded before, or withdrawn meanwhile
		}
		return err
	})
	if err != nil {
		e.park(task, w, err.Error())
	}
}

// park makes it durable that a person must act.
func (e *Engine) park(task context.Context, w Work, reason string) {
	err := e.insist(task, w, "park", func(ctx context.Context) error {
		err := e.journal.Park(ctx, w.Execution, w.Command, reason)
		if errors.Is(err, ErrNotFound) {
			return nil // it was withdrawn meanwhile
		}
		return err
	})
	if err != nil {
		e.log.Error("work cannot be parked", "key", w.Key(), "reason", reason, "err", err)
		return
	}
	e.log.Warn("work is parked: a person must act, then redrive", "key", w.Key(), "resource", w.Lane, "reason", reason)
}

// postpone makes it durable that the work is not to be begun before until.
func (e *Engine) postpone(task context.Context, w Work, until time.Time) {
	if least := e.now().Add(shortestSleep); until.Before(least) {
		until = least // a handler cannot keep a lane spinning
	}
	err := e.insist(task, w, "postpone", func(ctx context.Context) error {
		err := e.journal.Postpone(ctx, w.Execution, w.Command, until)
		if errors.Is(err, ErrNotFound) {
			return nil // it was withdrawn meanwhile
		}
		return err
	})
	if err != nil {
		e.park(task, w, err.Error())
	}
}

// insist writes to the journal until it has, and gives an error only if that
// is permanent. task ends it when the grace is over, but not when the work is
// withdrawn.
func (e *Engine) insist(task context.Context, w Work, what string, write func(context.Context) error) error {
	ctx := context.WithoutCancel(task)
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		err := write(ctx)
		if err == nil || permanent(err) {
			return err
		}
		if pause == firstPause {
			e.log.Error("the journal does not take how work went; trying again", "what", what, "key", w.Key(), "err", err)
		}
		if !sleep(task, pause) {
			return nil // what was not recorded is repeated
		}
	}
}

// sleep reports whether it was not cut short.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
