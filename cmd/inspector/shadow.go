package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"

	"inspector"
	"inspector/classify"
	"inspector/store"
	"inspector/web"
)

// A shadow has boards that have their verdict judged by the version that the
// alias shadow stands for, and keeps those of which it thinks otherwise. It
// decides nothing. It has one board at a time; while it is at work, which is
// when the machine has nothing better to do, it lets the others go.
type shadow struct {
	judges *judges
	store  *store.Store
	keep   int   // disagreements that are kept
	spare  int64 // bytes of the disk that are the evidence's
	log    *slog.Logger

	boards chan shown
	busy   atomic.Bool // somebody owns buffer
	buffer []byte

	judged, disagreed, dropped atomic.Uint64
}

// A shown is a board that the shadow looks at.
type shown struct {
	inspection inspector.Inspection
	pixels     inspector.Pixels
	place      place
}

func newShadow(j *judges, s *store.Store, keep int, spare int64, log *slog.Logger) *shadow {
	return &shadow{judges: j, store: s, keep: keep, spare: spare, log: log, boards: make(chan shown, 1)}
}

// offer shows a board that has its verdict, if a model gave it. It never waits:
// the pixels are copied, or the board is dropped. Any goroutine may call it.
func (s *shadow) offer(i inspector.Inspection, p inspector.Pixels) {
	if p.Data == nil || i.Timings.Infer == 0 || !s.judges.shadowed(i.Recipe) {
		return
	}
	if !s.busy.CompareAndSwap(false, true) {
		s.dropped.Add(1)
		return
	}
	place, ok := s.judges.takeShadow(i.Recipe)
	if !ok {
		s.busy.Store(false)
		return
	}
	s.buffer = append(s.buffer[:0], p.Data...)
	p.Data = s.buffer
	s.boards <- shown{i, p, place} // has room: whoever is busy is alone
}

// Run judges boards until ctx ends, at the lowest priority that the system
// has, so that the line is no slower for it.
func (s *shadow) Run(ctx context.Context) error {
	runtime.LockOSThread() // never unlocked: the thread, with its priority, ends with this goroutine
	if err := syscall.Setpriority(syscall.PRIO_PROCESS, syscall.Gettid(), 19); err != nil {
		s.log.Warn("the shadow judges at the priority of the line", "err", err)
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case b := <-s.boards:
			if err := s.look(ctx, b); err != nil && ctx.Err() == nil {
				s.log.Error("shadow", "inspection", b.inspection.ID, "err", err)
			}
			s.busy.Store(false)
		}
	}
}

// look judges one board and keeps it if the verdicts differ.
func (s *shadow) look(ctx context.Context, b shown) error {
	r, err := s.judge(ctx, b)
	if err := errors.Join(err, b.place.leave()); err != nil {
		return err
	}
	s.judged.Add(1)
	i := b.inspection
	if r.Verdict == i.Verdict {
		return nil
	}
	s.disagreed.Add(1)
	about, err := json.Marshal(web.Disagreement{
		ID: i.ID, At: i.At, Recipe: i.Recipe,
		Production: web.Opinion{Model: i.Model, Runtime: i.Runtime, Verdict: i.Verdict, Reason: i.Reason, Score: i.Score, Defects: i.Defects},
		Shadow:     web.Opinion{Model: b.place.pkg.ID(), Runtime: b.place.label(), Verdict: r.Verdict, Reason: r.Reason, Score: r.Score, Defects: r.Defects},
	})
	if err != nil {
		return err
	}
	picture, err := classify.JPEG(b.pixels, 85)
	if err != nil {
		return err
	}
	err = s.store.PutAside(i.ID, s.keep, s.spare, map[string][]byte{"jpg": picture, "json": about})
	if errors.Is(err, store.ErrFull) {
		return nil // the disk's part says it, and evidence goes before
	}
	return err
}

func (s *shadow) judge(ctx context.Context, b shown) (classify.Result, error) {
	c, err := b.place.of(b.inspection.Still)
	if err != nil {
		return classify.Result{}, err
	}
	r := c.Classify(ctx, b.pixels)
	return r, ctx.Err() // a board that was let go is no opinion
}

// part says how the shadow does; not ok: there is none.
func (s *shadow) part() (p web.Part, ok bool) {
	id := s.judges.shadowID()
	if id == "" {
		return p, false
	}
	return web.Part{Name: "shadow", State: web.OK, Detail: fmt.Sprintf("%s judged %d boards beside production, thinks otherwise of %d, had no time for %d", id, s.judged.Load(), s.disagreed.Load(), s.dropped.Load())}, true
}

// disagreements lists what is kept, newest first.
func (s *shadow) disagreements(limit int) ([]web.Disagreement, error) {
	ids, err := s.store.Asides()
	if err != nil {
		return nil, err
	}
	var out []web.Disagreement
	for _, id := range ids[:min(limit, s.keep, len(ids))] { // the next may be there for a moment
		about, err := s.store.Aside(id, "json")
		if errors.Is(err, store.ErrNotFound) {
			continue // a newer one took its place meanwhile
		}
		var d web.Disagreement
		if err == nil {
			err = json.Unmarshal(about, &d)
		}
		if err != nil {
			return nil, fmt.Errorf("disagreement %s: %w", id, err)
		}
		out = append(out, d)
	}
	return out, nil
}

// shadowed reports whether boards of the recipe have a shadow.
func (j *judges) shadowed(recipe string) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	_, ok := j.beside[recipe]
	return ok
}

// takeShadow is take for the shadow, which a recipe may not have.
func (j *judges) takeShadow(recipe string) (place, bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	p, ok := j.beside[recipe]
	if ok {
		p.held++
	}
	return p, ok
}

// shadowID names the models that judge beside production; empty: none.
func (j *judges) shadowID() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	var ids []string
	for _, p := range j.beside {
		if !slices.Contains(ids, p.pkg.ID()) {
			ids = append(ids, p.pkg.ID())
		}
	}
	slices.Sort(ids)
	return strings.Join(ids, ", ")
}
