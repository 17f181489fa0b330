package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"inspector"
	"inspector/camera"
	"inspector/classify"
	"inspector/store"
	"inspector/workflow"
)

// A line is the conveyor: frames and triggers come in, and each board leaves
// with exactly one verdict, durable before it is answered.
//
// In front of the model the newest frame wins; behind it nothing is lost: a
// board that cannot be remembered holds the line.
type line struct {
	camera  *camera.Camera
	judges  *judges
	store   *store.Store
	begin   func(inspector.Inspection) ([]workflow.Transition, error) // the execution of an inspection
	wake    func(...workflow.Transition)                              // its work, which is in the journal
	seen    func(inspector.Inspection, inspector.Pixels)              // a board is remembered; its picture, until seen returns
	station inspector.Station
	mode    TriggerConfig
	passes  bool   // keep the picture of boards that passed
	room    *guard // of the disk; nil: there always is some
	quality int
	// sessions is how many boards may be in the model at once; 0 is 1.
	sessions int
	log      *slog.Logger

	more chan struct{} // arrived is not empty

	pausing sync.Mutex // held while it is decided
	paused  atomic.Pointer[pausedError]

	mu      sync.Mutex
	arrived []*job          // triggers that the dispatcher has not seen yet
	asked   map[string]*job // boards in flight by source and request
	stopped bool            // nobody takes arrivals any more
	trouble error           // why boards cannot be remembered now

	accepting sync.WaitGroup // added to only under mu, while not stopped
}

// deciders is how many boards may be on their way to the disk at once: about
// the size of a group commit.
const deciders = 32

// A job is one board on its way to its verdict.
type job struct {
	id       string // empty for boards that nobody triggered, until they are remembered
	trigger  inspector.Trigger
	recipe   string    // that the trigger names, or that was in force then; or by-code
	deadline time.Time // zero: none
	missed   uint64
	since    time.Time             // of a pulled frame: the trigger it was pulled for, zero if none
	place    atomic.Pointer[place] // who judges it, since it left the dispatcher
	judge    *classify.Classifier
	code     atomic.Pointer[reading] // of the board, if its recipe has one
	waited   time.Duration
	in       *classify.Input
	out      *classify.Output
	bad      error // why it cannot be judged

	mu      sync.Mutex // guards the frame: the takt clock may settle a board that a stage still holds
	frame   inspector.Frame
	held    bool // the frame's pixels are ours
	settled atomic.Bool

	done     chan struct{} // closed when answer or refused is there; nil if nobody asked
	answered bool
	answer   inspector.Inspection
	refused  error
}

func (j *job) request() string { return j.trigger.Source + "\x00" + j.trigger.Request }

// release gives the pixels back.
func (j *job) release() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.held {
		j.held = false
		j.frame.Release()
	}
}

// newLine returns a line at rest.
func newLine(l *line) *line {
	l.more = make(chan struct{}, 1)
	l.asked = map[string]*job{}
	return l
}

// Run judges boards until ctx ends. Triggered boards that have no verdict then
// are unsure; frames of free run that are still under way are let go.
func (l *line) Run(ctx context.Context) error {
	defer l.accepting.Wait()
	ready, prepared, inferred := make(chan *job), make(chan *job), make(chan *job, 1)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return l.dispatch(ctx, g, ready) })
	g.Go(func() error { return l.prepare(ctx, ready, prepared) })
	for range max(l.sessions, 1) {
		g.Go(func() error { return l.infer(ctx, prepared, inferred) })
	}
	for range deciders {
		g.Go(func() error { return l.decide(ctx, inferred) })
	}
	if l.mode.Mode == "interval" {
		g.Go(func() error { return l.tick(ctx) })
	}
	return g.Wait()
}

// recover ends the boards that were in flight when the power went. It must
// have returned before anybody asks for a verdict.
func (l *line) recover(ctx context.Context) error {
	left, err := l.store.InFlight(ctx)
	if err != nil {
		return err
	}
	for _, t := range left {
		j := &job{id: t.ID.String(), trigger: t.Trigger, recipe: l.judges.name(t.Trigger.Recipe), done: make(chan struct{})}
		l.settle(ctx, j, classify.Unsure(errors.New("the appliance stopped before the verdict")))
	}
	if len(left) > 0 {
		l.log.Warn("boards that were in flight at the last stop are unsure", "boards", len(left))
	}
	return nil
}

// Trigger asks for the verdict about the board in front of the camera and
// waits for it. It gives an error only if the trigger was not accepted or ctx
// ended; an accepted trigger gets its verdict all the same. Asked again with
// the same Request, it gives the same inspection.
func (l *line) Trigger(ctx context.Context, t inspector.Trigger) (inspector.Inspection, error) {
	return l.ask(ctx, &job{trigger: t})
}

// Inspect is Trigger for a still that somebody sent. Nobody else may touch the
// pixels from now on.
func (l *line) Inspect(ctx context.Context, t inspector.Trigger, p inspector.Pixels) (inspector.Inspection, error) {
	return l.ask(ctx, &job{trigger: t, frame: inspector.NewFrame(0, time.Now(), p, nil), held: true})
}

// What a trigger is refused for.
var (
	errStopping = errors.New("the appliance is stopping")
	errReused   = errors.New("this request was used for another board: give every board a request of its own")
)

func (l *line) ask(ctx context.Context, j *job) (inspector.Inspection, error) {
	if j.trigger.Recipe != "" { // else the board is there, whether or not a recipe is in force
		if err := l.judges.check(j.trigger.Recipe); err != nil {
			return l.recall(ctx, j.trigger, err)
		}
	}
	if !l.pending(j) {
		if full := l.room.admit(); full != nil {
			i, err := l.recall(ctx, j.trigger, full)
			if errors.Is(err, full) {
				l.room.refused.Add(1)
			}
			return i, err
		}
	}
	l.clock(j)
	first, err := l.register(ctx, j)
	var paused *pausedError
	if errors.As(err, &paused) {
		return l.recall(ctx, j.trigger, paused)
	} else if err != nil {
		return inspector.Inspection{}, err
	}
	j = first
	select {
	case <-j.done:
		return j.answer, j.refused
	case <-ctx.Done():
		return inspector.Inspection{}, ctx.Err()
	}
}

// clock says when the board was asked for, and so by which recipe it is judged
// and until when: a change of the recipe in force does not concern it.
func (l *line) clock(j *job) {
	j.trigger.At, j.done = time.Now(), make(chan struct{})
	j.recipe = l.judges.name(j.trigger.Recipe)
	j.deadline = j.trigger.At.Add(l.judges.takt(j.recipe, l.mode.Takt))
}

// recall gives the answer that t was given before its recipe was removed, or
// before the disk was full; a trigger that was not asked before is refused.
func (l *line) recall(ctx context.Context, t inspector.Trigger, refused error) (inspector.Inspection, error) {
	r, err := l.store.Asked(ctx, t.Source, t.Request)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return inspector.Inspection{}, refused
	case err != nil:
		return inspector.Inspection{}, err
	case !r.Trigger.Same(t):
		return inspector.Inspection{}, refused
	}
	return r.Inspection, nil
}

// pending reports whether the board was asked for already, and has no verdict.
func (l *line) pending(j *job) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return j.trigger.Request != "" && l.asked[j.request()] != nil
}

// register has the board accepted, also if the asker goes away, and gives the
// job that answers it: j, or the one that asked for the same before.
func (l *line) register(ctx context.Context, j *job) (*job, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if first := l.asked[j.request()]; first != nil && j.trigger.Request != "" {
		if !first.trigger.Same(j.trigger) {
			return nil, errReused
		}
		return first, nil
	}
	if l.stopped {
		return nil, errStopping
	}
	if p := l.paused.Load(); p != nil {
		return nil, p
	}
	if j.trigger.Request != "" {
		l.asked[j.request()] = j
	}
	l.accepting.Go(func() { l.accept(context.WithoutCancel(ctx), j) })
	return j, nil
}

// accept puts the trigger into the ledger and the board on the line.
func (l *line) accept(ctx context.Context, j *job) {
	id, known, err := l.store.Triggered(ctx, j.trigger)
	l.setTrouble(err)
	j.id = id.String()
	switch {
	case err != nil:
		l.finish(j, inspector.Inspection{}, fmt.Errorf("trigger not accepted: %w", err))
	case known:
		r, err := l.store.Inspection(ctx, j.id)
		if err == nil && !r.Trigger.Same(j.trigger) {
			err = errReused
		}
		l.finish(j, r.Inspection, err)
	case !l.arrive(j):
		l.settle(ctx, j, classify.Unsure(errStopping))
	}
}

// arrive gives the board to the dispatcher, if there still is one.
func (l *line) arrive(j *job) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		return false
	}
	l.arrived = append(l.arrived, j)
	select {
	case l.more <- struct{}{}:
	default:
	}
	return true
}

// finish answers everybody who asked for the board; the first answer counts.
func (l *line) finish(j *job, i inspector.Inspection, refused error) {
	if j.done == nil || j.answered {
		return
	}
	j.answer, j.refused, j.answered = i, refused, true
	l.mu.Lock()
	if l.asked[j.request()] == j {
		delete(l.asked, j.request())
	}
	l.mu.Unlock()
	close(j.done)
}
