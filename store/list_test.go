package store

import (
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"inspector/workflow"
	"inspector/workflow/asl"
)

// fill begins executions x0 to x11, a minute apart, on machines a and b in
// turn; each third has ended, and x3 is parked.
func fill(t *testing.T) *Store {
	s := open(t, t.TempDir())
	for n := range 12 {
		tr := event(fmt.Sprint("x", n), 1)
		tr.Execution.StateMachine = string(rune('a' + n%2))
		tr.Execution.Started = when.Add(time.Duration(n) * time.Minute)
		if n%3 == 0 && n != 3 {
			tr.Execution.Status = asl.StatusFailed
		}
		if err := s.Append(t.Context(), tr); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Park(t.Context(), "x3", 1, "why"); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestListByFilterAndPage(t *testing.T) {
	s := fill(t)
	for _, c := range []struct {
		filter ExecutionFilter
		want   string
	}{
		{ExecutionFilter{}, "x11 x10 x9 x8 x7 x6 x5 x4 x3 x2 x1 x0"},
		{ExecutionFilter{Machine: "a"}, "x10 x8 x6 x4 x2 x0"},
		{ExecutionFilter{Status: "FAILED"}, "x9 x6 x0"},
		{ExecutionFilter{Machine: "a", Status: "FAILED"}, "x6 x0"},
		{ExecutionFilter{Parked: true}, "x3"},
		{ExecutionFilter{Parked: true, Machine: "a"}, ""},
		{ExecutionFilter{Since: when.Add(10 * time.Minute)}, "x11 x10"},
		{ExecutionFilter{Until: when.Add(2 * time.Minute)}, "x1 x0"},
		{ExecutionFilter{Since: when.Add(2 * time.Minute), Until: when.Add(9 * time.Minute), Machine: "b"}, "x7 x5 x3"},
		{ExecutionFilter{Since: when.Add(time.Minute), Status: "FAILED"}, "x9 x6"},
		{ExecutionFilter{Since: when.Add(time.Minute), Status: "FAILED", Machine: "b"}, "x9"},
		{ExecutionFilter{Prefix: "x1"}, "x1 x10 x11"},
		{ExecutionFilter{Prefix: "x1", Machine: "b"}, "x1 x11"},
		{ExecutionFilter{Prefix: "y"}, ""},
	} {
		for _, size := range []int{0, 1, 2, 5} {
			f := c.filter
			f.Limit = size
			var got []string
			for {
				page, next, err := s.Executions(t.Context(), f)
				if err != nil {
					t.Fatal(err)
				}
				for _, x := range page {
					got = append(got, x.ID)
				}
				if f.Page = next; next == "" {
					break
				}
			}
			if !slices.Equal(got, strings.Fields(c.want)) {
				t.Errorf("%+v: %v, want %s", c.filter, got, c.want)
			}
		}
	}
	for _, page := range []string{"?", "bjE", "dDE"} { // no token; n1, t1
		_, _, err := s.Executions(t.Context(), ExecutionFilter{Since: when, Page: page})
		var r refusal
		if !errors.As(err, &r) {
			t.Errorf("page %q: %v", page, err)
		}
	}
}

// No list sorts or walks over what it does not give: each is one search in an
// index that has its order.
func TestListsAreSearchesInAnIndex(t *testing.T) {
	s := fill(t)
	for _, machine := range []string{"", "a"} {
		for _, status := range []string{"", "FAILED"} {
			for _, since := range []time.Time{{}, when} {
				f := ExecutionFilter{Machine: machine, Status: status, Since: since}
				text, args, err := f.query(10)
				if err != nil {
					t.Fatal(err)
				}
				plan, err := query(t.Context(), s.readers, func(rows *sql.Rows) (line string, err error) {
					var a, b, c int
					return line, rows.Scan(&a, &b, &c, &line)
				}, `EXPLAIN QUERY PLAN `+text, args...)
				if err != nil {
					t.Fatal(err)
				}
				if all := strings.Join(plan, "\n"); strings.Contains(all, "TEMP B-TREE") || f != (ExecutionFilter{}) && strings.Contains(all, "SCAN executions") {
					t.Errorf("%+v:\n%s", f, all)
				}
			}
		}
	}
}

func TestExecutionKeepsWhatBeganIt(t *testing.T) {
	s := open(t, t.TempDir())
	tr := event("x", 1)
	tr.Execution.StateMachine, tr.Execution.Version, tr.Execution.Alias = "m", 3, "live"
	tr.Execution.Type, tr.Execution.Parent, tr.Execution.ParentToken = workflow.Express, "p/S/1", "token"
	tr.Execution.Redrives, tr.Execution.Redriven = 2, when
	if err := s.Append(t.Context(), tr); err != nil {
		t.Fatal(err)
	}
	have, _, err := s.Load(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	if w := tr.Execution; have.StateMachine != w.StateMachine || have.Version != w.Version || have.Alias != w.Alias || have.Type != w.Type ||
		have.Parent != w.Parent || have.ParentToken != w.ParentToken || have.Redrives != w.Redrives || !have.Redriven.Equal(w.Redriven) {
		t.Errorf("loaded %+v, want %+v", have, w)
	}
}
