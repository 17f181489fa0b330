package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"inspector"
	"inspector/camera"
	"inspector/store"
	"inspector/web"
	"inspector/workflow"
	"inspector/workflow/asl"
	"inspector/workflow/temporal"
)

// backend answers the page's and the API's questions from the store, the
// engine and the line. Its errors are those that web knows.
type backend struct {
	store  *store.Store
	engine executions
	line   *line
	judges *judges
	shadow *shadow
	told   *events
}

func meaning(err error) error {
	var unknown *unknownRecipeError
	var refused *refusedError
	var unfit *changeError
	var paused *pausedError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &refused):
		return fmt.Errorf("%w: %w", web.ErrRefused, err)
	case errors.As(err, &unfit) && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%w: %w", web.ErrUnchanged, err)
	case errors.As(err, &unfit), errors.Is(err, store.ErrNotFound), errors.Is(err, errNoPicture), errors.Is(err, workflow.ErrNotFound), errors.As(err, &unknown):
		return fmt.Errorf("%w: %w", web.ErrNotFound, err)
	case errors.Is(err, errReused), errors.Is(err, store.ErrDecided), errors.Is(err, store.ErrPassed), errors.Is(err, workflow.ErrConflict), errors.Is(err, workflow.ErrTaskClosed), errors.Is(err, workflow.ErrNotParked),
		errors.Is(err, workflow.ErrUnhandled):
		return fmt.Errorf("%w: %w", web.ErrConflict, err)
	case errors.Is(err, errNoRoom):
		return fmt.Errorf("%w: %w", web.ErrNoRoom, err)
	case errors.As(err, &paused), errors.Is(err, errStopping), errors.Is(err, store.ErrInFlight), errors.Is(err, store.ErrFull), errors.Is(err, temporal.ErrUnavailable):
		return fmt.Errorf("%w: %w", web.ErrUnavailable, err)
	}
	return err
}

func (b *backend) Inspections(ctx context.Context, q web.Query) ([]web.Record, error) {
	f := store.Filter{Verdict: q.Verdict, Recipe: q.Recipe, Limit: q.Limit}
	if q.Before != "" {
		id, err := store.ParseID(q.Before)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", web.ErrNotFound, err)
		}
		f.Before = id.Row
	}
	found, err := b.store.Inspections(ctx, f)
	if err != nil {
		return nil, meaning(err)
	}
	out := make([]web.Record, len(found))
	for n, r := range found {
		out[n] = recordOf(r)
	}
	return out, nil
}

func (b *backend) Inspection(ctx context.Context, id string) (web.Record, error) {
	if _, err := store.ParseID(id); err != nil {
		return web.Record{}, fmt.Errorf("%w: %w", web.ErrNotFound, err)
	}
	r, err := b.store.Inspection(ctx, id)
	return recordOf(r), meaning(err)
}

func recordOf(r store.Record) web.Record {
	return web.Record{Inspection: r.Inspection, Disposition: r.Disposition, Acknowledged: r.Acknowledged}
}

func (b *backend) Evidence(ctx context.Context, id, kind string) (io.ReadSeekCloser, inspector.Blob, error) {
	if kind == "image" {
		f, blob, err := keptPicture(ctx, b.store, id)
		return f, blob, meaning(err)
	}
	drawn, _, err := overlay(ctx, b.store, id)
	sum := sha256.Sum256(drawn)
	return memory{bytes.NewReader(drawn)}, inspector.Blob{Kind: "overlay", Type: "image/jpeg", Size: int64(len(drawn)), SHA256: hex.EncodeToString(sum[:])}, meaning(err)
}

// memory is bytes that need no closing.
type memory struct{ *bytes.Reader }

func (memory) Close() error { return nil }

func (b *backend) Inspect(ctx context.Context, t inspector.Trigger, picture []byte) (inspector.Inspection, error) {
	p, err := camera.Decode(picture, maxStill)
	if err != nil {
		return inspector.Inspection{}, fmt.Errorf("%w: %w", web.ErrPicture, err)
	}
	sum := sha256.Sum256(picture)
	t.Picture = hex.EncodeToString(sum[:])
	i, err := b.line.Inspect(ctx, t, p)
	return i, meaning(err)
}

func (b *backend) Trigger(ctx context.Context, t inspector.Trigger) (inspector.Inspection, error) {
	i, err := b.line.Trigger(ctx, t)
	return i, meaning(err)
}

// Dispose answers the state that waits for a person. The journal takes one
// decision; the workflow then writes it down.
func (b *backend) Dispose(ctx context.Context, id string, d inspector.Disposition) (web.Record, error) {
	r, err := b.store.Inspection(ctx, id)
	if err != nil {
		return web.Record{}, meaning(err)
	}
	if r.Verdict == inspector.Pass {
		return web.Record{}, fmt.Errorf("%w: inspection %s passed: there is nothing to decide", web.ErrConflict, id)
	}
	token, err := b.engine.Token(ctx, id, reviewState)
	if errors.Is(err, workflow.ErrTaskClosed) {
		return web.Record{}, b.whyNot(ctx, id)
	} else if err != nil {
		return web.Record{}, meaning(err)
	}
	answer, err := json.Marshal(d)
	if err != nil {
		return web.Record{}, err
	}
	if err := b.engine.SendTaskSuccess(ctx, token, answer); err != nil {
		return web.Record{}, meaning(err)
	}
	r.Disposition = &d
	return recordOf(r), nil
}

// Acknowledge notes who has seen the board and tells of it. Again, it tells of
// the first one again, which begins nothing twice.
func (b *backend) Acknowledge(ctx context.Context, id string, a inspector.Acknowledgement) (web.Record, error) {
	if _, err := store.ParseID(id); err != nil {
		return web.Record{}, fmt.Errorf("%w: %w", web.ErrNotFound, err)
	}
	r, err := b.store.Acknowledge(ctx, id, a)
	if err != nil {
		return web.Record{}, meaning(err)
	}
	seen := *r.Acknowledged
	if err := b.told.tell(context.WithoutCancel(ctx), inspectionAcknowledged, id, seen.At, acknowledgedDetailOf(r.Inspection, seen)); err != nil {
		return web.Record{}, fmt.Errorf("%w: the acknowledgement of %s is kept, but not told: %w", web.ErrUnavailable, id, err)
	}
	return recordOf(r), nil
}

// States of the shipped definition: what waits for a person, and what follows.
const (
	reviewState = "WaitForDisposition"
	closeState  = "Close"
)

// whyNot says why an inspection waits for nobody's decision.
func (b *backend) whyNot(ctx context.Context, id string) error {
	x, err := b.engine.Describe(ctx, id)
	switch {
	case err != nil:
		return meaning(err)
	case x.Status != asl.StatusRunning || slices.Contains(x.States, closeState):
		return fmt.Errorf("%w: inspection %s", web.ErrConflict, id)
	}
	return fmt.Errorf("%w: inspection %s is still being delivered; decide when it waits", web.ErrUnavailable, id)
}

func (b *backend) Redrive(ctx context.Context, execution string) error {
	return meaning(b.engine.Redrive(ctx, execution))
}

func (b *backend) Executions(ctx context.Context, q web.ExecutionQuery) ([]web.Execution, string, error) {
	f := store.ExecutionFilter{Machine: q.Machine, Status: q.Status, Since: q.Since, Until: q.Until, Prefix: q.Prefix, Page: q.Page, Limit: q.Limit}
	if q.Status == "PARKED" {
		f.Status, f.Parked = "", true
	}
	found, page, err := b.store.Executions(ctx, f)
	if err != nil {
		return nil, "", coded(err)
	}
	out := make([]web.Execution, len(found))
	for n, x := range found {
		out[n] = execution(x)
	}
	return out, page, nil
}

func (b *backend) Execution(ctx context.Context, id string) (web.Execution, error) {
	d, err := b.engine.Describe(ctx, id)
	if err != nil {
		return web.Execution{}, meaning(err)
	}
	x := execution(d.Execution)
	for _, w := range d.Work {
		if w.Parked != "" {
			x.Parked = w.State + ": " + w.Parked
		}
	}
	return x, nil
}

func execution(x workflow.Execution) web.Execution {
	return web.Execution{
		ID: x.ID, Machine: x.Machine, StateMachine: x.StateMachine, Version: x.Version, Alias: x.Alias, Type: string(cmp.Or(x.Type, workflow.Standard)),
		Redrives: x.Redrives, Redriven: x.Redriven, Parent: x.Parent, Status: string(x.Status), Started: x.Started, Stopped: x.Stopped, Parked: x.Parked,
		States: x.States, Output: x.Output, Error: x.Error, Cause: x.Cause,
	}
}

func (b *backend) History(ctx context.Context, id string) ([]web.Event, error) {
	history, err := b.engine.History(ctx, id)
	if err != nil {
		return nil, meaning(err)
	}
	out := make([]web.Event, len(history))
	for n, h := range history {
		out[n] = web.Event{N: n + 1, Kind: h.Type, At: h.At, State: h.Name, Input: h.Input(), Output: h.Output(), Error: h.Error, Cause: h.Cause}
		if h.By != "" { // a person replaced the input, which may hold a task token
			out[n].Cause = "by " + h.By
		}
	}
	return out, nil
}
