package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"inspector"
	"inspector/notify"
	"inspector/web"
	"inspector/workflow"
	"inspector/workflow/asl"
)

// audience hears what a reporter says.
type audience struct {
	mu     sync.Mutex
	heard  map[string][]string // by the last level of the topic
	away   bool
	came   time.Time
	status web.Status
	hold   chan struct{} // nil: messages are taken at once
}

func (a *audience) publish(_ context.Context, topic string, retained bool, payload []byte) error {
	if a.hold != nil {
		<-a.hold
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.away {
		return errors.New("away")
	}
	name := topic[strings.LastIndexByte(topic, '/')+1:]
	if retained != (name == "health" || name == "birth") {
		return fmt.Errorf("%s: retained %v", topic, retained)
	}
	a.heard[name] = append(a.heard[name], string(payload))
	return nil
}

func (a *audience) since() time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.away {
		return time.Time{}
	}
	return a.came
}

func (a *audience) asked(context.Context) web.Status {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.status
}

func (a *audience) change(f func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f()
}

// counts are how many of each kind came since the last call.
func (a *audience) counts() string {
	synctest.Wait()
	a.mu.Lock()
	defer a.mu.Unlock()
	s := fmt.Sprintf("birth %d, health %d, stats %d, execution %d", len(a.heard["birth"]), len(a.heard["health"]), len(a.heard["stats"]), len(a.heard["execution"]))
	clear(a.heard)
	return s
}

func startReporter(t *testing.T, a *audience, c MQTTConfig) (r *reporter, stop func()) {
	t.Helper()
	topics, err := notify.TopicsOf("inspector", inspector.Station{Site: "s", Line: "l", Device: "d"})
	if err != nil {
		t.Fatal(err)
	}
	a.heard, a.came = map[string][]string{}, time.Now()
	a.status = web.Status{Started: time.Now(), Parts: []web.Part{{Name: "camera", State: web.OK}, {Name: "model", State: web.OK}, {Name: "recipe", State: web.OK}, {Name: "disk", State: web.OK, Detail: "2 GB free"}}}
	r = newReporter(&reporter{config: c, topics: topics, publish: a.publish, since: a.since, status: a.asked, log: slog.New(slog.DiscardHandler)})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	return r, func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

func TestReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a audience
		r, stop := startReporter(t, &a, MQTTConfig{StatsEvery: 10 * time.Second, Executions: true})
		defer stop()
		wants := func(when, want string) {
			t.Helper()
			if got := a.counts(); got != want {
				t.Errorf("%s: %s; want %s", when, got, want)
			}
		}
		time.Sleep(11 * time.Second)
		wants("at first", "birth 1, health 1, stats 1, execution 0")
		a.change(func() { a.status.Parts[3].Detail = "1 GB free"; a.status.Counts.Pass = 5 })
		time.Sleep(11 * time.Second)
		wants("other numbers", "birth 0, health 0, stats 1, execution 0")
		a.change(func() { a.status.Parts[0].State = web.Down })
		time.Sleep(healthLook)
		synctest.Wait()
		a.mu.Lock()
		if all := a.heard["health"]; len(all) != 1 || !strings.Contains(all[0], `"ready":false,"state":"down"`) {
			t.Errorf("the camera is down: %v", all)
		}
		a.mu.Unlock()
		wants("camera down", "birth 0, health 1, stats 0, execution 0")
		time.Sleep(healthEvery + healthLook)
		wants("a minute", "birth 0, health 1, stats 7, execution 0")

		board, at := inspector.ID{Device: "d", Epoch: "5eed0001", Row: 7}.String(), time.Now()
		r.changed(workflow.Execution{ID: board, Status: asl.StatusRunning, Started: at}, at)
		r.changed(workflow.Execution{ID: "not a board", Status: asl.StatusRunning}, at)
		r.changed(workflow.Execution{ID: board, Parent: "x", Status: asl.StatusRunning}, at)
		wants("executions", "birth 0, health 0, stats 0, execution 1")

		a.change(func() { a.away = true })
		r.changed(workflow.Execution{ID: board, Status: asl.StatusSucceeded}, at)
		time.Sleep(30 * time.Second)
		wants("away", "birth 0, health 0, stats 0, execution 0")
		a.change(func() { a.away, a.came = false, time.Now() })
		r.changed(workflow.Execution{ID: board, Status: asl.StatusFailed}, at)
		synctest.Wait()
		a.mu.Lock()
		var c notify.ExecutionChange
		if err := json.Unmarshal([]byte(a.heard["execution"][0]), &c); err != nil || c.Missed != 1 || c.Status != "FAILED" {
			t.Errorf("%+v, %v", c, err)
		}
		a.mu.Unlock()
		time.Sleep(healthLook)
		wants("back", "birth 1, health 1, stats 0, execution 1")
	})
}

// A broker that takes its time holds up no execution: what there is no room
// for is left out and counted.
func TestExecutionsNeverWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := audience{hold: make(chan struct{})}
		r, stop := startReporter(t, &a, MQTTConfig{Executions: true})
		board := inspector.ID{Device: "d", Epoch: "5eed0001", Row: 7}.String()
		tell := func() { r.changed(workflow.Execution{ID: board, Status: asl.StatusRunning}, time.Now()) }
		tell()
		synctest.Wait() // it is on its way, and stays there
		for range changesHeld + 5 {
			tell()
		}
		close(a.hold)
		synctest.Wait()
		tell()
		synctest.Wait()
		missed := uint64(0)
		a.mu.Lock()
		for _, text := range a.heard["execution"] {
			var c notify.ExecutionChange
			if err := json.Unmarshal([]byte(text), &c); err != nil {
				t.Error(err)
			}
			missed += c.Missed
		}
		if n := len(a.heard["execution"]); n != changesHeld+2 || missed != 5 {
			t.Errorf("%d told, %d missed", n, missed)
		}
		a.mu.Unlock()
		stop()
	})
}
