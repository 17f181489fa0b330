package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// batchLimit bounds how many requests share one commit, and so how long the
// first of them waits for the last.
const batchLimit = 64

// A request is one caller's part of a commit.
type request struct {
	do   func(context.Context, *writer) error
	done chan struct{} // closed once err is final
	err  error
}

// write gives the caller's statements to the next commit and returns when
// they are on the disk, or are known not to be. Whoever finds nobody leading
// commits everything that is queued by then; so there is neither a delay nor
// a goroutine. Once queued, ctx no longer matters: the answer is true.
func (s *Store) write(ctx context.Context, do func(context.Context, *writer) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r := &request{do: do, done: make(chan struct{})}
	s.mu.Lock()
	if s.shut {
		s.mu.Unlock()
		return errClosed
	}
	s.queue = append(s.queue, r)
	s.mu.Unlock()
	for {
		select {
		case <-r.done:
			return full(r.err)
		case s.lead <- struct{}{}:
			s.commit(context.WithoutCancel(ctx), s.take(batchLimit))
			<-s.lead
		}
	}
}

// take gives the first requests of the queue, at most limit of them.
func (s *Store) take(limit int) []*request {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(limit, len(s.queue))
	batch := s.queue[:n:n]
	s.queue = s.queue[n:]
	return batch
}

// commit makes the batch durable. The caller holds lead.
func (s *Store) commit(ctx context.Context, batch []*request) {
	if len(batch) > 0 {
		s.fail(batch, s.writer.transact(ctx, batch))
	}
}

// fail ends the requests; err, if any, is the fate of those without their own.
func (s *Store) fail(batch []*request, err error) {
	for _, r := range batch {
		if r.err == nil {
			r.err = err
		}
		close(r.done)
	}
}

// A writer is the one connection that writes, with its prepared statements.
type writer struct {
	conn       *sql.Conn
	statements map[string]*sql.Stmt
}

// transact does the requests in one transaction. A request that fails is
// undone alone and keeps its error; an error returned here befell them all.
func (w *writer) transact(ctx context.Context, batch []*request) error {
	if _, err := w.exec(ctx, `BEGIN IMMEDIATE`); err != nil {
		return err
	}
	for _, r := range batch {
		if err := w.apply(ctx, r); err != nil {
			return w.abandon(ctx, err)
		}
	}
	if _, err := w.exec(ctx, `COMMIT`); err != nil {
		return w.abandon(ctx, err)
	}
	return nil
}

// apply does one request; the error returned is one that took the whole
// transaction with it, as a full disk may.
func (w *writer) apply(ctx context.Context, r *request) error {
	if _, err := w.exec(ctx, `SAVEPOINT request`); err != nil {
		return err
	}
	if r.err = r.do(ctx, w); r.err != nil {
		if _, err := w.exec(ctx, `ROLLBACK TO request`); err != nil {
			return r.err
		}
	}
	_, err := w.exec(ctx, `RELEASE request`)
	return err
}

// abandon leaves the connection without a transaction: SQLite may or may not
// have rolled back itself, and says "no transaction" if it has.
func (w *writer) abandon(ctx context.Context, cause error) error {
	_, _ = w.exec(ctx, `ROLLBACK`)
	return cause
}

// prepared gives the statement of a query, which must be a constant.
func (w *writer) prepared(ctx context.Context, query string) (*sql.Stmt, error) {
	if st, ok := w.statements[query]; ok {
		return st, nil
	}
	st, err := w.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("prepare %q: %w", query, err)
	}
	w.statements[query] = st
	return st, nil
}

// exec tells how many rows the statement changed.
func (w *writer) exec(ctx context.Context, query string, args ...any) (int64, error) {
	st, err := w.prepared(ctx, query)
	if err != nil {
		return 0, err
	}
	result, err := st.ExecContext(ctx, args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// get scans the one row of the query into into, or gives sql.ErrNoRows.
func (w *writer) get(ctx context.Context, query string, args []any, into ...any) error {
	st, err := w.prepared(ctx, query)
	if err != nil {
		return err
	}
	return st.QueryRowContext(ctx, args...).Scan(into...)
}

func (w *writer) close() error {
	var errs []error
	for _, st := range w.statements {
		errs = append(errs, st.Close())
	}
	return errors.Join(append(errs, w.conn.Close())...)
}
