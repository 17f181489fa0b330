package store

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"inspector"
	"inspector/workflow"
)

// On a full disk the work of an execution is told all the same, in its order,
// also what is in memory only.
func TestWorkOnAFullDisk(t *testing.T) {
	dir := tmpfs(t, 4<<20)
	s := open(t, dir)
	i := accept(t, s, inspector.Fail, "")
	want, err := s.Work(t.Context(), i.ID)
	if err != nil || len(want) != 1 {
		t.Fatalf("%v, %v", want, err)
	}
	next := event(i.ID, 2)
	next.End = nil // the first stays
	for n := range 3 {
		w := next.Begin[0]
		w.Command = int64(10 - n)
		next.Begin = append(next.Begin, w)
	}
	if err := s.Append(t.Context(), next); err != nil {
		t.Fatal(err)
	}
	want = append(want, next.Begin...)
	f, err := os.Create(filepath.Join(dir, "ballast"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(bytes.Repeat([]byte("b"), 4096))
	}
	for n := 3; err == nil || !errors.Is(err, ErrFull); n++ {
		if err = s.Append(t.Context(), event("filler", n-2)); n > 5000 {
			t.Fatal("the disk does not fill up")
		}
	}
	have, err := s.Work(t.Context(), i.ID)
	if err != nil || !slices.EqualFunc(have, want, func(a, b workflow.Work) bool {
		return a.Command == b.Command && a.Lane == b.Lane && a.Execution == b.Execution && a.Since.Equal(b.Since)
	}) {
		t.Errorf("%+v, %v; want %+v", have, err, want)
	}
	if none, err := s.Work(t.Context(), "nobody"); err != nil || len(none) != 0 {
		t.Errorf("of nobody: %v, %v", none, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
