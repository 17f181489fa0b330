package upstream

import (
	"slices"
	"strconv"
	"testing"
	"time"
)

// ratio runs both in turn and reports the median time of ours over the
// baseline's.
func ratio(b *testing.B, ours, baseline func(name string) error) {
	b.Helper()
	var took [2][]time.Duration
	n := 0
	for b.Loop() {
		n++
		for i, f := range []func(string) error{ours, baseline} {
			start := time.Now()
			if err := f(strconv.Itoa(n)); err != nil {
				b.Fatal(err)
			}
			took[i] = append(took[i], time.Since(start))
		}
	}
	for i := range took {
		slices.Sort(took[i])
	}
	b.ReportMetric(float64(took[0][n/2])/float64(took[1][n/2]), "x-baseline")
}
