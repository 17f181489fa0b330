package asltest

import "testing"

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

// Report prints the rows, which scripts/conformance puts into its table, and
// fails the test for every row below its floor, or without a case.
func Report(t *testing.T, scores ...Score) {
	t.Helper()
	for _, s := range scores {
		percent := 100 * float64(s.Passed) / float64(max(s.Total, 1))
		t.Logf("conformance | %s | %s | %d | %d | %.1f | %.1f", s.Corpus, s.Level, s.Passed, s.Total, percent, s.Floor)
		if percent < s.Floor || s.Total == 0 {
			t.Errorf("%s, level %s: %d of %d, %.1f %%; want at least %.1f %%", s.Corpus, s.Level, s.Passed, s.Total, percent, s.Floor)
		}
	}
}
