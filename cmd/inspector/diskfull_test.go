package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"inspector"
	"inspector/web"
)

// A smallDisk is a file system of its own, which somebody else fills.
type smallDisk struct {
	t   *testing.T
	dir string
}

func newSmallDisk(t *testing.T, options string) smallDisk {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, options); err != nil {
		t.Skipf("a small file system needs root: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	return smallDisk{t, dir}
}

func (d smallDisk) free() int64 {
	d.t.Helper()
	var st syscall.Statfs_t
	if err := syscall.Statfs(d.dir, &st); err != nil {
		d.t.Fatal(err)
	}
	return int64(st.Bavail) * st.Bsize
}

// leave has somebody else take or give back what it needs for so much to be
// free.
func (d smallDisk) leave(free int64) {
	d.t.Helper()
	path := filepath.Join(d.dir, "ballast")
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		d.t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		d.t.Fatal(err)
	}
	size := info.Size() + d.free() - free
	if size <= 0 {
		err = f.Truncate(0)
	} else if err = f.Truncate(min(size, info.Size())); err == nil && size > info.Size() {
		err = syscall.Fallocate(int(f.Fd()), 0, 0, size)
	}
	if err != nil && !errors.Is(err, syscall.ENOSPC) {
		d.t.Fatal(err)
	}
}

// watched asks page and API all the time, until stop: each must answer.
func (a *appliance) watched() (stop func()) {
	ctx, cancel := context.WithCancel(a.t.Context())
	var watching sync.WaitGroup
	for _, path := range []string{"/", "/api/v1/status", "/api/v1/inspections?limit=20", "/metrics"} {
		watching.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				r, err := http.NewRequestWithContext(ctx, http.MethodGet, a.page+path, nil)
				if err != nil {
					a.t.Error(err)
					return
				}
				answer, err := http.DefaultClient.Do(r)
				if err == nil {
					_, err = io.Copy(io.Discard, answer.Body)
					answer.Body.Close()
					if answer.StatusCode != http.StatusOK {
						err = fmt.Errorf("status %s", answer.Status)
					}
				}
				if err != nil && ctx.Err() == nil {
					a.t.Errorf("%s does not answer, the %dth time: %v", path, n, err)
					return
				}
			}
		})
	}
	return func() { cancel(); watching.Wait() }
}

// trigger has the board under the camera judged.
func (a *appliance) trigger(request string) (code int, answer struct {
	inspector.Inspection
	Reject bool
	Detail string
}) {
	a.t.Helper()
	code, b := a.do(http.MethodPost, "/api/v1/triggers", "application/json", strings.NewReader(`{"request":"`+request+`"}`))
	if err := json.Unmarshal(b, &answer); err != nil {
		a.t.Fatalf("%d %s", code, b)
	}
	return code, answer
}

func (a *appliance) ready() bool {
	code, _ := a.do(http.MethodGet, "/readyz", "", nil)
	return code == http.StatusOK
}

// underWay is how many boards may have been judged, and not be remembered yet.
const underWay = 3

// passed is a board that passed after since; its picture is kept or not.
func (a *appliance) passed(since uint64) (kept bool) {
	a.t.Helper()
	a.until("a board passes", func() bool {
		for _, r := range a.inspections("verdict=pass") {
			if r.Seq > since {
				kept = len(r.Evidence) > 0
				return true
			}
		}
		return false
	})
	return kept
}

// tales are what the events in the folder told, in their order.
func tales(told string) (out string) {
	var files []string
	_ = filepath.WalkDir(told, func(path string, d fs.DirEntry, err error) error { // it may not be there yet
		if err == nil && d.Type().IsRegular() {
			files = append(files, path)
		}
		return nil
	})
	when := map[string]time.Time{}
	for _, f := range files {
		if info, err := os.Stat(f); err == nil {
			when[f] = info.ModTime()
		}
	}
	slices.SortFunc(files, func(a, b string) int { return when[a].Compare(when[b]) })
	for _, f := range files {
		text, _ := os.ReadFile(f)
		var message struct{ Body string }
		_ = json.Unmarshal(text, &message)
		out += " " + strings.Trim(message.Body, `"`)
	}
	return out
}

// While somebody else fills the disk, boards flow until there is no room for
// them: first a warning, then no pictures of passes, then no boards, then the
// reserve. Once there is room again, all comes back in the other order. Page
// and API answer all the time, and no board that was accepted is lost.
func TestDiskRunsFullAndBack(t *testing.T) {
	disk := newSmallDisk(t, "size=160m")
	told := filepath.Join(t.TempDir(), "told")
	rules := folder(t, map[string]string{"disk.yaml": "pattern: '{\"detail-type\": [\"Storage Health Change\"]}'\ntargets: {tell: {folder: " + told + ", input_path: $.detail.level}}\n"})
	a := startAppliance(t, filepath.Join(disk.dir, "data"), "INSPECTOR_CAMERA_PERIOD=100ms", "INSPECTOR_EVIDENCE_PASSES=true", "INSPECTOR_EVENTS_RULES="+rules)
	a.until("boards are judged, and the reserve is made", func() bool {
		s := a.status()
		return s.Counts.Pass+s.Counts.Fail > 3 && s.Disk.Level == "ok" && s.Disk.Reserve > 1<<20
	})
	unwatch := a.watched()
	defer unwatch()
	marks := a.status().Disk
	level := func(want string) {
		t.Helper()
		a.until("the disk's level is "+want, func() bool { return a.status().Disk.Level == want })
		a.until("an event tells of level "+want, func() bool { return strings.HasSuffix(tales(told), want) })
	}
	if code, i := a.trigger("before"); code != http.StatusOK || i.ID == "" || i.Reject != (i.Verdict != inspector.Pass) {
		t.Fatalf("%d %+v", code, i)
	}
	if !a.passed(0) {
		t.Error("the picture of a pass is not kept, with room for it")
	}

	disk.leave(int64(marks.Warn) - 1<<20)
	level("warn")
	if p := a.part("disk"); p.State != web.Degraded || !strings.Contains(p.Detail, "disk.warn") {
		t.Errorf("%+v", p)
	}
	disk.leave(int64(marks.StopPasses) - 1<<20)
	level("stop-passes")
	if p := a.part("disk"); p.State != web.Degraded || !strings.Contains(p.Detail, "boards that passed") {
		t.Errorf("%+v", p)
	}
	if a.passed(a.inspections("")[0].Seq + underWay) {
		t.Error("the picture of a pass is kept on a disk that has too little room")
	}
	disk.leave(int64(marks.StopTriggers) - 1<<20)
	level("stop-triggers")
	code, i := a.trigger("meanwhile")
	if code != http.StatusServiceUnavailable || i.Verdict != inspector.Unsure || !i.Reject || i.ID != "" || !strings.Contains(i.Detail, "no board is accepted into the ledger") {
		t.Errorf("%d %+v", code, i)
	}
	if code, i := a.trigger("before"); code != http.StatusOK || i.ID == "" {
		t.Errorf("what was judged before is not answered: %d %+v", code, i)
	}
	if p := a.part("disk"); p.State != web.Down || !strings.Contains(p.Detail, "1 since the start") {
		t.Errorf("%+v", p)
	}
	a.until("the last boards are remembered", func() bool { return a.status().Counts.InFlight == 0 })
	before := a.status()
	accepted := a.inspections("")
	disk.leave(0)
	a.until("the reserve is given free", func() bool { return a.status().Disk.Reserve == 0 && disk.free() > 0 })
	if now := a.status(); now.Counts != before.Counts || now.Disk.Level != "stop-triggers" || a.ready() {
		t.Errorf("a board is accepted on a full disk: %+v, before %+v", now, before.Counts)
	}
	disk.leave(0) // the reserve, too
	if _, i := a.trigger("full"); i.Verdict != inspector.Unsure || !i.Reject {
		t.Errorf("%+v", i)
	}

	disk.leave(int64(marks.StopTriggers)*5/4 + 3<<20)
	level("stop-passes")
	if code, i := a.trigger("meanwhile"); code != http.StatusOK || i.ID == "" {
		t.Errorf("with room again: %d %+v", code, i)
	}
	disk.leave(1 << 40)
	a.until("all is well, and the reserve is made again", func() bool {
		s := a.status()
		return s.Disk.Level == "ok" && s.Disk.Reserve == marks.Reserve && a.ready()
	})
	if !a.passed(a.inspections("")[0].Seq + underWay) {
		t.Error("the picture of a pass is not kept, with room again")
	}
	have := map[string]bool{}
	for _, r := range a.inspections("") {
		have[r.ID] = true
	}
	for _, r := range accepted {
		if !have[r.ID] {
			t.Errorf("board %s is gone", r.ID)
		}
		if r.Verdict != inspector.Pass { // of what passed and is delivered retention may take the picture
			if code, _ := a.do(http.MethodGet, "/api/v1/inspections/"+r.ID+"/evidence/image", "", nil); code != http.StatusOK {
				t.Errorf("the picture of board %s: %d", r.ID, code)
			}
		}
	}
	for _, word := range []string{"the disk runs full", "level=stop-passes", "level=stop-triggers", "the reserve is given free", "the disk has room again", "the reserve of the disk is made"} {
		if !strings.Contains(a.logs.String(), word) {
			t.Errorf("the log does not say %q", word)
		}
	}
	unwatch()
	a.stop()
}

func TestBytesWords(t *testing.T) {
	for n, want := range map[int64]string{0: "0 bytes", 999: "999 bytes", 1500: "1.5 kB", 64 << 20: "67.1 MB", 2 << 30: "2.1 GB"} {
		if have := bytesWords(n); have != want {
			t.Errorf("%d: %q; want %q", n, have, want)
		}
	}
}

// A guard that is not there stops nothing.
func TestNoGuard(t *testing.T) {
	var g *guard
	if err := g.admit(); err != nil || !g.passes() {
		t.Error("a line without a guard stands still")
	}
}
