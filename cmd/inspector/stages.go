package main

import (
	"cmp"
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
	"inspector/store"
	"inspector/workflow"
)

// dispatch pairs triggers with frames, starts boards in free run and watches
// the takt clock. It alone asks for frames.
func (l *line) dispatch(ctx context.Context, g *errgroup.Group, ready chan<- *job) error {
	want, got := make(chan time.Time), make(chan *job)
	g.Go(func() error { return l.pull(ctx, want, got) })
	var (
		free    = l.mode.Mode == "free-run"
		open    []*job // triggered boards in the order of their deadlines
		waiting []*job // those that have no frame yet
		queue   []*job // those that may be judged, and frames of free run
		pulling bool
		last    uint64
		clock   = time.NewTimer(time.Hour)
	)
	for {
		open, waiting = slices.DeleteFunc(open, settled), slices.DeleteFunc(waiting, settled)
		if len(open) > 0 {
			clock.Reset(max(time.Until(open[0].deadline), 0))
		}
		var ask chan<- time.Time
		var since time.Time
		if !pulling && len(queue) == 0 && (free || len(waiting) > 0) {
			ask = want
			if len(waiting) > 0 {
				since = waiting[0].trigger.At
			}
		}
		var out chan<- *job
		var next *job
		if len(queue) > 0 {
			out, next = ready, queue[0]
			l.seat(next)
		}
		select {
		case <-ctx.Done():
			for _, j := range append(open, l.stop()...) {
				l.settle(ctx, j, classify.Unsure(errStopping))
			}
			return nil
		case <-l.more:
			for _, j := range l.take() {
				open = append(open, j)
				slices.SortStableFunc(open, func(a, b *job) int { return a.deadline.Compare(b.deadline) })
				if j.held {
					queue = append(queue, j)
				} else {
					waiting = append(waiting, j)
				}
			}
		case ask <- since:
			pulling = true
		case f := <-got:
			pulling = false
			waiting = slices.DeleteFunc(waiting, settled)
			missed := uint64(0)
			if f.frame.Seq > 0 {
				missed, last = f.frame.Seq-last-1, f.frame.Seq
			}
			switch {
			case len(waiting) > 0 && (f.since.Equal(waiting[0].trigger.At) || !f.frame.At.Before(waiting[0].trigger.At)):
				queue = append(queue, waiting[0].take(f))
				waiting = waiting[1:]
			case f.since.IsZero() && f.ended():
				l.log.Info("no more frames for free run", "reason", f.bad)
				free = false
			case free && f.frame.Seq > 0:
				f.trigger = inspector.Trigger{Source: "free-run", At: f.frame.At}
				f.missed = missed
				queue = append(queue, f)
			default:
				f.release() // its trigger is settled
			}
		case out <- next:
			queue = queue[1:]
		case <-clock.C:
			late := 0
			for ; late < len(open) && !time.Now().Before(open[late].deadline); late++ {
				j := open[late]
				waiting = slices.DeleteFunc(waiting, func(w *job) bool { return w == j })
				g.Go(func() error { l.settle(ctx, j, classify.Unsure(l.late(j))); return nil })
			}
			open = open[late:]
		}
	}
}

// seat settles who judges the board: boards get their judge in their order, so
// that a change of the model falls between two of them.
func (l *line) seat(j *job) {
	if j.place.Load() != nil || j.bad != nil || l.judges.name(j.trigger.Recipe) == byCode {
		return
	}
	p, err := l.judges.take(j.trigger.Recipe)
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
func (l *line) pull(ctx context.Context, want <-chan time.Time, got chan<- *job) error {
	for {
		var since time.Time
		select {
		case <-ctx.Done():
			return nil
		case since = <-want:
		}
		j := &job{since: since}
		j.frame, j.bad = l.nextFrame(ctx, since)
		j.held = j.bad == nil
		select {
		case got <- j:
		case <-ctx.Done():
			j.release()
			return nil
		}
	}
}

func (l *line) nextFrame(ctx context.Context, since time.Time) (inspector.Frame, error) {
	if since.IsZero() {
		return l.camera.Next(ctx)
	}
	ctx, cancel := context.WithDeadline(ctx, since.Add(l.mode.Takt))
	defer cancel()
	return l.camera.After(ctx, since)
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
	return errors.As(j.bad, &gone)
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
			j := &job{trigger: inspector.Trigger{Source: "interval", At: time.Now()}, done: make(chan struct{})}
			j.deadline = j.trigger.At.Add(l.judges.takt(j.trigger.Recipe, l.mode.Takt))
			l.accept(ctx, j)
		}
	}
}

// The stages: each is one goroutine and holds one board, so three boards are
// under way while the model never waits. A board that fails in one goes on to
// the last with its reason.

func (l *line) prepare(ctx context.Context, from <-chan *job, to chan<- *job) error {
	return l.stage(ctx, from, to, func(j *job) (err error) {
		if j.bad != nil {
			return j.bad
		}
		from := j.frame.At
		if j.trigger.At.After(from) {
			from = j.trigger.At
		}
		j.waited = max(time.Since(from), 0)
		if err := l.recognise(j); err != nil {
			return err
		}
		if j.judge, err = j.place.Load().of(j.frame.Name); err != nil {
			return err
		}
		j.in, err = j.judge.Prepare(j.frame.Pixels)
		return err
	})
}

func (l *line) infer(ctx context.Context, from <-chan *job, to chan<- *job) error {
	return foreground(func() error {
		return l.stage(ctx, from, to, func(j *job) (err error) {
			j.out, err = j.judge.Infer(ctx, j.in)
			return err
		})
	})
}

func (l *line) stage(ctx context.Context, from <-chan *job, to chan<- *job, do func(*job) error) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case j := <-from:
			if j.bad == nil && !settled(j) {
				j.bad = do(j)
			}
			select {
			case to <- j:
			case <-ctx.Done():
				return nil
			}
		}
	}
}

func (l *line) decide(ctx context.Context, from <-chan *job) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case j := <-from:
			var r classify.Result
			switch {
			case j.bad != nil:
				r = classify.Unsure(j.bad)
			case j.out != nil:
				r = j.judge.Judge(j.out)
				if err := overdue(j); err != nil {
					r = classify.Unsure(err)
				}
			}
			r.Timings.Wait = j.waited
			l.settle(ctx, j, r)
			j.release()
			l.unseat(j)
		}
	}
}

// settle makes r the one verdict of the board: remembered, then answered. It
// returns when the board is remembered or ctx ended.
func (l *line) settle(ctx context.Context, j *job, r classify.Result) {
	j.mu.Lock()
	defer j.mu.Unlock() // the pixels stay until the evidence is drawn
	if j.settled.Swap(true) {
		return
	}
	i := l.inspection(j, r)
	evidence, err := l.evidence(j, i)
	if err != nil {
		l.log.Error("no evidence", "inspection", i.ID, "err", err)
		i.Verdict, i.Reason = inspector.Unsure, fmt.Sprintf("%s; its picture could not be kept: %v", i.Reason, err)
	}
	l.remember(ctx, j, i, evidence)
}

// remember stores the inspection with its evidence and its execution, and
// answers. While that cannot be, the board is answered as unsure and tried
// again: the line stands still rather than forget. The caller holds j.mu.
func (l *line) remember(ctx context.Context, j *job, i inspector.Inspection, evidence []store.Evidence) {
	for pause := time.Second / 10; ; pause = min(2*pause, 5*time.Second) {
		var begun workflow.Transition
		stored, err := l.store.Accept(context.WithoutCancel(ctx), i, evidence, func(i inspector.Inspection) (_ workflow.Transition, err error) {
			begun, err = l.begin(i)
			return begun, err
		})
		l.setTrouble(err)
		switch {
		case err == nil:
			l.wake(begun.Begin)
			l.finish(j, stored, nil)
			pixels := inspector.Pixels{}
			if j.held {
				pixels = j.frame.Pixels
			}
			l.seen(stored, pixels)
			return
		case errors.Is(err, store.ErrJudged): // exactly one verdict: the first
			r, err := l.store.Inspection(context.WithoutCancel(ctx), i.ID)
			l.finish(j, r.Inspection, err)
			return
		case permanent(err) && i.Reason == unmemorable:
			l.log.Error("a board has no verdict in the ledger", "inspection", i.ID, "err", err)
			l.finish(j, i, nil)
			return
		case permanent(err): // the record itself is at fault: one without anything in it
			l.log.Error("a verdict cannot be remembered; the board is unsure", "inspection", i.ID, "verdict", i.Verdict, "err", err)
			i.Verdict, i.Reason, i.Defects, i.Score, evidence = inspector.Unsure, unmemorable, nil, 0, nil
			continue
		}
		if j.done != nil && !j.answered {
			i.Verdict, i.Reason = inspector.Unsure, fmt.Sprintf("the verdict %s could not be remembered: %v", i.Verdict, err)
			if len(evidence) == 0 {
				evidence, _ = l.evidence(j, i) // a pass had needed none
			}
			l.finish(j, i, nil)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

const unmemorable = "the verdict could not be remembered"

// permanent reports whether err says that trying again cannot help.
func permanent(err error) bool {
	var p interface{ Permanent() bool }
	return errors.As(err, &p) && p.Permanent()
}

// setTrouble logs when boards cannot be remembered, and when they can again. A
// refusal is the board's trouble, not the line's.
func (l *line) setTrouble(err error) {
	if permanent(err) {
		err = nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if (err == nil) != (l.trouble == nil) {
		if err != nil {
			l.log.Error("boards cannot be remembered; the line stands still", "err", err)
		} else {
			l.log.Info("boards are remembered again")
		}
	}
	l.trouble = err
}

func (l *line) inspection(j *job, r classify.Result) inspector.Inspection {
	if j.id == "" {
		j.id = l.store.NextID().String()
	}
	i := inspector.Inspection{
		ID: j.id, Station: l.station, Trigger: j.trigger, Seq: j.frame.Seq, At: j.frame.At, Missed: j.missed, Still: j.frame.Name, Serial: j.trigger.Serial,
		Recipe: l.judges.name(j.trigger.Recipe), Verdict: r.Verdict, Reason: r.Reason, Score: r.Score, Defects: r.Defects, LeftOut: r.LeftOut, Lay: r.Lay,
		Width: j.frame.Pixels.Width, Height: j.frame.Pixels.Height, Timings: r.Timings,
	}
	if p := j.place.Load(); p != nil {
		i.Recipe, i.Model, i.Runtime = p.name, p.pkg.ID(), p.label()
	} else { // nobody has judged it
		i.Model, i.Runtime = l.judges.now(j.trigger.Recipe)
	}
	if c := j.code.Load(); c != nil {
		i.Code, i.Serial, i.Timings.Code = c.text, cmp.Or(i.Serial, c.serial), c.took
	}
	if i.At.IsZero() {
		i.At = j.trigger.At
	}
	return i
}

// evidence is the picture that the inspection needs. The caller holds j.mu.
func (l *line) evidence(j *job, i inspector.Inspection) ([]store.Evidence, error) {
	if !j.held || i.Verdict == inspector.Pass && !l.passes {
		return nil, nil
	}
	image, err := classify.JPEG(j.frame.Pixels, l.quality)
	if err != nil {
		return nil, err
	}
	return []store.Evidence{{Kind: "image", Type: "image/jpeg", Data: image}}, nil
}
