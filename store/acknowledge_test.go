package store

import (
	"errors"
	"sync"
	"testing"
	"time"

	"inspector"
)

func TestAcknowledge(t *testing.T) {
	s := open(t, t.TempDir())
	failed, unsure, passed := accept(t, s, inspector.Fail, ""), accept(t, s, inspector.Unsure, ""), accept(t, s, inspector.Pass, "")
	flying, _, err := s.Triggered(t.Context(), inspector.Trigger{Source: "http"})
	if err != nil {
		t.Fatal(err)
	}
	seen := inspector.Acknowledgement{By: "ann", At: when}
	for name, c := range map[string]struct {
		id   string
		a    inspector.Acknowledgement
		want error
	}{
		"passed":    {passed.ID, seen, ErrPassed},
		"in flight": {flying.String(), seen, ErrInFlight},
		"unknown":   {s.id(77).String(), seen, ErrNotFound},
		"nonsense":  {"nonsense", seen, nil},
		"by nobody": {failed.ID, inspector.Acknowledgement{At: when}, nil},
	} {
		if _, err := s.Acknowledge(t.Context(), c.id, c.a); err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v; want %v", name, err, c.want)
		}
	}
	for n, id := range []string{failed.ID, failed.ID, unsure.ID} {
		again := seen
		if n == 1 {
			again = inspector.Acknowledgement{By: "bob", At: when.Add(time.Hour)}
		}
		if r, err := s.Acknowledge(t.Context(), id, again); err != nil || r.Acknowledged == nil || *r.Acknowledged != seen || r.ID != id {
			t.Errorf("%d: %+v, %v; want ann's", n, r.Acknowledged, err)
		}
	}
	if r, err := s.Inspection(t.Context(), failed.ID); err != nil || r.Acknowledged == nil || *r.Acknowledged != seen || r.Disposition != nil {
		t.Errorf("stored %+v, %v", r, err)
	}
	trail, err := s.Trail(t.Context(), failed.ID, 0)
	if err != nil || len(trail) != 1 || trail[0].Who != "ann" || trail[0].What != "acknowledge" || !trail[0].At.Equal(when) {
		t.Errorf("trail %+v, %v", trail, err)
	}
	if all, err := s.Inspections(t.Context(), Filter{Verdict: inspector.Fail}); err != nil || len(all) != 1 || all[0].Acknowledged == nil {
		t.Errorf("listed %+v, %v", all, err)
	}
}

// Of many at the same time one counts, and everybody is told the same.
func TestAcknowledgeOnce(t *testing.T) {
	s := open(t, t.TempDir())
	board := accept(t, s, inspector.Fail, "")
	var wg sync.WaitGroup
	told := make(chan string, 8)
	for n := range cap(told) {
		wg.Go(func() {
			r, err := s.Acknowledge(t.Context(), board.ID, inspector.Acknowledgement{By: string(rune('a' + n)), At: when})
			if err != nil || r.Acknowledged == nil {
				t.Errorf("%d: %+v, %v", n, r.Acknowledged, err)
				return
			}
			told <- r.Acknowledged.By
		})
	}
	wg.Wait()
	close(told)
	first := <-told
	for by := range told {
		if by != first {
			t.Errorf("told %s and %s", first, by)
		}
	}
	if trail, err := s.Trail(t.Context(), board.ID, 0); err != nil || len(trail) != 1 || trail[0].Who != first {
		t.Errorf("trail %+v, %v", trail, err)
	}
}
