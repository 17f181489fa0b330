package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"inspector"
	"inspector/camera"
	"inspector/classify"
)

// A dispatcher pairs triggers with frames, starts boards in free run and watches
// the takt clock. It alone asks for frames. All of it belongs to one goroutine.
type dispatcher struct {
	*line
	free    bool   // frames that nobody asked for are judged, too
	open    []*job // triggered boards in the order of their deadlines
	waiting []*job // those that have no frame yet
	queue   []*job // those that may be judged, and frames of free run
	wish    *wish  // the frame that is asked for, or will be next; nil if none
	pulling bool   // the wish has been asked
	last    uint64 // frame
}

// A wish is a frame that the dispatcher asks for.
type wish struct {
	ctx   context.Context // ends when nobody wants the frame any more
	drop  context.CancelFunc
	since time.Time // the trigger that wants it; zero: the next of free run
}

func (l *line) dispatch(ctx context.Context, g *errgroup.Group, ready chan<- *job) error {
	want, got := make(chan *wish), make(chan *job)
	g.Go(func() error { return l.pull(ctx, want, got) })
	d := &dispatcher{line: l, free: l.mode.Mode == "free-run"}
	defer d.forget()
	clock := time.NewTimer(time.Hour)
	room := time.NewTicker(time.Second) // free run goes on once the disk has some
	defer room.Stop()
	for {
		d.open, d.waiting = slices.DeleteFunc(d.open, settled), slices.DeleteFunc(d.waiting, settled)
		if len(d.open) > 0 {
			clock.Reset(max(time.Until(d.open[0].deadline), 0))
		}
		ask := want
		if !d.choose(ctx) {
			ask = nil
		}
		out, next := ready, d.first()
		if next == nil {
			out = nil
		}
		select {
		case <-ctx.Done():
			for _, j := range append(d.open, l.stop()...) {
				l.settle(ctx, j, classify.Unsure(errStopping))
			}
			return nil
		case <-l.more:
			d.admit(l.take())
		case ask <- d.wish:
			d.pulling = true
		case f := <-got:
			d.pair(f)
		case out <- next:
			d.queue = d.queue[1:]
		case <-room.C:
		case <-clock.C:
			for _, j := range d.overdue() {
				g.Go(func() error { l.settle(ctx, j, classify.Unsure(l.late(j))); return nil })
			}
		}
	}
}

// choose settles which frame to ask for; false if none, for now.
func (d *dispatcher) choose(ctx context.Context) bool {
	free := d.free && d.room.admit() == nil
	if d.pulling || len(d.queue) > 0 || !free && len(d.waiting) == 0 {
		return false
	}
	var since time.Time
	if len(d.waiting) > 0 {
		since = d.waiting[0].trigger.At
	}
	if d.wish == nil || !d.wish.since.Equal(since) {
		d.forget()
		d.wish = &wish{since: since}
		if since.IsZero() {
			d.wish.ctx, d.wish.drop = context.WithCancel(ctx)
		} else {
			d.wish.ctx, d.wish.drop = context.WithDeadline(ctx, d.waiting[0].deadline)
		}
	}
	return true
}

func (d *dispatcher) forget() {
	if d.wish != nil {
		d.wish.drop()
		d.wish, d.pulling = nil, false
	}
}

// first is the board to judge next, which has its judge then; nil if there is
// none.
func (d *dispatcher) first() *job {
	if len(d.queue) == 0 {
		return nil
	}
	d.seat(d.queue[0])
	return d.queue[0]
}

// admit takes in boards that were triggered. They do not wait for a frame of
// free run, which a lost camera gives when it is back: what is wanted now is
// their frame, or why there is none.
func (d *dispatcher) admit(arrived []*job) {
	for _, j := range arrived {
		d.open = append(d.open, j)
		if j.held {
			d.queue = append(d.queue, j)
			continue
		}
		d.waiting = append(d.waiting, j)
		if d.pulling && d.wish.since.IsZero() {
			d.wish.drop()
		}
	}
	slices.SortStableFunc(d.open, func(a, b *job) int { return a.deadline.Compare(b.deadline) })
}

// pair gives the frame that was asked for to the board that waits for it, or
// makes it one of free run.
func (d *dispatcher) pair(f *job) {
	d.forget()
	d.waiting = slices.DeleteFunc(d.waiting, settled)
	missed := uint64(0)
	if f.frame.Seq > 0 {
		missed, d.last = f.frame.Seq-d.last-1, f.frame.Seq
	}
	switch {
	case len(d.waiting) > 0 && (f.since.Equal(d.waiting[0].trigger.At) || !f.frame.At.Before(d.waiting[0].trigger.At)):
		d.queue = append(d.queue, d.waiting[0].take(f))
		d.waiting = d.waiting[1:]
	case f.since.IsZero() && f.ended():
		d.log.Info("no more frames for free run", "reason", f.bad)
		d.free = false
	case d.free && f.frame.Seq > 0 && d.paused.Load() == nil:
		f.trigger = inspector.Trigger{Source: "free-run", At: f.frame.At}
		f.recipe, f.missed = d.judges.name(""), missed
		d.queue = append(d.queue, f)
	default:
		f.release() // its trigger is settled, or there is none, or the line is paused
	}
}

// overdue takes out the boards whose takt is over.
func (d *dispatcher) overdue() []*job {
	n := 0
	for n < len(d.open) && !time.Now().Before(d.open[n].deadline) {
		n++
	}
	late := d.open[:n:n]
	d.open = d.open[n:]
	d.waiting = slices.DeleteFunc(d.waiting, func(j *job) bool { return slices.Contains(late, j) })
	return late
}

// seat settles who judges the board: boards get their judge in their order, so
// that a change of the model falls between two of them.
func (l *line) seat(j *job) {
	if j.place.Load() != nil || j.bad != nil || j.recipe == byCode {
		return
	}
	p, err := l.judges.take(j.recipe)
	if err != nil {
		j.bad = err
		return
	}
	j.place.Store(&p)
}

// unseat lets the judge go, when the board has its verdict.
func (l *line) unseat(j *job) {
	if p := j.place.Load(); p != nil {
		if err := p.leave(); err != nil {
			l.log.Error("a retired model did not close", "err", err)
		}
	}
}

// pull takes a frame each time it is asked to: the next one, or the first
// since a trigger.
func (l *line) pull(ctx context.Context, want <-chan *wish, got chan<- *job) error {
	for {
		var w *wish
		select {
		case <-ctx.Done():
			return nil
		case w = <-want:
		}
		j := &job{since: w.since}
		j.frame, j.bad = l.nextFrame(w)
		j.held = j.bad == nil
		select {
		case got <- j:
		case <-ctx.Done():
			j.release()
			return nil
		}
	}
}

func (l *line) nextFrame(w *wish) (inspector.Frame, error) {
	if w.since.IsZero() {
		return l.camera.Next(w.ctx)
	}
	return l.camera.After(w.ctx, w.since)
}

// take gives the board the frame that f brought, or why there is none.
func (j *job) take(f *job) *job {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.frame, j.held, j.bad = f.frame, f.held, f.bad
	return j
}

// ended reports that the camera will give no frame any more.
func (j *job) ended() bool {
	var gone *camera.UnavailableError
	return errors.As(j.bad, &gone) && gone.State == camera.Ended
}

func settled(j *job) bool { return j.settled.Load() }

// stop ends the taking of triggers, and gives those that nobody has taken.
func (l *line) stop() []*job {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stopped = true
	j := l.arrived
	l.arrived = nil
	return j
}

func (l *line) take() []*job {
	l.mu.Lock()
	defer l.mu.Unlock()
	j := l.arrived
	l.arrived = nil
	return j
}

// late says why a board has no verdict in time.
func (l *line) late(j *job) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	takt := j.deadline.Sub(j.trigger.At)
	if !j.held {
		if h := l.camera.Health(); h.State != camera.Delivering {
			return fmt.Errorf("no picture within the takt limit of %v: camera %s", takt, strings.TrimSpace(string(h.State)+" "+h.Error))
		}
		return fmt.Errorf("no new picture from the camera within the takt limit of %v", takt)
	}
	return fmt.Errorf("no verdict within the takt limit of %v", takt)
}

func (l *line) tick(ctx context.Context) error {
	t := time.NewTicker(l.mode.Interval)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-t.C:
			if l.paused.Load() != nil {
				continue
			}
			if l.room.admit() != nil {
				l.room.refused.Add(1)
				continue
			}
			j := &job{trigger: inspector.Trigger{Source: "interval"}}
			l.clock(j)
			l.accept(ctx, j)
		}
	}
}
