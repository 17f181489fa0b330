package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
)

// schema holds one step forward in each file N.sql; a file that was released
// never changes.
//
//go:embed schema/*.sql
var schema embed.FS

// migrate brings the database to the newest schema, one transaction a step.
func migrate(ctx context.Context, dsn string) (err error) {
	db, err := sql.Open("sqlite3", dsn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	return forward(ctx, conn)
}

func forward(ctx context.Context, conn *sql.Conn) error {
	steps, err := schema.ReadDir("schema")
	if err != nil {
		return err
	}
	var version int
	if err := conn.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&version); err != nil {
		return err
	}
	if version > len(steps) {
		return refusal(fmt.Sprintf("it has schema %d and this program knows %d: start the newer program again, or restore the copy made before it ran", version, len(steps)))
	}
	for version < len(steps) {
		version++
		if err := step(ctx, conn, version); err != nil {
			return fmt.Errorf("bring the schema to %d: %w", version, err)
		}
	}
	return nil
}

func step(ctx context.Context, conn *sql.Conn, version int) error {
	statements, err := schema.ReadFile(fmt.Sprintf("schema/%d.sql", version))
	if err != nil {
		return err
	}
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf("%s\nPRAGMA user_version = %d;", statements, version)); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}
