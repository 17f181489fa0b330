package workflow

import "time"

// A clock is a journal that knows a time before which it cannot be: what it
// holds happened already. It gives wall, or that time if it is later.
type clock interface {
	Now(wall time.Time) time.Time
}

// now is the time of events and of what is due: both are by one clock, so that
// a wait is as long as it says, whatever the wall clock shows meanwhile. It
// never goes back while the engine is up; across restarts it is the wall clock,
// unless the journal is ahead of that.
func (e *Engine) now() time.Time {
	now := later(time.Now(), e.made)
	if c, ok := e.journal.(clock); ok {
		now = c.Now(now)
	}
	return now.UTC()
}

// later is wall, but not before what the monotonic clock says since made.
func later(wall, made time.Time) time.Time {
	if least := made.Add(wall.Sub(made)); wall.Round(0).Before(least.Round(0)) {
		return least // the wall clock was set back
	}
	return wall
}
