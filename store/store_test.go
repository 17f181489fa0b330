package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"inspector"
	"inspector/workflow"
	"inspector/workflow/asl"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("STORE_TEST_CHILD"); dir != "" {
		child(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

var when = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func open(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(t.Context(), dir, "aoi_1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil && !errors.Is(err, fs.ErrClosed) {
			t.Error(err)
		}
	})
	return s
}

func judged(id inspector.ID, v inspector.Verdict) inspector.Inspection {
	return inspector.Inspection{ID: id.String(), Seq: uint64(id.Row), At: when, Recipe: "main", Model: "m/1@00", Verdict: v, Reason: "test", Width: 640, Height: 640}
}

// begin is the transition that starts the execution of an inspection.
func begin(i inspector.Inspection) ([]workflow.Transition, error) {
	return []workflow.Transition{{
		Execution: workflow.Execution{ID: i.ID, Machine: "hash", Status: asl.StatusRunning, Started: i.At, States: []string{"Check"}},
		N:         1,
		Event:     asl.Event{Kind: asl.Started, At: i.At, Name: i.ID, Input: json.RawMessage(`{"verdict":"` + string(i.Verdict) + `"}`)},
		Begin:     []workflow.Work{{Execution: i.ID, Command: 1, Lane: "inspector:record", State: "Record", Due: i.At, Since: i.At}},
	}}, nil
}

// event is the nth transition of an execution: it ends one command and begins the next.
func event(id string, n int) workflow.Transition {
	t := workflow.Transition{
		Execution: workflow.Execution{ID: id, Machine: "hash", Status: asl.StatusRunning, Started: when, States: []string{fmt.Sprint("S", n)}},
		N:         n,
		Event:     asl.Event{Kind: asl.Succeeded, At: when, Command: int64(n - 1), Output: json.RawMessage(`{}`)},
		Begin:     []workflow.Work{{Execution: id, Command: int64(n), Lane: "inspector:record", State: "Record", Due: when, Since: when}},
	}
	if n > 1 {
		t.End = []int64{int64(n - 1)}
	}
	return t
}

// end is the transition that ends an execution.
func end(id string, n int) workflow.Transition {
	t := event(id, n)
	t.Execution.Status, t.Execution.Stopped, t.Begin = asl.StatusSucceeded, when, nil
	return t
}

func picture(data string) []Evidence {
	return []Evidence{{Kind: "image", Type: "image/jpeg", Data: []byte(data)}}
}

func accept(t testing.TB, s *Store, v inspector.Verdict, data string) inspector.Inspection {
	t.Helper()
	var evidence []Evidence
	if data != "" {
		evidence = picture(data)
	}
	i, err := s.Accept(t.Context(), judged(s.NextID(), v), evidence, begin)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// balanced fails unless every trigger is accounted for.
func balanced(t testing.TB, s *Store) Ledger {
	t.Helper()
	l, err := s.Ledger(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var rows int64
	if err := s.readers.QueryRow(`SELECT count(*) FROM inspections`).Scan(&rows); err != nil {
		t.Fatal(err)
	}
	if l.Triggers != l.Pass+l.Fail+l.Unsure+l.InFlight || l.Triggers != rows {
		t.Errorf("ledger %+v does not balance with %d rows", l, rows)
	}
	return l
}

// intact fails unless the evidence on the disk is what the blob says.
func intact(t testing.TB, s *Store, b inspector.Blob) {
	t.Helper()
	f, err := s.OpenEvidence(b.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != b.SHA256 || int64(len(data)) != b.Size {
		t.Errorf("%s: %d bytes that are not what was accepted", b.Path, len(data))
	}
}

func TestAcceptedIsThereAfterReopening(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	in := judged(s.NextID(), inspector.Fail)
	in.Defects = []inspector.Defect{{Class: "short", Score: 0.9, Box: inspector.Box{Right: 3, Bottom: 4}}}
	got, err := s.Accept(t.Context(), in, append(picture("pixels"), Evidence{Kind: "overlay", Type: "image/png", Data: []byte("drawn")}), begin)
	if err != nil {
		t.Fatal(err)
	}
	if got.Timings.Store <= 0 || len(got.Evidence) != 2 {
		t.Errorf("accepted as %+v", got)
	}
	if err := s.Append(t.Context(), event(got.ID, 2)); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	s = open(t, dir)
	r, err := s.Inspection(t.Context(), got.ID)
	if err != nil {
		t.Fatal(err)
	}
	if r.Row != 1 || r.Verdict != inspector.Fail || len(r.Defects) != 1 || r.Defects[0].Box != got.Defects[0].Box || r.Expired || r.Closed {
		t.Errorf("read back %+v", r)
	}
	blobs, err := s.EvidenceFor(t.Context(), got.ID)
	if err != nil || len(blobs) != 2 {
		t.Fatalf("evidence %v, %v", blobs, err)
	}
	for _, b := range blobs {
		intact(t, s, b)
	}
	x, events, err := s.Load(t.Context(), got.ID)
	if err != nil || len(events) != 2 || events[0].Kind != asl.Started || x.States[0] != "Record" {
		t.Errorf("execution %+v %+v %v", x, events, err)
	}
	if next := s.NextID(); next.Row != 2 || next.Epoch != mustParse(t, got.ID).Epoch {
		t.Errorf("the next ID after %s is %s", got.ID, next)
	}
	balanced(t, s)
}

func mustParse(t testing.TB, id string) inspector.ID {
	t.Helper()
	parsed, err := ParseID(id)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func TestOneVerdictOnly(t *testing.T) {
	s := open(t, t.TempDir())
	first := accept(t, s, inspector.Fail, "the first")
	second := judged(mustParse(t, first.ID), inspector.Pass)
	if _, err := s.Accept(t.Context(), second, picture("the second"), begin); !errors.Is(err, ErrJudged) || !permanent(err) {
		t.Errorf("a second verdict gave %v", err)
	}
	intact(t, s, first.Evidence[0])
	if _, err := s.Accept(t.Context(), judged(s.id(99), inspector.Pass), nil, begin); !errors.Is(err, ErrJudged) {
		t.Errorf("an ID that nobody gave out gave %v", err)
	}
	// the database refuses as well, should the memory ever be wrong
	s.open[1] = false
	if _, err := s.Accept(t.Context(), second, nil, begin); !errors.Is(err, ErrJudged) {
		t.Errorf("the database let a second verdict in: %v", err)
	}
	if l := balanced(t, s); l.Triggers != 1 || l.Fail != 1 {
		t.Errorf("ledger %+v", l)
	}
}

func permanent(err error) bool {
	var p interface{ Permanent() bool }
	return errors.As(err, &p) && p.Permanent()
}

func TestConcurrentVerdictsOfOneBoard(t *testing.T) {
	s := open(t, t.TempDir())
	id := s.NextID()
	results := make(chan error)
	for n := range 8 {
		go func() {
			_, err := s.Accept(context.WithoutCancel(t.Context()), judged(id, inspector.Pass), picture(fmt.Sprint(n)), begin)
			results <- err
		}()
	}
	won := 0
	for range 8 {
		if err := <-results; err == nil {
			won++
		} else if !errors.Is(err, ErrJudged) {
			t.Error(err)
		}
	}
	if won != 1 {
		t.Errorf("%d verdicts for one board", won)
	}
	r, err := s.Inspection(t.Context(), id.String())
	if err != nil {
		t.Fatal(err)
	}
	intact(t, s, r.Evidence[0])
}

func TestRefusedVerdictLeavesNothing(t *testing.T) {
	s := open(t, t.TempDir())
	id := s.NextID()
	nan := judged(id, inspector.Fail)
	nan.Score = float32(nanValue())
	broken := errors.New("broken")
	for name, attempt := range map[string]func() error{
		"no verdict": func() error {
			_, err := s.Accept(t.Context(), judged(id, ""), picture("x"), begin)
			return err
		},
		"not a number": func() error { _, err := s.Accept(t.Context(), nan, picture("x"), begin); return err },
		"no execution": func() error {
			_, err := s.Accept(t.Context(), judged(id, inspector.Pass), picture("x"), func(inspector.Inspection) ([]workflow.Transition, error) {
				return nil, broken
			})
			return err
		},
		"execution conflict": func() error {
			_, err := s.Accept(t.Context(), judged(id, inspector.Pass), picture("x"), func(i inspector.Inspection) ([]workflow.Transition, error) {
				return []workflow.Transition{event(i.ID, 2)}, nil
			})
			return err
		},
		"kind of evidence": func() error {
			_, err := s.Accept(t.Context(), judged(id, inspector.Pass), []Evidence{picture("x")[0], {Kind: "../../x"}}, begin)
			return err
		},
		"kind twice": func() error {
			_, err := s.Accept(t.Context(), judged(id, inspector.Pass), append(picture("x"), picture("y")...), begin)
			return err
		},
		"cancelled": func() error {
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, err := s.Accept(ctx, judged(id, inspector.Pass), picture("x"), begin)
			return err
		},
	} {
		if err := attempt(); err == nil {
			t.Errorf("%s: was accepted", name)
		}
		if left := files(t, s, "evidence"); len(left) != 0 {
			t.Errorf("%s: left %v", name, left)
		}
	}
	if _, err := s.Accept(t.Context(), judged(id, inspector.Unsure), nil, begin); err != nil {
		t.Errorf("the board can no longer be unsure: %v", err)
	}
	if l := balanced(t, s); l.Triggers != 1 || l.Unsure != 1 {
		t.Errorf("ledger %+v", l)
	}
}

func nanValue() float64 { var zero float64; return zero / zero }

// files gives the names of all files below the folder.
func files(t testing.TB, s *Store, folder string) (names []string) {
	t.Helper()
	err := fs.WalkDir(s.blobs.root.FS(), folder, func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestTriggerIsIdempotentByRequest(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	ask := inspector.Trigger{Source: "mqtt", Request: "board-7", Serial: "SN7", Recipe: "main", At: when}
	id, again, err := s.Triggered(t.Context(), ask)
	if err != nil || again {
		t.Fatal(again, err)
	}
	if _, err := s.Inspection(t.Context(), id.String()); !errors.Is(err, ErrInFlight) {
		t.Errorf("in flight it is %v", err)
	}
	if _, err := s.Asked(t.Context(), "mqtt", "board-7"); !errors.Is(err, ErrInFlight) {
		t.Errorf("asked for in flight it is %v", err)
	}
	for _, other := range []inspector.Trigger{{Source: "http", Request: "board-7"}, {Source: "mqtt", Request: "board-8"}, {Source: "mqtt"}, {Source: "mqtt"}} {
		if got, again, err := s.Triggered(t.Context(), other); err != nil || again || got == id {
			t.Errorf("%+v gave %s again=%v %v", other, got, again, err)
		}
	}
	if got, again, err := s.Triggered(t.Context(), ask); err != nil || !again || got != id {
		t.Errorf("asked again: %s again=%v %v; want %s", got, again, err, id)
	}
	i := judged(id, inspector.Pass)
	i.Trigger = ask
	if _, err := s.Accept(t.Context(), i, nil, begin); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	if got, again, err := s.Triggered(t.Context(), ask); err != nil || !again || got != id {
		t.Errorf("asked after a restart: %s again=%v %v; want %s", got, again, err, id)
	}
	if r, err := s.Inspection(t.Context(), id.String()); err != nil || r.Verdict != inspector.Pass || r.Trigger != ask {
		t.Errorf("the answer is %+v, %v", r, err)
	}
	if r, err := s.Asked(t.Context(), ask.Source, ask.Request); err != nil || r.ID != id.String() {
		t.Errorf("what was asked for is %+v, %v; want %s", r, err, id)
	}
	for source, request := range map[string]string{"mqtt": "", "tcp": "board-7"} {
		if r, err := s.Asked(t.Context(), source, request); !errors.Is(err, ErrNotFound) {
			t.Errorf("request %q from %s: %+v, %v; want ErrNotFound", request, source, r, err)
		}
	}
	if l := balanced(t, s); l != (Ledger{Triggers: 5, Pass: 1, InFlight: 4}) {
		t.Errorf("ledger %+v", l)
	}
}

func TestOrphansEndAsUnsure(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	ask := inspector.Trigger{Source: "http", Serial: "SN1", At: when}
	id, _, err := s.Triggered(t.Context(), ask)
	if err != nil {
		t.Fatal(err)
	}
	accept(t, s, inspector.Pass, "")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	orphans, err := s.InFlight(t.Context())
	if err != nil || len(orphans) != 1 || orphans[0] != (Orphan{id, ask}) {
		t.Fatalf("in flight %+v, %v", orphans, err)
	}
	if _, err := s.Accept(t.Context(), judged(id, inspector.Unsure), nil, begin); err != nil {
		t.Fatal(err)
	}
	if l := balanced(t, s); l != (Ledger{Triggers: 2, Pass: 1, Unsure: 1}) {
		t.Errorf("ledger %+v", l)
	}
}

func TestOpenRemovesWhatNobodyCommitted(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	kept := accept(t, s, inspector.Fail, "kept")
	if err := s.Quarantine(t.Context(), kept.ID); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Dir(filepath.Join(dir, "evidence", kept.Evidence[0].Path))
	debris := []string{
		filepath.Join(folder, s.id(2).String()+".image.jpg"),         // the power failed before the commit
		filepath.Join(folder, s.id(1).String()+".image.png"),         // of an earlier try
		filepath.Join(folder, s.id(1).String()+".image.jpg.part-AB"), // while writing
		filepath.Join(dir, "quarantine", kept.ID+".jpg.part-AB"),
	}
	for _, name := range debris {
		if err := os.WriteFile(name, []byte("debris"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir)
	intact(t, s, kept.Evidence[0])
	if left := append(files(t, s, "evidence"), files(t, s, "quarantine")...); len(left) != 2 {
		t.Errorf("there are %v", left)
	}
}

// The evidence of old rows is not looked through again at every start.
func TestReconcileLooksOnlyWhereItMust(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	s.next = shardSize
	accept(t, s, inspector.Pass, "x")
	s.next = 2*shardSize + 1
	last := accept(t, s, inspector.Pass, "y")
	old := filepath.Join(dir, "evidence", shard(1), "unknown")
	if err := os.MkdirAll(filepath.Dir(old), 0o750); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := os.WriteFile(old, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		s = open(t, dir)
	}
	if _, err := os.Stat(old); err != nil {
		t.Errorf("the second start went through old evidence: %v", err)
	}
	intact(t, s, last.Evidence[0])
}

func TestEvidenceStaysInside(t *testing.T) {
	dir := t.TempDir()
	s := open(t, filepath.Join(dir, "data"))
	if err := os.WriteFile(filepath.Join(dir, "secret"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(dir, "secret"), filepath.Join(dir, "data", "evidence", "link")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"../inspector.db", "../../secret", "/etc/passwd", filepath.Join(dir, "secret"), "link", "a/../../lock", ""} {
		if f, err := s.OpenEvidence(name); err == nil {
			f.Close()
			t.Errorf("%q was opened", name)
		}
	}
}

func TestOneOwner(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if _, err := Open(t.Context(), dir, "aoi_1"); err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), "another appliance") {
		t.Errorf("the directory was opened twice: %v", err)
	}
	if !Held(dir) {
		t.Error("nobody holds the directory of a store that is open")
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if Held(dir) || Held(t.TempDir()) {
		t.Error("somebody holds a directory that is closed")
	}
	if _, err := Open(t.Context(), dir, "aoi_2"); err == nil || !strings.Contains(err.Error(), `"aoi_1"`) {
		t.Errorf("another device opened it: %v", err)
	}
	if _, err := Open(t.Context(), dir, "aoi-1"); err == nil {
		t.Error("a device whose IDs cannot be parsed was let in")
	}
	if err := s.Append(t.Context(), event("x", 1)); !errors.Is(err, errClosed) {
		t.Errorf("a closed store gave %v", err)
	}
	open(t, dir)
}

func TestEpochsDiffer(t *testing.T) {
	a, b := open(t, t.TempDir()), open(t, t.TempDir())
	if a.epoch == b.epoch {
		t.Errorf("two stores have the epoch %s", a.epoch)
	}
	i := accept(t, a, inspector.Pass, "")
	if _, err := b.Inspection(t.Context(), i.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("another store's ID gave %v", err)
	}
}

func TestNamesThatNeedEscaping(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a b?c#d%41")
	open(t, dir)
	if _, err := os.Stat(filepath.Join(dir, "inspector.db")); err != nil {
		t.Error(err)
	}
}

func TestParseID(t *testing.T) {
	for text, ok := range map[string]bool{
		"aoi_1-0123abcd-1": true, "a-00000000-9223372036854775807": true,
		"a-00000000-9223372036854775808": false, "a-00000000-0": false, "a-00000000-01": false, "a-00000000--1": false,
		"a-0000000G-1": false, "-00000000-1": false, "a/b-00000000-1": false, "a-00000000-1\n": false, "": false, "a-00000000-1-1": false,
	} {
		id, err := ParseID(text)
		if (err == nil) != ok || ok && id.String() != text {
			t.Errorf("%q gave %+v, %v", text, id, err)
		}
	}
}

func FuzzParseID(f *testing.F) {
	f.Add("aoi_1-0123abcd-17")
	f.Add("a-00000000-99999999999999999999")
	f.Fuzz(func(t *testing.T, text string) {
		if id, err := ParseID(text); err == nil && (id.String() != text || id.Row < 1) {
			t.Errorf("%q became %s", text, id)
		}
	})
}
