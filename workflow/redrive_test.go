package workflow_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"inspector/workflow"
	"inspector/workflow/asl"
)

// A redriven execution goes on at the state that failed, on its definition,
// with the same key; its history and record say so, and so does its event.
func TestRedriveOfAFailedExecution(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		var keys, firsts []string
		j, r := newMemory(), &told{}
		h := handlers{
			"first": func(_ context.Context, task workflow.Task) (json.RawMessage, error) {
				firsts = append(firsts, task.Key)
				return json.RawMessage(`{"n":1}`), nil
			},
			"r": func(_ context.Context, task workflow.Task) (json.RawMessage, error) {
				keys = append(keys, task.Key)
				if broken.Load() {
					return nil, errors.New("broken")
				}
				return task.Input, nil
			},
			"deliver": func(context.Context, workflow.Task) (json.RawMessage, error) { return nil, nil },
		}
		e := emitting(t, j, r, h)
		_, err := e.CreateMachine(t.Context(), workflow.Machine{Name: "m"}, []byte(`{"StartAt":"F","States":{"F":{"Type":"Task","Resource":"first","Next":"A"},"A":{"Type":"Task","Resource":"r","End":true}}}`), false)
		must(t, err)
		stop := run(t, e)
		broken.Store(true)
		must(t, e.Start(t.Context(), "m", "x", nil))
		time.Sleep(time.Minute)
		wantStatus(t, e, "x", asl.StatusFailed)
		broken.Store(false)
		_, err = e.UpdateMachine(t.Context(), "m", results("other"), false, "")
		must(t, err)
		stop()
		e = emitting(t, j, r, h)
		stop = run(t, e)
		defer func() { stop() }()
		must(t, e.Redrive(t.Context(), "x"))
		time.Sleep(time.Minute)
		d := wantStatus(t, e, "x", asl.StatusSucceeded)
		if string(d.Output) != `{"n":1}` || d.Redrives != 1 || d.Redriven.IsZero() || len(firsts) != 1 {
			t.Errorf("output %s, redrives %d at %v, %d times first", d.Output, d.Redrives, d.Redriven, len(firsts))
		}
		if len(keys) != 2 || keys[0] != keys[1] {
			t.Errorf("keys %v, want twice the same", keys)
		}
		history, err := e.History(t.Context(), "x")
		must(t, err)
		if !slices.ContainsFunc(history, func(h asl.HistoryEvent) bool { return h.Type == "ExecutionRedriven" && *h.Redrives == 1 }) {
			t.Error("the history does not say that it was redriven")
		}
		if !slices.Contains(r.changes, "x: FAILED to RUNNING on null") {
			t.Errorf("told %q", r.changes)
		}
		if err := e.Redrive(t.Context(), "x"); !errors.Is(err, workflow.ErrNotParked) {
			t.Errorf("redrive of what succeeded: %v", err)
		}
	})
}
