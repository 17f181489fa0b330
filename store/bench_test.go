package store

import (
	"bytes"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"inspector"
	"inspector/store/storetest"
	"inspector/workflow"
	"inspector/workflow/asl"
)

// One board after the other: what the line waits for, beside what the disk
// takes for one fsync.
func BenchmarkAccept(b *testing.B) {
	for name, evidence := range map[string][]Evidence{"record": nil, "image-100KB": picture(string(bytes.Repeat([]byte("x"), 100_000)))} {
		b.Run(name, func(b *testing.B) {
			dir := b.TempDir()
			s := open(b, dir)
			disk := storetest.Synced(b, dir, 200)
			var took []time.Duration
			for b.Loop() {
				start := time.Now()
				if _, err := s.Accept(b.Context(), judged(s.NextID(), inspector.Pass), evidence, begin); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(start))
			}
			disk = append(disk, storetest.Synced(b, dir, 200)...)
			storetest.Quantiles(b, "accept-", took)
			storetest.Quantiles(b, "fsync-", disk)
		})
	}
}

// at32 runs board from 32 goroutines, b.N times together.
func at32(b *testing.B, board func() error) {
	var left atomic.Int64
	left.Store(int64(b.N))
	var line sync.WaitGroup
	b.ResetTimer()
	for range 32 {
		line.Go(func() {
			for left.Add(-1) >= 0 {
				if err := board(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	line.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "boards/s")
}

// 32 at once share commits.
func BenchmarkAccept32(b *testing.B) {
	for name, evidence := range map[string][]Evidence{"record": nil, "image-100KB": picture(string(bytes.Repeat([]byte("x"), 100_000)))} {
		b.Run(name, func(b *testing.B) {
			s := open(b, b.TempDir())
			at32(b, func() error {
				_, err := s.Accept(b.Context(), judged(s.NextID(), inspector.Pass), evidence, begin)
				return err
			})
		})
	}
}

// The whole way of a board that passes: verdict, two steps journaled, closed.
func BenchmarkPassPath32(b *testing.B) {
	dir := b.TempDir()
	s := open(b, dir)
	disk := storetest.Synced(b, dir, 200)
	at32(b, func() error {
		i, err := s.Accept(b.Context(), judged(s.NextID(), inspector.Pass), nil, begin)
		if err == nil {
			err = s.Append(b.Context(), event(i.ID, 2))
		}
		if err == nil {
			err = s.Append(b.Context(), end(i.ID, 3))
		}
		return err
	})
	storetest.Quantiles(b, "fsync-", disk)
}

// What is due, of 100,000 pieces of work that wait: all now, all at the same
// moment later, or all much later.
func BenchmarkDue100k(b *testing.B) {
	for name, due := range map[string]time.Time{"now": when, "fired": when.Add(time.Second), "waiting": when.Add(time.Hour)} {
		b.Run(name, func(b *testing.B) {
			s := open(b, b.TempDir())
			x := workflow.Transition{Execution: workflow.Execution{ID: "x", Status: asl.StatusRunning}, N: 1}
			for n := range int64(100_000) {
				x.Begin = append(x.Begin, workflow.Work{Command: n, Lane: fmt.Sprint("lane", n%2), State: "S", Due: due, Since: when})
			}
			if err := s.Append(b.Context(), x); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if _, _, err := s.Due(b.Context(), "lane1", when.Add(time.Minute), 16, false); err != nil {
					b.Fatal(err)
				}
			}
			start := time.Now()
			if _, err := s.Queues(b.Context(), when); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(time.Since(start).Seconds()*1e3, "queues-ms")
		})
	}
}
