package temporal

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"inspector/workflow/asl"

	engine "inspector/workflow"
)

// MachineResource is what a worker of a device is asked for when an execution
// of the device begins another: Machines handles it. It is Local.
const MachineResource = "inspector:machine"

// A found is the answer: what a reference stands for.
type found struct {
	engine.Execution
	Definition string `json:"definition"`
}

// Machines is the handler of MachineResource. lookup gives what a reference
// stands for now, with its definition, or engine.ErrNotFound.
func Machines(lookup func(ctx context.Context, ref string) (engine.Execution, []byte, error)) engine.Handler {
	return func(ctx context.Context, t engine.Task) (json.RawMessage, error) {
		var ref string
		if err := json.Unmarshal(t.Input, &ref); err != nil {
			return nil, err
		}
		w, definition, err := lookup(ctx, ref)
		switch {
		case errors.Is(err, engine.ErrNotFound):
			return nil, engine.NestedUnknown(ref)
		case err != nil:
			return nil, err
		}
		return json.Marshal(found{w, string(definition)})
	}
}

// nest begins an execution for a task: a workflow of its own, which outlives
// this one unless it is awaited.
func (r *run) nest(ctx workflow.Context, c asl.Command) (asl.Event, error) {
	key := engine.Work{Execution: r.name, State: c.State, Command: c.ID}.Key()
	n, err := engine.ReadNesting(engine.Task{Key: key, Resource: c.Resource, Input: c.Input, Token: c.Token})
	if err != nil {
		return r.unnested(c, err), nil
	}
	ref, err := json.Marshal(n.Machine)
	if err != nil {
		return asl.Event{}, err
	}
	e, err := r.task(ctx, asl.Command{Kind: asl.RunTask, ID: c.ID, State: c.State, Resource: MachineResource, Input: ref})
	if err != nil {
		return e, err
	}
	if e.Kind == asl.Failed {
		_, r.unbegun, _ = asl.SplitToken(c.Token)
		return e, nil
	}
	var f found
	if err := json.Unmarshal(e.Output, &f); err != nil {
		return asl.Event{}, err
	}
	in := Start{
		Definition: f.Definition, Input: n.Input, Device: r.start.Device, Local: r.start.Local, Lost: r.start.Lost, Nests: true, Tells: r.start.Tells,
		StateMachine: f.StateMachine, Version: f.Version, Alias: f.Alias, Type: f.Type,
	}
	if engine.Awaited(c.Resource) {
		in.ParentToken, in.Waiting = c.Token, c.Resource
	}
	arn := in.arn(n.Name, f.Machine)
	calm, _ := workflow.NewDisconnectedContext(ctx)
	child := workflow.ExecuteChildWorkflow(workflow.WithChildOptions(calm, workflow.ChildWorkflowOptions{
		WorkflowID: n.Name, ParentClosePolicy: enums.PARENT_CLOSE_POLICY_ABANDON, WorkflowIDReusePolicy: enums.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
	}), Type, in)
	err = child.GetChildWorkflowExecution().Get(calm, nil)
	switch {
	case temporal.IsWorkflowExecutionAlreadyStartedError(err):
		return r.unnested(c, engine.NestedExists(arn)), nil
	case err != nil:
		return asl.Event{}, err
	case ctx.Err() != nil && engine.Awaited(c.Resource): // withdrawn while it began
		parent, command, _ := asl.SplitToken(c.Token)
		r.send(n.Name, signalStop, stop{Cause: engine.NotAwaited, Of: &deed{Execution: parent, Command: command}})
		return asl.Event{}, ctx.Err()
	}
	output, err := engine.NestedStarted(arn, workflow.Now(ctx).UTC())
	return asl.Event{Kind: asl.Succeeded, Output: output}, err
}

// unnested is the event of a task that begins no execution: there is none to
// stop when its wait is cancelled.
func (r *run) unnested(c asl.Command, err error) asl.Event {
	_, r.unbegun, _ = asl.SplitToken(c.Token)
	name, cause, _ := engine.Failure(err)
	return asl.Event{Kind: asl.Failed, Error: name, Cause: cause}
}

// abandon stops the execution that the command waited for.
func (r *run) abandon(name string, command int64) {
	r.send(name, signalStop, stop{Cause: engine.NotAwaited, Of: &deed{Execution: r.name, Command: command}})
}

// report tells the task that waits for this execution how it ended.
func (r *run) report(ctx workflow.Context) {
	parent, _, ok := asl.SplitToken(r.start.ParentToken)
	if !ok {
		return
	}
	d := engine.Description{Input: r.x.Input(), Execution: engine.Execution{
		ID: r.name, Machine: r.machine.Hash(), StateMachine: r.start.StateMachine, Status: r.x.Status(), Started: r.x.Started(), Stopped: workflow.Now(ctx).UTC(),
		Output: r.x.Output(), Error: r.x.Error(), Cause: r.x.Cause(), Redrives: r.x.Redrives(),
	}}
	text, err := engine.NestedEnded(d, r.start.arn(r.name, r.machine.Hash()), r.start.Waiting)
	a := answer{Token: r.start.ParentToken, Output: text}
	if d.Status != asl.StatusSucceeded {
		a = answer{Token: a.Token, Failed: true, Error: "States.TaskFailed", Cause: string(text)}
	}
	if err == nil {
		r.send(parent, signalEnded, a)
	}
}

// send signals another execution; one that is gone has nobody to be told. This
// one does not end before it has been sent.
func (r *run) send(to, signal string, v any) {
	calm, _ := workflow.NewDisconnectedContext(r.ctx)
	r.sending++
	workflow.Go(calm, func(ctx workflow.Context) {
		_ = workflow.SignalExternalWorkflow(ctx, to, "", signal, v).Get(ctx, nil)
		r.sending--
	})
}

// TellResource is what any worker is asked for when the status of an execution
// has changed: Tells handles it.
const TellResource = "inspector:tell"

// A Change is an execution whose status has just changed.
type Change struct {
	Execution engine.Execution `json:"execution"`
	Device    string           `json:"device"` // that handed it over
	Input     json.RawMessage  `json:"input"`
	At        time.Time        `json:"at"`
}

// Tells is the handler of TellResource: nil from tell says that it is durable.
// The same change may be told again.
func Tells(tell func(context.Context, Change) error) engine.Handler {
	return func(ctx context.Context, t engine.Task) (json.RawMessage, error) {
		var c Change
		if err := json.Unmarshal(t.Input, &c); err != nil {
			return nil, err
		}
		return nil, tell(ctx, c)
	}
}

// changed has the change of the status told, after those of before.
func (r *run) changed(before asl.Status, at time.Time) {
	if !r.start.Tells || r.start.Type == engine.Express {
		return
	}
	w := engine.Execution{
		ID: r.name, Machine: r.machine.Hash(), StateMachine: r.start.StateMachine, Version: r.start.Version, Alias: r.start.Alias, Type: r.start.Type,
		Status: r.x.Status(), Started: r.x.Started(), Output: r.x.Output(), Error: r.x.Error(), Cause: r.x.Cause(), Redrives: r.x.Redrives(),
	}
	if r.ended() {
		w.Stopped = at
	}
	if w.Parent, _, _ = asl.SplitToken(r.start.ParentToken); w.Redrives > 0 {
		w.Redriven = r.redriven()
	}
	telling := len(r.changes) > 0
	if before == "" && r.ended() { // it ended as it began
		r.changes = append(r.changes, Change{w.Running(), r.start.Device, r.x.Input(), at})
	}
	r.changes = append(r.changes, Change{w, r.start.Device, r.x.Input(), at})
	if telling {
		return // who tells those of before goes on with these
	}
	calm, _ := workflow.NewDisconnectedContext(r.ctx)
	r.sending++
	workflow.Go(calm, func(ctx workflow.Context) {
		for ; len(r.changes) > 0; r.changes = r.changes[1:] {
			r.tellChange(ctx, r.changes[0])
		}
		r.sending--
	})
}

// redriven is when the execution was redriven last.
func (r *run) redriven() (at time.Time) {
	for _, e := range r.journal {
		if e.Kind == asl.Redriven {
			at = e.At
		}
	}
	return at
}

// tellChange asks workers until one has told it, or refuses for good.
func (r *run) tellChange(ctx workflow.Context, c Change) {
	input, err := json.Marshal(c)
	if err != nil {
		return
	}
	for pause := firstPause; ; pause = min(2*pause, time.Minute) {
		e, err := r.task(ctx, asl.Command{Kind: asl.RunTask, Resource: TellResource, Input: input})
		if err != nil || e.Kind == asl.Succeeded {
			return
		}
		if workflow.Sleep(ctx, pause) != nil {
			return
		}
	}
}
