package store

import (
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"inspector"
)

// Parked work is found by lane, machine and reason, a page at a time.
func TestParked(t *testing.T) {
	s := open(t, t.TempDir())
	var ids []string
	for n := range 7 {
		i := accept(t, s, inspector.Fail, "")
		ids = append(ids, i.ID)
		if n == 3 {
			continue // not parked
		}
		if err := s.Park(t.Context(), i.ID, 1, fmt.Sprintf("The Bucket b%d does not exist", n%2)); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		filter ParkedFilter
		want   []int
	}{
		"all":           {ParkedFilter{}, []int{0, 1, 2, 4, 5, 6}},
		"lane":          {ParkedFilter{Lanes: []string{"other", "inspector:record"}}, []int{0, 1, 2, 4, 5, 6}},
		"other lane":    {ParkedFilter{Lanes: []string{"other"}}, nil},
		"no lane":       {ParkedFilter{Lanes: []string{}}, nil},
		"reason":        {ParkedFilter{Reason: "bucket B1"}, []int{1, 5}},
		"no wildcard":   {ParkedFilter{Reason: "b%1"}, nil},
		"other machine": {ParkedFilter{Machine: "nobody's"}, nil},
	} {
		for _, size := range []int{0, 1, 2, 6} {
			var have []string
			for page, n := "", 0; n == 0 || page != ""; n++ {
				f := c.filter
				f.After, f.Limit = page, size
				found, next, err := s.Parked(t.Context(), f)
				if err != nil || n > 10 {
					t.Fatal(name, n, err)
				}
				for _, w := range found {
					if w.Parked == "" || w.Command != 1 || w.Since.IsZero() {
						t.Errorf("%s: %+v", name, w)
					}
					have = append(have, w.Execution)
				}
				page = next
			}
			var want []string
			for _, n := range c.want {
				want = append(want, ids[n])
			}
			if fmt.Sprint(have) != fmt.Sprint(want) {
				t.Errorf("%s, %d at a time: %v; want %v", name, size, have, want)
			}
		}
	}
	if _, _, err := s.Parked(t.Context(), ParkedFilter{After: "x"}); !permanent(err) {
		t.Errorf("a page token of something else: %v", err)
	}
}

// The list goes along its index: nothing is sorted, whatever is parked.
func TestParkedIsNotSorted(t *testing.T) {
	s := open(t, t.TempDir())
	for _, f := range []ParkedFilter{{}, {Lanes: []string{"a", "b"}}, {Reason: "x", After: "1.2"}} {
		text, args, err := f.query(10)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := query(t.Context(), s.readers, func(rows *sql.Rows) (detail string, err error) {
			var id, parent, unused int
			return detail, rows.Scan(&id, &parent, &unused, &detail)
		}, `EXPLAIN QUERY PLAN `+text, args...)
		if words := strings.Join(plan, "; "); err != nil || strings.Contains(words, "TEMP B-TREE") || !strings.Contains(words, "work_parked") {
			t.Errorf("%+v: %s, %v", f, words, err)
		}
	}
}
