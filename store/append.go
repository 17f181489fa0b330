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
	*workflow.Transition
	event, record string
}

// changes reports whether the row of the execution becomes another.
func (t entry) changes() bool {
	return t.N == 1 || t.Execution.Status != asl.StatusRunning || t.Event.Kind == asl.Redriven
}

// usualEvent is more bytes than most events have without what they carry.
const usualEvent = 256

func encode(all []workflow.Transition) ([]entry, error) {
	out := make([]entry, len(all))
	for i := range all {
		t := &all[i]
		out[i].Transition = t
		event, err := t.Event.AppendJSON(make([]byte, 0, usualEvent))
		out[i].event = string(event)
		var err2 error
		if out[i].changes() {
			x := t.Execution
			x.Parked = "" // derived from the work
			out[i].record, err2 = text(&x)
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
	turned, err := w.turn(ctx, execution, t)
	if err != nil {
		return err
	}
	w.live.event++
	if err := w.run(ctx, `INSERT INTO events (row, execution, n, event, live) VALUES (?, ?, ?, ?, ?)`, w.live.event, execution, int64(t.N), t.event, turned); err != nil {
		return err
	}
	w.remember(t.Execution.ID, journalled{execution, int64(t.N)})
	return nil
}

// advance makes the execution what it is after the transition and gives its
// number. Its row says what it was at its start, or when its status changed
// last: where it is while it runs is derived from its work.
func (w *writer) advance(ctx context.Context, t entry) (n int64, err error) {
	x := &t.Execution
	if t.N == 1 {
		n, err = w.get(ctx, `INSERT INTO executions (id, status, machine, started, record) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING n`,
			x.ID, string(x.Status), x.StateMachine, nanos(x.Started), t.record)
		if errors.Is(err, sql.ErrNoRows) {
			err = workflow.ErrConflict
		}
		return n, err
	}
	before, err := w.journalled(ctx, x.ID)
	if err == nil && before.events != int64(t.N)-1 {
		err = workflow.ErrConflict
	}
	if err == nil && t.changes() {
		err = w.run(ctx, `UPDATE executions SET status = ?, record = ? WHERE n = ?`, string(x.Status), t.record, before.n)
	}
	return before.n, err
}

// turn ends and begins work, and tells what of it is in memory only, for the
// event to say.
func (w *writer) turn(ctx context.Context, execution int64, t entry) (string, error) {
	var turned turned
	for _, command := range t.End {
		if w.live.end(place{execution, command}) {
			turned.Ended = append(turned.Ended, command)
		} else if err := w.run(ctx, `DELETE FROM work WHERE execution = ? AND command = ?`, execution, command); err != nil {
			return "", err
		}
	}
	for i := range t.Begin {
		w.last++
		b := newPiece(execution, w.last, t.Execution.StateMachine, &t.Begin[i])
		if !w.live.takes(&t.Begin[i]) {
			if err := w.insert(ctx, b); err != nil {
				return "", err
			}
			continue
		}
		if err := w.live.begin(b); err != nil {
			return "", err
		}
		turned.Begun = append(turned.Begun, b)
	}
	return turned.text(), nil
}

// journalled says which row an execution has, and how many events.
type journalled struct{ n, events int64 }

func (w *writer) journalled(ctx context.Context, id string) (j journalled, err error) {
	if j, ok := w.known[id]; ok {
		return j, nil
	}
	if j.n, err = w.get(ctx, `SELECT n FROM executions WHERE id = ?`, id); err != nil {
		return j, absent(err)
	}
	j.events, err = w.get(ctx, `SELECT coalesce(max(n), 0) FROM events WHERE execution = ?`, j.n)
	return j, err
}

// mostKnown bounds what remembering takes.
const mostKnown = 4096

func (w *writer) remember(id string, j journalled) {
	if len(w.known) >= mostKnown {
		clear(w.known)
	}
	w.known[id] = j
}
