package temporal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"go.temporal.io/sdk/client"

	"inspector/workflow/asl"

	engine "inspector/workflow"
)

// folded is an execution as its journal on the cluster has made it.
type folded struct {
	x       asl.Execution
	machine *asl.Machine
	events  []asl.Event
	history []asl.HistoryEvent
	parked  map[int64]string
	start   Start // without journal and input
}

// fold asks for the journal and folds it. A worker must be at work somewhere.
func (c *Client) fold(ctx context.Context, id string) (*folded, error) {
	return fold(func(from int) (p page, err error) {
		v, err := c.sdk.QueryWorkflow(ctx, id, "", queryJournal, from)
		if err != nil {
			return p, err
		}
		return p, v.Get(&p)
	})
}

func fold(ask func(from int) (page, error)) (*folded, error) {
	f := &folded{}
	for total := 1; len(f.events) < total; {
		p, err := ask(len(f.events))
		if err != nil {
			return nil, err
		}
		if f.machine == nil {
			if p.Start == nil {
				return nil, errors.New("the worker that answers is of another release: update all devices of the task queue")
			}
			f.start = *p.Start
			if f.machine, err = asl.Restore([]byte(f.start.Definition)); err != nil {
				return nil, err
			}
		}
		if len(p.Events) == 0 {
			break // it was accepted, but nobody has begun it
		}
		f.events, f.parked, total = append(f.events, p.Events...), p.Parked, p.Total
	}
	for n, e := range f.events {
		h, _, err := f.machine.Advance(&f.x, e)
		if err != nil {
			return nil, fmt.Errorf("event %d does not fit the definition: %w", n+1, err)
		}
		f.history = append(f.history, h...)
	}
	return f, nil
}

// Describe gives an execution with the work that waits in its name, or
// workflow.ErrNotFound.
func (c *Client) Describe(ctx context.Context, id string) (engine.Description, error) {
	f, err := c.fold(ctx, id)
	if err != nil {
		return engine.Description{}, wrap(err, "describe", id)
	}
	d := engine.Description{Execution: engine.Execution{
		ID: id, Machine: f.machine.Hash(), StateMachine: f.start.StateMachine, Version: f.start.Version, Alias: f.start.Alias, Type: f.start.Type,
		ParentToken: f.start.ParentToken, Redrives: f.x.Redrives(), Status: f.x.Status(), Started: f.x.Started(), States: f.x.States(),
		Output: f.x.Output(), Error: f.x.Error(), Cause: f.x.Cause(),
	}}
	if len(f.events) > 0 {
		d.Input = f.events[0].Input
		if last := f.events[len(f.events)-1]; d.Status != asl.StatusRunning {
			d.Stopped = last.At
		}
	}
	for _, o := range f.x.Open() {
		w := engine.Work{Execution: id, Command: o.ID, Lane: o.Resource, State: o.State, Due: o.Due, Parked: f.parked[o.ID]}
		switch o.Kind {
		case asl.SetTimer:
			w.Lane = engine.LaneTimer
		case asl.Await:
			w.Lane = engine.LaneToken
		}
		if d.Parked == "" {
			d.Parked = w.Parked
		}
		d.Work = append(d.Work, w)
	}
	return d, nil
}

// History gives the events of an execution as Step Functions shows them.
func (c *Client) History(ctx context.Context, id string) ([]asl.HistoryEvent, error) {
	f, err := c.fold(ctx, id)
	if err != nil {
		return nil, wrap(err, "history of", id)
	}
	return f.history, nil
}

// Token gives the task token of the execution's state that waits for an
// answer; workflow.ErrTaskClosed if none waits.
func (c *Client) Token(ctx context.Context, id, state string) (string, error) {
	f, err := c.fold(ctx, id)
	if err != nil {
		return "", wrap(err, "task token of", id)
	}
	open := f.x.Open()
	n := slices.IndexFunc(open, func(o asl.Command) bool { return o.Kind == asl.Await && o.State == state })
	if n < 0 {
		return "", wrap(engine.ErrTaskClosed, "task token of", id)
	}
	return open[n].Token, nil
}

// SendTaskSuccess answers a task token with JSON. It is durable when it
// returns. workflow.ErrTaskClosed says that an answer came before.
func (c *Client) SendTaskSuccess(ctx context.Context, token string, output json.RawMessage) error {
	if !json.Valid(output) {
		return errors.New("answer a task token: the output is not JSON")
	}
	return c.answer(ctx, answer{Token: token, Output: output})
}

// SendTaskFailure answers a task token with an error, for Retry and Catch.
func (c *Client) SendTaskFailure(ctx context.Context, token, errorName, cause string) error {
	return c.answer(ctx, answer{Token: token, Failed: true, Error: errorName, Cause: cause})
}

func (c *Client) answer(ctx context.Context, a answer) error {
	id, _, ok := asl.SplitToken(a.Token)
	if !ok {
		return fmt.Errorf("answer a task token: %w", engine.ErrInvalidToken)
	}
	ctx, cancel := context.WithTimeout(ctx, answerIn)
	defer cancel()
	h, err := c.sdk.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{WorkflowID: id, UpdateName: updateAnswer, WaitForStage: client.WorkflowUpdateStageCompleted, Args: []any{a}})
	if err == nil {
		err = h.Get(ctx, nil)
	}
	switch typeOf(err) {
	case typeInvalid:
		err = engine.ErrInvalidToken
	case typeClosed:
		err = engine.ErrTaskClosed
	}
	if isNotFound(err) {
		err = c.ended(ctx, id, a.Token)
	}
	return wrap(err, "answer a task token of", id)
}

// ended says why a token of an execution that does not run has no task.
func (c *Client) ended(ctx context.Context, id, token string) error {
	f, err := c.fold(ctx, id)
	if err != nil {
		return engine.ErrInvalidToken // and no word about which executions there are
	}
	if _, command, _ := asl.SplitToken(token); f.x.Token(command) != token {
		return engine.ErrInvalidToken
	}
	return engine.ErrTaskClosed
}

// SendTaskHeartbeat says that whoever holds the token is alive, so that
// HeartbeatSeconds begin anew. Of a task that is over nothing is said.
func (c *Client) SendTaskHeartbeat(ctx context.Context, token string) error {
	id, _, ok := asl.SplitToken(token)
	if !ok {
		return fmt.Errorf("heartbeat of a task token: %w", engine.ErrInvalidToken)
	}
	err := c.sdk.SignalWorkflow(ctx, id, "", signalHeartbeat, token)
	if isNotFound(err) {
		err = c.ended(ctx, id, token)
	}
	return wrap(err, "heartbeat of a task token of", id)
}

// Wait gives the execution once it has ended.
func (c *Client) Wait(ctx context.Context, id string) (engine.Description, error) {
	err := c.sdk.GetWorkflow(ctx, id, "").Get(ctx, nil)
	if err != nil && (ctx.Err() != nil || isNotFound(err)) {
		return engine.Description{}, wrap(err, "wait for", id)
	}
	return c.Describe(ctx, id) // how it failed, if it did
}

// ExecutionOf gives the ID of the execution that a task token names; empty if
// it is none.
func ExecutionOf(token string) string {
	id, _, _ := asl.SplitToken(token)
	return id
}
