package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"inspector/workflow"
)

// Machines implements workflow.Journal.
func (s *Store) Machines(ctx context.Context) ([]workflow.Machine, error) {
	all, err := query(ctx, s.readers, func(rows *sql.Rows) (m workflow.Machine, err error) {
		var record []byte
		err = rows.Scan(&record)
		return m, errors.Join(err, json.Unmarshal(record, &m))
	}, `SELECT record FROM machines ORDER BY name`)
	return all, wrap(err, "list the machines")
}

// PutMachine implements workflow.Journal.
func (s *Store) PutMachine(ctx context.Context, m workflow.Machine) error {
	record, err := text(m)
	if err != nil {
		return wrap(err, "machine %s", m.Name)
	}
	err = s.write(ctx, func(ctx context.Context, w *writer) error {
		query := `UPDATE machines SET revision = ?1, record = ?2 WHERE name = ?3 AND revision = ?1 - 1`
		if m.Revision == 1 {
			query = `INSERT INTO machines (revision, record, name) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING`
		}
		n, err := w.exec(ctx, query, m.Revision, record, m.Name)
		if err == nil && n == 0 {
			err = workflow.ErrConflict
		}
		return err
	})
	return wrap(err, "machine %s", m.Name)
}

// DropMachine implements workflow.Journal.
func (s *Store) DropMachine(ctx context.Context, name string) error {
	return wrap(s.change(ctx, `DELETE FROM machines WHERE name = ?`, name), "delete machine %s", name)
}

// Done implements workflow.Journal.
func (s *Store) Done(ctx context.Context, id string, command int64) error {
	err := s.change(ctx, `DELETE FROM work WHERE execution = (SELECT n FROM executions WHERE id = ?) AND command = ?`, id, command)
	return wrap(err, "command %d of execution %s is done", command, id)
}

// Hold implements workflow.Journal.
func (s *Store) Hold(ctx context.Context, h workflow.Hold) error {
	h.Left = 0
	record, err := text(h)
	if err != nil {
		return wrap(err, "hold machine %s", h.Machine)
	}
	err = s.write(ctx, func(ctx context.Context, w *writer) error {
		_, err := w.exec(ctx, `INSERT OR REPLACE INTO holds (machine, mark, record)
			SELECT ?, CASE WHEN ? THEN coalesce(max(n), 0) ELSE 0 END, ? FROM executions`, h.Machine, h.Drain, record)
		return err
	})
	if err == nil {
		err = s.countHolds(ctx)
	}
	return wrap(err, "hold machine %s", h.Machine)
}

// Release implements workflow.Journal.
func (s *Store) Release(ctx context.Context, machine string) error {
	if err := s.change(ctx, `DELETE FROM holds WHERE machine = ?`, machine); err != nil {
		return wrap(err, "resume machine %s", machine)
	}
	return s.countHolds(ctx)
}

// countHolds keeps in mind whether the search for work must heed any.
func (s *Store) countHolds(ctx context.Context) error {
	s.holding.Lock()
	defer s.holding.Unlock()
	var n int64
	err := s.readers.QueryRowContext(ctx, `SELECT count(*) FROM holds`).Scan(&n)
	if err == nil {
		s.holds.Store(n)
	}
	return err
}

// Holds implements workflow.Journal.
func (s *Store) Holds(ctx context.Context) ([]workflow.Hold, error) {
	all, err := query(ctx, s.readers, func(rows *sql.Rows) (h workflow.Hold, err error) {
		var record []byte
		var left int
		err = rows.Scan(&record, &left)
		err = errors.Join(err, json.Unmarshal(record, &h))
		h.Left = left
		return h, err
	}, `SELECT record, CASE WHEN mark = 0 THEN 0 WHEN machine = '*'
			THEN (SELECT count(*) FROM (SELECT 1 FROM executions WHERE status = 'RUNNING' AND n <= mark LIMIT ?1))
			ELSE (SELECT count(*) FROM (SELECT 1 FROM executions x WHERE x.machine = holds.machine AND status = 'RUNNING' AND n <= mark LIMIT ?1)) END
		FROM holds ORDER BY machine`, workflow.MaxLeft)
	return all, wrap(err, "list the holds")
}
