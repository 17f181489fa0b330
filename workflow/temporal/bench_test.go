package temporal

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"testing"
	"time"

	"inspector/workflow/asl"

	engine "inspector/workflow"
)

const threeDeeds = `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"bench:a","Next":"B"},"B":{"Type":"Task","Resource":"bench:a","Next":"C"},"C":{"Type":"Task","Resource":"bench:a","End":true}}}`

// BenchmarkServer is what a dev server with its SQLite file does: executions
// of three tasks, 30 at a time, client, worker and server on this machine.
func BenchmarkServer(b *testing.B) {
	const atOnce = 30
	s := newServer(b)
	c, err := New(Config{Address: s.Address, Namespace: "default", TaskQueue: "bench"}, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	w := c.NewWorker()
	w.Handle("bench:a", 200, func(context.Context, engine.Task) (json.RawMessage, error) { return nil, nil })
	var working sync.WaitGroup
	working.Go(func() { _ = w.Run(ctx) })
	defer func() { cancel(); working.Wait(); c.Close() }()
	one := func(id string) {
		if err := c.Start(ctx, []byte(threeDeeds), engine.Execution{ID: id}, json.RawMessage(`{}`)); err != nil {
			b.Error(err)
		} else if err := c.sdk.GetWorkflow(ctx, id, "").Get(ctx, nil); err != nil {
			b.Error(err)
		}
	}
	one("warm")
	began, n := time.Now(), 0
	for b.Loop() {
		var running sync.WaitGroup
		for range atOnce {
			n++
			id := fmt.Sprintf("bench-%d", n)
			running.Go(func() { one(id) })
		}
		running.Wait()
	}
	b.ReportMetric(float64(3*n)/time.Since(began).Seconds(), "activities/s")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkTakeUp is what it costs to go on from a journal of 25,000 events,
// as the first step of a run that continues another, and how long it is.
func BenchmarkTakeUp(b *testing.B) {
	m, err := asl.Parse([]byte(`{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"r","Catch":[{"ErrorEquals":["E"],"Next":"Z"}],"Next":"W"},"W":{"Type":"Wait","Seconds":60,"Next":"A"},"Z":{"Type":"Succeed"}}}`))
	if err != nil {
		b.Fatal(err)
	}
	var x asl.Execution
	r := &run{}
	at := time.Date(2026, 1, 2, 3, 4, 5, 6789, time.UTC)
	e := asl.Event{Kind: asl.Started, Name: "long", Seed: "seed"}
	for range 24_000 {
		e.At, e.Random = at, r.chance(e.Seed)
		if _, _, err := m.Advance(&x, e); err != nil {
			b.Fatal(err)
		}
		r.journal = append(r.journal, e)
		at = at.Add(31*time.Second + time.Duration(len(r.journal)*7919%1000)*time.Millisecond)
		open := x.Open()[0]
		e = asl.Event{Kind: asl.Fired, Command: open.ID}
		if open.Kind == asl.RunTask {
			e = asl.Event{Kind: asl.Succeeded, Command: open.ID, Output: json.RawMessage(fmt.Sprintf(`{"board":%d,"verdict":"pass"}`, len(r.journal)))}
		}
	}
	packed, err := pack(r.journal)
	if err != nil {
		b.Fatal(err)
	}
	runtime.GC()
	for b.Loop() {
		events, err := unpack(packed)
		if err != nil {
			b.Fatal(err)
		}
		var x asl.Execution
		for _, e := range events {
			if _, _, err := m.Advance(&x, e); err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(len(packed))/float64(len(r.journal)), "B/event")
}
