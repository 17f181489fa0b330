package main

import (
	"cmp"
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"time"

	"inspector"
	"inspector/model"
	"inspector/notify/people"
	"inspector/notify/rule"
	"inspector/workflow"
	"inspector/workflow/asl"
	"inspector/workflow/temporal"
)

// events decides what is begun for an event, and shows it to whoever looks.
// Deliveries are executions of the machines that deploy makes, so they are
// durable from the commit on that begins them.
type events struct {
	origin    rule.Origin
	rules     []rule.Rule
	functions []rule.Function
	channels  map[string]people.Channel
	set       *rule.Set
	engine    *workflow.Engine
	bus       bus
	watching  func(workflow.Execution, time.Time) // is told of every change of status; it does not block; nil: nobody
	log       *slog.Logger

	machines map[rule.Delivery]string // hash of the definition
	invoked  map[string]string        // likewise, by function
}

// newEvents reads rules and functions. Nothing is begun before deploy.
func newEvents(c Config, log *slog.Logger) (*events, error) {
	rules, functions, err := c.readRules()
	if err != nil {
		return nil, err
	}
	channels, err := c.readChannels()
	if err != nil {
		return nil, err
	}
	set, err := rule.NewSet(rules)
	return &events{
		origin: c.origin(), rules: rules, functions: functions, channels: channels, set: set, log: log,
		machines: map[rule.Delivery]string{}, invoked: map[string]string{},
	}, err
}

// deploy makes the machines of all targets and functions known to the engine.
// Call it before any execution begins.
func (e *events) deploy(ctx context.Context, engine *workflow.Engine) error {
	e.engine = engine
	for _, r := range e.rules {
		for name, t := range r.Targets {
			d := rule.Delivery{Rule: r.Name, Target: name}
			definition, err := t.Machine(d, e.remind(t))
			if err != nil {
				return err
			}
			if e.machines[d], err = engine.Deploy(ctx, definition); err != nil {
				return err
			}
		}
	}
	for _, f := range e.functions {
		definition, err := f.Definition()
		if err != nil {
			return err
		}
		if e.invoked[f.Name], err = engine.Deploy(ctx, definition); err != nil {
			return err
		}
	}
	return nil
}

// emit is the engine's Emit: the deliveries of a change of status.
func (e *events) emit(_ asl.Status, x workflow.Execution, input json.RawMessage, at time.Time) []workflow.Begin {
	if e.watching != nil {
		e.watching(x, at)
	}
	if e.set.Empty() && !e.bus.watched() {
		return nil
	}
	event, begin := e.statusChange(e.origin, x, input, at)
	e.bus.show(event)
	return begin
}

// changed begins the deliveries of a change of status on the cluster, durably.
// Told again, none is begun twice here; another device may have told it.
func (e *events) changed(ctx context.Context, c temporal.Change) error {
	origin := e.origin
	origin.Account = c.Device
	event, begin := e.statusChange(origin, c.Execution, c.Input, c.At)
	err := e.engine.Begin(ctx, begin...)
	if err == nil {
		e.bus.show(event)
	}
	return err
}

func (e *events) statusChange(o rule.Origin, x workflow.Execution, input json.RawMessage, at time.Time) (json.RawMessage, []workflow.Begin) {
	root, _, _ := strings.Cut(cmp.Or(x.Parent, x.ID), "/") // a task's key begins with its execution
	return e.deliveries(o.StatusChange(changeOf(x, input), at), rule.Generation(root))
}

// changeOf is the execution in the words of an event.
func changeOf(x workflow.Execution, input json.RawMessage) rule.Change {
	return rule.Change{
		Machine: cmp.Or(x.StateMachine, x.Machine), Version: x.Version, Alias: x.Alias, Name: x.ID, Redrives: x.Redrives, Redriven: x.Redriven,
		Status: string(x.Status), Started: x.Started, Stopped: x.Stopped,
		Input: input, Output: x.Output, Error: x.Error, Cause: x.Cause,
	}
}

// deliveries gives the text of the event and what it begins. generation is
// that of the execution which it tells of.
func (e *events) deliveries(event rule.Event, generation int) (json.RawMessage, []workflow.Begin) {
	text, err := event.JSON()
	if err != nil {
		e.log.Error("an event cannot be written", "type", event.DetailType, "err", err)
		return nil, nil
	}
	targets, err := e.set.Deliveries(text)
	if err != nil {
		e.log.Error("an event cannot be matched", "type", event.DetailType, "err", err)
	}
	var out []workflow.Begin
	for _, d := range targets {
		input, err := json.Marshal(letter{Event: text, Generation: generation})
		if err != nil {
			e.log.Error("an event cannot be delivered", "type", event.DetailType, "rule", d.Rule, "err", err)
			continue
		}
		out = append(out, workflow.Begin{Machine: e.machines[d], Called: d.Called(), ID: d.ID(event.ID), Input: input})
	}
	return text, out
}

// tell begins the deliveries of an event that no execution changed for. They
// are durable when it returns nil; told again, none is begun twice.
func (e *events) tell(ctx context.Context, kind, key string, at time.Time, detail any) error {
	text, begin := e.deliveries(e.origin.Event(kind, key, at, detail), 0)
	err := e.engine.Begin(ctx, begin...)
	if err == nil {
		e.bus.show(text)
	}
	return err
}

// judgedEvent is the same for the same inspection.
func (e *events) judgedEvent(i inspector.Inspection) rule.Event {
	return e.origin.Event(inspectionJudged, i.ID, i.At, judgedDetailOf(i))
}

// prepare gives the first transitions of what tells of the inspection, to be
// committed together with it. What cannot begin must not hold up the board.
func (e *events) prepare(i inspector.Inspection) (out []workflow.Transition) {
	if e.set.Empty() {
		return nil
	}
	_, begin := e.deliveries(e.judgedEvent(i), 0)
	for _, b := range begin {
		all, err := e.engine.PrepareBegin(b, time.Now().UTC())
		if err != nil {
			e.log.Error("an event is not delivered", "type", inspectionJudged, "delivery", b.ID, "err", err)
			continue
		}
		out = append(out, all...)
	}
	return out
}

// judged shows an inspection that is durable.
func (e *events) judged(i inspector.Inspection, _ inspector.Pixels) {
	if !e.bus.watched() {
		return
	}
	text, err := e.judgedEvent(i).JSON()
	if err != nil {
		e.log.Error("an event cannot be shown", "type", inspectionJudged, "err", err)
		return
	}
	e.bus.show(text)
}

// recall tells again of changes of the last day: those told already begin
// nothing, and one before which the power failed is not lost.
func (e *events) recall(ctx context.Context, changes []model.Change, now time.Time) {
	for _, c := range changes {
		if now.Sub(c.At) < leastKept {
			e.modelChanged(ctx, c)
		}
	}
}

// modelChanged tells of a change that is durable.
func (e *events) modelChanged(ctx context.Context, c model.Change) {
	d := modelDetailOf(c)
	if err := e.tell(context.WithoutCancel(ctx), modelChanged, d.Action+" "+d.Model+" "+d.To, c.At, d); err != nil {
		e.log.Error("an event is not told", "type", modelChanged, "model", c.Model, "err", err)
	}
}
