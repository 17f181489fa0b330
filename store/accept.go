package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"inspector"
	"inspector/workflow"
)

// NextID gives out an ID for a board that nobody triggered; Accept it in the
// end. It is not durable before: after a power cut the number is given again.
func (s *Store) NextID() inspector.ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	row := s.next
	s.next++
	s.open[row] = false
	return s.id(row)
}

// Triggered makes the trigger durable: from here on it gets a verdict, if
// only because the power failed. A Request asked before by the same Source
// gives the ID of then, and again; its inspection is there, or ErrInFlight.
func (s *Store) Triggered(ctx context.Context, t inspector.Trigger) (id inspector.ID, again bool, err error) {
	data, err := text(t)
	if err != nil {
		return inspector.ID{}, false, fmt.Errorf("trigger from %s: %w", t.Source, err)
	}
	var drawn inspector.ID
	err = s.write(ctx, func(ctx context.Context, w *writer) (err error) {
		if t.Request != "" {
			id.Row, err = w.get(ctx, `SELECT row FROM inspections WHERE source = ? AND request = ? AND request <> ''`, t.Source, t.Request)
			if again = err == nil; !errors.Is(err, sql.ErrNoRows) {
				return err
			}
		}
		if drawn.Row == 0 {
			drawn = s.NextID()
		}
		id = drawn
		_, err = w.exec(ctx, `INSERT INTO inspections (row, source, request, trigger, recipe, at) VALUES (?, ?, ?, ?, ?, ?)`,
			id.Row, t.Source, t.Request, data, t.Recipe, nanos(t.At))
		return err
	})
	if drawn.Row != 0 && (err != nil || again) {
		s.settle(drawn.Row)
	}
	if err != nil {
		return inspector.ID{}, false, fmt.Errorf("remember the trigger from %s: %w", t.Source, err)
	}
	return s.id(id.Row), again, nil
}

// Accept makes the verdict of one board durable: the evidence first, then in
// one transaction the inspection and the transitions that begin its execution.
// The inspection's ID is from Triggered, NextID or InFlight. What it returns
// names the evidence and what storing took; the record of it, naturally, has
// only what the evidence took. A second verdict is refused with ErrJudged;
// after any other error the board still waits for its verdict. The evidence's
// bytes stay the caller's.
func (s *Store) Accept(ctx context.Context, in inspector.Inspection, evidence []Evidence, begin func(inspector.Inspection) ([]workflow.Transition, error)) (inspector.Inspection, error) {
	started := time.Now()
	row, err := s.row(in.ID)
	if err == nil {
		err = s.claim(row)
	}
	if err != nil {
		return in, fmt.Errorf("accept inspection %s: %w", in.ID, err)
	}
	accepted, err := s.accept(ctx, row, in, evidence, begin)
	if err != nil {
		s.unclaim(row)
		return in, fmt.Errorf("accept inspection %s: %w", in.ID, full(err))
	}
	s.settle(row)
	accepted.Timings.Store = time.Since(started)
	return accepted, nil
}

func (s *Store) accept(ctx context.Context, row int64, in inspector.Inspection, evidence []Evidence, begin func(inspector.Inspection) ([]workflow.Transition, error)) (_ inspector.Inspection, err error) {
	if in.Verdict != inspector.Pass && in.Verdict != inspector.Fail && in.Verdict != inspector.Unsure {
		return in, refusal(fmt.Sprintf("%q is no verdict", in.Verdict))
	}
	started := time.Now()
	if in.Evidence, err = s.blobs.write(s.id(row), evidence); err != nil {
		return in, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.blobs.discard(in.Evidence))
		}
	}()
	if in.Defects == nil {
		in.Defects = []inspector.Defect{}
	}
	in.Timings.Store = time.Since(started)
	record, err := text(in)
	if err != nil {
		return in, err
	}
	trigger, err := text(in.Trigger)
	if err != nil {
		return in, err
	}
	begun, err := begin(in)
	if err != nil {
		return in, fmt.Errorf("begin its execution: %w", err)
	}
	entries, err := encode(begun)
	if err != nil {
		return in, err
	}
	return in, s.write(ctx, func(ctx context.Context, w *writer) error {
		n, err := w.exec(ctx, `INSERT INTO inspections (row, source, request, trigger, recipe, verdict, record, at, bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT (row) DO UPDATE SET recipe = excluded.recipe, verdict = excluded.verdict, record = excluded.record, at = excluded.at, bytes = excluded.bytes
			WHERE verdict IS NULL`,
			row, in.Trigger.Source, in.Trigger.Request, trigger, in.Recipe, string(in.Verdict), record, nanos(in.At), size(in.Evidence))
		if err == nil && n != 1 {
			err = ErrJudged
		}
		if err != nil {
			return err
		}
		if row%shardSize == 0 {
			if _, err := w.exec(ctx, `UPDATE store SET reconciled = ?`, s.reconciled()); err != nil {
				return err
			}
		}
		return w.appendAll(ctx, entries)
	})
}

// text is v as the JSON that the database keeps: raw messages inside it come
// back with the same characters, '<' and '&' too.
func text(v any) (string, error) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return strings.TrimSuffix(b.String(), "\n"), err
}

func size(blobs []inspector.Blob) (sum int64) {
	for _, b := range blobs {
		sum += b.Size
	}
	return sum
}

// claim keeps others from accepting the row, until unclaim or settle.
func (s *Store) claim(row int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if busy, ok := s.open[row]; busy || !ok {
		return ErrJudged
	}
	s.open[row] = true
	return nil
}

func (s *Store) unclaim(row int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open[row] = false
}

// settle takes the row out: it has its verdict, or never will.
func (s *Store) settle(row int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, row)
}

// An Orphan is a trigger that waits for its verdict.
type Orphan struct {
	ID      inspector.ID
	Trigger inspector.Trigger
}

// InFlight gives the triggers without a verdict, in their order. At start
// these are the boards that a power cut interrupted.
func (s *Store) InFlight(ctx context.Context) ([]Orphan, error) {
	return query(ctx, s.readers, func(rows *sql.Rows) (o Orphan, err error) {
		var row int64
		var trigger []byte
		err = rows.Scan(&row, &trigger)
		o.ID = s.id(row)
		return o, errors.Join(err, json.Unmarshal(trigger, &o.Trigger))
	}, `SELECT row, trigger FROM inspections WHERE verdict IS NULL ORDER BY row`)
}

// nanos is the time as the database keeps it: unix nanoseconds, of which
// there are 292 years on either side; beyond, the nearest.
func nanos(t time.Time) int64 {
	switch year := t.Year(); {
	case year < 1678:
		return math.MinInt64
	case year > 2261:
		return math.MaxInt64
	}
	return t.UnixNano()
}

// instant undoes nanos; the farthest past is the zero time.
func instant(n int64) time.Time {
	if n == math.MinInt64 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}
