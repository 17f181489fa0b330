package asl

import (
	"encoding/json"
	"slices"
	"testing"
	"time"
)

// A driver carries out commands at once, with a clock that jumps to the next
// timer.
type driver struct {
	t       testing.TB
	m       *Machine
	x       Execution
	now     time.Time
	handler func(Command) Event         // Succeeded or Failed
	holder  func(Command) (Event, bool) // of a task token: its answer, if one comes; nil: none does
	answer  Event                       // of the holder
	history []HistoryEvent
	log     []Event   // everything that was told
	asked   []Command // everything that was asked for
	random  float64
}

func newDriver(t testing.TB, m *Machine, handler func(Command) Event) *driver {
	return &driver{t: t, m: m, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), handler: handler, random: 0.5}
}

func (d *driver) tell(e Event) {
	d.t.Helper()
	e.At, e.Random = d.now, d.random
	events, commands, err := d.m.Advance(&d.x, e)
	if err != nil {
		d.t.Fatalf("%+v: %v", e, err)
	}
	d.history = append(d.history, events...)
	d.log = append(d.log, e)
	d.asked = append(d.asked, commands...)
}

// run until the end, until only tokens are awaited, or for limit events.
func (d *driver) run(input string, limit int) {
	d.t.Helper()
	d.tell(Event{Kind: Started, Name: "exec", Seed: "secret", Input: json.RawMessage(input)})
	for range limit {
		c, ok := d.next()
		if !ok {
			return
		}
		switch c.Kind {
		case RunTask:
			e := d.handler(c)
			e.Command = c.ID
			d.tell(e)
		case Await:
			d.tell(d.answer)
		case SetTimer:
			if c.Due.After(d.now) {
				d.now = c.Due
			}
			d.tell(Event{Kind: Fired, Command: c.ID})
		}
	}
}

// next is the first task, the first token that its holder answers now, or the
// timer that is due first.
func (d *driver) next() (Command, bool) {
	open := d.x.Open()
	if i := slices.IndexFunc(open, func(c Command) bool { return c.Kind == RunTask }); i >= 0 {
		return open[i], true
	}
	for _, c := range open {
		if c.Kind != Await || d.holder == nil {
			continue
		}
		if answer, ok := d.holder(c); ok {
			d.beat(c)
			d.answer, d.answer.Command = answer, c.ID
			return c, true
		}
	}
	open = slices.DeleteFunc(open, func(c Command) bool { return c.Kind != SetTimer })
	if len(open) == 0 {
		return Command{}, false
	}
	return slices.MinFunc(open, func(a, b Command) int { return a.Due.Compare(b.Due) }), true
}

// beat sends the heartbeats of a holder who is slow: nearly too late, and for
// more than twice the time that one of them gives.
func (d *driver) beat(awaits Command) {
	d.t.Helper()
	for range 3 {
		for _, c := range d.x.Open() {
			if soon := d.now.Add(c.Due.Sub(d.now) * 3 / 4); c.Kind == SetTimer && soon.After(d.now) {
				d.now = soon
				d.tell(Event{Kind: Heartbeat, Command: awaits.ID})
				break
			}
		}
	}
}

func parse(t testing.TB, definition string) *Machine {
	t.Helper()
	m, err := Parse([]byte(definition))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// noVariables is a scope's variables, but for $a.
func noVariables(name string) (any, bool) { return "of a", name == "a" }
