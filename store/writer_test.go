package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"inspector"
	"inspector/workflow"
)

// While one commit is held up, all that come are gathered into the next; the
// bad ones among them fail alone.
func TestGroupCommit(t *testing.T) {
	s := open(t, t.TempDir())
	const n = 40
	results := make([]error, n)
	s.lead <- struct{}{} // hold the commit
	var callers sync.WaitGroup
	for i := range n {
		callers.Go(func() {
			number := 1
			if i%4 == 0 {
				number = 2 // of an execution that nobody began
			}
			results[i] = s.Append(t.Context(), event(fmt.Sprint("x", i), number))
		})
	}
	for queued := 0; queued < n; {
		s.mu.Lock()
		queued = len(s.queue)
		s.mu.Unlock()
	}
	before := commits(t, s)
	<-s.lead
	callers.Wait()
	for i, err := range results {
		if bad := i%4 == 0; bad != (err != nil) || bad && !errors.Is(err, workflow.ErrNotFound) {
			t.Errorf("request %d gave %v", i, err)
		}
		if _, _, err := s.Load(t.Context(), fmt.Sprint("x", i)); (i%4 == 0) != (err != nil) {
			t.Errorf("execution %d: %v", i, err)
		}
	}
	if made := commits(t, s) - before; made != 1 {
		t.Errorf("%d requests took %d commits; want 1", n, made)
	}
}

// commits is a number that grows by one with each commit that another
// connection made.
func commits(t *testing.T, s *Store) (n int64) {
	t.Helper()
	s.readers.SetMaxOpenConns(1) // the number is the connection's own
	if err := s.readers.QueryRow(`PRAGMA data_version`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// A request that fails half way leaves nothing of itself.
func TestBadRequestIsUndone(t *testing.T) {
	s := open(t, t.TempDir())
	bad := event("x", 1)
	bad.Begin = append(bad.Begin, bad.Begin[0]) // the same command twice
	if err := s.Append(t.Context(), bad); err == nil {
		t.Fatal("two commands with one number were taken")
	}
	if _, _, err := s.Load(t.Context(), "x"); !errors.Is(err, workflow.ErrNotFound) {
		t.Errorf("half a transition is there: %v", err)
	}
	if err := s.Append(t.Context(), event("x", 1)); err != nil {
		t.Errorf("the writer is stuck: %v", err)
	}
}

func appending(all ...workflow.Transition) func(context.Context, *writer) error {
	return func(ctx context.Context, w *writer) error {
		entries, err := encode(all)
		if err != nil {
			return err
		}
		return w.appendAll(ctx, entries)
	}
}

// What takes the whole transaction with it fails every request, and only these.
func TestLostTransaction(t *testing.T) {
	s := open(t, t.TempDir())
	batch := []*request{}
	for _, do := range []func(context.Context, *writer) error{
		appending(event("a", 1)),
		func(ctx context.Context, w *writer) error {
			_, err := w.exec(ctx, `INSERT OR ROLLBACK INTO store (one, device, epoch) VALUES (1, '', '')`)
			return err
		},
		appending(event("c", 1)),
	} {
		batch = append(batch, &request{do: do, done: make(chan struct{})})
	}
	s.commit(t.Context(), batch)
	for i, r := range batch {
		if r.err == nil {
			t.Errorf("request %d was acknowledged", i)
		}
	}
	if err := s.Append(t.Context(), event("d", 1)); err != nil {
		t.Errorf("the writer is stuck: %v", err)
	}
	if _, _, err := s.Load(t.Context(), "a"); !errors.Is(err, workflow.ErrNotFound) {
		t.Errorf("what failed is there: %v", err)
	}
}

func TestManyWriters(t *testing.T) {
	s := open(t, t.TempDir())
	var callers sync.WaitGroup
	for c := range 32 {
		callers.Go(func() {
			for range 10 {
				i, err := s.Accept(t.Context(), judged(s.NextID(), []inspector.Verdict{"pass", "fail", "unsure"}[c%3]), nil, begin)
				if err == nil {
					err = errors.Join(s.Append(t.Context(), event(i.ID, 2)), s.Append(t.Context(), end(i.ID, 3)), s.Closed(t.Context(), i.ID))
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	callers.Wait()
	if l := balanced(t, s); l != (Ledger{Triggers: 320, Pass: 110, Fail: 110, Unsure: 100}) {
		t.Errorf("ledger %+v", l)
	}
	if queues, err := s.Queues(t.Context(), when); err != nil || len(queues) != 0 {
		t.Errorf("open work %v, %v", queues, err)
	}
}

// Two that advance one execution at once: one wins, and the other is told.
func TestConflict(t *testing.T) {
	s := open(t, t.TempDir())
	for n := 1; n <= 20; n++ {
		results := make(chan error)
		for range 4 {
			go func() { results <- s.Append(context.WithoutCancel(t.Context()), event("x", n)) }()
		}
		won := 0
		for range 4 {
			if err := <-results; err == nil {
				won++
			} else if !errors.Is(err, workflow.ErrConflict) {
				t.Error(err)
			}
		}
		if won != 1 {
			t.Fatalf("%d won event %d", won, n)
		}
	}
	if _, events, err := s.Load(t.Context(), "x"); err != nil || len(events) != 20 {
		t.Errorf("%d events, %v", len(events), err)
	}
}

func TestMigrateFromSchema1(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "inspector.db")
	db, err := sql.Open("sqlite3", path)
	if err != nil {
		t.Fatal(err)
	}
	first, err := schema.ReadFile("schema/1.sql")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec(string(first) + `
		PRAGMA user_version = 1;
		INSERT INTO store (one, device, epoch) VALUES (1, 'aoi_1', '0badcafe');
		INSERT INTO inspections (row, source, request, trigger, recipe, verdict, record) VALUES (7, 'http', 'r', '{}', 'main', 'fail', '{"id":"aoi_1-0badcafe-7","verdict":"fail"}');
		INSERT INTO inspections (row, source, request, trigger) VALUES (8, 'http', '', '{"source":"http"}');`); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir)
	if r, err := s.Inspection(t.Context(), "aoi_1-0badcafe-7"); err != nil || r.Verdict != "fail" {
		t.Errorf("the old inspection is %+v, %v", r, err)
	}
	if l := balanced(t, s); l != (Ledger{Triggers: 2, Fail: 1, InFlight: 1}) {
		t.Errorf("ledger %+v", l)
	}
	if i := accept(t, s, "pass", "x"); i.ID != "aoi_1-0badcafe-9" {
		t.Errorf("went on with %s", i.ID)
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	if _, err := s.writer.exec(t.Context(), `PRAGMA user_version = 99`); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	_, err := Open(t.Context(), dir, "aoi_1")
	if err == nil || !permanent(err) || !strings.Contains(err.Error(), "schema 99") || !strings.Contains(err.Error(), "newer program") {
		t.Errorf("a newer schema gave %v", err)
	}
}

// What is written can be neither changed nor removed, whoever tries.
func TestLedgerAndTrailAreAppendOnly(t *testing.T) {
	s := open(t, t.TempDir())
	i := accept(t, s, "fail", "")
	if err := s.Audit(t.Context(), Entry{At: when, Who: "ann", What: "look", Subject: i.ID}); err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{`UPDATE inspections SET verdict = 'pass'`, `UPDATE inspections SET verdict = NULL, record = NULL`, `DELETE FROM inspections`, `UPDATE audit SET who = 'bob'`, `DELETE FROM audit`} {
		if _, err := s.writer.exec(t.Context(), q); err == nil {
			t.Errorf("%s: was done", q)
		}
	}
	balanced(t, s)
}
