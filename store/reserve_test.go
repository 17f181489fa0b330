package store

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"inspector"
)

// The reserve holds blocks of the disk, is as large as it was asked to be, and
// is not made at all where it does not fit.
func TestReserve(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	for _, size := range []int64{1 << 20, 3 << 20, 1 << 20} {
		if held, err := s.Reserve(size); err != nil || held != size || s.Reserved() != size {
			t.Fatalf("asked for %d: %d (%d), %v", size, held, s.Reserved(), err)
		}
		var st syscall.Stat_t
		if err := syscall.Stat(filepath.Join(dir, reserveFile), &st); err != nil || st.Blocks*512 < size {
			t.Errorf("of %d bytes %d are on the disk, %v", size, st.Blocks*512, err)
		}
	}
	for range 2 {
		if held, err := s.Reserve(0); err != nil || held != 0 || s.Reserved() != 0 {
			t.Errorf("none: %d, %v", held, err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "written"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := writeOut(f, 3<<20+17); err != nil {
		t.Fatal(err)
	}
	if info, err := f.Stat(); err != nil || info.Size() != 3<<20+17 {
		t.Errorf("filled %v, %v", info.Size(), err)
	}
}

func TestReserveThatDoesNotFit(t *testing.T) {
	dir := tmpfs(t, 4<<20)
	s := open(t, dir)
	if held, err := s.Reserve(8 << 20); !errors.Is(err, ErrFull) || held != 0 || s.Reserved() != 0 {
		t.Errorf("%d held (%d), %v", held, s.Reserved(), err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// On a disk that somebody else filled, the reserve is room for the log of the
// database to be emptied, for boards, and for the next start.
func TestReserveOnAFullDisk(t *testing.T) {
	dir := tmpfs(t, 12<<20)
	s := open(t, dir)
	if _, err := s.Reserve(4 << 20); err != nil {
		t.Fatal(err)
	}
	var acked []inspector.Inspection
	board := func() error {
		i, err := s.Accept(t.Context(), judged(s.NextID(), inspector.Pass), picture(strings.Repeat("x", 2000)), begin)
		if err == nil {
			acked = append(acked, i)
		}
		return err
	}
	for range 100 {
		if err := board(); err != nil {
			t.Fatal(err)
		}
	}
	ballast := func() {
		f, err := os.OpenFile(filepath.Join(dir, "ballast"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for err == nil {
			_, err = f.Write(bytes.Repeat([]byte("b"), 4096))
		}
	}
	ballast()
	var err error
	for n := 0; err == nil && n < 5000; n++ {
		err = board()
	}
	if !errors.Is(err, ErrFull) {
		t.Fatalf("on a full disk: %v", err)
	}
	if err := s.ReleaseReserve(); err != nil {
		t.Fatal(err)
	}
	before, _, _ := s.Free()
	if err := s.Checkpoint(t.Context()); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(dir, "inspector.db-wal")); err != nil || info.Size() != 0 {
		t.Errorf("the log has %v bytes, %v", info.Size(), err)
	}
	if after, _, _ := s.Free(); after < before {
		t.Errorf("the checkpoint took %d bytes", before-after)
	}
	if err := board(); err != nil {
		t.Fatalf("with the reserve given free: %v", err)
	}
	if _, err := s.Reserve(2 << 20); err != nil {
		t.Fatal(err)
	}
	ballast()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir) // full again, and the reserve is there
	if s.Reserved() != 0 {
		t.Errorf("%d bytes are reserved after a start on a full disk", s.Reserved())
	}
	for _, i := range acked {
		verify(t, s, ack{ID: i.ID, Evidence: i.Evidence, Events: 1})
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
