package temporal

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"inspector/workflow/asl"
	"inspector/workflow/temporal/temporaltest"

	engine "inspector/workflow"
)

const (
	twoDeeds = `{"StartAt":"First","States":{"First":{"Type":"Task","Resource":"local:quick","Next":"Second"},
		"Second":{"Type":"Task","Resource":"local:slow","TimeoutSeconds":600,"Next":"Pause"},"Pause":{"Type":"Wait","Seconds":1,"Next":"Third"},"Third":{"Type":"Task","Resource":"local:quick","End":true}}}`
	personDecides = `{"StartAt":"Ask","States":{"Ask":{"Type":"Task","Resource":"local:ask.waitForTaskToken","Parameters":{"token.$":"$$.Task.Token"},"Next":"Do"},
		"Do":{"Type":"Task","Resource":"local:quick","Parameters":{"decision.$":"$"},"ResultPath":"$.did","End":true}}}`
)

// A worker is killed amid a deed: another does it, with the same key, and the
// execution goes on there. Nothing recorded is done again.
func TestExecutionsGoOnElsewhere(t *testing.T) {
	s := newServer(t)
	c := newClient(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	first := startWorker(t, s.Address, true)
	if err := c.Start(ctx, []byte(twoDeeds), engine.Execution{ID: "lost"}, json.RawMessage(`{}`)); err != nil {
		t.Fatal(err)
	}
	said := first.until("began lost/Second/2")
	said = append(said, first.rest()...)
	killed := time.Now()
	second := startWorker(t, s.Address, false)
	again := second.until("began lost/Second/2")
	t.Logf("from the kill to the next attempt: %v, with %v without a sign", time.Since(killed).Round(100*time.Millisecond), testConfig("").Lost)
	d, err := c.Wait(ctx, "lost")
	if err != nil {
		t.Fatal(err)
	}
	if d.Status != asl.StatusSucceeded || string(d.Output) != `"Third"` {
		t.Errorf("ended %s %s %s %s", d.Status, d.Output, d.Error, d.Cause)
	}
	record(ctx, t, c, "lost")
	after := append(append(again, "began lost/Second/2"), second.rest()...)
	if n := timesOf(said, "lost/First/1"); n != 1 || timesOf(after, "lost/First/1") != 0 {
		t.Errorf("the recorded deed was done again: %q, %q", said, after)
	}
	if timesOf(after, "lost/Second/2") != 1 || timesOf(after, "lost/Third/4") != 1 {
		t.Errorf("the second worker said %q, want the interrupted deed once, with its key, and the last", after)
	}
}

// A long loop goes on in new runs, each with an empty history, and does
// nothing twice.
func TestContinuesOnTheServer(t *testing.T) {
	s := temporaltest.New(t, filepath.Join("..", ".."))
	s.Set("limit.historyCount.suggestContinueAsNew", "60")
	s.Start()
	c := newClient(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	w := startWorker(t, s.Address, false)
	loop := `{"StartAt":"Do","States":{"Do":{"Type":"Task","Resource":"local:quick","ResultPath":null,"Next":"Add"},
		"Add":{"Type":"Pass","Parameters":{"n.$":"States.MathAdd($.n, 1)"},"Next":"More"},
		"More":{"Type":"Choice","Choices":[{"Variable":"$.n","NumericLessThan":30,"Next":"Do"}],"Default":"End"},"End":{"Type":"Succeed"}}}`
	if err := c.Start(ctx, []byte(loop), engine.Execution{ID: "loop"}, json.RawMessage(`{"n":0}`)); err != nil {
		t.Fatal(err)
	}
	first, err := c.sdk.DescribeWorkflowExecution(ctx, "loop", "")
	if err != nil {
		t.Fatal(err)
	}
	d, err := c.Wait(ctx, "loop")
	if err != nil || d.Status != asl.StatusSucceeded || string(d.Output) != `{"n":30}` {
		t.Errorf("ended as %+v, %v", d, err)
	}
	last, err := c.sdk.DescribeWorkflowExecution(ctx, "loop", "")
	if err != nil {
		t.Fatal(err)
	}
	if a, b := first.GetWorkflowExecutionInfo().GetExecution().GetRunId(), last.GetWorkflowExecutionInfo().GetExecution().GetRunId(); a == b {
		t.Error("it was one run: this proves nothing")
	}
	did := map[string]int{}
	for _, line := range w.rest() {
		if did[line]++; did[line] > 1 {
			t.Errorf("%q twice", line)
		}
	}
	if len(did) != 30 {
		t.Errorf("did %d deeds, want 30", len(did))
	}
}

// A person takes long: the worker, then the server are killed meanwhile.
func TestLongHumanStep(t *testing.T) {
	s := newServer(t)
	c := newClient(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	first := startWorker(t, s.Address, false)
	if err := c.Start(ctx, []byte(personDecides), engine.Execution{ID: "ask"}, json.RawMessage(`{"board":7}`)); err != nil {
		t.Fatal(err)
	}
	first.until("began ask/Ask/1")
	token := waitToken(ctx, t, c, "ask", "Ask")
	first.kill()
	s.Kill()
	s.Start()
	c = newClient(t, s)
	startWorker(t, s.Address, false)
	if again := waitToken(ctx, t, c, "ask", "Ask"); again != token {
		t.Errorf("the token was %s and is %s", token, again)
	}
	if err := c.SendTaskHeartbeat(ctx, token); err != nil {
		t.Errorf("heartbeat: %v", err)
	}
	if err := c.SendTaskSuccess(ctx, token+"0", json.RawMessage(`1`)); !errors.Is(err, engine.ErrInvalidToken) {
		t.Errorf("a forged token: %v", err)
	}
	if err := c.SendTaskSuccess(ctx, token, json.RawMessage(`{"scrap":true}`)); err != nil {
		t.Fatal(err)
	}
	if err := c.SendTaskFailure(ctx, token, "Late", ""); !errors.Is(err, engine.ErrTaskClosed) {
		t.Errorf("a second answer: %v", err)
	}
	d, err := c.Wait(ctx, "ask")
	if err != nil {
		t.Fatal(err)
	}
	record(ctx, t, c, "ask")
	if want := `{"did":"Do","scrap":true}`; d.Status != asl.StatusSucceeded || string(d.Output) != want {
		t.Errorf("ended %s %s, want %s", d.Status, d.Output, want)
	}
	if err := c.SendTaskSuccess(ctx, token, json.RawMessage(`1`)); !errors.Is(err, engine.ErrTaskClosed) {
		t.Errorf("an answer after the end: %v", err)
	}
}

func waitToken(ctx context.Context, t *testing.T, c *Client, id, state string) string {
	t.Helper()
	for {
		token, err := c.Token(ctx, id, state)
		if err == nil {
			return token
		}
		if ctx.Err() != nil {
			t.Fatal(err)
		}
	}
}

// The client speaks the engine's words.
func TestClient(t *testing.T) {
	s := newServer(t)
	c := newClient(t, s)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	worker := startWorker(t, s.Address, true)
	start := func(id, definition, input string) error {
		return c.Start(ctx, []byte(definition), engine.Execution{ID: id}, json.RawMessage(input))
	}
	t.Run("start", func(t *testing.T) {
		for n, err := range []error{start("one", personDecides, `{"a":1}`), start("one", personDecides, `{"a":1}`)} {
			if err != nil {
				t.Errorf("start %d: %v", n, err)
			}
		}
		for name, err := range map[string]error{"input": start("one", personDecides, `{"a":2}`), "machine": start("one", twoDeeds, `{"a":1}`)} {
			if !errors.Is(err, engine.ErrExists) {
				t.Errorf("same name, other %s: %v", name, err)
			}
		}
		if err := start("bad", `{}`, `{}`); err == nil {
			t.Error("a faulty definition was started")
		}
		nested := `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::states:startExecution.sync","Parameters":{"StateMachineArn":"x"},"End":true}}}`
		if _, _, final := engine.Failure(start("nested", nested, `{}`)); !final {
			t.Error("what nobody would do is not refused for good")
		}
	})
	t.Run("describe", func(t *testing.T) {
		waitToken(ctx, t, c, "one", "Ask")
		d, err := c.Describe(ctx, "one")
		if err != nil {
			t.Fatal(err)
		}
		if d.Status != asl.StatusRunning || len(d.Work) == 0 || d.Work[len(d.Work)-1].Lane != engine.LaneToken || string(d.Input) != `{"a":1}` || len(d.States) != 1 || d.States[0] != "Ask" {
			t.Errorf("described as %+v", d)
		}
		if _, err := c.Describe(ctx, "nobody"); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("describe nobody: %v", err)
		}
		h, err := c.History(ctx, "one")
		if err != nil || len(h) < 4 || h[0].Type != "ExecutionStarted" || string(h[0].Input()) != `{"a":1}` {
			t.Errorf("history %v %v", h, err)
		}
	})
	t.Run("stop", func(t *testing.T) {
		if err := c.Stop(ctx, "one", "Line.Closed", "for good"); err != nil {
			t.Fatal(err)
		}
		d, err := c.Wait(ctx, "one")
		if err != nil || d.Status != asl.StatusAborted || d.Error != "Line.Closed" || d.Stopped.IsZero() {
			t.Errorf("ended as %+v, %v", d, err)
		}
		if err := c.Stop(ctx, "one", "", ""); err != nil {
			t.Errorf("stop again: %v", err)
		}
		if err := c.Stop(ctx, "nobody", "", ""); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("stop nobody: %v", err)
		}
	})
	t.Run("park and redrive", func(t *testing.T) {
		if err := start("parked", `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"local:refused","End":true}}}`, `{}`); err != nil {
			t.Fatal(err)
		}
		for {
			d, err := c.Describe(ctx, "parked")
			if err != nil {
				t.Fatal(err)
			}
			if d.Parked == "not today" {
				break
			}
		}
		if err := c.Redrive(ctx, "parked"); err != nil {
			t.Fatal(err)
		}
		if d, err := c.Wait(ctx, "parked"); err != nil || d.Status != asl.StatusSucceeded {
			t.Errorf("ended as %+v, %v", d, err)
		}
		if err := c.Redrive(ctx, "parked"); !errors.Is(err, engine.ErrNotParked) {
			t.Errorf("redrive what is not parked: %v", err)
		}
		if err := start("amended", `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"local:refused","Parameters":{"bucket":"wrong"},"End":true}}}`, `{}`); err != nil {
			t.Fatal(err)
		}
		for {
			d, err := c.Describe(ctx, "amended")
			if err != nil {
				t.Fatal(err)
			}
			if d.Parked == "not today" {
				break
			}
		}
		if asked, err := c.Asked(ctx, "amended", 1); err != nil || string(asked) != `{"bucket":"wrong"}` {
			t.Errorf("asked for %s, %v", asked, err)
		}
		var refused *engine.Refusal
		if err := c.Amend(ctx, "amended", 1, json.RawMessage(`{"bucket":7}`), "Ann"); !errors.As(err, &refused) {
			t.Errorf("amended with another shape: %v", err)
		}
		if err := c.Amend(ctx, "amended", 1, json.RawMessage(`{"bucket":"right"}`), "Ann"); err != nil {
			t.Fatal(err)
		}
		if d, err := c.Wait(ctx, "amended"); err != nil || d.Status != asl.StatusSucceeded {
			t.Errorf("amended it ended as %+v, %v", d, err)
		}
		history, err := c.History(ctx, "amended")
		if n := slices.IndexFunc(history, func(h asl.HistoryEvent) bool { return h.Type == "TaskAmended" && h.By == "Ann" }); err != nil || n < 0 {
			t.Errorf("the history does not tell of it: %v", err)
		}
		if err := c.Amend(ctx, "amended", 1, json.RawMessage(`{"bucket":"right"}`), "Ann"); !errors.Is(err, engine.ErrNotParked) {
			t.Errorf("amend what is not parked: %v", err)
		}
		if err := start("failed", `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"local:quick","Next":"B"},"B":{"Type":"Task","Resource":"local:failing","End":true}}}`, `{}`); err != nil {
			t.Fatal(err)
		}
		if d, err := c.Wait(ctx, "failed"); err != nil || d.Status != asl.StatusFailed || d.Error != "Local.Failed" {
			t.Fatalf("ended as %+v, %v", d, err)
		}
		if err := c.Redrive(ctx, "failed"); err != nil {
			t.Fatal(err)
		}
		if d, err := c.Wait(ctx, "failed"); err != nil || d.Status != asl.StatusSucceeded || string(d.Output) != `"B"` {
			t.Errorf("redriven it ended as %+v, %v", d, err)
		}
		if err := c.Redrive(ctx, "nobody"); !errors.Is(err, engine.ErrNotFound) {
			t.Errorf("redrive nobody: %v", err)
		}
		if n := timesOf(worker.rest(), "failed/A/1"); n != 1 {
			t.Errorf("the state before was done %d times", n)
		}
	})
}

// Without a cluster the client says so, soon.
func TestNoCluster(t *testing.T) {
	c, err := New(testConfig("127.0.0.1:1"), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if _, err := c.Describe(ctx, "any"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("describe: %v", err)
	}
	if err := c.SendTaskSuccess(ctx, "any.1.00", json.RawMessage(`1`)); !errors.Is(err, ErrUnavailable) {
		t.Errorf("answer: %v", err)
	}
	stopped, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	if err := c.NewWorker().Run(stopped); err != nil {
		t.Errorf("a worker that is asked to stop: %v", err)
	}
}
