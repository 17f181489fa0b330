package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/mattn/go-sqlite3"
)

// A writer is the one connection that writes, with its prepared statements. It
// is the driver's own: database/sql would cost more than many a statement.
type writer struct {
	conn       *sqlite3.SQLiteConn
	statements map[string]*sqlite3.SQLiteStmt
	args       []driver.NamedValue // of the statement under way

	last  int64 // place of the newest work
	live  live
	known map[string]journalled // executions written to lately; none after anything was undone
}

// checkpointed is how many pages the log grows to before they are copied into
// the database: pages that change with every commit are copied once.
const checkpointed = 4000 // 16 MB

func openWriter(dsn string) (*writer, error) {
	opened, err := (&sqlite3.SQLiteDriver{}).Open(dsn)
	if err != nil {
		return nil, err
	}
	conn := opened.(*sqlite3.SQLiteConn)
	if _, err := conn.Exec(fmt.Sprintf(`PRAGMA wal_autocheckpoint = %d`, checkpointed), nil); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &writer{conn: conn, statements: map[string]*sqlite3.SQLiteStmt{}, known: map[string]journalled{}, live: newLive()}, nil
}

// transact does the requests in one transaction, with those that more gives
// meanwhile, up to batchLimit, and gives all. A request that fails is undone
// alone and keeps its error; an error returned here befell them all. Failures
// are rare: only a batch that has one is done again with savepoints.
func (w *writer) transact(ctx context.Context, batch []*request, more func(limit int) []*request) ([]*request, error) {
	all, err := w.transaction(ctx, batch, func(ctx context.Context, r *request) error {
		r.err = r.do(ctx, w)
		return r.err
	}, more)
	if len(all) > 1 && slices.ContainsFunc(all, func(r *request) bool { return r.err != nil }) {
		all, err = w.transaction(ctx, all, w.apply, func(int) []*request { return nil })
	}
	return all, err
}

func (w *writer) transaction(ctx context.Context, all []*request, do func(context.Context, *request) error, more func(limit int) []*request) ([]*request, error) {
	if _, err := w.exec(ctx, `BEGIN IMMEDIATE`); err != nil {
		return all, err
	}
	for i := 0; i < len(all); i++ {
		if all[i].whole {
			if err := w.settle(ctx); err != nil {
				return all, w.abandon(ctx, err)
			}
		}
		if err := do(ctx, all[i]); err != nil {
			return all, w.abandon(ctx, err)
		}
		if i == len(all)-1 {
			all = append(all, more(batchLimit-len(all))...)
		}
	}
	if w.live.event-w.live.settled > mostUnsettled {
		if err := w.settle(ctx); err != nil {
			return all, w.abandon(ctx, err)
		}
	}
	if _, err := w.exec(ctx, `COMMIT`); err != nil {
		return all, w.abandon(ctx, err)
	}
	w.live.committed()
	return all, nil
}

// apply does one request; the error returned is one that took the whole
// transaction with it, as a full disk may.
func (w *writer) apply(ctx context.Context, r *request) error {
	if _, err := w.exec(ctx, `SAVEPOINT request`); err != nil {
		return err
	}
	mark := len(w.live.turns)
	if r.err = r.do(ctx, w); r.err != nil {
		clear(w.known)
		w.live.undo(mark)
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
	clear(w.known)
	w.live.undo(0)
	_, _ = w.exec(ctx, `ROLLBACK`)
	return cause
}

// prepared gives the statement of a query, which must be a constant.
func (w *writer) prepared(ctx context.Context, query string) (*sqlite3.SQLiteStmt, error) {
	if st, ok := w.statements[query]; ok {
		return st, nil
	}
	prepared, err := w.conn.PrepareContext(ctx, query)
	if err != nil {
		return nil, fmt.Errorf("prepare %q: %w", query, err)
	}
	st := prepared.(*sqlite3.SQLiteStmt)
	w.statements[query] = st
	return st, nil
}

// bound gives the arguments as the driver takes them, until the next call.
func (w *writer) bound(args []any) ([]driver.NamedValue, error) {
	w.args = w.args[:0]
	for i, v := range args {
		switch v.(type) {
		case int64, string:
		default:
			var err error
			if v, err = driver.DefaultParameterConverter.ConvertValue(v); err != nil {
				return nil, fmt.Errorf("argument %d: %w", i+1, err)
			}
		}
		w.args = append(w.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return w.args, nil
}

// exec tells how many rows the statement changed.
func (w *writer) exec(ctx context.Context, query string, args ...any) (int64, error) {
	st, err := w.prepared(ctx, query)
	if err != nil {
		return 0, err
	}
	values, err := w.bound(args)
	if err != nil {
		return 0, err
	}
	result, err := st.ExecContext(ctx, values)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// run is exec where nobody asks how many rows there were: the driver then binds
// and steps at once.
func (w *writer) run(ctx context.Context, query string, args ...any) error {
	rows, err := w.rows(ctx, query, args)
	if err != nil {
		return err
	}
	return rows.Close()
}

func (w *writer) rows(ctx context.Context, query string, args []any) (driver.Rows, error) {
	st, err := w.prepared(ctx, query)
	if err != nil {
		return nil, err
	}
	values, err := w.bound(args)
	if err != nil {
		return nil, err
	}
	return st.QueryContext(ctx, values)
}

// get gives the one number that the query finds, or sql.ErrNoRows.
func (w *writer) get(ctx context.Context, query string, args ...any) (n int64, err error) {
	rows, err := w.rows(ctx, query, args)
	if err != nil {
		return 0, err
	}
	var row [1]driver.Value
	if err = rows.Next(row[:]); errors.Is(err, io.EOF) {
		err = sql.ErrNoRows
	}
	n, ok := row[0].(int64)
	if err == nil && !ok {
		err = fmt.Errorf("%q gave %T, not a number", query, row[0])
	}
	return n, errors.Join(err, rows.Close())
}

func (w *writer) close() error {
	var errs []error
	for _, st := range w.statements {
		errs = append(errs, st.Close())
	}
	return errors.Join(append(errs, w.conn.Close())...)
}
