package main

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"inspector"
	"inspector/classify"
	"inspector/notify"
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

// hear answers triggers that come over MQTT. A board takes its time, so each
// trigger has a goroutine, which is waited for before the client stops.
func hear(answering *sync.WaitGroup, l *line, client *notify.Client, topic, page string, log *slog.Logger) notify.Handler {
	return func(ctx context.Context, _ string, payload []byte) {
		t, err := notify.ParseTrigger(payload, time.Now())
		answering.Go(func() {
			var i inspector.Inspection
			if err == nil {
				i, err = l.Trigger(ctx, t)
			}
			answer := notify.NewAnswer(i, page)
			if err != nil {
				answer = notify.Refused(t, err)
			}
			payload, err := answer.JSON()
			if err == nil {
				ctx, cancel := context.WithTimeout(ctx, deliverIn)
				defer cancel()
				err = client.Publish(ctx, topic, false, payload)
			}
			if err != nil {
				log.Warn("a trigger's answer did not get through; asked again, it is the same", "request", t.Request, "err", err)
			}
		})
	}
}
