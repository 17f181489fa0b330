package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
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
// began, and what to ask for the next page: empty if there is none.
func (s *Store) Parked(ctx context.Context, f ParkedFilter) ([]workflow.Work, string, error) {
	if f.Lanes != nil && len(f.Lanes) == 0 {
		return []workflow.Work{}, "", nil
	}
	s.show(ctx)
	where, args := []string{`parked <> ''`}, []any{}
	if f.Lanes != nil {
		where = append(where, `lane IN (`+strings.TrimSuffix(strings.Repeat(`?,`, len(f.Lanes)), `,`)+`)`)
		for _, lane := range f.Lanes {
			args = append(args, lane)
		}
	}
	if f.Machine != "" {
		where, args = append(where, `work.machine = ?`), append(args, f.Machine)
	}
	if f.Reason != "" {
		where, args = append(where, `instr(lower(parked), lower(?)) > 0`), append(args, f.Reason)
	}
	if f.After != "" {
		var n, command int64
		if _, err := fmt.Sscanf(f.After, "%d.%d", &n, &command); err != nil {
			return nil, "", refusal("the page token is not of this list: ask again without it")
		}
		where, args = append(where, `(execution, command) > (?, ?)`), append(args, n, command)
	}
	n := limit(f.Limit)
	type row struct {
		workflow.Work
		n int64
	}
	all, err := query(ctx, s.readers, func(rows *sql.Rows) (r row, err error) {
		r.Work, err = work(rows, &r.n)
		return r, err
	}, `SELECT id, command, lane, state, due, since, parked, execution FROM work INDEXED BY work_parked JOIN executions ON n = execution
		WHERE `+strings.Join(where, ` AND `)+` ORDER BY execution, command LIMIT ?`, append(args, n+1)...)
	if err != nil {
		return nil, "", wrap(err, "list parked work")
	}
	next := ""
	if len(all) > n {
		all = all[:n]
		next = fmt.Sprintf("%d.%d", all[n-1].n, all[n-1].Command)
	}
	out := make([]workflow.Work, len(all))
	for i, r := range all {
		out[i] = r.Work
	}
	return slices.Clip(out), next, nil
}
