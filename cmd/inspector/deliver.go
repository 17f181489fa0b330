package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"inspector/notify/rule"
	"inspector/web"
	"inspector/workflow"
)

// A deliveryError is how a delivery failed, in the words of its machine.
type deliveryError struct {
	name string
	err  error
}

func (e *deliveryError) Error() string   { return cutText(e.err.Error()) }
func (e *deliveryError) Unwrap() error   { return e.err }
func (e *deliveryError) Name() string    { return e.name }
func (e *deliveryError) Permanent() bool { return true }

// failing makes errors of a delivery short, and gives those that no retry
// helps the name that the machine knows.
func failing(err error) error {
	switch {
	case err == nil:
		return nil
	case permanent(err):
		return &deliveryError{rule.Refused, err}
	}
	return err
}

// handle gives the engine the handlers of all rules and functions.
func (e *events) handle(s *sinks) error {
	for _, r := range e.rules {
		for name, t := range r.Targets {
			d := rule.Delivery{Rule: r.Name, Target: name}
			if err := e.handleTarget(s, d, t); err != nil {
				return fmt.Errorf("rule %s, target %s: %w", r.Name, name, err)
			}
		}
	}
	for _, f := range e.functions {
		if err := e.handleFunction(s, f); err != nil {
			return fmt.Errorf("function %s: %w", f.Name, err)
		}
	}
	return nil
}

func (e *events) handleTarget(s *sinks, d rule.Delivery, t rule.Target) error {
	deliver, deadLetter := d.Resources()
	if t.Channel == "" { // else the channel's own lane delivers
		send, err := s.open(t.Sink)
		if err != nil {
			return err
		}
		e.engine.Handle(deliver, 4, e.delivering(d, t, send, time.Now))
	}
	if t.DeadLetter == nil {
		return nil
	}
	bury, err := s.open(*t.DeadLetter)
	if err != nil {
		return err
	}
	e.engine.Handle(deadLetter, 4, burying(d, bury))
	return nil
}

// A letter is the input of a delivery's execution.
type letter struct {
	Event      json.RawMessage `json:"event"`
	Generation int             `json:"generation,omitempty"` // of the execution that the event tells of
	Failure    rule.Failure    `json:"failure,omitzero"`
}

// delivering is one attempt at a delivery. A person who redrives one that was
// too old gives it its time once more.
func (e *events) delivering(d rule.Delivery, t rule.Target, send sender, now func() time.Time) workflow.Handler {
	return func(ctx context.Context, task workflow.Task) (json.RawMessage, error) {
		in, err := input[letter](task)
		if err != nil {
			return nil, failing(err)
		}
		var envelope struct{ Time time.Time }
		if err := json.Unmarshal(in.Event, &envelope); err != nil {
			return nil, failing(&malformedError{task.Resource, err})
		}
		if err := e.young(ctx, task.Execution, envelope.Time, t.Retry.Age(), now()); err != nil {
			return nil, err
		}
		body, err := t.Payload(d.Rule, in.Event)
		if err != nil {
			return nil, failing(&malformedError{task.Resource, err})
		}
		return nil, failing(send(ctx, parcel{id: task.Execution, body: body, generation: in.Generation + 1}))
	}
}

// young is an error for an event that is older than most, unless a person has
// redriven its delivery since.
func (e *events) young(ctx context.Context, execution string, told time.Time, most time.Duration, now time.Time) error {
	age := now.Sub(told)
	if age <= most {
		return nil
	}
	x, err := e.engine.Describe(ctx, execution)
	if err != nil {
		return err
	}
	if now.Sub(x.Redriven) > most {
		return &deliveryError{rule.TooOld, fmt.Errorf("the event is %v old, of at most %v", age.Round(time.Second), most)}
	}
	return nil
}

// burying hands a dead letter over.
func burying(d rule.Delivery, send sender) workflow.Handler {
	return func(ctx context.Context, task workflow.Task) (json.RawMessage, error) {
		in, err := input[letter](task)
		if err != nil {
			return nil, err
		}
		return nil, send(ctx, parcel{id: task.Execution, body: in.Event, attributes: deliveryNote(d, in.Failure)})
	}
}

// handleFunction gives the engine the handlers of the function's own states.
func (e *events) handleFunction(s *sinks, f rule.Function) error {
	send := map[bool]sender{}
	for success, to := range map[bool]*rule.Sink{true: f.OnSuccess, false: f.OnFailure} {
		if to == nil {
			continue
		}
		var err error
		if send[success], err = s.open(*to); err != nil {
			return err
		}
	}
	e.engine.Handle(f.Resource("reckon"), 4, func(ctx context.Context, task workflow.Task) (json.RawMessage, error) {
		i, err := e.invocation(ctx, task)
		return output(f.Reckon(i, time.Now()), err)
	})
	e.engine.Handle(f.Resource("record"), 4, func(ctx context.Context, task workflow.Task) (json.RawMessage, error) {
		i, err := e.invocation(ctx, task)
		if err != nil {
			return nil, err
		}
		return output(f.Record(e.origin, i, time.Now()))
	})
	e.engine.Handle(f.Resource("destination"), 4, func(ctx context.Context, task workflow.Task) (json.RawMessage, error) {
		r, err := input[rule.Record](task)
		if to := send[r.RequestContext.Condition == rule.Success]; err == nil && to != nil {
			err = to(ctx, parcel{id: task.Execution + ".record", body: task.Input})
		}
		return nil, err
	})
	if f.DeadLetter == nil {
		return nil
	}
	bury, err := s.open(*f.DeadLetter)
	if err != nil {
		return err
	}
	e.engine.Handle(f.Resource("dead-letter"), 4, func(ctx context.Context, task workflow.Task) (json.RawMessage, error) {
		r, err := input[rule.Record](task)
		if err != nil {
			return nil, err
		}
		return nil, bury(ctx, parcel{id: task.Execution + ".event", body: r.RequestPayload})
	})
	return nil
}

// invocation reads the input of one of the function's own states. Its time is
// that of the execution's start, which the journal knows.
func (e *events) invocation(ctx context.Context, task workflow.Task) (rule.Invocation, error) {
	i, err := input[rule.Invocation](task)
	if err != nil {
		return i, err
	}
	x, err := e.engine.Describe(ctx, task.Execution)
	i.At = x.Started
	return i, err
}

// Invoke begins an asynchronous invocation, durably.
func (e *events) Invoke(ctx context.Context, name string, payload json.RawMessage) (string, error) {
	machine, ok := e.invoked[name]
	if !ok {
		return "", fmt.Errorf("%w: function %q; its file belongs into the folder events.functions", web.ErrNotFound, name)
	}
	id := rule.NewRequestID()
	return id, invoke(ctx, e.engine, name, machine, id, payload)
}
