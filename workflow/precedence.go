package workflow

import (
	"time"

	"inspector/workflow/asl"
)

// A Precedence says in which order the work of lanes goes where it cannot all
// go at once. Within an execution the interpreter keeps the order; between
// executions there is none but this.
type Precedence struct {
	// Rank, from 1, orders lanes: while one has more work due than places, and
	// whoever stands behind it takes work, those of higher ranks begin no more
	// than a quarter of their places. Work that has just been asked for does not
	// wait behind a backlog: another quarter is for it. 0: the lane yields to
	// none, and none to it, and all its work waits in one row.
	Rank int
	// Newest has the backlog taken from its end.
	Newest bool
	// Rate is how many pieces of the backlog are begun in a second, on average;
	// 0: no limit. What has just been asked for is not part of it.
	Rate float64
}

// Arrange gives the lane of a resource its precedence. Call it after Handle and
// before Run.
func (e *Engine) Arrange(resource string, p Precedence) {
	if l := e.lanes[resource]; l != nil {
		l.Precedence, l.budget = p, budget{left: p.Rate}
	}
}

// share is how many of so many places are kept for a lane that yields, and
// added for work that has just been asked for while there is a backlog.
func share(places int) int { return max(1, places/4) }

// pressed reports whether a lane of a better rank has more than it can do.
func (e *Engine) pressed(rank int) bool {
	for _, l := range e.lanes {
		if l.Rank > 0 && l.Rank < rank && l.presses.Load() {
			return true
		}
	}
	return false
}

// press notes whether the lane has more than it can do; those that yielded to
// it go on when it has not.
func (l *lane) press(more bool) {
	if l.Rank == 0 || l.presses.Swap(more) == more || more {
		return
	}
	for _, other := range l.engine.lanes {
		if other.Rank > l.Rank {
			other.signal()
		}
	}
}

// A budget is what a rate allows to be begun: a second's worth at most.
type budget struct {
	left float64
	at   time.Time
}

// refilled is the budget at now.
func (b budget) refilled(rate float64, now time.Time) budget {
	if b.at.IsZero() || now.Before(b.at) {
		return budget{b.left, now}
	}
	return budget{min(b.left+rate*now.Sub(b.at).Seconds(), max(rate, 1)), now}
}

// allows is how many of want may be begun; if none, how long that lasts.
func (b budget) allows(rate float64, want int) (n int, wait time.Duration) {
	if rate <= 0 {
		return want, 0
	}
	if n = min(want, int(b.left)); n > 0 {
		return n, 0
	}
	return 0, time.Duration((1 - b.left) / rate * float64(time.Second))
}

// mostLater bounds the retries that a lane remembers.
const mostLater = 256

// retryLater remembers the retries that wait for their time while the lane is
// in trouble. l.mu is not held.
func (l *lane) retryLater(t Transition, state string) {
	if t.Event.Kind != asl.Failed {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range t.Begin {
		if w.Lane == LaneTimer && w.State == state && l.breaker.tripped() && len(l.later) < mostLater {
			l.later = append(l.later, w)
		}
	}
}

// hurry fires timers before their time; those that are over are moot.
func (l *lane) hurry(all []Work) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, w := range all {
		if _, busy := l.doing[place{w.Execution, w.Command}]; !busy && l.start != nil {
			l.ahead(w)
			l.goOn(l.start(deed{Work: w, command: &asl.Command{ID: w.Command}}))
		}
	}
}

// ahead notes that work is begun beside what was, or is being, read of the
// journal. l.mu is held.
func (l *lane) ahead(w Work) {
	if l.begun == nil {
		l.begun = map[place]bool{}
	}
	l.begun[place{w.Execution, w.Command}] = true
}
