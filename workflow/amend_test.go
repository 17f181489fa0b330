package workflow_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"inspector/workflow"
	"inspector/workflow/asl"
)

// A parked task whose input a person replaces is tried again with it, under the
// same key; the journal keeps who did it, and so does the next life.
func TestAmendAParkedTask(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newMemory()
		var keys, inputs []string
		h := handlers{"r": func(_ context.Context, task workflow.Task) (json.RawMessage, error) {
			keys, inputs = append(keys, task.Key), append(inputs, string(task.Input))
			if !strings.Contains(string(task.Input), "right") {
				return nil, namedError{name: "S3.NoSuchBucket", permanent: true}
			}
			if len(inputs) == 2 { // once more, so that the retry shows what it has
				return nil, errors.New("cut off")
			}
			return task.Input, nil
		}}
		e := newEngine(j, h)
		hash, err := e.Deploy(t.Context(), []byte(`{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"r","Parameters":{"Bucket":"wrong","Key.$":"$.key"},"Retry":[{"ErrorEquals":["States.ALL"]}],"End":true}}}`))
		must(t, err)
		stop := run(t, e)
		defer func() { stop() }()
		must(t, e.Start(t.Context(), hash, "x", json.RawMessage(`{"key":"k"}`)))
		time.Sleep(time.Minute)
		d := wantStatus(t, e, "x", asl.StatusRunning)
		if len(d.Work) != 1 || d.Work[0].Parked == "" {
			t.Fatalf("not parked: %+v", d.Work)
		}
		command := d.Work[0].Command
		if asked, err := e.Asked(t.Context(), "x", command); err != nil || string(asked) != `{"Bucket":"wrong","Key":"k"}` {
			t.Errorf("asked for %s, %v", asked, err)
		}
		var refused *workflow.Refusal
		for input, want := range map[string]string{`{"Bucket":"right"}`: "$.Key is missing", `{"Bucket":7,"Key":"k"}`: "$.Bucket is a number", `{`: "not JSON", ``: "not JSON"} {
			if err := e.Amend(t.Context(), "x", command, json.RawMessage(input), "Ann"); !errors.As(err, &refused) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v; want %q", input, err, want)
			}
		}
		for id, want := range map[string]error{"x": workflow.ErrNotParked, "y": workflow.ErrNotFound} {
			if err := e.Amend(t.Context(), id, command+7, json.RawMessage(`{}`), "Ann"); !errors.Is(err, want) {
				t.Errorf("%s: %v; want %v", id, err, want)
			}
		}
		must(t, e.Amend(t.Context(), "x", command, json.RawMessage(`{"Bucket":"right","Key":"k","StorageClass":"GLACIER"}`), "Ann"))
		time.Sleep(time.Millisecond)
		stop() // the retry is in the next life
		e = newEngine(j, h)
		stop = run(t, e)
		time.Sleep(time.Hour)
		d = wantStatus(t, e, "x", asl.StatusSucceeded)
		if want := `{"Bucket":"right","Key":"k","StorageClass":"GLACIER"}`; string(d.Output) != want || len(inputs) != 3 || inputs[1] != want || inputs[2] != want {
			t.Errorf("output %s, inputs %q", d.Output, inputs)
		}
		if keys[0] != keys[1] || keys[1] != keys[2] {
			t.Errorf("keys %q", keys)
		}
		history, err := e.History(t.Context(), "x")
		must(t, err)
		told := ""
		for _, h := range history {
			if h.Type == "TaskAmended" {
				told += h.By + string(h.Parameters())
			}
		}
		if told != `Ann{"Bucket":"right","Key":"k","StorageClass":"GLACIER"}` {
			t.Errorf("the history tells %q", told)
		}
		if err := e.Amend(t.Context(), "x", command, json.RawMessage(`{}`), "Ann"); !errors.Is(err, workflow.ErrNotParked) {
			t.Errorf("of what has ended: %v", err)
		}
	})
}

// Of an execution with two parked tasks one is redriven alone.
func TestRedriveOneOfTwo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		times := map[string]int{}
		refuse := func(_ context.Context, task workflow.Task) (json.RawMessage, error) {
			mu.Lock()
			defer mu.Unlock()
			times[task.State]++
			return nil, namedError{name: "No", permanent: true}
		}
		e := newEngine(newMemory(), handlers{"a": refuse, "b": refuse})
		hash, err := e.Deploy(t.Context(), []byte(`{"StartAt":"P","States":{"P":{"Type":"Parallel","End":true,"Branches":[
			{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"a","End":true}}},{"StartAt":"B","States":{"B":{"Type":"Task","Resource":"b","End":true}}}]}}}`))
		must(t, err)
		stop := run(t, e)
		defer stop()
		must(t, e.Start(t.Context(), hash, "x", nil))
		time.Sleep(time.Minute)
		for _, w := range describe(t, e, "x").Work {
			if w.State == "B" {
				must(t, e.RedriveWork(t.Context(), w))
				must(t, e.RedriveWork(t.Context(), workflow.Work{Execution: "x", Command: 99, Lane: "b"})) // it is over
			}
		}
		time.Sleep(time.Minute)
		mu.Lock()
		defer mu.Unlock()
		if times["A"] != 1 || times["B"] != 2 {
			t.Errorf("tried %v", times)
		}
		if err := e.RedriveWork(t.Context(), workflow.Work{Execution: "x", Command: 1, Lane: "c"}); !errors.Is(err, workflow.ErrUnhandled) {
			t.Errorf("of a resource that nobody handles: %v", err)
		}
	})
}

// The input of work that somebody is at is not replaced under their hands.
func TestAmendOfWhatIsNotParked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(newMemory(), handlers{"r": func(ctx context.Context, _ workflow.Task) (json.RawMessage, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}})
		hash, err := e.Deploy(t.Context(), []byte(`{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"r","End":true}}}`))
		must(t, err)
		stop := run(t, e)
		defer stop()
		must(t, e.Start(t.Context(), hash, "x", json.RawMessage(`{}`)))
		time.Sleep(time.Second)
		work := describe(t, e, "x").Work
		if err := e.Amend(t.Context(), "x", work[0].Command, json.RawMessage(`{}`), "Ann"); !errors.Is(err, workflow.ErrNotParked) {
			t.Errorf("%v; want %v", err, workflow.ErrNotParked)
		}
	})
}
