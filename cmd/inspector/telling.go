package main

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"inspector"
	"inspector/classify"
	"inspector/web"
)

// show tells the page of every board, and gives it a new live picture when
// somebody looks, at most ten times a second. Several goroutines may call it.
func show(page *web.Server, started time.Time, log *slog.Logger) func(inspector.Inspection, inspector.Pixels) {
	var last atomic.Int64
	var first sync.Once
	return func(i inspector.Inspection, p inspector.Pixels) {
		page.Publish(i)
		first.Do(func() {
			log.Info("first verdict", "verdict", i.Verdict, "after", time.Since(started).Round(time.Millisecond))
		})
		now := time.Since(started).Milliseconds()
		before := last.Load()
		if p.Data == nil || i.Seq == 0 || !page.Watched() || now-before < 100 || !last.CompareAndSwap(before, now) {
			return
		}
		picture, err := classify.JPEG(p, 80)
		if err != nil {
			log.Error("no live picture", "inspection", i.ID, "err", err)
			return
		}
		page.Show(i.Seq, i.At, picture)
	}
}

// both tells two of every board, one after the other.
func both(a, b func(inspector.Inspection, inspector.Pixels)) func(inspector.Inspection, inspector.Pixels) {
	return func(i inspector.Inspection, p inspector.Pixels) { a(i, p); b(i, p) }
}
