package workflow

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"inspector/workflow/asl"
)

// A lane does the work of one resource, or fires timers. What waits is in the
// journal; only what is being done is in memory.
type lane struct {
	engine      *Engine
	name        string
	concurrency int
	handler     Handler                           // nil: timers, or chore
	batch       *batch                            // many pieces of work in a call; nil: each by itself
	chore       func(context.Context, Work) error // work that no event ends; nil: it has a command
	wake        chan struct{}
	delivered   atomic.Uint64 // attempts that worked, since the start
	presses     atomic.Bool   // it has more than it can do
	Precedence

	mu      sync.Mutex
	budget  budget
	begun   map[place]bool // since the journal was begun to be read: not of what was read
	extra   int            // begun beside a backlog, in places of their own
	over    int            // of doing, those whose attempt is over
	later   []Work         // retries that wait for their time while there is trouble
	doing   map[place]context.CancelCauseFunc
	probes  int
	breaker breaker
	trouble Trouble           // of the tripped breaker
	broken  bool              // the journal could not be read, and this was logged
	more    bool              // the journal may hold work that is due and not being done
	start   func(deed) step   // begins work; called with mu held, and only while the lane runs
	gather  func([]deed) step // likewise, in one call
}

// A place names work in flight.
type place struct {
	execution string
	command   int64
}

func newLane(e *Engine, name string, concurrency int, h Handler) *lane {
	return &lane{engine: e, name: name, concurrency: concurrency, handler: h, wake: make(chan struct{}, 1), doing: map[place]context.CancelCauseFunc{}, more: true}
}

// A deed is work begun. Its worker alone uses it.
type deed struct {
	Work
	probe    bool
	command  *asl.Command // nil: the execution must be asked
	extra    bool         // in a place of its own
	over     bool         // the attempt is, its record not yet: its place is free
	finished bool         // its place in the lane is free
	next     step         // what its worker does after it
}

// A step is a piece of work begun, and gives the next one of its worker. A
// worker that goes on need not be made, nor its stack grow.
type step func() step

func goOn(s step) {
	for s != nil {
		s = s()
	}
}

func (d *deed) place() place { return place{d.Execution, d.Command} }

// signal makes the lane look at the journal soon. It never blocks.
func (l *lane) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

const (
	longestSleep  = time.Minute // so that a clock which was set is noticed
	shortestSleep = time.Second // after looking in vain
)

// run hands out work until ctx ends and returns when all of it has ended;
// work begun may go on until grace ends.
func (l *lane) run(ctx, grace context.Context) {
	var workers sync.WaitGroup
	defer workers.Wait()
	defer l.left(true) // nothing is begun any more
	l.mu.Lock()
	l.start = func(d deed) step {
		if ctx.Err() != nil {
			return nil
		}
		task, cancel := context.WithCancelCause(grace)
		l.doing[d.place()] = cancel
		if d.probe {
			l.probes++
		}
		if d.extra {
			l.extra++
		}
		workers.Add(1)
		return func() step {
			defer workers.Done()
			defer cancel(nil)
			defer l.finish(&d)
			l.do(ctx, task, &d)
			return d.next
		}
	}
	l.gather = func(deeds []deed) step {
		if ctx.Err() != nil {
			return nil
		}
		call := l.startAll(ctx, grace, deeds)
		workers.Add(1)
		return func() step {
			defer workers.Done()
			return call()
		}
	}
	l.mu.Unlock()
	for {
		wait := l.fill(ctx)
		timer := time.NewTimer(min(wait, longestSleep))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-l.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

// fill starts as much due work as the lane may do, and says how long there is
// nothing more to start unless the lane is woken.
func (l *lane) fill(ctx context.Context) time.Duration {
	now := time.Now()
	busy, free, wait, probe := l.room(now)
	if free == 0 {
		return wait
	}
	// Work that was in flight before the journal was read is not started,
	// even if it has ended since: what was read of it may be old.
	today := l.engine.now()
	due, next, err := l.engine.journal.Due(ctx, l.name, today, free+len(busy), l.Newest)
	if err != nil {
		return l.unread(ctx, err)
	}
	l.read()
	fresh, behind := []deed{}, len(due) == free+len(busy)
	for _, w := range due {
		switch _, ok := busy[(&deed{Work: w}).place()]; {
		case ok:
		case len(fresh) == free: // what was busy is recorded meanwhile, and made room in what was read
			behind = true
		default:
			fresh = append(fresh, deed{Work: w, probe: probe})
		}
	}
	l.begin(fresh)
	l.press(behind && !probe)
	switch {
	case l.left(behind):
		return longestSleep // the end of one of them wakes the lane
	case next.IsZero():
		return longestSleep
	}
	if wait = next.Sub(today); wait <= 0 {
		wait = shortestSleep
	}
	return wait
}

// room says what is in flight and how much more may be started now; if
// nothing may, how long that lasts; and whether that is one attempt at a lane in
// trouble.
func (l *lane) room(now time.Time) (busy map[place]context.CancelCauseFunc, free int, wait time.Duration, probe bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.more, l.begun = true, nil // until the journal has been read
	places := l.places()
	busy, free = maps.Clone(l.doing), places-(len(l.doing)-l.over-l.extra)
	if l.batch != nil {
		if wait = l.batch.wait(now); wait > 0 {
			return busy, 0, wait, false
		}
	}
	switch {
	case free <= 0:
		return busy, 0, longestSleep, false
	case !l.breaker.tripped():
		l.budget = l.budget.refilled(l.Rate, now)
		free, wait = l.budget.allows(l.Rate, free)
		return busy, free, wait, false
	case l.probes > 0:
		return busy, 0, longestSleep, false
	}
	if wait = l.breaker.probeAt.Sub(now); wait > 0 {
		return busy, 0, wait, false
	}
	return busy, 1, 0, true
}

// places is how many pieces of work the lane may do at once, as it is now.
func (l *lane) places() int {
	if l.Rank > 0 && l.engine.pressed(l.Rank) {
		return share(l.concurrency)
	}
	return l.concurrency
}

// left notes whether the journal, just read, held more than could be started.
func (l *lane) left(more bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.more = more
	return more
}

// unread notes that the journal cannot be read.
func (l *lane) unread(ctx context.Context, err error) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.more = true
	if ctx.Err() == nil && !l.broken {
		l.broken = true
		l.engine.log.Error("cannot read the work that is due; trying again", "lane", l.name, "err", err)
	}
	return shortestSleep
}

func (l *lane) read() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken {
		l.broken = false
		l.engine.log.Info("the work that is due can be read again", "lane", l.name)
	}
}

func (l *lane) begin(deeds []deed) {
	l.mu.Lock()
	defer l.mu.Unlock()
	deeds = slices.DeleteFunc(deeds, func(d deed) bool { return l.begun[d.place()] })
	l.budget.left -= float64(len(deeds))
	if l.batch != nil {
		if len(deeds) > 0 {
			l.goOn(l.gather(deeds))
		}
		return
	}
	for _, d := range deeds {
		l.goOn(l.start(d))
	}
}

func (l *lane) goOn(s step) {
	if s != nil {
		go goOn(s)
	}
}
