package store

import (
	"context"
	"database/sql"
	"errors"

	"inspector/workflow"
	"inspector/workflow/asl"
)

// An entry is a transition with what of it is stored as text: made before the
// transaction, which all wait for.
type entry struct {
	workflow.Transition
	event, record string
}

// changes reports whether the row of the execution becomes another.
func (t entry) changes() bool {
	return t.N == 1 || t.Execution.Status != asl.StatusRunning || t.Event.Kind == asl.Redriven
}

func encode(all []workflow.Transition) ([]entry, error) {
	out := make([]entry, len(all))
	for i, t := range all {
		t.Execution.Parked = "" // derived from the work
		out[i].Transition = t
		var err, err2 error
		out[i].event, err = text(t.Event)
		if out[i].changes() {
			out[i].record, err2 = text(t.Execution)
		}
		if err := errors.Join(err, err2); err != nil {
			return nil, wrap(err, "journal event %d of execution %s", t.N, t.Execution.ID)
		}
	}
	return out, nil
}

// appendAll writes the transitions in the transaction that is under way.
func (w *writer) appendAll(ctx context.Context, all []entry) error {
	for _, t := range all {
		if err := w.append(ctx, t); err != nil {
			return wrap(err, "journal event %d of execution %s", t.N, t.Execution.ID)
		}
	}
	return nil
}

func (w *writer) append(ctx context.Context, t entry) error {
	execution, err := w.advance(ctx, t)
	if err != nil {
		return err
	}
	n, err := w.exec(ctx, `INSERT INTO events (execution, n, event) SELECT ?1, ?2, ?3
		WHERE ?2 = 1 OR EXISTS (SELECT 1 FROM events WHERE execution = ?1 AND n = ?2 - 1) ON CONFLICT DO NOTHING`, execution, t.N, t.event)
	if err == nil && n == 0 {
		err = workflow.ErrConflict // there is one of that number, or none before it
	}
	if err != nil {
		return err
	}
	return w.turn(ctx, execution, t)
}

// advance makes the execution what it is after the transition and gives its
// number. Its row says what it was at its start, or when its status changed
// last: where it is while it runs is derived from its work.
func (w *writer) advance(ctx context.Context, t entry) (n int64, err error) {
	x := t.Execution
	if t.N == 1 {
		n, err = w.get(ctx, `INSERT INTO executions (id, status, machine, started, record) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING n`,
			x.ID, string(x.Status), x.StateMachine, nanos(x.Started), t.record)
		if errors.Is(err, sql.ErrNoRows) {
			err = workflow.ErrConflict
		}
		if err == nil {
			w.remember(x.ID, n)
		}
		return n, err
	}
	if n, err = w.number(ctx, x.ID); err != nil || !t.changes() {
		return n, err
	}
	_, err = w.exec(ctx, `UPDATE executions SET status = ?, record = ? WHERE n = ?`, string(x.Status), t.record, n)
	return n, err
}

// turn ends and begins work. Where one piece follows on another its row is
// changed instead.
func (w *writer) turn(ctx context.Context, execution int64, t entry) error {
	end, begin := t.End, t.Begin
	for _, command := range end[min(1, len(end)):] {
		if _, err := w.exec(ctx, `DELETE FROM work WHERE execution = ? AND command = ?`, execution, command); err != nil {
			return err
		}
	}
	if len(end) > 0 && len(begin) > 0 {
		w.last++
		b := begin[0]
		n, err := w.exec(ctx, `UPDATE work SET command = ?, row = ?, machine = ?, lane = ?, state = ?, due = ?, since = ?, parked = ? WHERE execution = ? AND command = ?`,
			b.Command, w.last, t.Execution.StateMachine, b.Lane, b.State, nanos(b.Due), nanos(b.Since), b.Parked, execution, end[0])
		if err != nil {
			return err
		}
		begin = begin[n:]
	} else if len(end) > 0 {
		if _, err := w.exec(ctx, `DELETE FROM work WHERE execution = ? AND command = ?`, execution, end[0]); err != nil {
			return err
		}
	}
	for _, b := range begin {
		w.last++
		if _, err := w.exec(ctx, `INSERT INTO work (execution, command, row, machine, lane, state, due, since, parked) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			execution, b.Command, w.last, t.Execution.StateMachine, b.Lane, b.State, nanos(b.Due), nanos(b.Since), b.Parked); err != nil {
			return err
		}
	}
	return nil
}

// number is that of the execution in the database.
func (w *writer) number(ctx context.Context, id string) (int64, error) {
	if n, ok := w.numbers[id]; ok {
		return n, nil
	}
	n, err := w.get(ctx, `SELECT n FROM executions WHERE id = ?`, id)
	if err != nil {
		return 0, absent(err)
	}
	w.remember(id, n)
	return n, nil
}

// mostNumbers bounds what remembering them takes.
const mostNumbers = 4096

func (w *writer) remember(id string, n int64) {
	if len(w.numbers) >= mostNumbers {
		clear(w.numbers)
	}
	w.numbers[id] = n
}
