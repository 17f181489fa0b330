package workflow

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"time"

	"inspector/workflow/asl"
)

// The numbers of an execution's work that its own commands do not ask for: the
// interpreter gives none below 1.
const (
	reportCommand = -1 // tells the parent of the end
	orphanCommand = -2 // looks once, from the start on, whether the parent still waits
)

// nest gives the engine what executions inside executions need.
func (e *Engine) nest() {
	for _, resource := range []string{startExecution, startExecutionSync, startExecutionSync2} {
		e.Handle(resource, 4, e.startNested)
	}
	e.lanes[LaneReport] = newLane(e, LaneReport, 4, nil)
	e.lanes[LaneReport].chore = e.report
	e.lanes[LaneAbort] = newLane(e, LaneAbort, 4, nil)
	e.lanes[LaneAbort].chore = e.abortNested
}

// doChore does work of the engine's own until it is done, or the grace ends.
func (l *lane) doChore(task context.Context, w Work) {
	err := l.engine.insist(task, w, w.Lane, func(ctx context.Context) error {
		if err := l.chore(ctx, w); err != nil {
			return err
		}
		return l.engine.done(ctx, task, w)
	})
	if err != nil {
		l.engine.park(task, w, err.Error())
	}
}

// done forgets work of the engine's own. If it was withdrawn, its number may
// stand for newer work already: the lock of the execution keeps them apart.
func (e *Engine) done(ctx, task context.Context, w Work) error {
	f := e.cache.take(w.Execution)
	defer e.cache.put(f)
	if errors.Is(context.Cause(task), errWithdrawn) {
		return nil
	}
	err := e.journal.Done(ctx, w.Execution, w.Command)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// Lookup gives what a reference, as for Start, stands for now: an execution that
// has not begun, and its definition.
func (e *Engine) Lookup(ctx context.Context, ref string) (Execution, []byte, error) {
	all, err := e.catalogue(ctx)
	if err != nil {
		return Execution{}, nil, err
	}
	w, err := e.resolve(all, ref)
	if err != nil {
		return w, nil, err
	}
	definition, err := e.journal.Definition(ctx, w.Machine)
	return w, definition, err
}

// startNested begins an execution for a task.
func (e *Engine) startNested(ctx context.Context, task Task) (json.RawMessage, error) {
	n, err := ReadNesting(task)
	if err != nil {
		return nil, err
	}
	if n.Named && e.options.Reserved != nil && e.options.Reserved(n.Name) {
		return nil, invalidName(n.Name)
	}
	w := Execution{ID: n.Name, Parent: task.Key}
	if Awaited(task.Resource) {
		w.ParentToken = task.Token
	}
	x, err := e.start(ctx, n.Machine, w, n.Input)
	switch {
	case errors.Is(err, ErrExists):
		return nil, NestedExists(e.arn(x.Execution))
	case errors.Is(err, ErrNotFound):
		return nil, NestedUnknown(n.Arn)
	case err != nil:
		return nil, err
	}
	return NestedStarted(e.arn(x.Execution), x.Started)
}

// orphaned stops an execution whose task was withdrawn while it began: its
// parent found nothing to stop then.
func (e *Engine) orphaned(ctx context.Context, id string) error {
	x, _, err := e.journal.Load(ctx, id)
	if err != nil {
		return err
	}
	parent, command, _ := asl.SplitToken(x.ParentToken)
	f := e.cache.take(parent)
	err = e.load(ctx, f)
	waits := false
	if err == nil {
		_, waits = f.x.Command(command)
	}
	e.cache.put(f)
	gone := errors.Is(err, ErrNotFound) && !permanent(err) // the parent itself
	if err != nil && !gone || waits {
		return err
	}
	return e.Stop(ctx, id, "", NotAwaited)
}

func (e *Engine) arn(x Execution) string {
	return asl.ARN(cmp.Or(e.options.Account, "inspector"), cmp.Or(x.StateMachine, x.Machine), x.ID)
}

// report tells the task that waits for an execution how it ended. A task that
// waits no longer has nothing to be told.
func (e *Engine) report(ctx context.Context, w Work) error {
	d, err := e.Describe(ctx, w.Execution)
	if err != nil || d.Status == asl.StatusRunning { // redriven: it will end again
		return err
	}
	parent, command, ok := asl.SplitToken(d.ParentToken)
	if !ok {
		return nil
	}
	c, err := e.command(ctx, parent, command)
	if errors.Is(err, ErrNotFound) || errors.Is(err, errNotAsked) {
		return nil
	}
	if err != nil {
		return err
	}
	text, err := NestedEnded(d, e.arn(d.Execution), c.Resource)
	if err != nil {
		return err
	}
	if d.Status == asl.StatusSucceeded {
		err = e.SendTaskSuccess(ctx, d.ParentToken, text)
	} else {
		err = e.SendTaskFailure(ctx, d.ParentToken, "States.TaskFailed", string(text))
	}
	if errors.Is(err, ErrTaskClosed) || errors.Is(err, ErrInvalidToken) || errors.Is(err, asl.ErrMoot) {
		return nil
	}
	return err
}

// abort is the work that ends what a .sync task began, whose wait is cancelled.
// Its state is the name of that execution.
func abort(id string, c asl.Command, now time.Time) (Work, bool) {
	name, ok := AwaitedExecution(id, c)
	return Work{Execution: id, Command: c.ID, Lane: LaneAbort, State: name, Due: now, Since: now}, ok
}

// abortNested stops the execution, if the task began it; or the work's own
// execution, if its parent waits no longer.
func (e *Engine) abortNested(ctx context.Context, w Work) error {
	if w.Command == orphanCommand {
		return e.orphaned(ctx, w.Execution)
	}
	x, _, err := e.journal.Load(ctx, w.State)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil
	case err != nil:
		return err
	case !AwaitedBy(w.Execution, w.Command, x.ParentToken):
		return nil
	}
	return e.Stop(ctx, w.State, "", NotAwaited)
}
