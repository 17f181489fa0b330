package workflow

import "time"

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
	if after && o == failed {
		if !before {
			l.trouble.Since = time.Now()
		}
		l.trouble.Err = err
	}
	var later []Work
	if !after {
		later, l.later = l.later, nil
	}
	l.mu.Unlock()
	if after {
		l.press(false)
	}
	switch {
	case !before && after:
		l.engine.log.Warn("a lane is in trouble: one attempt at a time until one succeeds", "lane", l.name, "err", err)
	case before && !after:
		l.engine.log.Info("a lane works again", "lane", l.name)
		l.engine.lanes[LaneTimer].hurry(later)
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
