package asltest

import (
	"fmt"
	"strings"
	"testing"
)

// A Score is one row of the table of conformance.
type Score struct {
	Corpus, Level string
	Passed, Total int
	Floor         float64 // per cent
}

// Count notes one case and gives ok back.
func (s *Score) Count(ok bool) bool {
	s.Total++
	if ok {
		s.Passed++
	}
	return ok
}

// Report prints the table, and fails the test for every row below its floor.
func Report(t *testing.T, scores ...Score) {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "\n%-28s %-12s %7s %7s %7s %7s\n", "corpus", "level", "passed", "total", "%", "floor")
	for _, s := range scores {
		percent := 100 * float64(s.Passed) / float64(max(s.Total, 1))
		fmt.Fprintf(&b, "%-28s %-12s %7d %7d %7.1f %7.1f\n", s.Corpus, s.Level, s.Passed, s.Total, percent, s.Floor)
		if percent < s.Floor {
			t.Errorf("%s, level %s: %.1f %%, want at least %.1f %%", s.Corpus, s.Level, percent, s.Floor)
		}
	}
	t.Log(b.String())
}
