package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"inspector"
)

// The queues are read beside the process that has the store open, and without
// any; nothing is written.
func TestReadQueues(t *testing.T) {
	dir := t.TempDir()
	if _, err := ReadQueues(t.Context(), dir, when); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("of an empty folder: %v", err)
	}
	s := open(t, dir)
	accept(t, s, inspector.Fail, "")
	if err := s.Park(t.Context(), accept(t, s, inspector.Fail, "").ID, 1, "no"); err != nil {
		t.Fatal(err)
	}
	accept(t, s, inspector.Fail, "") // only the events tell of its work
	want := []Queue{{Lane: "inspector:record", Depth: 3, Parked: 1, Oldest: time.Hour}}
	read := func(what string) {
		t.Helper()
		if have, err := ReadQueues(t.Context(), dir, when.Add(time.Hour)); err != nil || !slices.Equal(have, want) {
			t.Errorf("%s: %+v, %v; want %+v", what, have, err, want)
		}
	}
	read("while it is open")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	read("after it was closed")
	s = open(t, dir)
	if _, err := s.writer.exec(t.Context(), `PRAGMA user_version = 4711`); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadQueues(t.Context(), dir, when); !permanent(err) {
		t.Errorf("of another schema: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "inspector.db"), []byte("no database at all, but long enough to look at"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadQueues(t.Context(), dir, when); err == nil {
		t.Error("of what is no database: no error")
	}
}
