package store

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"inspector/workflow"
	"inspector/workflow/asl"
)

// chain is a machine of n tasks in a row: a transition each.
func chain(n int) []byte {
	states := map[string]any{}
	for i := range n {
		s := map[string]any{"Type": "Task", "Resource": "inspector:deed"}
		if i == n-1 {
			s["End"] = true
		} else {
			s["Next"] = fmt.Sprint("S", i+1)
		}
		states[fmt.Sprint("S", i)] = s
	}
	text, err := json.Marshal(map[string]any{"StartAt": "S0", "States": states})
	if err != nil {
		panic(err)
	}
	return text
}

// A workshop is an engine on a store whose only deed does nothing.
type workshop struct {
	store  *Store
	engine *workflow.Engine
	hash   string
	ended  chan string
	deeds  atomic.Int64
}

// endings tells who ends.
type endings struct {
	*Store
	ended chan string
}

func (e endings) Append(ctx context.Context, all ...workflow.Transition) error {
	err := e.Store.Append(ctx, all...)
	for _, t := range all {
		if err == nil && t.Execution.Status != asl.StatusRunning {
			e.ended <- t.Execution.ID
		}
	}
	return err
}

func newWorkshop(b *testing.B, s *Store, definition []byte) *workshop {
	b.Helper()
	w := &workshop{store: s, ended: make(chan string, 1024)}
	w.engine = workflow.New(endings{s, w.ended}, slog.New(slog.DiscardHandler), workflow.Options{})
	w.engine.Handle("inspector:deed", 64, func(context.Context, workflow.Task) (json.RawMessage, error) {
		w.deeds.Add(1)
		return json.RawMessage(`{}`), nil
	})
	var err error
	if w.hash, err = w.engine.Deploy(b.Context(), definition); err != nil {
		b.Fatal(err)
	}
	return w
}

// run starts the engine; the answer stops it.
func (w *workshop) run(b *testing.B) func() {
	ctx, stop := context.WithCancel(b.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = w.engine.Run(ctx) })
	return func() { stop(); running.Wait() }
}

// through takes n executions through the machine, begun by 64 callers who each
// wait for an end, and gives the transitions per second; each has one more than
// it has deeds: its start.
func (w *workshop) through(b *testing.B, n int, prefix string) float64 {
	b.Helper()
	input := json.RawMessage(`{"board":"0123456789"}`)
	before, start := w.deeds.Load(), time.Now()
	var left atomic.Int64
	left.Store(int64(n))
	var callers sync.WaitGroup
	for range 64 {
		callers.Go(func() {
			for i := left.Add(-1); i >= 0; i = left.Add(-1) {
				if err := w.engine.Start(b.Context(), w.hash, fmt.Sprint(prefix, i), input); err != nil {
					b.Error(err)
					return
				}
				<-w.ended
			}
		})
	}
	callers.Wait()
	return float64(int64(n)+w.deeds.Load()-before) / time.Since(start).Seconds()
}

// Transitions that are on the disk before they count, beside rows of the same
// bytes that as many writers put into a table of their own, in commits shared
// the same way.
func BenchmarkWorkflowDurable(b *testing.B) {
	s := open(b, b.TempDir())
	w := newWorkshop(b, s, chain(20))
	defer w.run(b)()
	w.through(b, 64, "warm")
	var ours, raw []float64
	for round := 0; b.Loop(); round++ {
		ours = append(ours, w.through(b, 640, fmt.Sprint("r", round, "-")))
		raw = append(raw, rawRows(b, s, 640*21))
	}
	slices.Sort(ours)
	slices.Sort(raw)
	b.ReportMetric(ours[len(ours)/2], "transitions/s")
	b.ReportMetric(raw[len(raw)/2], "raw-rows/s")
	b.ReportMetric(ours[len(ours)/2]/raw[len(raw)/2], "of-raw")
	b.ReportMetric(0, "ns/op")
}

// rawRows writes n rows as large as what a transition stores, from 64 writers.
func rawRows(b *testing.B, s *Store, n int) float64 {
	b.Helper()
	const indexed = 16 // bytes of an entry in the index of events, about
	var bytes float64
	if err := s.readers.QueryRowContext(b.Context(), `SELECT (SELECT avg(length(event) + length(live)) FROM events) +
		(SELECT 2.0 * sum(length(record)) FROM executions) / (SELECT count(*) FROM events)`).Scan(&bytes); err != nil { // a record is written at the start and at the end
		b.Fatal(err)
	}
	if err := s.write(b.Context(), func(ctx context.Context, w *writer) error {
		_, err := w.exec(ctx, `CREATE TABLE IF NOT EXISTS raw (n INTEGER PRIMARY KEY, v TEXT NOT NULL)`)
		return err
	}); err != nil {
		b.Fatal(err)
	}
	row := strings.Repeat("x", int(bytes)+indexed)
	var left atomic.Int64
	left.Store(int64(n))
	var writers sync.WaitGroup
	start := time.Now()
	for range 64 {
		writers.Go(func() {
			for left.Add(-1) >= 0 {
				if err := s.write(b.Context(), func(ctx context.Context, w *writer) error {
					return w.run(ctx, `INSERT INTO raw (v) VALUES (?)`, row)
				}); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	writers.Wait()
	return float64(n) / time.Since(start).Seconds()
}

// The cost of a transition with few and with a million executions stored.
func BenchmarkWorkflowStored(b *testing.B) {
	rate := func(b *testing.B, stored int) float64 {
		s := open(b, b.TempDir())
		fillWithEnded(b, s, stored)
		w := newWorkshop(b, s, chain(20))
		defer w.run(b)()
		w.through(b, 64, "warm")
		return w.through(b, 400, "x")
	}
	for b.Loop() {
		few := rate(b, 1_000)
		many := rate(b, 1_000_000)
		b.ReportMetric(few, "transitions/s-of-1000")
		b.ReportMetric(many, "transitions/s-of-1000000")
		b.ReportMetric(few/many, "cost-ratio")
	}
	b.ReportMetric(0, "ns/op")
}

// fillWithEnded stores n executions that have ended, as quickly as SQLite can.
func fillWithEnded(b *testing.B, s *Store, n int) {
	b.Helper()
	const batch = 10_000
	for from := 0; from < n; from += batch {
		err := s.write(b.Context(), func(ctx context.Context, w *writer) error {
			for i := from; i < min(n, from+batch); i++ {
				t := workflow.Transition{
					Execution: workflow.Execution{ID: fmt.Sprint("old-", i), Machine: "hash", Status: asl.StatusSucceeded, Started: when.Add(time.Duration(i) * time.Second), Stopped: when, Output: json.RawMessage(`{}`)},
					N:         1, Event: asl.Event{Kind: asl.Started, At: when, Name: "old", Input: json.RawMessage(`{"board":"0123456789"}`)},
				}
				if err := appending(t)(ctx, w); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
}

// 100,000 executions that wait: what they take of memory, how long a start
// takes with them, and how late the timers among them fire that are due.
func BenchmarkWorkflowWaiting(b *testing.B) {
	const waiting, due = 100_000, 2_000
	definition := []byte(`{"StartAt":"Wait","States":{"Wait":{"Type":"Wait","TimestampPath":"$.until","End":true}}}`)
	for b.Loop() {
		dir := b.TempDir()
		s := open(b, dir)
		prepareWaiting(b, newWorkshop(b, s, definition), waiting)
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		debug.FreeOSMemory()
		before := residentMB(b)
		start := time.Now()
		s, err := Open(b.Context(), dir, "aoi_1")
		if err != nil {
			b.Fatal(err)
		}
		w := newWorkshop(b, s, definition)
		stop := w.run(b)
		first := time.Now().Add(20 * time.Millisecond).UTC()
		if err := w.engine.Start(b.Context(), w.hash, "first", until(first)); err != nil {
			b.Fatal(err)
		}
		<-w.ended
		b.ReportMetric(time.Since(start).Seconds(), "start-to-first-timer-s")

		at := map[string]time.Time{}
		begin := time.Now().Add(3 * time.Second)
		for i := range due {
			id := fmt.Sprint("due", i)
			at[id] = begin.Add(time.Duration(i) * time.Millisecond).UTC()
			if err := w.engine.Start(b.Context(), w.hash, id, until(at[id])); err != nil {
				b.Fatal(err)
			}
		}
		var late []float64
		for range due {
			id := <-w.ended
			late = append(late, float64(time.Since(at[id]).Microseconds())/1000)
		}
		slices.Sort(late)
		b.ReportMetric(late[len(late)/2], "late-p50-ms")
		b.ReportMetric(late[len(late)*99/100], "late-p99-ms")
		b.ReportMetric(late[len(late)-1], "late-max-ms")
		runtime.GC()
		debug.FreeOSMemory()
		b.ReportMetric(residentMB(b)-before, "MB-of-100000")
		stop()
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(0, "ns/op")
}

func until(t time.Time) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"until":%q}`, t.Format(time.RFC3339Nano)))
}

// prepareWaiting begins n executions that wait for a year.
func prepareWaiting(b *testing.B, w *workshop, n int) {
	b.Helper()
	far := time.Now().AddDate(1, 0, 0).UTC()
	for from := 0; from < n; from += 1000 {
		var all []workflow.Transition
		for i := from; i < from+1000; i++ {
			t, err := w.engine.Prepare(w.hash, fmt.Sprint("w", i), until(far.Add(time.Duration(i)*time.Second)), time.Now().UTC())
			if err != nil {
				b.Fatal(err)
			}
			all = append(all, t...)
		}
		if err := w.store.Append(b.Context(), all...); err != nil {
			b.Fatal(err)
		}
	}
}

func residentMB(b *testing.B) float64 {
	b.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	var kB float64
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	if _, err := fmt.Sscan(rest, &kB); err != nil {
		b.Fatal(err)
	}
	return kB * 1024 / 1e6
}
