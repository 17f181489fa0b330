package workflow

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// A Batch says how the work of a lane is gathered into calls. The calls of a
// lane never overlap.
type Batch struct {
	// Max is how many pieces of work one call may be given; 0 is 10,000. What is
	// above it waits for the next call.
	Max int

	// Every is how long after the beginning of a call that did any work the next
	// one begins, at the soonest: the first piece of work is done at once, those
	// that come meanwhile are done together. 0: as soon as the call before has
	// ended. Calls in which no work succeeded do not count, nor does the attempt
	// that finds a lane in trouble well again.
	Every time.Duration

	// Hold, if given, says until when no call begins, as it is at that moment;
	// zero: one may begin now. It must be pure: quiet hours, say.
	Hold func(now time.Time) (until time.Time)
}

// A Result is what a Handler gives, for one of several tasks.
type Result struct {
	Output json.RawMessage
	Err    error
}

// A BatchHandler does the work of several tasks of one lane in one call, and
// answers each by itself: a result a task, in their order. All that a Handler
// promises holds for each of them. ctx ends when the least of the tasks' times
// is over, or when nobody waits for any of them; work withdrawn meanwhile is
// given nonetheless, and its result ignored. A call that panics is made again
// with each half of its tasks, so that only the one at fault is parked.
type BatchHandler func(ctx context.Context, tasks []Task) []Result

// Alone does one task: the Handler for whoever has no lanes.
func (h BatchHandler) Alone() Handler {
	return func(ctx context.Context, t Task) (json.RawMessage, error) {
		all := h(ctx, []Task{t})
		if len(all) != 1 {
			return nil, miscounted(t.Resource, len(all), 1)
		}
		return all[0].Output, all[0].Err
	}
}

func miscounted(resource string, results, tasks int) error {
	return poisonError{fmt.Errorf("the handler of %s gave %d results for %d tasks", resource, results, tasks)}
}

// HandleBatch registers who does the work of a resource, many pieces in a call.
// Call it before Run, once a resource.
func (e *Engine) HandleBatch(resource string, b Batch, h BatchHandler) {
	if b.Max <= 0 {
		b.Max = 10_000
	}
	l := newLane(e, resource, b.Max, h.Alone())
	l.batch = &batch{Batch: b, handler: h}
	e.lanes[resource] = l
}

// AttemptAll calls h once for all tasks, within timeout unless that is 0, and
// gives as many results. What Attempt says of one result holds for each.
func AttemptAll(ctx context.Context, h BatchHandler, tasks []Task, timeout time.Duration) []Result {
	if len(tasks) == 1 {
		output, err := Attempt(ctx, h.Alone(), tasks[0], timeout)
		return []Result{{output, err}}
	}
	results := make([]Result, len(tasks))
	_, err := Attempt(ctx, func(ctx context.Context, first Task) (json.RawMessage, error) {
		given := h(ctx, tasks)
		for i, t := range tasks {
			r := Result{Err: miscounted(first.Resource, len(given), len(tasks))}
			if len(given) == len(tasks) {
				r = given[i]
			}
			results[i].Output, results[i].Err = Attempt(ctx, func(context.Context, Task) (json.RawMessage, error) { return r.Output, r.Err }, t, 0)
		}
		return nil, nil
	}, tasks[0], timeout)
	if err != nil { // it panicked
		half := len(tasks) / 2
		return append(AttemptAll(ctx, h, tasks[:half], timeout), AttemptAll(ctx, h, tasks[half:], timeout)...)
	}
	return results
}

// A batch is what a lane that does its work in calls knows. The lane's lock
// guards it.
type batch struct {
	Batch
	handler BatchHandler
	calling bool
	next    time.Time // no call begins before
}

// wait is how long no call may begin.
func (b *batch) wait(now time.Time) time.Duration {
	if b.calling {
		return longestSleep // its end wakes the lane
	}
	wait := b.next.Sub(now)
	if b.Hold != nil {
		wait = max(wait, b.Hold(now).Sub(now))
	}
	return wait
}

// A piece is one task of a call.
type piece struct {
	deed
	asked   context.Context // ends when the work is withdrawn or the grace is over
	cancel  context.CancelCauseFunc
	task    Task
	timeout time.Duration
}

// startAll begins one call for all deeds. l.mu is held.
func (l *lane) startAll(ctx, grace context.Context, deeds []deed) step {
	all := make([]*piece, len(deeds))
	for i, d := range deeds {
		p := &piece{deed: d}
		p.asked, p.cancel = context.WithCancelCause(grace)
		p.probe = d.probe && i == 0 // one attempt
		l.doing[p.place()] = p.cancel
		all[i] = p
	}
	if all[0].probe {
		l.probes++
	}
	l.batch.calling = true
	return func() step {
		l.call(ctx, grace, all)
		l.mu.Lock()
		l.batch.calling = false
		l.mu.Unlock()
		l.signal()
		return nil
	}
}

// call does the work of all pieces at once and records how each went.
func (l *lane) call(ctx, grace context.Context, all []*piece) {
	began := time.Now()
	all = l.ready(ctx, all)
	if len(all) == 0 {
		return
	}
	results := l.attemptAll(grace, all)
	told, why := neutral, error(nil)
	for i, p := range all {
		o := l.engine.tells(ctx, p.asked, results[i].Err)
		if o == worked || o == failed && told == neutral {
			told, why = o, results[i].Err
		}
	}
	if told == worked && !all[0].probe {
		l.mu.Lock()
		l.batch.next = began.Add(l.batch.Every)
		l.mu.Unlock()
	}
	l.note(told, all[0].probe, why)
	l.settleAll(ctx, all, results)
}

// ready asks the executions of the pieces what they are to do, and leaves out
// those that cannot be begun.
func (l *lane) ready(ctx context.Context, all []*piece) (out []*piece) {
	for _, p := range all {
		c, err := l.engine.commanded(ctx, &p.deed)
		if err != nil {
			l.unstarted(ctx, p.asked, p.Work, err)
			l.ended(p)
			continue
		}
		p.task, p.timeout = taskOf(p.Work, c), c.Timeout
		out = append(out, p)
	}
	return out
}

// attemptAll calls the handler, within the least time that a state gives it,
// as long as somebody waits for one of the pieces.
func (l *lane) attemptAll(grace context.Context, all []*piece) []Result {
	ctx, cancel := context.WithCancelCause(grace)
	defer cancel(nil)
	var timeout time.Duration
	var wanted atomic.Int64
	wanted.Store(int64(len(all)))
	tasks := make([]Task, len(all))
	for i, p := range all {
		tasks[i] = p.task
		if p.timeout > 0 && (timeout == 0 || p.timeout < timeout) {
			timeout = p.timeout
		}
		defer context.AfterFunc(p.asked, func() {
			if wanted.Add(-1) == 0 {
				cancel(context.Cause(p.asked))
			}
		})()
	}
	return AttemptAll(ctx, l.batch.handler, tasks, timeout)
}

// recorders is how many results of a call are recorded at once: they share
// commits.
const recorders = 64

func (l *lane) settleAll(ctx context.Context, all []*piece, results []Result) {
	var running sync.WaitGroup
	free := make(chan struct{}, recorders)
	for i, p := range all {
		free <- struct{}{}
		running.Go(func() {
			l.settle(ctx, p.asked, &p.deed, results[i])
			l.ended(p)
			<-free
		})
	}
	running.Wait()
}

// ended makes room for other work, and lets what follows on the piece go on.
func (l *lane) ended(p *piece) {
	p.cancel(nil)
	l.finish(&p.deed)
	if p.next != nil {
		go goOn(p.next)
	}
}
