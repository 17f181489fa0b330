package workflow

import "time"

// Delivered is how many attempts of each lane worked since the start, by
// resource.
func (e *Engine) Delivered() map[string]uint64 {
	out := make(map[string]uint64, len(e.lanes))
	for name, l := range e.lanes {
		out[name] = l.delivered.Load()
	}
	return out
}

// A Sample is how a queue stood at one moment.
type Sample struct {
	At    time.Time
	Depth int    // work that waits and is not parked
	Done  uint64 // delivered since the start
}

// A Pace says how fast a queue moves.
type Pace struct {
	Rate   float64       // delivered per second
	Drain  time.Duration // until nothing waits, what arrives meanwhile included
	Drains bool          // it does get shorter; else Drain says nothing
}

// PaceWindow is how far back samples count.
const PaceWindow = time.Minute

// PaceOf is the pace of the newest sample, by those before it that are within
// the window. Samples are in the order of their time.
func PaceOf(samples []Sample) (p Pace) {
	if len(samples) == 0 {
		return p
	}
	now := samples[len(samples)-1]
	first := now
	for i := len(samples) - 1; i >= 0 && now.At.Sub(samples[i].At) <= PaceWindow && samples[i].Done <= first.Done; i-- {
		first = samples[i]
	}
	span := now.At.Sub(first.At).Seconds()
	if span > 0 {
		p.Rate = float64(now.Done-first.Done) / span
	}
	shrinking := 0.0
	if span > 0 {
		shrinking = float64(first.Depth-now.Depth) / span
	}
	switch depth := float64(now.Depth); {
	case depth == 0:
		p.Drains = true
	case shrinking > 0 && p.Rate > 0:
		p.Drain, p.Drains = seconds(depth/shrinking), true
	case p.Rate > 0 && depth <= p.Rate*span: // what waits is no more than passed through meanwhile: it keeps up
		p.Drain, p.Drains = seconds(depth/p.Rate), true
	}
	return p
}

// seconds is a time of so many, of at most a hundred years.
func seconds(s float64) time.Duration {
	const century = 100 * 365 * 24 * 3600
	return time.Duration(min(s, century) * float64(time.Second))
}

// WithinPace gives the samples that still count beside one of now.
func WithinPace(samples []Sample, now time.Time) []Sample {
	for len(samples) > 0 && now.Sub(samples[0].At) > PaceWindow {
		samples = samples[1:]
	}
	return samples
}
