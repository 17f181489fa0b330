package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
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
	return query(ctx, db, queue(now), selectQueues)
}
