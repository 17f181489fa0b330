package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"inspector/workflow"
	"inspector/workflow/asl"
)

// prunePage is how many executions share one commit of a pruning.
const prunePage = 32

// Prune forgets executions that ended more than keep before now, with their
// journals, and gives their number; keep 0 forgets none. What a person may yet
// act on stays: executions with open work, STANDARD ones that failed or timed
// out, and those of boards that are not closed or about which nobody has
// decided. Names of what is forgotten are free again.
func (s *Store) Prune(ctx context.Context, now time.Time, keep time.Duration) (total int, err error) {
	if keep <= 0 {
		return 0, nil
	}
	for _, status := range []asl.Status{asl.StatusSucceeded, asl.StatusAborted, asl.StatusFailed, asl.StatusTimedOut} {
		n, err := s.prune(ctx, status, now.Add(-keep))
		total += n
		if err != nil {
			return total, wrap(err, "prune the executions")
		}
	}
	return total, nil
}

// An ended execution, as far as pruning looks.
type ended struct {
	n, started int64
	id         string
	stopped    string // as stored
	kind       workflow.Type
}

func (s *Store) prune(ctx context.Context, status asl.Status, before time.Time) (total int, err error) {
	after := ended{started: -1 << 63}
	for {
		page, err := query(ctx, s.readers, func(rows *sql.Rows) (e ended, err error) {
			return e, rows.Scan(&e.n, &e.started, &e.id, &e.stopped, &e.kind)
		}, `SELECT n, started, id, coalesce(json_extract(record, '$.stopDate'), ''), coalesce(json_extract(record, '$.type'), '')
			FROM executions INDEXED BY executions_status_started
			WHERE status = ? AND started < ? AND (started, n) > (?, ?) ORDER BY started, n LIMIT ?`,
			string(status), nanos(before), after.started, after.n, prunePage)
		if err != nil || len(page) == 0 {
			return total, err
		}
		after = page[len(page)-1]
		var gone []ended
		for _, e := range page {
			if ok, err := s.settled(ctx, e, status, before); err != nil {
				return total, err
			} else if ok {
				gone = append(gone, e)
			}
		}
		n, err := s.forget(ctx, gone)
		total += n
		if err != nil {
			return total, err
		}
	}
}

// settled reports whether nobody needs the execution any more.
func (s *Store) settled(ctx context.Context, e ended, status asl.Status, before time.Time) (bool, error) {
	stopped, err := time.Parse(time.RFC3339Nano, e.stopped)
	failed := status == asl.StatusFailed || status == asl.StatusTimedOut
	if err != nil || stopped.Year() < 2026 || !stopped.Before(before) || failed && e.kind != workflow.Express {
		return false, nil //nolint:nilerr // of before there was this program: by a clock that nobody had set
	}
	row, err := s.row(e.id)
	if err != nil {
		return true, nil //nolint:nilerr // not of a board
	}
	var done bool
	err = s.readers.QueryRowContext(ctx, `SELECT closed = 1 AND (verdict = 'pass' OR disposition IS NOT NULL) FROM inspections WHERE row = ?`, row).Scan(&done)
	if errors.Is(err, sql.ErrNoRows) {
		return true, nil
	}
	return done, err
}

// forget deletes what is still as it was found. The newest execution stays: its
// number is never given again.
func (s *Store) forget(ctx context.Context, all []ended) (total int, err error) {
	if len(all) == 0 {
		return 0, nil
	}
	const as = ` AND EXISTS (SELECT 1 FROM executions WHERE n = ?1 AND status <> 'RUNNING' AND json_extract(record, '$.stopDate') = ?2 AND n < (SELECT max(n) FROM executions))
		AND NOT EXISTS (SELECT 1 FROM work WHERE execution = ?1)`
	err = s.ask(ctx, &request{whole: true, done: make(chan struct{}), do: func(ctx context.Context, w *writer) error {
		total = 0
		for _, e := range all {
			if _, err := w.exec(ctx, `DELETE FROM events WHERE execution = ?1`+as, e.n, e.stopped); err != nil {
				return err
			}
			n, err := w.exec(ctx, `DELETE FROM executions WHERE n = ?1`+as, e.n, e.stopped)
			if err != nil {
				return err
			}
			total += int(n)
		}
		return nil
	}})
	return total, err
}
