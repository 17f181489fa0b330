package store

import (
	"context"
	"database/sql"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"inspector/workflow"
	"inspector/workflow/asl"
)

// An ExecutionFilter chooses executions; empty fields choose all.
type ExecutionFilter struct {
	Machine string    // its name
	Status  string    // RUNNING, SUCCEEDED, ...
	Parked  bool      // only those with work that is parked
	Since   time.Time // started then or later
	Until   time.Time // started before
	Prefix  string    // of their names
	Page    string    // as Executions gave it for the same filter; empty is the first
	Limit   int       // 0 is 100
}

// Executions gives executions without their journals, and what to ask for the
// next page: empty if there is none. The newest come first: of all by their
// order, of a machine, a status or a time by their start; with a Prefix they go
// by name. What a page costs does not grow with what is stored, only a Prefix
// beside other conditions passes over all that have it.
func (s *Store) Executions(ctx context.Context, f ExecutionFilter) ([]workflow.Execution, string, error) {
	n := limit(f.Limit)
	text, args, err := f.query(n + 1)
	if err != nil {
		return nil, "", err
	}
	s.show(ctx)
	all, err := query(ctx, s.readers, listed, text, args...)
	if err != nil {
		return nil, "", wrap(err, "list executions")
	}
	next := ""
	if len(all) > n {
		all = all[:n]
		next = base64.RawURLEncoding.EncodeToString([]byte(f.order() + all[n-1].place(f.order())))
	}
	out := make([]workflow.Execution, len(all))
	for i, x := range all {
		out[i] = x.Execution
	}
	return out, next, nil
}

// A listing is an execution with its place in a list.
type listing struct {
	workflow.Execution
	n, started int64
}

const selectListed = selectColumns + `, n, started FROM executions`

func listed(rows *sql.Rows) (l listing, err error) {
	l.Execution, err = execution(rows, &l.n, &l.started)
	return l, err
}

func (l listing) place(order string) string {
	switch order {
	case byNumber:
		return fmt.Sprint(l.n)
	case byTime:
		return fmt.Sprintf("%d/%d", l.started, l.n)
	}
	return l.ID
}

// The orders of a list.
const (
	byNumber = "n"
	byTime   = "t"
	byName   = "i"
)

func (f ExecutionFilter) order() string {
	switch {
	case f.Prefix != "":
		return byName
	case f.Parked, f.Machine == "" && f.Status == "" && f.Since.IsZero() && f.Until.IsZero():
		return byNumber
	}
	return byTime
}

// statuses are all that executions have.
var statuses = []asl.Status{asl.StatusRunning, asl.StatusSucceeded, asl.StatusFailed, asl.StatusTimedOut, asl.StatusAborted}

// query gives the search of so many rows. What goes by time is in an index for
// each status, and merged from them.
func (f ExecutionFilter) query(rows int) (text string, args []any, err error) {
	order, index := map[string]string{byNumber: `n DESC`, byTime: `started DESC, n DESC`, byName: `id`}[f.order()], ""
	chosen := []string{f.Status}
	if f.order() == byTime {
		index = " INDEXED BY executions_status_started"
		if f.Machine != "" {
			index = " INDEXED BY executions_machine_status_started"
		}
		if f.Status == "" {
			chosen = nil
			for _, status := range statuses {
				chosen = append(chosen, string(status))
			}
		}
	}
	var parts []string
	for _, f.Status = range chosen {
		where, values, err := f.where()
		if err != nil {
			return "", nil, err
		}
		parts, args = append(parts, selectListed+index+` WHERE `+where), append(args, values...)
	}
	return strings.Join(parts, ` UNION ALL `) + ` ORDER BY ` + order + ` LIMIT ?`, append(args, rows), nil
}

// where says what is chosen, from the page on.
func (f ExecutionFilter) where() (text string, args []any, err error) {
	where := []string{"1"}
	and := func(wanted bool, condition string, values ...any) {
		if wanted {
			where, args = append(where, condition), append(args, values...)
		}
	}
	and(f.Machine != "", `machine = ?`, f.Machine)
	and(f.Status != "", `status = ?`, f.Status)
	and(f.Parked, `n IN (SELECT execution FROM work WHERE parked <> '')`)
	and(!f.Since.IsZero(), `started >= ?`, nanos(f.Since))
	and(!f.Until.IsZero(), `started < ?`, nanos(f.Until))
	and(f.Prefix != "", `id >= ? AND id < ?`, f.Prefix, f.Prefix+"\U0010ffff")
	if f.Page != "" {
		err = f.goOn(and)
	}
	return strings.Join(where, ` AND `), args, err
}

// goOn adds the condition that the page token stands for.
func (f ExecutionFilter) goOn(and func(bool, string, ...any)) error {
	token, err := base64.RawURLEncoding.DecodeString(f.Page)
	place, ours := strings.CutPrefix(string(token), f.order())
	var n, started int64
	switch {
	case err != nil || !ours:
		ours = false
	case f.order() == byName:
		and(true, `id > ?`, place)
	case f.order() == byNumber:
		_, err = fmt.Sscanf(place, "%d", &n)
		and(true, `n < ?`, n)
	default:
		_, err = fmt.Sscanf(place, "%d/%d", &started, &n)
		and(true, `(started, n) < (?, ?)`, started, n)
	}
	if err != nil || !ours {
		return refusal("the page token is not of this list: ask again without it")
	}
	return nil
}
