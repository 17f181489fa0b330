package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// ReadQueues gives the open work of a data directory that nobody need have
// open, or that another process has, without writing to it. Work that was just
// begun when the power failed is not told before the next start. A database of
// another schema than this program's is refused.
func ReadQueues(ctx context.Context, dir string, now time.Time) (all []Queue, err error) {
	path, err := filepath.Abs(filepath.Join(dir, "inspector.db"))
	if err == nil {
		_, err = os.Stat(path)
	}
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	db, err := sql.Open("sqlite3", (&url.URL{Scheme: "file", Path: path, RawQuery: "mode=ro&_busy_timeout=2000&_query_only=on"}).String())
	if err != nil {
		return nil, fmt.Errorf("read the journal %s: %w", path, err)
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	steps, err := schema.ReadDir("schema")
	if err != nil {
		return nil, err
	}
	var version int
	if err := db.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&version); err != nil {
		return nil, fmt.Errorf("read the journal %s: %w", path, err)
	}
	if version != len(steps) {
		return nil, refusal(fmt.Sprintf("the journal %s has schema %d and this program knows %d: start the appliance with this program once, then look again", path, version, len(steps)))
	}
	return peekQueues(ctx, db, now)
}

// peekQueues counts the table of work and what only the events tell of.
func peekQueues(ctx context.Context, db *sql.DB, now time.Time) (all []Queue, err error) {
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true}) // both reads see the same moment
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, tx.Rollback()) }()
	if all, err = query(ctx, tx, queue(now), selectQueues); err != nil {
		return nil, err
	}
	l := newLive()
	if _, err := l.replay(ctx, tx); err != nil {
		return nil, err
	}
	for _, p := range l.open {
		n := slices.IndexFunc(all, func(q Queue) bool { return q.Lane == p.Lane })
		if n < 0 {
			n, all = len(all), append(all, Queue{Lane: p.Lane})
		}
		all[n].Depth++
		all[n].Oldest = max(all[n].Oldest, now.Sub(instant(p.Since)))
	}
	slices.SortFunc(all, func(a, b Queue) int { return strings.Compare(a.Lane, b.Lane) })
	return all, nil
}
