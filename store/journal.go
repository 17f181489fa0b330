package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"inspector/workflow"
	"inspector/workflow/asl"
)

var _ workflow.Journal = (*Store)(nil)

// Define implements workflow.Journal.
func (s *Store) Define(ctx context.Context, hash string, definition []byte) error {
	err := s.write(ctx, func(ctx context.Context, w *writer) error {
		_, err := w.exec(ctx, `INSERT INTO definitions (hash, definition) VALUES (?, ?) ON CONFLICT DO NOTHING`, hash, definition)
		return err
	})
	return wrap(err, "remember definition %s", hash)
}

// Definition implements workflow.Journal.
func (s *Store) Definition(ctx context.Context, hash string) (definition []byte, err error) {
	err = s.readers.QueryRowContext(ctx, `SELECT definition FROM definitions WHERE hash = ?`, hash).Scan(&definition)
	return definition, wrap(absent(err), "definition %s", hash)
}

// Append implements workflow.Journal.
func (s *Store) Append(ctx context.Context, all ...workflow.Transition) error {
	entries, err := encode(all)
	if err != nil {
		return err
	}
	return s.write(ctx, func(ctx context.Context, w *writer) error { return w.appendAll(ctx, entries) })
}

// Load implements workflow.Journal.
func (s *Store) Load(ctx context.Context, id string) (x workflow.Execution, events []asl.Event, err error) {
	s.show(ctx)
	tx, err := s.readers.BeginTx(ctx, &sql.TxOptions{ReadOnly: true}) // both reads see the same moment
	if err != nil {
		return x, nil, fmt.Errorf("load execution %s: %w", id, err)
	}
	defer func() {
		if err = errors.Join(err, tx.Rollback()); err != nil {
			err = fmt.Errorf("load execution %s: %w", id, err)
		}
	}()
	found, err := query(ctx, tx, func(rows *sql.Rows) (workflow.Execution, error) { return execution(rows) }, selectExecutions+` WHERE id = ?`, id)
	if err != nil {
		return x, nil, err
	}
	if len(found) == 0 {
		return x, nil, ErrNotFound
	}
	events, err = query(ctx, tx, func(rows *sql.Rows) (e asl.Event, err error) {
		var event []byte
		err = rows.Scan(&event)
		return e, errors.Join(err, json.Unmarshal(event, &e))
	}, `SELECT event FROM events WHERE execution = (SELECT n FROM executions WHERE id = ?) ORDER BY n`, id)
	return found[0], events, err
}

// Events implements workflow.Journal. It reads one snapshot in one statement.
func (s *Store) Events(ctx context.Context, id string) (x workflow.Execution, events []asl.Event, err error) {
	rows, err := s.events.QueryContext(ctx, id)
	var record []byte
	var machine string
	events, err = collect(rows, err, func(rows *sql.Rows) (e asl.Event, err error) {
		var event sql.RawBytes
		err = rows.Scan(&record, &machine, &event)
		return e, errors.Join(err, json.Unmarshal(event, &e))
	})
	if err == nil && len(events) == 0 {
		err = ErrNotFound
	}
	if err == nil {
		err = json.Unmarshal(record, &x)
	}
	x.StateMachine, x.Parked, x.States = machine, "", nil
	return x, events, wrap(err, "events of execution %s", id)
}

const selectEvents = `SELECT record, machine, event FROM executions CROSS JOIN events ON execution = executions.n WHERE id = ? ORDER BY events.n`

// What a row of executions does not say is found in its work: why a person must
// act, and where it is.
const (
	selectColumns = `SELECT record, machine, coalesce((SELECT parked FROM work INDEXED BY work_parked WHERE execution = executions.n AND parked <> '' ORDER BY row LIMIT 1), ''),
		(SELECT json_group_array(state) FROM (SELECT state FROM work WHERE execution = executions.n AND executions.status = 'RUNNING' AND lane NOT IN ('` + workflow.LaneReport + `', '` + workflow.LaneAbort + `') ORDER BY command LIMIT 100))`
	selectExecutions = selectColumns + ` FROM executions`
)

// execution scans the columns of selectExecutions, and those behind them.
func execution(rows *sql.Rows, more ...any) (x workflow.Execution, err error) {
	var record, states []byte
	var parked string
	var machine string
	err = rows.Scan(append([]any{&record, &machine, &parked, &states}, more...)...)
	if err = errors.Join(err, json.Unmarshal(record, &x)); err != nil {
		return x, err
	}
	var all []string
	err = json.Unmarshal(states, &all)
	x.StateMachine, x.Parked, x.States = machine, parked, nil
	for _, state := range all {
		if !slices.Contains(x.States, state) {
			x.States = append(x.States, state)
		}
	}
	return x, err
}

// The searches of Due have two parts: what may start when asked for, in its
// order, and what had to wait for its time. Only where there are holds does a
// search walk over what is held.
const (
	dueNow = `SELECT id, command, lane, state, due, since, parked FROM (
			SELECT * FROM (SELECT execution, command FROM work INDEXED BY work_now   WHERE parked = '' AND lane = ?1 AND due <= since AND due <= ?2`
	dueLater = ` ORDER BY row LIMIT ?3)
			UNION ALL
			SELECT * FROM (SELECT execution, command FROM work INDEXED BY work_later WHERE parked = '' AND lane = ?1 AND due >  since AND due <= ?2`
	dueEnd = ` ORDER BY row LIMIT ?3)
		) CROSS JOIN work USING (execution, command) CROSS JOIN executions ON executions.n = execution ORDER BY row LIMIT ?3`
	unheld     = ` AND NOT EXISTS (SELECT 1 FROM holds WHERE holds.machine IN (work.machine, '*') AND work.execution > mark)`
	selectNext = `SELECT min(due) FROM (
			SELECT min(due) AS due FROM work INDEXED BY work_now   WHERE parked = '' AND lane = ?1 AND due <= since AND due > ?2
			UNION ALL
			SELECT min(due) AS due FROM work INDEXED BY work_later WHERE parked = '' AND lane = ?1 AND due >  since AND due > ?2
		)`
)

// Now gives wall, but no time before what the store held at its opening and
// the time since: the clock may be lost with the power.
func (s *Store) Now(wall time.Time) time.Time {
	if least := s.latest.Add(time.Since(s.opened)); wall.Before(least) {
		return least
	}
	return wall
}

// A search says which of the searches of Due it is.
type search struct {
	holds  bool // there are some
	newest bool // what was asked for last comes first
}

func (s search) query() string {
	without := ""
	if s.holds {
		without = unheld
	}
	text := dueNow + without + dueLater + without + dueEnd
	if s.newest {
		text = strings.ReplaceAll(text, "ORDER BY row", "ORDER BY row DESC")
	}
	return text
}

// Due implements workflow.Journal.
func (s *Store) Due(ctx context.Context, lane string, now time.Time, limit int, newest bool) ([]workflow.Work, time.Time, error) {
	if err := s.settleWork(ctx, lane); err != nil {
		return nil, time.Time{}, wrap(err, "work of lane %s", lane)
	}
	now = s.Now(now)
	rows, err := s.due[search{s.holds.Load() > 0, newest}].QueryContext(ctx, lane, nanos(now), limit)
	due, err := collect(rows, err, openWork)
	if err != nil || len(due) == limit {
		return due, time.Time{}, wrap(err, "work of lane %s", lane)
	}
	var next sql.NullInt64
	if err := s.nextDue.QueryRowContext(ctx, lane, nanos(now)).Scan(&next); err != nil || !next.Valid {
		return due, time.Time{}, wrap(err, "work of lane %s", lane)
	}
	return due, instant(next.Int64), nil
}

// Lanes implements workflow.Journal.
func (s *Store) Lanes(ctx context.Context) ([]string, error) {
	if err := s.settleWork(ctx, ""); err != nil {
		return nil, wrap(err, "lanes with open work")
	}
	all, err := query(ctx, s.readers, func(rows *sql.Rows) (lane string, err error) { return lane, rows.Scan(&lane) },
		`SELECT DISTINCT lane FROM work WHERE parked = '' ORDER BY lane`)
	return all, wrap(err, "lanes with open work")
}

// Work implements workflow.Journal. On a full disk it has what is in memory
// only, too.
func (s *Store) Work(ctx context.Context, id string) ([]workflow.Work, error) {
	err := s.settleWork(ctx, "")
	if errors.Is(err, ErrFull) {
		return s.unsettledWork(ctx, id)
	}
	if err != nil {
		return nil, wrap(err, "work of execution %s", id)
	}
	all, err := query(ctx, s.readers, openWork, `SELECT id, command, lane, state, due, since, parked FROM work JOIN executions ON n = execution WHERE id = ? ORDER BY row`, id)
	return all, wrap(err, "work of execution %s", id)
}

// unsettledWork is Work where the table of work cannot be brought up to date.
func (s *Store) unsettledWork(ctx context.Context, id string) ([]workflow.Work, error) {
	var execution int64
	err := s.readers.QueryRowContext(ctx, `SELECT n FROM executions WHERE id = ?`, id).Scan(&execution)
	if errors.Is(err, sql.ErrNoRows) {
		return []workflow.Work{}, nil
	}
	if err != nil {
		return nil, wrap(err, "work of execution %s", id)
	}
	found := map[int64]workflow.Work{} // by row
	select {
	case s.lead <- struct{}{}: // the writer's memory is whoever's who leads
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for _, p := range s.writer.live.open {
		if p.execution == execution {
			found[p.Row] = workflow.Work{Execution: id, Command: p.Command, Lane: p.Lane, State: p.State, Due: instant(p.due), Since: instant(p.Since), Parked: p.parked}
		}
	}
	<-s.lead
	_, err = query(ctx, s.readers, func(rows *sql.Rows) (none struct{}, err error) {
		var row int64
		w, err := work(rows, &row)
		found[row] = w
		return none, err
	}, `SELECT id, command, lane, state, due, since, parked, row FROM work JOIN executions ON n = execution WHERE id = ?`, id)
	all := make([]workflow.Work, 0, len(found))
	for _, row := range slices.Sorted(maps.Keys(found)) {
		all = append(all, found[row])
	}
	return all, wrap(err, "work of execution %s", id)
}

// Park implements workflow.Journal.
func (s *Store) Park(ctx context.Context, id string, command int64, reason string) error {
	err := s.change(ctx, `UPDATE work SET parked = ? WHERE execution = (SELECT n FROM executions WHERE id = ?) AND command = ?`, reason, id, command)
	return wrap(err, "park command %d of execution %s", command, id)
}

// Postpone implements workflow.Journal.
func (s *Store) Postpone(ctx context.Context, id string, command int64, until time.Time) error {
	err := s.change(ctx, `UPDATE work SET due = ? WHERE execution = (SELECT n FROM executions WHERE id = ?) AND command = ?`, nanos(until), id, command)
	return wrap(err, "postpone command %d of execution %s", command, id)
}

func openWork(rows *sql.Rows) (workflow.Work, error) { return work(rows) }

// work scans the columns of work, and those behind them.
func work(rows *sql.Rows, more ...any) (w workflow.Work, err error) {
	var due, since int64
	err = rows.Scan(append([]any{&w.Execution, &w.Command, &w.Lane, &w.State, &due, &since, &w.Parked}, more...)...)
	w.Due, w.Since = instant(due), instant(since)
	return w, err
}

// change does one statement, or gives ErrNotFound if there is no such row.
func (s *Store) change(ctx context.Context, query string, args ...any) error {
	return s.ask(ctx, &request{whole: true, done: make(chan struct{}), do: func(ctx context.Context, w *writer) error {
		n, err := w.exec(ctx, query, args...)
		if err == nil && n == 0 {
			err = ErrNotFound
		}
		return err
	}})
}

// absent makes "no rows" ErrNotFound.
func absent(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

// wrap says what was attempted, if it failed.
func wrap(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf(format+": %w", append(args, err)...)
}
