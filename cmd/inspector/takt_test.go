package main

import (
	"context"
	"math"
	"strings"
	"testing"
	"time"

	"inspector"
	"inspector/camera"
	"inspector/store"
	"inspector/workflow"
)

// A silent camera never gives a frame.
func silentCamera(t *testing.T) *camera.Camera {
	t.Helper()
	c, err := camera.New(camera.Config{Source: "simulated", Draw: func(uint64) (inspector.Pixels, string, error) { return inspector.Pixels{}, "", nil }}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// runLine runs a line with the judge s on stills that are sent to it.
func runLine(t *testing.T, s session, takt time.Duration) *line {
	t.Helper()
	l, stop := benchLine(t, t.TempDir(), stubJudges(t, s), func(s *store.Store) workflow.Journal { return s })
	l.camera, l.mode = silentCamera(t), TriggerConfig{Mode: "external", Interval: time.Second, Takt: takt}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		stop()
	})
	return l
}

func grey() inspector.Pixels {
	return inspector.Pixels{Width: 64, Height: 64, Channels: 1, Stride: 64, Data: make([]byte, 64*64)}
}

// hanging is a model that answers when it is let go.
type hanging chan struct{}

func (h hanging) Run(ctx context.Context, _, out []float32) error {
	select {
	case <-h:
		return stub{}.Run(ctx, nil, out)
	case <-ctx.Done():
		return ctx.Err()
	}
}
func (hanging) Close() error { return nil }

// A model that hangs makes the board unsure when the takt limit is over, with
// its picture, and its late answer changes nothing.
func TestTaktLimit(t *testing.T) {
	model := make(hanging)
	l := runLine(t, model, 50*time.Millisecond)
	i, err := l.Inspect(t.Context(), inspector.Trigger{Source: "http", Request: "1"}, grey())
	if err != nil || i.Verdict != inspector.Unsure || !strings.Contains(i.Reason, "takt") {
		t.Fatalf("%+v, %v; want unsure because of the takt limit", i, err)
	}
	if _, err := imageOf(i); err != nil {
		t.Error(err)
	}
	close(model)
	next, err := l.Inspect(t.Context(), inspector.Trigger{Source: "http", Request: "2"}, grey()) // behind the late one
	if err != nil || next.Verdict == inspector.Fail {
		t.Errorf("%+v, %v", next, err)
	}
	again, err := l.Inspect(t.Context(), inspector.Trigger{Source: "http", Request: "1"}, grey())
	if err != nil || again.ID != i.ID || again.Verdict != inspector.Unsure {
		t.Errorf("asked again: %+v, %v; want the same unsure", again, err)
	}
	account, err := l.store.Ledger(t.Context())
	if err != nil || account.Triggers != 2 || account.Unsure < 1 || account.InFlight != 0 {
		t.Errorf("ledger %+v, %v", account, err)
	}
}

// numbers is a model that says just that.
type numbers [2]float32

func (n numbers) Run(_ context.Context, _, out []float32) error { copy(out, n[:]); return nil }
func (numbers) Close() error                                    { return nil }

func TestVerdictsOfTheLine(t *testing.T) {
	nan := float32(math.NaN())
	for name, c := range map[string]struct {
		model numbers
		want  inspector.Verdict
	}{
		"good":    {numbers{9, -9}, inspector.Pass},
		"bad":     {numbers{-9, 9}, inspector.Fail},
		"between": {numbers{0, 0}, inspector.Unsure},
		"NaN":     {numbers{nan, nan}, inspector.Unsure},
	} {
		t.Run(name, func(t *testing.T) {
			i, err := runLine(t, c.model, time.Minute).Inspect(t.Context(), inspector.Trigger{Source: "http"}, grey())
			if err != nil || i.Verdict != c.want || i.Reason == "" || i.ID == "" {
				t.Errorf("%+v, %v; want %s", i, err, c.want)
			}
		})
	}
	t.Run("no camera", func(t *testing.T) {
		l := runLine(t, numbers{9, -9}, 50*time.Millisecond)
		i, err := l.Trigger(t.Context(), inspector.Trigger{Source: "http"})
		if err != nil || i.Verdict != inspector.Unsure || !strings.Contains(i.Reason, "camera") {
			t.Errorf("%+v, %v; want unsure because of the camera", i, err)
		}
	})
}

// pair is a model that answers when two boards are in it at once.
type pair struct{ inside chan struct{} }

func (p pair) Run(ctx context.Context, _, out []float32) error {
	select {
	case p.inside <- struct{}{}:
	case <-p.inside:
	case <-ctx.Done():
		return ctx.Err()
	}
	return stub{}.Run(ctx, nil, out)
}
func (pair) Close() error { return nil }

// With two sessions, nothing between the camera and the model makes two boards
// wait for each other.
func TestSessionsSideBySide(t *testing.T) {
	l, stop := benchLine(t, t.TempDir(), stubJudges(t, pair{make(chan struct{})}), func(s *store.Store) workflow.Journal { return s })
	l.camera, l.mode, l.sessions = silentCamera(t), TriggerConfig{Mode: "external", Interval: time.Second, Takt: time.Minute}, 2
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		stop()
	}()
	answers := make(chan inspector.Inspection, 2)
	for _, request := range []string{"1", "2"} {
		go func() {
			i, err := l.Inspect(t.Context(), inspector.Trigger{Source: "http", Request: request}, grey())
			if err != nil {
				t.Error(err)
			}
			answers <- i
		}()
	}
	for range 2 {
		if i := <-answers; i.Verdict != inspector.Pass {
			t.Errorf("%+v", i)
		}
	}
}
