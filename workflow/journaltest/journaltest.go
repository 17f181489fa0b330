// Package journaltest checks that a journal keeps what workflow.Journal
// promises.
package journaltest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"inspector/workflow"
	"inspector/workflow/asl"
)

// Test runs every check on a journal of its own. open gives an empty one and
// closes it with the test.
func Test(t *testing.T, open func(t *testing.T) workflow.Journal) {
	for _, check := range []struct {
		name string
		run  func(*testing.T, workflow.Journal)
	}{
		{"Definitions", definitions},
		{"AppendAndLoad", appendAndLoad},
		{"Conflict", conflict},
		{"AllOrNone", allOrNone},
		{"EndBeforeBegin", endBeforeBegin},
		{"DueOrderLimitAndNext", due},
		{"Park", park},
		{"BeginParked", beginParked},
		{"Postpone", postpone},
		{"Holds", holds},
		{"Machines", machines},
		{"Concurrent", concurrent},
	} {
		t.Run(check.name, func(t *testing.T) { check.run(t, open(t)) })
	}
}

var epoch = time.Date(2026, 3, 4, 5, 6, 7, 8_000_000, time.UTC)

func at(seconds int) time.Time { return epoch.Add(time.Duration(seconds) * time.Second) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantError(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want %v", err, want)
	}
}

// begun is the first transition of an execution with the given work.
func begun(id string, work ...workflow.Work) workflow.Transition {
	for i := range work {
		work[i].Execution = id
	}
	return workflow.Transition{
		Execution: workflow.Execution{ID: id, Machine: "m", Status: asl.StatusRunning, Started: epoch, States: []string{"A"}},
		N:         1,
		Event:     asl.Event{Kind: asl.Started, At: epoch, Name: id, Seed: "seed", Input: json.RawMessage(`{"a":1.0}`)},
		Begin:     work,
	}
}

func define(t *testing.T, j workflow.Journal) {
	t.Helper()
	must(t, j.Define(t.Context(), "m", []byte(`{"StartAt":"A"}`)))
}

func definitions(t *testing.T, j workflow.Journal) {
	_, err := j.Definition(t.Context(), "m")
	wantError(t, err, workflow.ErrNotFound)
	define(t, j)
	define(t, j)
	have, err := j.Definition(t.Context(), "m")
	must(t, err)
	if string(have) != `{"StartAt":"A"}` {
		t.Errorf("definition %s", have)
	}
}

func appendAndLoad(t *testing.T, j workflow.Journal) {
	define(t, j)
	_, _, err := j.Load(t.Context(), "x")
	wantError(t, err, workflow.ErrNotFound)
	first := begun("x", workflow.Work{Command: 1, Lane: "l", State: "A", Due: epoch, Since: epoch})
	must(t, j.Append(t.Context(), first))
	second := workflow.Transition{
		Execution: workflow.Execution{ID: "x", Machine: "m", Status: asl.StatusSucceeded, Started: epoch, Stopped: at(9), Output: json.RawMessage(`{"b":"<&>"}`)},
		N:         2,
		Event:     asl.Event{Kind: asl.Succeeded, At: at(9), Command: 1, Output: json.RawMessage(`12345678901234567890`), Random: 0.25},
		End:       []int64{1},
	}
	must(t, j.Append(t.Context(), second))
	must(t, j.Append(t.Context(), begun("y")))
	x, events, err := j.Load(t.Context(), "x")
	must(t, err)
	if !x.Stopped.Equal(at(9)) || !x.Started.Equal(epoch) || x.Status != asl.StatusSucceeded || string(x.Output) != `{"b":"<&>"}` || x.Machine != "m" {
		t.Errorf("loaded %+v", x)
	}
	if len(events) != 2 {
		t.Fatalf("%d events, want 2", len(events))
	}
	for i, want := range []asl.Event{first.Event, second.Event} {
		have := events[i]
		if !have.At.Equal(want.At) {
			t.Errorf("event %d at %v, want %v", i+1, have.At, want.At)
		}
		have.At = want.At
		if !reflect.DeepEqual(have, want) {
			t.Errorf("event %d is\n%+v, want\n%+v", i+1, have, want)
		}
	}
	left, err := j.Work(t.Context(), "x")
	must(t, err)
	if len(left) != 0 {
		t.Errorf("work left after the end: %+v", left)
	}
}

func conflict(t *testing.T, j workflow.Journal) {
	define(t, j)
	must(t, j.Append(t.Context(), begun("x", workflow.Work{Command: 1, Lane: "l", Due: epoch})))
	wantError(t, j.Append(t.Context(), begun("x", workflow.Work{Command: 2, Lane: "l", Due: epoch})), workflow.ErrConflict)
	must(t, j.Append(t.Context(), next("x", 2, nil, 1)))
	wantError(t, j.Append(t.Context(), next("x", 2, nil, 1)), workflow.ErrConflict)
	_, events, err := j.Load(t.Context(), "x")
	must(t, err)
	if len(events) != 2 {
		t.Errorf("%d events after two conflicts, want 2", len(events))
	}
	wantDue(t, j, "l", at(1), 9, nil)
}

// allOrNone appends several transitions at once: of two executions, and two of
// one; a conflict of the last leaves nothing of the others.
func allOrNone(t *testing.T, j workflow.Journal) {
	define(t, j)
	w := workflow.Work{Command: 1, Lane: "l", State: "A", Due: epoch, Since: epoch}
	must(t, j.Append(t.Context()))
	must(t, j.Append(t.Context(), begun("x", w), begun("y", w), next("x", 2, []workflow.Work{w}, 1)))
	wantDue(t, j, "l", at(1), 9, []string{"y/A/1", "x/A/1"})
	wantError(t, j.Append(t.Context(), next("x", 3, nil, 1), begun("z", w), begun("y", w)), workflow.ErrConflict)
	wantError(t, j.Append(t.Context(), begun("z", w), begun("z", w)), workflow.ErrConflict)
	wantDue(t, j, "l", at(1), 9, []string{"y/A/1", "x/A/1"})
	if _, events, err := j.Load(t.Context(), "x"); err != nil || len(events) != 2 {
		t.Errorf("x has %d events (%v), want 2", len(events), err)
	}
	_, _, err := j.Load(t.Context(), "z")
	wantError(t, err, workflow.ErrNotFound)
}

func next(id string, n int, begin []workflow.Work, end ...int64) workflow.Transition {
	tr := begun(id, begin...)
	tr.N, tr.End = n, end
	tr.Event = asl.Event{Kind: asl.Failed, At: at(n), Command: 1, Error: "E"}
	return tr
}

func endBeforeBegin(t *testing.T, j workflow.Journal) {
	define(t, j)
	w := workflow.Work{Command: 1, Lane: "l", State: "A", Due: epoch, Since: epoch}
	must(t, j.Append(t.Context(), begun("x", w)))
	must(t, j.Append(t.Context(), begun("y", w)))
	wantDue(t, j, "l", at(1), 9, []string{"x/A/1", "y/A/1"})
	must(t, j.Park(t.Context(), "x", 1, "broken"))
	must(t, j.Append(t.Context(), next("x", 2, []workflow.Work{w}, 1))) // ends and begins again: behind, and free
	wantDue(t, j, "l", at(1), 9, []string{"y/A/1", "x/A/1"})
}

func wantDue(t *testing.T, j workflow.Journal, lane string, now time.Time, limit int, want []string) time.Time {
	t.Helper()
	work, more, err := j.Due(t.Context(), lane, now, limit, false)
	must(t, err)
	var have []string
	for _, w := range work {
		have = append(have, w.Key())
		if w.Lane != lane || w.Due.After(now) || w.Parked != "" {
			t.Errorf("due in %q at %v: %+v", lane, now, w)
		}
	}
	if !reflect.DeepEqual(have, want) {
		t.Errorf("due in %q: %v, want %v", lane, have, want)
	}
	return more
}

func due(t *testing.T, j workflow.Journal) {
	define(t, j)
	w := func(command int64, lane string, seconds int) workflow.Work {
		return workflow.Work{Command: command, Lane: lane, State: "S", Due: at(seconds), Since: epoch}
	}
	if more := wantDue(t, j, "l", at(0), 9, nil); !more.IsZero() {
		t.Errorf("an empty lane is due at %v", more)
	}
	must(t, j.Append(t.Context(), begun("x", w(1, "l", 5), w(2, "l", 20), w(3, "other", 0))))
	must(t, j.Append(t.Context(), begun("y", w(1, "l", 0), w(2, "l", 10), w(3, workflow.LaneToken, 0))))
	if more := wantDue(t, j, "l", at(-1), 9, nil); !more.Equal(at(0)) {
		t.Errorf("next due at %v, want %v", more, at(0))
	}
	if more := wantDue(t, j, "l", at(5), 9, []string{"x/S/1", "y/S/1"}); !more.Equal(at(10)) {
		t.Errorf("next due at %v, want %v", more, at(10))
	}
	wantDue(t, j, "l", at(30), 2, []string{"x/S/1", "x/S/2"})
	if more := wantDue(t, j, "l", at(30), 9, []string{"x/S/1", "x/S/2", "y/S/1", "y/S/2"}); !more.IsZero() {
		t.Errorf("nothing more is due, but at %v", more)
	}
	work, err := j.Work(t.Context(), "y")
	must(t, err)
	want := []workflow.Work{w(1, "l", 0), w(2, "l", 10), w(3, workflow.LaneToken, 0)}
	if len(work) != len(want) {
		t.Fatalf("work %+v", work)
	}
	for i := range want {
		want[i].Execution = "y"
		if work[i].Due.Equal(want[i].Due) && work[i].Since.Equal(want[i].Since) {
			work[i].Due, work[i].Since = want[i].Due, want[i].Since
		}
		if work[i] != want[i] {
			t.Errorf("work %d is %+v, want %+v", i, work[i], want[i])
		}
	}
}

func park(t *testing.T, j workflow.Journal) {
	define(t, j)
	wantError(t, j.Park(t.Context(), "x", 1, "why"), workflow.ErrNotFound)
	must(t, j.Append(t.Context(), begun("x",
		workflow.Work{Command: 1, Lane: "l", State: "A", Due: epoch},
		workflow.Work{Command: 2, Lane: "l", State: "B", Due: epoch})))
	must(t, j.Park(t.Context(), "x", 1, "why"))
	wantError(t, j.Park(t.Context(), "x", 3, "why"), workflow.ErrNotFound)
	if more := wantDue(t, j, "l", at(1), 9, []string{"x/B/2"}); !more.IsZero() {
		t.Errorf("parked work is due at %v", more)
	}
	wantLanes(t, j, "l")
	must(t, j.Park(t.Context(), "x", 2, "too"))
	wantLanes(t, j)
	must(t, j.Park(t.Context(), "x", 2, ""))
	wantParked(t, j, "x", "why", "why", "")
	must(t, j.Append(t.Context(), next("x", 2, nil, 2))) // does not free the other
	wantParked(t, j, "x", "why", "why")
	must(t, j.Park(t.Context(), "x", 1, ""))
	wantParked(t, j, "x", "", "")
	wantDue(t, j, "l", at(1), 9, []string{"x/A/1"})
	must(t, j.Done(t.Context(), "x", 1))
	wantDue(t, j, "l", at(1), 9, nil)
	wantError(t, j.Done(t.Context(), "x", 1), workflow.ErrNotFound)
}

func postpone(t *testing.T, j workflow.Journal) {
	define(t, j)
	wantError(t, j.Postpone(t.Context(), "x", 1, at(9)), workflow.ErrNotFound)
	must(t, j.Append(t.Context(), begun("x",
		workflow.Work{Command: 1, Lane: "l", State: "A", Due: epoch, Since: epoch},
		workflow.Work{Command: 2, Lane: "l", State: "B", Due: epoch, Since: epoch})))
	must(t, j.Postpone(t.Context(), "x", 1, at(9)))
	wantError(t, j.Postpone(t.Context(), "x", 3, at(9)), workflow.ErrNotFound)
	if more := wantDue(t, j, "l", at(1), 9, []string{"x/B/2"}); !more.Equal(at(9)) {
		t.Errorf("postponed work is due at %v, want %v", more, at(9))
	}
	wantDue(t, j, "l", at(9), 9, []string{"x/A/1", "x/B/2"})
	must(t, j.Append(t.Context(), next("x", 2, nil, 1)))
	wantError(t, j.Postpone(t.Context(), "x", 1, at(10)), workflow.ErrNotFound)
}

// wantParked checks the reason of the execution and of each of its work.
func wantLanes(t *testing.T, j workflow.Journal, want ...string) {
	t.Helper()
	have, err := j.Lanes(t.Context())
	must(t, err)
	if len(have)+len(want) > 0 && !reflect.DeepEqual(have, want) {
		t.Errorf("lanes %q, want %q", have, want)
	}
}

func wantParked(t *testing.T, j workflow.Journal, id, whole string, each ...string) {
	t.Helper()
	x, _, err := j.Load(t.Context(), id)
	must(t, err)
	if x.Parked != whole {
		t.Errorf("execution %s is parked %q, want %q", id, x.Parked, whole)
	}
	work, err := j.Work(t.Context(), id)
	must(t, err)
	var have []string
	for _, w := range work {
		have = append(have, w.Parked)
	}
	if !reflect.DeepEqual(have, each) {
		t.Errorf("work of %s is parked %q, want %q", id, have, each)
	}
}

func beginParked(t *testing.T, j workflow.Journal) {
	define(t, j)
	must(t, j.Append(t.Context(), begun("x", workflow.Work{Command: 1, Lane: "nobody", State: "A", Due: epoch, Parked: "nobody handles it"})))
	wantDue(t, j, "nobody", at(1), 9, nil)
	wantParked(t, j, "x", "nobody handles it", "nobody handles it")
}

// concurrent appends from many sides: different executions all get through,
// and of those who append the same event one does.
func concurrent(t *testing.T, j workflow.Journal) {
	define(t, j)
	const executions, rivals = 20, 4
	ctx := context.WithoutCancel(t.Context())
	var won atomic.Int32
	var all sync.WaitGroup
	for i := range executions {
		for range rivals {
			all.Go(func() {
				err := j.Append(ctx, begun(fmt.Sprint("x", i), workflow.Work{Command: 1, Lane: "l", Due: epoch}))
				if err == nil {
					won.Add(1)
				} else if !errors.Is(err, workflow.ErrConflict) {
					t.Errorf("append: %v", err)
				}
			})
		}
	}
	all.Wait()
	if won.Load() != executions {
		t.Errorf("%d appends succeeded, want %d", won.Load(), executions)
	}
	work, _, err := j.Due(t.Context(), "l", at(1), 1000, false)
	must(t, err)
	if len(work) != executions {
		t.Errorf("%d pieces of work, want %d", len(work), executions)
	}
}
