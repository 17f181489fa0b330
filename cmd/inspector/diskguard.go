package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"inspector/store"
	"inspector/web"
)

// errNoRoom is why a trigger is not accepted on a disk without room.
var errNoRoom = errors.New("the disk is full: no board is accepted into the ledger; free space, then trigger again")

// A guard watches the disk and says what is given up for want of room. Its
// methods may be called from any goroutine.
type guard struct {
	disk    *store.Store
	config  DiskConfig
	log     *slog.Logger
	wake    chan struct{} // the level got worse: retention should look
	refused atomic.Int64  // triggers

	mu     sync.Mutex
	level  diskLevel
	free   int64
	total  int64
	err    error // the disk could not be asked
	failed string
	asked  time.Time
}

func newGuard(disk *store.Store, c DiskConfig, log *slog.Logger) *guard {
	return &guard{disk: disk, config: c, log: log, wake: make(chan struct{}, 1)}
}

// guardPause is how often the guard looks; in between whoever asks for the
// level has it look, if the last look is older than guardFresh.
const (
	guardPause = time.Second
	guardFresh = 100 * time.Millisecond
)

// Run looks until ctx ends.
func (g *guard) Run(ctx context.Context) error {
	tick := time.NewTicker(guardPause)
	defer tick.Stop()
	for {
		g.look(ctx, time.Now())
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// now is the level at this moment.
func (g *guard) now() diskLevel {
	g.mu.Lock()
	stale := time.Since(g.asked) > guardFresh
	g.mu.Unlock()
	if stale {
		g.measure(time.Now())
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.level
}

// passes reports whether pictures of boards that passed may be kept.
func (g *guard) passes() bool { return g == nil || g.now() < diskNoPasses }

// admit says why no board is accepted now; nil if boards are.
func (g *guard) admit() error {
	if g == nil || g.now() < diskNoTriggers {
		return nil
	}
	return errNoRoom
}

// measure asks the disk, and logs a change of the level.
func (g *guard) measure(now time.Time) (m watermarks, worse bool) {
	free, total, err := g.disk.Free()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked, g.err = now, err
	if err != nil {
		return watermarks{}, false
	}
	m = g.config.on(total)
	before := g.level
	g.free, g.total, g.level = free, total, m.after(before, free)
	switch {
	case g.level > before:
		g.log.Warn("the disk runs full", "level", g.level, "before", before, "free_bytes", free, "below_bytes", m.below[g.level])
	case g.level < before:
		g.log.Info("the disk has room again", "level", g.level, "before", before, "free_bytes", free)
	}
	return m, g.level > before
}

// look measures, and does with the reserve what that asks for.
func (g *guard) look(ctx context.Context, now time.Time) {
	m, worse := g.measure(now)
	if worse {
		select {
		case g.wake <- struct{}{}:
		default:
		}
	}
	free, _, err := g.room()
	if err != nil {
		return
	}
	held := g.disk.Reserved()
	switch m.reserving(free, held) {
	case freeReserve:
		if err = g.disk.ReleaseReserve(); err == nil {
			g.log.Warn("the disk is full: the reserve is given free", "bytes", held, "free_bytes", free)
			err = g.disk.Checkpoint(ctx)
		}
	case makeReserve:
		if held, err = g.disk.Reserve(m.reserve); err == nil {
			g.log.Info("the reserve of the disk is made", "bytes", held)
		}
	case keepReserve:
		if worse { // while there is room to empty the log into the database
			err = g.disk.Checkpoint(ctx)
		}
	}
	g.tell(ctx, err)
}

// room is what was free at the last look.
func (g *guard) room() (free, total int64, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.free, g.total, g.err
}

// tell logs an error once.
func (g *guard) tell(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	words := ""
	if err != nil {
		words = err.Error()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if words != g.failed && err != nil {
		g.log.Error("the disk's reserve", "err", err)
	}
	g.failed = words
}

// least is how much retention keeps free for what is to come: enough to end the
// warning, if there is one.
func (g *guard) least() int64 {
	level := g.now()
	_, total, _ := g.room()
	m := g.config.on(total)
	if level > diskRoomy {
		return m.lifted(diskLow)
	}
	return m.below[diskLow]
}

// status is the disk as the status shows it.
func (g *guard) status() web.Disk {
	level := g.now()
	free, total, _ := g.room()
	m := g.config.on(total)
	return web.Disk{
		Free: uint64(max(free, 0)), Total: uint64(max(total, 0)), Level: level.String(), Reserve: uint64(g.disk.Reserved()), Refused: uint64(g.refused.Load()),
		Warn: uint64(m.below[diskLow]), StopPasses: uint64(m.below[diskNoPasses]), StopTriggers: uint64(m.below[diskNoTriggers]),
	}
}

// part says how the disk is, what was given up, and what brings it back.
func (g *guard) part(data string, trouble error) web.Part {
	level := g.now()
	free, total, err := g.room()
	if trouble != nil {
		err = trouble
	}
	m := g.config.on(total)
	p := web.Part{Name: "disk", State: web.OK, Detail: bytesWords(free) + " free"}
	back := fmt.Sprintf("free space on the disk that holds %s, or move data to a larger one; it comes back by itself at %s", data, bytesWords(m.lifted(level)))
	switch {
	case level == diskNoTriggers:
		p.State, p.Remedy = web.Down, back
		p.Detail = fmt.Sprintf("full: %s free; no board is accepted, every trigger is answered unsure and reject (%d since the start)", bytesWords(free), g.refused.Load())
		if err != nil {
			p.Detail += ": " + err.Error()
		}
	case err != nil:
		p.State, p.Detail, p.Remedy = web.Down, err.Error(), "free space on the disk that holds "+data+", or move data to a larger one"
	case level == diskNoPasses:
		p.State, p.Detail, p.Remedy = web.Degraded, p.Detail+": too little to keep pictures of boards that passed", back
	case level == diskLow:
		p.State, p.Detail, p.Remedy = web.Degraded, p.Detail+", less than the "+bytesWords(m.below[diskLow])+" that disk.warn asks for", back
	}
	return p
}

// bytesWords is a number of bytes for people.
func bytesWords(n int64) string {
	for _, u := range []struct {
		name  string
		bytes float64
	}{{"GB", 1e9}, {"MB", 1e6}, {"kB", 1e3}} {
		if float64(n) >= u.bytes {
			return fmt.Sprintf("%.1f %s", float64(n)/u.bytes, u.name)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}
