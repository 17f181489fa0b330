package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"inspector/workflow"
)

// A ParkedFilter chooses work that waits for a person; empty fields choose all.
type ParkedFilter struct {
	Lanes   []string // any of them; nil: of every lane
	Machine string   // name of the machine of its execution
	Reason  string   // is in the reason, in any case of letters
	After   string   // as Parked gave it; empty is the first page
	Limit   int      // 0 is 100
}

// Parked gives work that waits for a person, in the order in which executions
// began, and what to ask for the next page: empty if there is none. A page is
// read in the order of an index, so it costs no more than what it passes over.
func (s *Store) Parked(ctx context.Context, f ParkedFilter) ([]workflow.Work, string, error) {
	if f.Lanes != nil && len(f.Lanes) == 0 {
		return []workflow.Work{}, "", nil
	}
	s.show(ctx)
	n := limit(f.Limit)
	text, args, err := f.query(n + 1)
	if err != nil {
		return nil, "", err
	}
	type row struct {
		workflow.Work
		n, place int64
	}
	all, err := query(ctx, s.readers, func(rows *sql.Rows) (r row, err error) {
		r.Work, err = work(rows, &r.n, &r.place)
		return r, err
	}, text, args...)
	if err != nil {
		return nil, "", wrap(err, "list parked work")
	}
	next := ""
	if len(all) > n {
		all = all[:n]
		next = fmt.Sprintf("%d.%d", all[n-1].n, all[n-1].place)
	}
	out := make([]workflow.Work, len(all))
	for i, r := range all {
		out[i] = r.Work
	}
	return out, next, nil
}

func (f ParkedFilter) query(rows int) (text string, args []any, err error) {
	where := []string{`parked <> ''`}
	and := func(condition string, values ...any) {
		where, args = append(where, condition), append(args, values...)
	}
	if f.Lanes != nil {
		lanes := make([]any, len(f.Lanes))
		for i, lane := range f.Lanes {
			lanes[i] = lane
		}
		and(`lane IN (`+strings.TrimSuffix(strings.Repeat(`?,`, len(lanes)), `,`)+`)`, lanes...)
	}
	if f.Machine != "" {
		and(`work.machine = ?`, f.Machine)
	}
	if f.Reason != "" {
		and(`instr(lower(parked), lower(?)) > 0`, f.Reason)
	}
	if f.After != "" {
		var n, place int64
		if _, err := fmt.Sscanf(f.After, "%d.%d", &n, &place); err != nil {
			return "", nil, refusal("the page token is not of this list: ask again without it")
		}
		and(`(execution, row) > (?, ?)`, n, place)
	}
	return `SELECT id, command, lane, state, due, since, parked, execution, row FROM work INDEXED BY work_parked CROSS JOIN executions ON n = execution
		WHERE ` + strings.Join(where, ` AND `) + ` ORDER BY execution, row LIMIT ?`, append(args, rows), nil
}
