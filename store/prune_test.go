package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"inspector"
	"inspector/workflow"
	"inspector/workflow/asl"
)

// An ending is an execution as the year of TestPrune ends it.
type ending struct {
	id     string
	status asl.Status
	kind   workflow.Type
	open   bool // work of it is left, parked
}

// of gives the transitions of an execution that began and ended then.
func (e ending) of(at time.Time) []workflow.Transition {
	x := workflow.Execution{ID: e.id, Machine: "hash", Type: e.kind, Status: asl.StatusRunning, Started: at}
	work := workflow.Work{Execution: e.id, Command: 1, Lane: "r", State: "A", Due: at, Since: at}
	first := workflow.Transition{Execution: x, N: 1, Event: asl.Event{Kind: asl.Started, At: at, Name: e.id}, Begin: []workflow.Work{work}}
	if e.status == asl.StatusRunning {
		return []workflow.Transition{first}
	}
	last := workflow.Transition{Execution: x, N: 2, Event: asl.Event{Kind: asl.Succeeded, At: at, Command: 1}, End: []int64{1}}
	last.Execution.Status, last.Execution.Stopped = e.status, at.Add(time.Hour)
	if e.open {
		work.Command, work.Parked = 2, "nobody listens"
		last.Begin = []workflow.Work{work}
	}
	return []workflow.Transition{first, last}
}

// A year of executions, pruned every day: what ended long ago goes, with its
// journal, and what a person may yet act on stays.
func TestPrune(t *testing.T) {
	const day, keep = 24 * time.Hour, 90
	s := open(t, t.TempDir())
	pruned := 0
	for d := range 365 {
		now := when.Add(time.Duration(d) * day)
		var all []workflow.Transition
		for _, e := range []ending{
			{"done", asl.StatusSucceeded, workflow.Standard, false},
			{"stopped", asl.StatusAborted, "", false},
			{"delivered", asl.StatusSucceeded, workflow.Express, false},
			{"undelivered", asl.StatusFailed, workflow.Express, false},
			{"failed", asl.StatusFailed, workflow.Standard, false},
			{"late", asl.StatusTimedOut, "", false},
			{"runs", asl.StatusRunning, workflow.Express, false},
			{"parked", asl.StatusAborted, workflow.Express, true},
		} {
			e.id = fmt.Sprintf("%s-%d", e.id, d)
			all = append(all, e.of(now)...)
		}
		if err := s.Append(t.Context(), all...); err != nil {
			t.Fatal(err)
		}
		n, err := s.Prune(t.Context(), now.Add(2*time.Hour), keep*day)
		if err != nil {
			t.Fatal(err)
		}
		if want := 4; n != want && d >= keep || n != 0 && d < keep {
			t.Fatalf("on day %d %d executions went", d, n)
		}
		pruned += n
	}
	left, _, err := s.Executions(t.Context(), ExecutionFilter{Limit: 10_000})
	if err != nil || len(left) != 8*365-pruned {
		t.Fatalf("%d are left, %d went (%v)", len(left), pruned, err)
	}
	count := map[string]int{}
	for _, x := range left {
		kind, _, _ := strings.Cut(x.ID, "-")
		count[kind]++
	}
	for kind, want := range map[string]int{"done": keep, "stopped": keep, "delivered": keep, "undelivered": keep, "failed": 365, "late": 365, "runs": 365, "parked": 365} {
		if count[kind] != want {
			t.Errorf("%d of %s are left, want %d", count[kind], kind, want)
		}
	}
	var orphans int
	if err := s.readers.QueryRow(`SELECT count(*) FROM events WHERE execution NOT IN (SELECT n FROM executions)`).Scan(&orphans); err != nil || orphans != 0 {
		t.Errorf("%d events are of nothing (%v)", orphans, err)
	}
	if n, err := s.Prune(t.Context(), when.Add(9999*day), 0); n != 0 || err != nil {
		t.Errorf("kept for ever, and %d went (%v)", n, err)
	}
}

// The journal of a board stays until the board is closed and somebody has
// decided; the newest execution always.
func TestPruneOfBoards(t *testing.T) {
	s := open(t, t.TempDir())
	undecided, decided, passed, unclosed := accept(t, s, inspector.Fail, "a"), accept(t, s, inspector.Unsure, "b"), accept(t, s, inspector.Pass, ""), accept(t, s, inspector.Pass, "")
	for _, i := range []inspector.Inspection{undecided, decided, passed} {
		finish(t, s, i.ID)
	}
	decide(t, s, decided.ID)
	newest := ending{"newest", asl.StatusSucceeded, "", false}
	if err := errors.Join(s.Append(t.Context(), end(unclosed.ID, 2)), s.Append(t.Context(), newest.of(when)...)); err != nil {
		t.Fatal(err)
	}
	if n, err := s.Prune(t.Context(), when.AddDate(1, 0, 0), time.Hour); n != 2 || err != nil {
		t.Errorf("%d went (%v)", n, err)
	}
	var left []string
	for _, id := range []string{undecided.ID, decided.ID, passed.ID, unclosed.ID, "newest"} {
		if _, _, err := s.Load(t.Context(), id); err == nil {
			left = append(left, id)
		} else if !errors.Is(err, ErrNotFound) {
			t.Error(err)
		}
	}
	if want := []string{undecided.ID, unclosed.ID, "newest"}; !slices.Equal(left, want) {
		t.Errorf("left are %v, want %v", left, want)
	}
	// Evidence goes by its own rule, whether or not the journal is there.
	if swept, err := s.Sweep(t.Context(), when.AddDate(1, 0, 0), Retention{Others: time.Hour}); err != nil || swept.Inspections != 1 {
		t.Errorf("swept %+v (%v)", swept, err)
	}
}
