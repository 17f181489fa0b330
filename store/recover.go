package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"

	"inspector"
)

// reconcile removes what a crash left half done: files being written, and
// evidence of inspections that were never committed. It looks only at folders
// that may hold such, so it is quick however large the store is.
func (s *Store) reconcile(ctx context.Context) error {
	var from int64
	if err := s.readers.QueryRowContext(ctx, `SELECT min(reconciled, coalesce((SELECT min(row) / ? FROM inspections WHERE verdict IS NULL), reconciled)) FROM store`,
		shardSize).Scan(&from); err != nil {
		return err
	}
	kept, err := s.evidenceSince(ctx, from*shardSize)
	if err != nil {
		return err
	}
	folders, err := s.blobs.list("evidence")
	if err != nil {
		return err
	}
	for _, folder := range folders {
		if folder.Name() < shard(from*shardSize) {
			continue
		}
		if err := s.clean(path.Join("evidence", folder.Name()), func(name string) bool { return kept[name] }); err != nil {
			return err
		}
	}
	if err := s.clean("quarantine", func(name string) bool { return !strings.Contains(name, ".part-") }); err != nil {
		return err
	}
	_, err = s.writer.exec(ctx, `UPDATE store SET reconciled = ?`, s.reconciled())
	return err
}

// clean removes every file of the folder that keep, given its name below the
// data directory, does not want.
func (s *Store) clean(folder string, keep func(string) bool) error {
	files, err := s.blobs.list(folder)
	if err != nil {
		return err
	}
	for _, f := range files {
		if name := path.Join(folder, f.Name()); !keep(name) {
			if err := s.blobs.remove(name); err != nil {
				return fmt.Errorf("remove what a crash left: %w", err)
			}
		}
	}
	return nil
}

// evidenceSince gives the files of all evidence that is on the disk, from row on.
func (s *Store) evidenceSince(ctx context.Context, row int64) (map[string]bool, error) {
	all, err := query(ctx, s.readers, func(rows *sql.Rows) (i inspector.Inspection, err error) {
		var record []byte
		err = rows.Scan(&record)
		return i, errors.Join(err, json.Unmarshal(record, &i))
	}, `SELECT record FROM inspections WHERE row >= ? AND bytes > 0`, row)
	kept := map[string]bool{}
	for _, i := range all {
		for _, b := range i.Evidence {
			kept[file(b)] = true
		}
	}
	return kept, err
}

// reconciled is the first folder of evidence that may yet hold a file that
// belongs to nothing.
func (s *Store) reconciled() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := s.next
	for row := range s.open {
		first = min(first, row)
	}
	return first / shardSize
}
