package main

import (
	"context"
	"log/slog"
	"time"

	"inspector/store"
)

// sweep deletes what retention allows, at the start, every ten minutes and as
// soon as the disk runs full: the
// evidence of closed boards that is too old, or that a full disk needs, and
// executions that ended long ago.
func sweep(ctx context.Context, disk *store.Store, g *guard, keep, executions time.Duration, log *slog.Logger) error {
	tick := time.NewTicker(10 * time.Minute)
	defer tick.Stop()
	for {
		least := g.least()
		free, _, err := disk.Free()
		if err == nil && free < least {
			err = disk.PruneAsides(0) // before any evidence
		}
		var swept store.Swept
		if err == nil {
			swept, err = disk.Sweep(ctx, time.Now(), store.Retention{Passes: keep, Others: keep, MinFree: least})
		}
		if err != nil && ctx.Err() == nil {
			log.Error("retention", "err", err)
		} else if swept.Inspections > 0 {
			log.Info("retention: old evidence deleted", "inspections", swept.Inspections, "bytes", swept.Bytes)
		}
		if pruned, err := disk.Prune(ctx, time.Now(), executions); err != nil && ctx.Err() == nil {
			log.Error("retention", "err", err)
		} else if pruned > 0 {
			log.Info("retention: old executions deleted", "executions", pruned)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-g.wake:
		}
	}
}
