package store

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"inspector"
)

// finish closes an inspection and ends its execution.
func finish(t testing.TB, s *Store, id string) {
	t.Helper()
	if err := errors.Join(s.Closed(t.Context(), id), s.Append(t.Context(), end(id, 2))); err != nil {
		t.Fatal(err)
	}
}

func decide(t testing.TB, s *Store, id string) {
	t.Helper()
	if err := s.Dispose(t.Context(), id, inspector.Disposition{Decision: "scrap", By: "ann", At: when}); err != nil {
		t.Fatal(err)
	}
}

func TestSweep(t *testing.T) {
	const day = 24 * time.Hour
	for _, c := range []struct {
		name    string
		verdict inspector.Verdict
		made    func(testing.TB, *Store, string)
		keep    Retention
		age     time.Duration
		taken   bool
	}{
		{"old pass", inspector.Pass, finish, Retention{Passes: day}, 2 * day, true},
		{"young pass", inspector.Pass, finish, Retention{Passes: day}, day / 2, false},
		{"passes for ever", inspector.Pass, finish, Retention{Others: day}, 999 * day, false},
		{"not closed", inspector.Pass, func(t testing.TB, s *Store, id string) {
			if err := s.Append(t.Context(), end(id, 2)); err != nil {
				t.Fatal(err)
			}
		}, Retention{Passes: day}, 2 * day, false},
		{"not delivered", inspector.Pass, func(t testing.TB, s *Store, id string) {
			if err := s.Closed(t.Context(), id); err != nil {
				t.Fatal(err)
			}
		}, Retention{Passes: day, Others: day, MinFree: 1 << 60}, 2 * day, false},
		{"refused upstream, and decided", inspector.Fail, func(t testing.TB, s *Store, id string) {
			decide(t, s, id)
			if err := errors.Join(s.Closed(t.Context(), id), s.Park(t.Context(), id, 1, "the bucket does not exist")); err != nil {
				t.Fatal(err)
			}
		}, Retention{Passes: day, Others: day, MinFree: 1 << 60}, 999 * day, false},
		{"undecided", inspector.Fail, finish, Retention{Passes: day, Others: day, MinFree: 1 << 60}, 999 * day, false},
		{"decided, old", inspector.Unsure, func(t testing.TB, s *Store, id string) { decide(t, s, id); finish(t, s, id) }, Retention{Others: day}, 2 * day, true},
		{"decided, others for ever", inspector.Fail, func(t testing.TB, s *Store, id string) { decide(t, s, id); finish(t, s, id) }, Retention{Passes: day}, 2 * day, false},
		{"disk is short", inspector.Pass, finish, Retention{MinFree: 1 << 60}, 0, true},
		{"disk is short, decided", inspector.Fail, func(t testing.TB, s *Store, id string) { decide(t, s, id); finish(t, s, id) }, Retention{MinFree: 1 << 60}, 0, true},
		{"disk has room", inspector.Pass, finish, Retention{MinFree: 1}, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := open(t, t.TempDir())
			i := accept(t, s, c.verdict, "pixels")
			if err := s.Quarantine(t.Context(), i.ID); err != nil {
				t.Fatal(err)
			}
			c.made(t, s, i.ID)
			s.next = 3 * shardSize // so that the first folder is done with
			swept, err := s.Sweep(t.Context(), when.Add(c.age), c.keep)
			if err != nil {
				t.Fatal(err)
			}
			left := append(files(t, s, "evidence"), files(t, s, "quarantine")...)
			r, err := s.Inspection(t.Context(), i.ID)
			if err != nil {
				t.Fatal(err)
			}
			want := Swept{}
			if c.taken {
				want = Swept{1, 6}
			}
			if swept != want || r.Expired != c.taken || (len(left) == 0) != c.taken {
				t.Errorf("swept %+v (expired %v), left %v; want %+v", swept, r.Expired, left, want)
			}
			blobs, err := s.EvidenceFor(t.Context(), i.ID)
			if err != nil || (len(blobs) == 0) != c.taken {
				t.Errorf("evidence %v, %v", blobs, err)
			}
			if _, err := fs.Stat(s.blobs.root.FS(), "evidence/"+shard(1)); c.taken != errors.Is(err, fs.ErrNotExist) {
				t.Errorf("its folder: %v", err)
			}
			balanced(t, s)
		})
	}
}

func TestSweepOfManyPages(t *testing.T) {
	s := open(t, t.TempDir())
	for range sweepPage + 10 {
		finish(t, s, accept(t, s, inspector.Pass, "x").ID)
	}
	if swept, err := s.Sweep(t.Context(), when.Add(time.Hour), Retention{Passes: time.Minute}); err != nil || swept.Inspections != sweepPage+10 {
		t.Errorf("swept %+v, %v", swept, err)
	}
	if left := files(t, s, "evidence"); len(left) != 0 {
		t.Errorf("left %v", left)
	}
}

func TestQuarantine(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	i := accept(t, s, inspector.Fail, "pixels")
	for range 2 {
		if err := s.Quarantine(t.Context(), i.ID); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(filepath.Join(dir, "quarantine", i.ID+".jpg"))
	if err != nil || string(data) != "pixels" {
		t.Errorf("quarantined %q, %v", data, err)
	}
	blind := accept(t, s, inspector.Unsure, "")
	if err := s.Quarantine(t.Context(), blind.ID); err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{i.ID, blind.ID} {
		if r, err := s.Inspection(t.Context(), id); err != nil || !r.Quarantined {
			t.Errorf("%s: %+v, %v", id, r, err)
		}
	}
	if err := s.Quarantine(t.Context(), s.id(99).String()); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown: %v", err)
	}
	if err := s.Closed(t.Context(), s.id(99).String()); !errors.Is(err, ErrNotFound) {
		t.Errorf("unknown: %v", err)
	}
}

// tmpfs is a folder on a disk of its own, of that many bytes.
func tmpfs(t *testing.T, size int) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("store_test", dir, "tmpfs", 0, fmt.Sprint("size=", size)); err != nil {
		t.Skipf("a small disk cannot be mounted here (root can): %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// A full disk is said to be one; all that was acknowledged stays, nothing else
// does, and with some room the line goes on.
func TestDiskFull(t *testing.T) {
	for name, evidence := range map[string][]Evidence{
		"by evidence": picture(strings.Repeat("x", 20_000)),
		"by rows":     nil,
	} {
		t.Run(name, func(t *testing.T) {
			dir := tmpfs(t, 3<<20)
			ballast := filepath.Join(dir, "ballast")
			if err := os.WriteFile(ballast, bytes.Repeat([]byte("b"), 1<<20), 0o600); err != nil {
				t.Fatal(err)
			}
			s := open(t, dir)
			var acked []inspector.Inspection
			var id inspector.ID
			var err error
			for err == nil && len(acked) < 10_000 {
				id = s.NextID()
				var i inspector.Inspection
				if i, err = s.Accept(t.Context(), judged(id, inspector.Pass), evidence, begin); err == nil {
					acked = append(acked, i)
				}
			}
			if !errors.Is(err, ErrFull) || permanent(err) || !strings.Contains(err.Error(), "retention") {
				t.Fatalf("after %d boards: %v", len(acked), err)
			}
			if free, total, err := s.Free(); err != nil || free > 1<<20 || total != 3<<20 {
				t.Errorf("%d of %d free, %v", free, total, err)
			}
			noneBesides(t, s)
			if err := os.Remove(ballast); err != nil {
				t.Fatal(err)
			}
			i, err := s.Accept(t.Context(), judged(id, inspector.Unsure), evidence, begin)
			if err != nil {
				t.Fatalf("with room again: %v", err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, dir)
			for _, i := range append(acked, i) {
				verify(t, s, ack{ID: i.ID, Evidence: i.Evidence, Events: 1})
			}
			if l := balanced(t, s); l.Pass != int64(len(acked)) || l.Unsure != 1 || len(acked) == 0 {
				t.Errorf("%d acknowledged, ledger %+v", len(acked), l)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
}
