package workflow_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"inspector/workflow"
	"inspector/workflow/asl"
)

// told keeps what Emit was told, and begins a delivery for each.
type told struct {
	mu      sync.Mutex
	changes []string
	deliver string // hash of the machine of a delivery
	id      func(before asl.Status, x workflow.Execution) string
}

func (r *told) emit(before asl.Status, x workflow.Execution, input json.RawMessage, _ time.Time) []workflow.Begin {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.changes = append(r.changes, fmt.Sprintf("%s: %s to %s on %s", x.ID, before, x.Status, input))
	id := x.ID + "-" + strings.ToLower(string(x.Status))
	if r.id != nil {
		id = r.id(before, x)
	}
	return []workflow.Begin{{Machine: r.deliver, ID: id, Input: json.RawMessage(`{"status":"` + string(x.Status) + `"}`)}}
}

func emitting(t *testing.T, j *memory, r *told, h handlers) *workflow.Engine {
	t.Helper()
	e := workflow.New(j, quiet(), workflow.Options{Emit: r.emit})
	for resource, handler := range h {
		e.Handle(resource, 4, handler)
	}
	r.deliver = deploy(t, e, `{"StartAt":"D","States":{"D":{"Type":"Task","Resource":"deliver","End":true}}}`)
	return e
}

// Every change of status begins its delivery in the commit of the change; a
// delivery's own changes begin none.
func TestChangesOfStatusBeginDeliveries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var delivered []string
		var mu sync.Mutex
		h := handlers{
			"r": func(context.Context, workflow.Task) (json.RawMessage, error) { return nil, errors.New("broken") },
			"deliver": func(_ context.Context, task workflow.Task) (json.RawMessage, error) {
				mu.Lock()
				defer mu.Unlock()
				delivered = append(delivered, task.Execution)
				return nil, nil
			},
		}
		j, r := newMemory(), &told{}
		e := emitting(t, j, r, h)
		hash := deploy(t, e, `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"r","End":true}}}`)
		defer run(t, e)()
		must(t, e.Start(t.Context(), hash, "x", json.RawMessage(`{"a":1}`)))
		must(t, e.Start(t.Context(), hash, "x", json.RawMessage(`{"a":1}`)))
		synctest.Wait()
		wantStatus(t, e, "x", asl.StatusFailed)
		all, err := e.Prepare(hash, "y", json.RawMessage(`{}`), time.Now())
		must(t, err)
		must(t, j.Append(t.Context(), all...))
		e.Wake(all...)
		time.Sleep(time.Minute)                   // the lane is in trouble since x failed
		must(t, e.Stop(t.Context(), "y", "", "")) // has failed already
		want := []string{"x-failed", "x-running", "y-failed", "y-running"}
		slices.Sort(delivered)
		if !reflect.DeepEqual(delivered, want) {
			t.Errorf("delivered %v, want %v", delivered, want)
		}
		if d := wantStatus(t, e, "x-failed", asl.StatusSucceeded); d.Type != workflow.Express {
			t.Errorf("a delivery is %s", d.Type)
		}
		if first := r.changes[0]; first != `x:  to RUNNING on {"a":1}` {
			t.Errorf("told %s", first)
		}
		if d, err := e.Describe(t.Context(), "y-running"); err != nil || string(d.Input) != `{"status":"RUNNING"}` {
			t.Errorf("input of a delivery %s (%v)", d.Input, err)
		}
	})
}

// A delivery that is there already, or whose machine is not, holds up nothing.
func TestNoDeliveryHoldsUpItsExecution(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newMemory()
		r := &told{id: func(asl.Status, workflow.Execution) string { return "the same" }}
		done := func(context.Context, workflow.Task) (json.RawMessage, error) { return nil, nil }
		e := emitting(t, j, r, handlers{"r": done, "deliver": done})
		hash := deploy(t, e, oneTask)
		defer run(t, e)()
		must(t, e.Start(t.Context(), hash, "x", nil))
		synctest.Wait()
		wantStatus(t, e, "x", asl.StatusSucceeded)
		wantStatus(t, e, "the same", asl.StatusSucceeded)
		r.deliver = "nobody deployed it"
		must(t, e.Start(t.Context(), hash, "y", nil))
		synctest.Wait()
		wantStatus(t, e, "y", asl.StatusSucceeded)
	})
}

// What a journal refuses has begun nothing.
func TestChangeAndDeliveriesAreOneCommit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, r := newMemory(), &told{}
		done := func(context.Context, workflow.Task) (json.RawMessage, error) { return nil, nil }
		e := emitting(t, j, r, handlers{"r": done, "deliver": done})
		hash := deploy(t, e, oneTask)
		var refuse atomic.Bool
		refuse.Store(true)
		j.before = func(tr workflow.Transition) error {
			if refuse.Load() && tr.Execution.ID == "x-succeeded" {
				return errors.New("no space left on device")
			}
			return nil
		}
		defer run(t, e)()
		must(t, e.Start(t.Context(), hash, "x", nil))
		synctest.Wait()
		wantStatus(t, e, "x", asl.StatusRunning)
		refuse.Store(false)
		time.Sleep(time.Minute)
		wantStatus(t, e, "x", asl.StatusSucceeded)
		wantStatus(t, e, "x-succeeded", asl.StatusSucceeded)
	})
}

// An execution that ends as it begins was RUNNING before.
func TestAnExecutionThatEndsAtOnceIsToldOfTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, r := newMemory(), &told{}
		e := emitting(t, j, r, handlers{"deliver": func(context.Context, workflow.Task) (json.RawMessage, error) { return nil, nil }})
		hash := deploy(t, e, `{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}`)
		defer run(t, e)()
		must(t, e.Start(t.Context(), hash, "x", json.RawMessage(`{"a":1}`)))
		synctest.Wait()
		if want := []string{`x:  to RUNNING on {"a":1}`, `x:  to SUCCEEDED on {"a":1}`}; !slices.Equal(slices.Sorted(slices.Values(r.changes)), want) {
			t.Errorf("told of %q, want %q", r.changes, want)
		}
		for _, id := range []string{"x-running", "x-succeeded"} {
			wantStatus(t, e, id, asl.StatusSucceeded)
		}
	})
}
