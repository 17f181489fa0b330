package store

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// The newest stay, whole; evidence is untouched, and a full disk is left alone.
func TestAsidesAreBounded(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if ids, err := s.Asides(); err != nil || len(ids) != 0 {
		t.Errorf("before the first: %v, %v", ids, err)
	}
	evidence := filepath.Join(dir, "evidence", "kept")
	if err := os.WriteFile(evidence, []byte("E"), 0o600); err != nil {
		t.Fatal(err)
	}
	id := func(row int) string { return fmt.Sprintf("aoi_1-5eed0001-%d", row) }
	for _, row := range []int{9, 10, 2, 11} { // in whatever order they come
		if err := s.PutAside(id(row), 3, 0, map[string][]byte{"jpg": {byte(row)}, "json": []byte("{}")}); err != nil {
			t.Fatal(err)
		}
	}
	ids, err := s.Asides()
	if want := []string{id(11), id(10), id(9)}; err != nil || !slices.Equal(ids, want) {
		t.Errorf("kept %v, %v; want %v", ids, err, want)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, aside, "*")); len(files) != 6 {
		t.Errorf("%d files are left: %v", len(files), files)
	}
	if b, err := s.Aside(id(10), "jpg"); err != nil || b[0] != 10 {
		t.Errorf("%v, %v", b, err)
	}
	for _, gone := range [][2]string{{id(2), "jpg"}, {id(10), "txt"}, {"../evidence/kept", "jpg"}, {id(10), "../x"}} {
		if _, err := s.Aside(gone[0], gone[1]); !errors.Is(err, ErrNotFound) {
			t.Errorf("%v: %v", gone, err)
		}
	}
	if err := s.PutAside(id(12), 3, math.MaxInt64, map[string][]byte{"jpg": {1}}); !errors.Is(err, ErrFull) {
		t.Errorf("on a disk that evidence needs: %v", err)
	}
	for _, bad := range []string{"../x", "evidence", ""} {
		if err := s.PutAside(bad, 3, 0, map[string][]byte{"jpg": {1}}); err == nil {
			t.Errorf("kept %q", bad)
		}
	}
	if _, err := os.Stat(evidence); err != nil {
		t.Error(err)
	}
}
