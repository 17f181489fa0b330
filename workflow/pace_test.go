package workflow

import (
	"math"
	"testing"
	"time"
)

func TestPace(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	// every is a sample each ten seconds.
	every := func(all ...Sample) []Sample {
		for n := range all {
			all[n].At = at.Add(time.Duration(n) * 10 * time.Second)
		}
		return all
	}
	for name, c := range map[string]struct {
		samples []Sample
		rate    float64
		drain   float64 // seconds; negative: unknown
	}{
		"none":               {nil, 0, -1},
		"one, nothing waits": {every(Sample{}), 0, 0},
		"one, work waits":    {every(Sample{Depth: 7, Done: 100}), 0, -1},
		"idle":               {every(Sample{Done: 5}, Sample{Done: 5}), 0, 0},
		"keeps up":           {every(Sample{Depth: 2, Done: 100}, Sample{Depth: 3, Done: 200}), 10, .3},
		"drains":             {every(Sample{Depth: 1000}, Sample{Depth: 900, Done: 150}, Sample{Depth: 800, Done: 300}), 15, 80}, // five a second arrive
		"fills up":           {every(Sample{Depth: 1000}, Sample{Depth: 1100, Done: 50}), 5, -1},
		"stands":             {every(Sample{Depth: 1000, Done: 9}, Sample{Depth: 1000, Done: 9}), 0, -1},
		"shrinks by hand":    {every(Sample{Depth: 1000, Done: 9}, Sample{Depth: 500, Done: 9}), 0, -1},
		"what was long ago": {every(Sample{Depth: 9000}, Sample{Depth: 8000, Done: 1000}, Sample{Depth: 100, Done: 8900}, Sample{Depth: 100, Done: 8900}, Sample{Depth: 100, Done: 8900},
			Sample{Depth: 100, Done: 8900}, Sample{Depth: 100, Done: 8900}, Sample{Depth: 100, Done: 8900}, Sample{Depth: 100, Done: 8900}), 0, -1},
		"started anew": {every(Sample{Depth: 100, Done: 900}, Sample{Depth: 90, Done: 5}, Sample{Depth: 80, Done: 15}), 1, 80},
	} {
		p := PaceOf(c.samples)
		if math.Abs(p.Rate-c.rate) > 1e-9 || p.Drains != (c.drain >= 0) || p.Drains && math.Abs(p.Drain.Seconds()-c.drain) > 1e-6 {
			t.Errorf("%s: %+v; want rate %v, drain %v s", name, p, c.rate, c.drain)
		}
	}
	if p := PaceOf(every(Sample{Depth: math.MaxInt32}, Sample{Depth: math.MaxInt32 - 1, Done: 1})); !p.Drains || p.Drain < 99*365*24*time.Hour {
		t.Errorf("a long time: %v", p.Drain)
	}
	if left := WithinPace(every(make([]Sample, 9)...), at.Add(80*time.Second)); len(left) != 7 {
		t.Errorf("%d samples count; want 7", len(left))
	}
}
