package workflow_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"testing/synctest"

	"inspector/workflow"
)

// A rejected is an error of a handler: its name is what Retry and Catch look
// for, and a person must act on it.
type rejected struct{ serial string }

func (r rejected) Error() string {
	return "serial " + r.serial + " is not in the order; correct the order, then redrive"
}
func (r rejected) Name() string    { return "Order.UnknownSerial" }
func (r rejected) Permanent() bool { return true }

// book is a handler: it does the work of the states whose Resource is
// inspector:mytask. It may run twice for one key, so it remembers what it did.
type book struct{ booked map[string]string }

func (b *book) handle(_ context.Context, t workflow.Task) (json.RawMessage, error) {
	var in struct {
		Serial string `json:"serial"`
	}
	if err := json.Unmarshal(t.Input, &in); err != nil {
		return nil, err
	}
	if in.Serial == "" {
		return nil, rejected{in.Serial}
	}
	if b.booked[t.Key] == "" {
		b.booked[t.Key] = in.Serial
	}
	return json.Marshal(map[string]int{"booked": len(b.booked)})
}

func ExampleEngine_Handle() {
	engine := workflow.New(newMemory(), quiet(), workflow.Options{})
	b := &book{booked: map[string]string{}}
	engine.Handle("inspector:mytask", 1, b.handle) // one at a time: the map needs no lock

	ctx, stop := context.WithCancel(context.Background())
	machine, err := engine.Deploy(ctx, []byte(`{"StartAt":"Book","States":{"Book":{"Type":"Task","Resource":"inspector:mytask","End":true}}}`))
	if err != nil {
		fmt.Println(err)
	}
	ended := make(chan error)
	go func() { ended <- engine.Run(ctx) }()
	if err := engine.Start(ctx, machine, "board-1", json.RawMessage(`{"serial":"SN-1"}`)); err != nil {
		fmt.Println(err)
	}
	for {
		d, err := engine.Describe(ctx, "board-1")
		if err != nil || d.Status != "RUNNING" {
			fmt.Println(d.Status, string(d.Output), err)
			break
		}
	}
	stop()
	fmt.Println(<-ended)
	// Output:
	// SUCCEEDED {"booked":1} <nil>
	// <nil>
}

// TestAnsweredFailuresDoNotSlowALane: many executions fail at once with an
// answer; none waits for a probe.
func TestAnsweredFailuresDoNotSlowALane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(newMemory(), handlers{"r": func(context.Context, workflow.Task) (json.RawMessage, error) { return nil, saidNo{} }})
		hash := deploy(t, e, `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"r","End":true}}}`)
		for n := range 20 {
			must(t, e.Start(t.Context(), hash, fmt.Sprint(n), nil))
		}
		defer run(t, e)()
		synctest.Wait()
		if len(e.Troubles()) != 0 {
			t.Errorf("troubles %v", e.Troubles())
		}
		for n := range 20 {
			if d := describe(t, e, fmt.Sprint(n)); d.Status != "FAILED" || d.Error != "Mes.Refused" {
				t.Errorf("%d: %s %s", n, d.Status, d.Error)
			}
		}
	})
}

type saidNo struct{}

func (saidNo) Error() string  { return "no" }
func (saidNo) Name() string   { return "Mes.Refused" }
func (saidNo) Answered() bool { return true }
