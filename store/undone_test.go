package store

import (
	"context"
	"errors"
	"testing"

	"inspector/workflow"
)

// What was done before a request of the same commit failed is done again, as
// if it had not been; and a second failure finds nothing remembered of it.
func TestUndoneIsForgotten(t *testing.T) {
	s := open(t, t.TempDir())
	if err := s.Append(t.Context(), event("x", 1), event("y", 1)); err != nil {
		t.Fatal(err)
	}
	bad := func(context.Context, *writer) error { return errors.New("no") }
	commit := func(dos ...func(context.Context, *writer) error) (errs []error) {
		var batch []*request
		for _, do := range dos {
			batch = append(batch, &request{do: do, done: make(chan struct{})})
		}
		s.commit(t.Context(), batch)
		for _, r := range batch {
			errs = append(errs, r.err)
		}
		return errs
	}
	errs := commit(appending(event("x", 2)), appending(event("new", 1)), bad, appending(event("y", 2)))
	if errs[0] != nil || errs[1] != nil || errs[2] == nil || errs[3] != nil {
		t.Fatalf("errors %v", errs)
	}
	both := func(ctx context.Context, w *writer) error {
		return errors.Join(appending(event("x", 3))(ctx, w), bad(ctx, w))
	}
	if errs := commit(both); errs[0] == nil {
		t.Fatal("a failed request was acknowledged")
	}
	if errs := commit(both, appending(event("x", 3)), appending(event("x", 3))); errs[0] == nil || errs[1] != nil || !errors.Is(errs[2], workflow.ErrConflict) {
		t.Errorf("errors %v", errs)
	}
	for id, want := range map[string]int{"x": 3, "y": 2, "new": 1} {
		if _, events, err := s.Load(t.Context(), id); err != nil || len(events) != want {
			t.Errorf("%s has %d events (%v), want %d", id, len(events), err, want)
		}
	}
}

// What is queued while the statements of a commit are done is part of it.
func TestCommitTakesInWhatComes(t *testing.T) {
	s := open(t, t.TempDir())
	late := &request{do: appending(event("late", 1)), done: make(chan struct{})}
	early := &request{done: make(chan struct{}), do: func(ctx context.Context, w *writer) error {
		s.mu.Lock()
		s.queue = append(s.queue, late)
		s.mu.Unlock()
		return appending(event("early", 1))(ctx, w)
	}}
	before := commits(t, s)
	s.commit(t.Context(), []*request{early})
	<-late.done
	if made := commits(t, s) - before; made != 1 || early.err != nil || late.err != nil {
		t.Errorf("%d commits, errors %v and %v", made, early.err, late.err)
	}
}
