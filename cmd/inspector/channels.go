package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"inspector"
	"inspector/notify/people"
	"inspector/notify/rule"
	"inspector/store"
	"inspector/workflow"
)

// channels tell people. What waits for a channel waits in its lane, in the
// journal: there is no second queue.
type channels struct {
	events  *events
	disk    *store.Store
	station inspector.Station
	page    string                                                                          // address that people reach
	picture func(ctx context.Context, id string) (io.ReadSeekCloser, inspector.Blob, error) // nil: there is none
	outlets map[string]*people.Outlet
}

// openChannels opens all; nothing is connected yet.
func openChannels(e *events, disk *store.Store, station inspector.Station, page string) (*channels, error) {
	c := &channels{events: e, disk: disk, station: station, page: page, outlets: map[string]*people.Outlet{}}
	for _, name := range slices.Sorted(maps.Keys(e.channels)) {
		o, err := people.Open(name, e.channels[name])
		if err != nil {
			return nil, errors.Join(err, c.close())
		}
		c.outlets[name] = o
	}
	return c, nil
}

func (c *channels) close() error {
	for _, o := range c.outlets {
		o.Close()
	}
	return nil
}

// mostTold is how many messages a digest is made of at most; others wait for
// the next one.
const mostTold = 5000

// register gives each channel its lanes in the engine: one that quiet hours
// hold, and one that they do not.
func (c *channels) register(e *workflow.Engine) {
	for name, of := range c.events.channels {
		b := workflow.Batch{Max: mostTold, Every: of.Group.Every}
		if of.Group.Every == 0 {
			b.Max = 1
		}
		h := c.telling(name, of)
		e.HandleBatch(rule.UrgentLane(name), b, h) // there may be work of a file of before that had quiet hours
		if of.Quiet.Set() {
			b.Hold = of.Quiet.Until
		}
		e.HandleBatch(rule.ChannelResource(name), b, h)
	}
	e.Handle(rule.AskResource, 4, c.ask)
}

// serve is register for who has no lanes: each message goes by itself.
func (c *channels) serve(r registrar) {
	for name, of := range c.events.channels {
		r.Handle(rule.ChannelResource(name), 4, c.telling(name, of).Alone())
	}
}

// lane sends what quiet hours do not hold back to a lane of its own; of any
// other resource next says the lane.
func (e *events) lane(next func(string, json.RawMessage) string) func(string, json.RawMessage) string {
	return func(resource string, input json.RawMessage) string {
		name, ok := strings.CutPrefix(resource, rule.ChannelResource(""))
		if !ok {
			return next(resource, input)
		}
		of, ok := e.channels[name]
		var in notice
		if ok && of.Quiet.Set() && json.Unmarshal(input, &in) == nil && of.Quiet.Disturbs(in.severity()) {
			return rule.UrgentLane(name)
		}
		return resource
	}
}

// remind is how often the target's people are told again.
func (e *events) remind(t rule.Target) rule.Remind {
	r := e.channels[t.Channel].Remind
	return rule.Remind{Every: r.Every, Times: r.Times}
}

// A notice is the input of a task that tells people: an event that a rule sends, or
// what a workflow says of a board.
type notice struct {
	Rule       string                `json:"rule"`
	Target     string                `json:"target"`
	Event      json.RawMessage       `json:"event"`
	Reminder   int                   `json:"reminder"`
	Inspection *inspector.Inspection `json:"inspection"`
	Title      string                `json:"title"`
	Text       string                `json:"text"`
	Severity   people.Severity       `json:"severity"`
}

// severity is how much it matters: as it says, else as the board or the event.
func (in notice) severity() people.Severity {
	switch {
	case in.Severity != "":
		return in.Severity
	case in.Inspection != nil:
		return people.OfBoard(*in.Inspection, "", "").Severity
	}
	e, err := people.ReadEvent(in.Event)
	if err != nil {
		return people.Info
	}
	return e.Severity()
}

// telling sends all tasks of a call as one message, and answers each.
func (c *channels) telling(name string, of people.Channel) workflow.BatchHandler {
	return func(ctx context.Context, tasks []workflow.Task) []workflow.Result {
		out := make([]workflow.Result, len(tasks))
		var all []people.Message
		var asked []int
		for i, t := range tasks {
			m, known, err := c.message(ctx, t)
			switch {
			case err != nil:
				out[i].Err = failing(err)
			case known:
				out[i].Output = json.RawMessage(`{"sent":false,"reason":"somebody has acknowledged it"}`)
			default:
				all, asked = append(all, m), append(asked, i)
			}
		}
		if len(all) == 0 {
			return out
		}
		m := people.DigestOf(all, of.Group.By, c.page)
		if of.Picture {
			m.Picture = c.show(ctx, m)
		}
		r, err := c.outlets[name].Send(ctx, m)
		answer, err := output(map[string]any{"sent": true, "message": m.Key, "together": len(all), "receipt": r}, failing(err))
		for _, i := range asked {
			out[i] = workflow.Result{Output: answer, Err: err}
		}
		return out
	}
}

// message is what the task tells, or that a reminder is not needed any more.
func (c *channels) message(ctx context.Context, t workflow.Task) (m people.Message, known bool, err error) {
	in, err := input[notice](t)
	if err != nil {
		return m, false, err
	}
	switch {
	case in.Inspection != nil:
		m = people.OfBoard(*in.Inspection, t.Key, c.page)
	case len(in.Event) > 0:
		m, known, err = c.event(ctx, t, &in)
	default:
		m = people.Test(c.station, "", t.Key, c.page, time.Now())
		m.Kind, m.Title, m.What = people.KindEvent, "Message", ""
	}
	if in.Severity != "" {
		m.Severity = in.Severity
	}
	m.Reminder = in.Reminder
	return m.Say(in.Title, in.Text), known, err
}

// event is what an event tells; of a board, all that is known of it.
func (c *channels) event(ctx context.Context, t workflow.Task, in *notice) (m people.Message, known bool, err error) {
	e, err := people.ReadEvent(in.Event)
	if err != nil {
		return m, false, &malformedError{t.Resource, err}
	}
	target, ok := c.target(in.Rule, in.Target)
	if ok && target.Retry.MaxAge > 0 && in.Reminder == 0 {
		if err := c.events.young(ctx, t.Execution, e.At, target.Retry.MaxAge, time.Now()); err != nil {
			return m, false, err
		}
	}
	if in.Title == "" && in.Text == "" && ok {
		in.Title, in.Text = target.Words(in.Rule, in.Event)
	}
	m = people.OfEvent(e, c.station, t.Key, c.page)
	if id := e.Inspection(); id != "" && m.Board != nil {
		r, ok, err := c.board(ctx, id)
		if err != nil {
			return m, false, err
		}
		if ok {
			m = people.OfBoard(r.Inspection, t.Key, c.page)
			known = in.Reminder > 0 && !open(r)
		}
	}
	m.Rule = in.Rule
	return m, known, nil
}

// board is what the store knows of the board, if it does: it may be another
// appliance's, or of before the disk was changed.
func (c *channels) board(ctx context.Context, id string) (r store.Record, ok bool, err error) {
	if _, err := store.ParseID(id); err != nil {
		return r, false, nil //nolint:nilerr // it is nobody's
	}
	r, err = c.disk.Inspection(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return r, false, nil
	}
	return r, err == nil, err
}

// target is that of a rule, unless the rule is gone.
func (c *channels) target(of, name string) (rule.Target, bool) {
	for _, r := range c.events.rules {
		if t, ok := r.Targets[name]; ok && r.Name == of {
			return t, true
		}
	}
	return rule.Target{}, false
}

// open reports whether nobody has seen the board yet, nor decided.
func open(r store.Record) bool {
	return r.Acknowledged == nil && r.Disposition == nil && r.Verdict != inspector.Pass
}

// ask says whether people must be told of a board again.
func (c *channels) ask(ctx context.Context, t workflow.Task) (json.RawMessage, error) {
	in, err := input[struct {
		Event    json.RawMessage `json:"event"`
		Reminder int             `json:"reminder"`
		Times    int             `json:"times"`
	}](t)
	if err != nil {
		return nil, err
	}
	again := false
	if e, err := people.ReadEvent(in.Event); err == nil && e.Inspection() != "" && in.Reminder <= in.Times {
		r, ok, err := c.board(ctx, e.Inspection())
		if err != nil {
			return nil, err
		}
		again = ok && open(r)
	}
	return output(map[string]any{"open": again, "next": in.Reminder + 1}, nil)
}

// channelTargets are the channels as what an operator can point at.
func channelTargets(all map[string]people.Channel) (out []target) {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		out = append(out, target{"channel " + name, []string{rule.ChannelResource(name), rule.UrgentLane(name)}})
	}
	return out
}
