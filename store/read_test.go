package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"inspector"
	"inspector/workflow"
	"inspector/workflow/asl"
)

func TestInspectionsByRow(t *testing.T) {
	s := open(t, t.TempDir())
	for n := range 12 {
		i := judged(s.NextID(), []inspector.Verdict{inspector.Pass, inspector.Fail, inspector.Unsure}[n%3])
		i.At = when.Add(-time.Duration(n) * time.Hour) // the clock runs backwards
		i.Recipe = []string{"main", "other"}[n%2]
		if _, err := s.Accept(t.Context(), i, nil, begin); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := s.Triggered(t.Context(), inspector.Trigger{Source: "http"}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		filter Filter
		want   []int64
	}{
		{Filter{Limit: 3}, []int64{12, 11, 10}},
		{Filter{Before: 4}, []int64{3, 2, 1}},
		{Filter{Verdict: inspector.Fail}, []int64{11, 8, 5, 2}},
		{Filter{Verdict: inspector.Fail, Recipe: "main"}, []int64{11, 5}},
		{Filter{Recipe: "other", Before: 6, Limit: 2}, []int64{4, 2}},
		{Filter{Recipe: "none"}, []int64{}},
	} {
		got, err := s.Inspections(t.Context(), c.filter)
		rows := []int64{}
		for _, r := range got {
			rows = append(rows, r.Row)
		}
		if err != nil || !slices.Equal(rows, c.want) {
			t.Errorf("%+v gave %v, %v; want %v", c.filter, rows, err, c.want)
		}
	}
	counts, err := s.Counts(t.Context())
	if err != nil || len(counts) != 6 || counts[0] != (Count{"main", inspector.Fail, 2}) {
		t.Errorf("counts %v, %v", counts, err)
	}
	balanced(t, s)
}

func TestDueInOrderOfJournalling(t *testing.T) {
	s := open(t, t.TempDir())
	at := func(n int) time.Time { return when.Add(time.Duration(n) * time.Second) }
	for n, w := range []workflow.Work{
		{Lane: "a", Due: at(5), Since: at(0)},
		{Lane: "a", Due: at(0), Since: at(0)},
		{Lane: "b", Due: at(0), Since: at(0)},
		{Lane: "a", Due: at(2), Since: at(1)},
		{Lane: "a", Since: at(-9)}, // due since ever
		{Lane: "a", Due: at(9000), Since: at(0), Parked: "nobody serves it"},
		{Lane: "a", Due: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), Since: at(0)},
		{Lane: "a", Due: at(7), Since: at(8)}, // the clock was set back
	} {
		x := event(fmt.Sprint("x", n), 1)
		w.Execution, w.Command, w.State = x.Execution.ID, 1, "S"
		x.Begin = []workflow.Work{w}
		if err := s.Append(t.Context(), x); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		now, limit int
		want       []string
		next       int
	}{
		{-100, 9, []string{"x4"}, 0},
		{1, 9, []string{"x1", "x4"}, 2},
		{2, 9, []string{"x1", "x3", "x4"}, 5},
		{5, 9, []string{"x0", "x1", "x3", "x4"}, 7},
		{7, 9, []string{"x0", "x1", "x3", "x4", "x7"}, -1},
		{7, 2, []string{"x0", "x1"}, -2},
	} {
		due, next, err := s.Due(t.Context(), "a", at(c.now), c.limit, false)
		got := []string{}
		for _, w := range due {
			got = append(got, w.Execution)
		}
		want := at(c.next)
		switch c.next {
		case -1:
			want = instant(1<<63 - 1)
		case -2:
			want = time.Time{}
		}
		if err != nil || !slices.Equal(got, c.want) || !next.Equal(want) {
			t.Errorf("at %d: %v, next %v, %v; want %v, %v", c.now, got, next, err, c.want, want)
		}
	}
	due, _, err := s.Due(t.Context(), "a", at(2), 3, false)
	if want := (workflow.Work{Execution: "x3", Command: 1, Lane: "a", State: "S", Due: at(2), Since: at(1)}); err != nil || due[1] != want {
		t.Errorf("got %+v, %v; want %+v", due, err, want)
	}
	if !due[2].Due.IsZero() {
		t.Errorf("the zero time came back as %v", due[2].Due)
	}
}

func TestParkedWorkIsSeen(t *testing.T) {
	s := open(t, t.TempDir())
	for _, id := range []string{"x", "y"} {
		if err := s.Append(t.Context(), event(id, 1)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Park(t.Context(), "x", 1, "refused"); err != nil {
		t.Fatal(err)
	}
	if err := s.Park(t.Context(), "x", 2, "refused"); !errors.Is(err, workflow.ErrNotFound) {
		t.Errorf("parking what is not open gave %v", err)
	}
	x, _, err := s.Load(t.Context(), "x")
	if err != nil || x.Parked != "refused" {
		t.Errorf("loaded %+v, %v", x, err)
	}
	parked, _, err := s.Executions(t.Context(), ExecutionFilter{Parked: true})
	if err != nil || len(parked) != 1 || parked[0].ID != "x" || parked[0].Parked != "refused" {
		t.Errorf("parked %+v, %v", parked, err)
	}
	queues, err := s.Queues(t.Context(), when.Add(time.Minute))
	if want := []Queue{{"inspector:record", 2, 1, time.Minute}}; err != nil || !slices.Equal(queues, want) {
		t.Errorf("queues %+v, %v; want %+v", queues, err, want)
	}
	if err := s.Park(t.Context(), "x", 1, ""); err != nil {
		t.Fatal(err)
	}
	if due, _, err := s.Due(t.Context(), "inspector:record", when, 9, false); err != nil || len(due) != 2 {
		t.Errorf("freed, but due is %v, %v", due, err)
	}
}

func TestExecutions(t *testing.T) {
	s := open(t, t.TempDir())
	for n := range 5 {
		id := fmt.Sprint("x", n)
		if err := s.Append(t.Context(), event(id, 1)); err != nil {
			t.Fatal(err)
		}
		if n%2 == 0 {
			if err := s.Append(t.Context(), end(id, 2)); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		filter ExecutionFilter
		want   []string
	}{
		{ExecutionFilter{}, []string{"x4", "x3", "x2", "x1", "x0"}},
		{ExecutionFilter{Status: "SUCCEEDED", Limit: 2}, []string{"x4", "x2"}},
		{ExecutionFilter{Status: "RUNNING"}, []string{"x3", "x1"}},
	} {
		got, _, err := s.Executions(t.Context(), c.filter)
		ids := []string{}
		for _, x := range got {
			ids = append(ids, x.ID)
		}
		if err != nil || !slices.Equal(ids, c.want) {
			t.Errorf("%+v gave %v, %v; want %v", c.filter, ids, err, c.want)
		}
	}
	x, events, err := s.Load(t.Context(), "x0")
	if err != nil || x.Status != asl.StatusSucceeded || !x.Stopped.Equal(when) || len(events) != 2 || events[1].Command != 1 {
		t.Errorf("loaded %+v %+v, %v", x, events, err)
	}
}

func TestDefinitions(t *testing.T) {
	s := open(t, t.TempDir())
	for range 2 {
		if err := s.Define(t.Context(), "h", []byte(`{}`)); err != nil {
			t.Fatal(err)
		}
	}
	if d, err := s.Definition(t.Context(), "h"); err != nil || string(d) != "{}" {
		t.Errorf("%s, %v", d, err)
	}
	if _, err := s.Definition(t.Context(), "g"); !errors.Is(err, workflow.ErrNotFound) {
		t.Errorf("unknown: %v", err)
	}
}

func TestDispose(t *testing.T) {
	s := open(t, t.TempDir())
	failed, passed := accept(t, s, inspector.Fail, ""), accept(t, s, inspector.Pass, "")
	flying, _, err := s.Triggered(t.Context(), inspector.Trigger{Source: "http"})
	if err != nil {
		t.Fatal(err)
	}
	good := inspector.Disposition{Decision: "rework", By: "ann", Note: "solder bridge", At: when}
	for name, err := range map[string]error{
		"passed":     s.Dispose(t.Context(), passed.ID, good),
		"in flight":  s.Dispose(t.Context(), flying.String(), good),
		"unknown":    s.Dispose(t.Context(), s.id(77).String(), good),
		"nonsense":   s.Dispose(t.Context(), "nonsense", good),
		"decision":   s.Dispose(t.Context(), failed.ID, inspector.Disposition{Decision: "burn", By: "ann"}),
		"by nobody":  s.Dispose(t.Context(), failed.ID, inspector.Disposition{Decision: "scrap"}),
		"no auditor": s.Audit(t.Context(), Entry{What: "look"}),
	} {
		if err == nil {
			t.Errorf("%s: was taken", name)
		}
	}
	if err := s.Dispose(t.Context(), failed.ID, good); err != nil {
		t.Fatal(err)
	}
	if err := s.Dispose(t.Context(), failed.ID, inspector.Disposition{Decision: "scrap", By: "bob"}); !errors.Is(err, ErrDecided) || !permanent(err) {
		t.Errorf("a second decision gave %v", err)
	}
	if r, err := s.Inspection(t.Context(), failed.ID); err != nil || r.Disposition == nil || *r.Disposition != good {
		t.Errorf("decided %+v, %v", r.Disposition, err)
	}
	trail, err := s.Trail(t.Context(), failed.ID, 0)
	if err != nil || len(trail) != 1 || trail[0].Who != "ann" || trail[0].What != "dispose" || !trail[0].At.Equal(when) {
		t.Fatalf("trail %+v, %v", trail, err)
	}
	var detail inspector.Disposition
	if err := json.Unmarshal(trail[0].Detail, &detail); err != nil || detail != good {
		t.Errorf("audited %+v, %v", detail, err)
	}
}

// A power cut took the clock's time, too: work that waited then is done now.
func TestDueWhenTheClockWasLost(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	now := time.Now()
	x := event("x", 1)
	x.Begin = []workflow.Work{{Execution: "x", Command: 1, State: "S", Lane: "a", Due: now, Since: now}}
	if err := s.Append(t.Context(), x); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	due, _, err := open(t, dir).Due(t.Context(), "a", time.Unix(0, 0), 9, false)
	if err != nil || len(due) != 1 {
		t.Errorf("due in 1970: %v, %v; want the work that waited", due, err)
	}
}
