package main

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"inspector/notify"
	"inspector/web"
	"inspector/workflow"
)

// A reporter tells subscribers how the appliance is: stats, health, birth and
// what becomes of the boards' executions. It is for looking on; what must
// arrive is a state of an execution.
type reporter struct {
	config    MQTTConfig
	topics    notify.Topics
	publish   func(ctx context.Context, topic string, retained bool, payload []byte) error
	since     func() time.Time // the connection began then; zero: there is none
	status    func(context.Context) web.Status
	client    string // id at the broker
	page      string
	log       *slog.Logger
	changes   chan notify.ExecutionChange
	left      atomic.Uint64 // changes that were not told
	connected time.Time     // the connection that birth and health were told to
	stats     notify.Stats  // the last ones
	health    notify.HealthReport
}

const (
	healthEvery = time.Minute     // at least
	healthLook  = 5 * time.Second // for changes: the status has a price
	linkLook    = time.Second     // for a new connection
	changesHeld = 256             // executions that changed and are not told yet
)

func newReporter(r *reporter) *reporter {
	r.changes = make(chan notify.ExecutionChange, changesHeld)
	return r
}

// changed notes a change of status of a board's execution. It never blocks:
// what nobody has time for is counted and left out.
func (r *reporter) changed(x workflow.Execution, at time.Time) {
	if !r.config.Executions || x.Parent != "" || !isBoard(x.ID) {
		return
	}
	c := notify.ExecutionChange{Schema: notify.Schema, ID: x.ID, Machine: x.StateMachine, Status: string(x.Status), At: at.UTC(), Started: x.Started.UTC(),
		Redrives: x.Redrives, Error: x.Error, Cause: x.Cause}
	select {
	case r.changes <- c:
	default:
		r.left.Add(1)
	}
}

// Run reports until ctx ends.
func (r *reporter) Run(ctx context.Context) error {
	look, link := time.NewTicker(healthLook), time.NewTicker(linkLook)
	defer look.Stop()
	defer link.Stop()
	var stats <-chan time.Time
	if r.config.StatsEvery > 0 {
		t := time.NewTicker(r.config.StatsEvery)
		defer t.Stop()
		stats = t.C
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-look.C:
			r.lookAround(ctx)
		case <-link.C:
			if !r.since().Equal(r.connected) {
				r.lookAround(ctx)
			}
		case <-stats:
			s := statsOf(r.status(ctx), time.Now()).Since(r.stats)
			if r.send(ctx, r.topics.Stats, false, s) {
				r.stats = s
			}
		case c := <-r.changes:
			c.Missed = r.left.Swap(0)
			if !r.send(ctx, r.topics.Execution, false, c) {
				r.left.Add(c.Missed + 1)
			}
		}
	}
}

// lookAround tells of health what has changed, and of birth and health at
// every connection.
func (r *reporter) lookAround(ctx context.Context) {
	since := r.since()
	if since.IsZero() {
		return
	}
	s := r.status(ctx)
	h := healthOf(s, time.Now())
	fresh := !since.Equal(r.connected)
	if fresh && !r.send(ctx, r.topics.Birth, true, r.birth(s)) {
		return
	}
	if (fresh || !h.Same(r.health) || h.At.Sub(r.health.At) >= healthEvery) && r.send(ctx, r.topics.Health, true, h) {
		r.health, r.connected = h, since
	}
}

// send reports whether the message arrived. What did not is told at the next
// occasion, as it is then.
func (r *reporter) send(ctx context.Context, topic string, retained bool, message any) bool {
	if r.since().IsZero() {
		return false
	}
	text, err := notify.JSON(message)
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, deliverIn)
		defer cancel()
		err = r.publish(ctx, topic, retained, text)
	}
	if err != nil && ctx.Err() == nil {
		r.log.Debug("a report did not get through", "topic", topic, "err", err)
	}
	return err == nil
}

func (r *reporter) birth(s web.Status) notify.Birth {
	return notify.NewBirth(notify.Birth{
		Station: s.Station, At: time.Now(), Version: s.Version, Started: s.Started, Client: r.client, Recipe: s.Recipe, Model: s.Model, Page: r.page,
	})
}

func healthOf(s web.Status, at time.Time) notify.HealthReport {
	parts := make([]notify.PartHealth, len(s.Parts))
	for n, p := range s.Parts {
		parts[n] = notify.PartHealth{Name: p.Name, State: string(p.State), Detail: p.Detail, Remedy: p.Remedy}
	}
	return notify.NewHealthReport(s.Station, at, s.Ready(), parts)
}

func statsOf(s web.Status, at time.Time) notify.Stats {
	c := s.Counts
	out := notify.Stats{
		Station: s.Station, At: at.UTC(), Started: s.Started.UTC(), Triggers: c.Triggers, InFlight: c.InFlight, Pass: c.Pass, Fail: c.Fail, Unsure: c.Unsure,
		Captured: s.Frames.Captured, Dropped: s.Frames.Dropped,
	}
	for _, l := range s.Lanes {
		out.Waiting, out.Parked = out.Waiting+l.Depth, out.Parked+l.Parked
	}
	return out
}
