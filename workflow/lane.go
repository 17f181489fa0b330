package workflow

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"
)

// A lane does the work of one resource, or fires timers. What waits is in the
// journal; only what is being done is in memory.
type lane struct {
	engine      *Engine
	name        string
	concurrency int
	handler     Handler                           // nil: timers, or chore
	chore       func(context.Context, Work) error // work that no event ends; nil: it has a command
	wake        chan struct{}

	mu      sync.Mutex
	doing   map[place]context.CancelCauseFunc
	probes  int
	breaker breaker
	trouble Trouble // of the tripped breaker
	broken  bool    // the journal could not be read, and this was logged
	more    bool    // the journal may hold work that is due and not being done
}

// A place names work in flight.
type place struct {
	execution string
	command   int64
}

func newLane(e *Engine, name string, concurrency int, h Handler) *lane {
	return &lane{engine: e, name: name, concurrency: concurrency, handler: h, wake: make(chan struct{}, 1), doing: map[place]context.CancelCauseFunc{}}
}

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
	for {
		wait := l.fill(ctx, func(w Work, probe bool) {
			task, cancel := context.WithCancelCause(grace)
			l.begin(w, probe, cancel)
			workers.Go(func() {
				defer cancel(nil)
				defer l.finish(w, probe)
				l.do(ctx, task, w, probe)
			})
		})
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
func (l *lane) fill(ctx context.Context, start func(w Work, probe bool)) time.Duration {
	now := time.Now()
	busy, free, wait := l.room(now)
	if free == 0 {
		return wait
	}
	// Work that was in flight before the journal was read is not started,
	// even if it has ended since: what was read of it may be old.
	today := l.engine.now()
	due, next, err := l.engine.journal.Due(ctx, l.name, today, free+len(busy))
	if err != nil {
		return l.unread(ctx, err)
	}
	l.read()
	probe := l.troubled()
	started, behind := 0, len(due) == free+len(busy)
	for _, w := range due {
		switch _, ok := busy[place{w.Execution, w.Command}]; {
		case ok:
		case started == free: // what was busy is recorded meanwhile, and made room in what was read
			behind = true
		default:
			start(w, probe)
			started++
		}
	}
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
// nothing may, how long that lasts.
func (l *lane) room(now time.Time) (busy map[place]context.CancelCauseFunc, free int, wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.more = true // until the journal has been read
	busy, free = maps.Clone(l.doing), l.concurrency-len(l.doing)
	switch {
	case free <= 0:
		return busy, 0, longestSleep
	case !l.breaker.tripped():
		return busy, free, 0
	case l.probes > 0:
		return busy, 0, longestSleep
	}
	if wait = l.breaker.probeAt.Sub(now); wait > 0 {
		return busy, 0, wait
	}
	return busy, 1, 0
}

// left notes whether the journal, just read, held more than could be started.
func (l *lane) left(more bool) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.more = more
	return more
}

func (l *lane) troubled() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.breaker.tripped()
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

func (l *lane) begin(w Work, probe bool, cancel context.CancelCauseFunc) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.doing[place{w.Execution, w.Command}] = cancel
	if probe {
		l.probes++
	}
}

// finish comes after the work is recorded, so that it is never started twice.
// The journal is read again only if that can be of use.
func (l *lane) finish(w Work, probe bool) {
	l.mu.Lock()
	delete(l.doing, place{w.Execution, w.Command})
	if probe {
		l.probes--
	}
	look := probe || l.more
	l.mu.Unlock()
	if look {
		l.signal()
	}
}

var errWithdrawn = errors.New("the execution no longer asks for it")

// withdraw ends work in flight whose command is over.
func (e *Engine) withdraw(id string, command int64) {
	for _, l := range e.lanes {
		l.mu.Lock()
		cancel := l.doing[place{id, command}]
		l.mu.Unlock()
		if cancel != nil {
			cancel(errWithdrawn)
		}
	}
}

// An outcome is what an attempt says about whoever stands behind the lane.
type outcome int

const (
	neutral outcome = iota // nothing
	worked
	failed
)

// note lets the lane's breaker learn from an attempt.
func (l *lane) note(o outcome, probe bool, err error) {
	l.mu.Lock()
	before := l.breaker.tripped()
	l.breaker = l.breaker.after(o, probe, time.Now())
	after := l.breaker.tripped()
	if after && err != nil {
		if !before {
			l.trouble.Since = time.Now()
		}
		l.trouble.Err = err
	}
	l.mu.Unlock()
	switch {
	case !before && after:
		l.engine.log.Warn("a lane is in trouble: one attempt at a time until one succeeds", "lane", l.name, "err", err)
	case before && !after:
		l.engine.log.Info("a lane works again", "lane", l.name)
	}
}

// Trouble is why a lane makes one attempt at a time.
type Trouble struct {
	Since time.Time
	Err   error // of the newest attempt that failed
}

// Troubles gives the lanes whose newest attempts failed, by their resource.
func (e *Engine) Troubles() map[string]Trouble {
	out := map[string]Trouble{}
	for name, l := range e.lanes {
		l.mu.Lock()
		if l.breaker.tripped() {
			out[name] = l.trouble
		}
		l.mu.Unlock()
	}
	return out
}

// A breaker spaces the attempts of a lane while they fail, so that an outage
// of a week does not journal an attempt of every execution every minute. Each
// probe is other work, for what failed waits for its own retry.
type breaker struct {
	pause   time.Duration // 0: all is well
	probeAt time.Time
}

const (
	firstPause   = time.Second
	longestPause = 30 * time.Second
)

func (b breaker) tripped() bool { return b.pause > 0 }

// after is the breaker once an attempt has ended so. What was begun before
// the trouble and fails late does not lengthen it.
func (b breaker) after(o outcome, probe bool, now time.Time) breaker {
	switch {
	case o == worked:
		return breaker{}
	case o == neutral && probe:
		b.probeAt = now
	case o == failed && !b.tripped():
		b = breaker{firstPause, now.Add(firstPause)}
	case o == failed && probe:
		b.pause = min(2*b.pause, longestPause)
		b.probeAt = now.Add(b.pause)
	}
	return b
}
