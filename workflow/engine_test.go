package workflow_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"inspector/workflow"
	"inspector/workflow/asl"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// handlers by resource; each has a lane of four.
type handlers map[string]workflow.Handler

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func newEngine(j workflow.Journal, h handlers) *workflow.Engine {
	e := workflow.New(j, quiet(), workflow.Options{})
	for resource, handler := range h {
		e.Handle(resource, 4, handler)
	}
	return e
}

// run starts e; the function it gives stops it and waits.
func run(t testing.TB, e *workflow.Engine) (stop func()) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- e.Run(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	}
}

func deploy(t testing.TB, e *workflow.Engine, definition string) string {
	t.Helper()
	hash, err := e.Deploy(t.Context(), []byte(definition))
	must(t, err)
	return hash
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func describe(t testing.TB, e *workflow.Engine, id string) workflow.Description {
	t.Helper()
	d, err := e.Describe(t.Context(), id)
	must(t, err)
	return d
}

func wantStatus(t *testing.T, e *workflow.Engine, id string, want asl.Status) workflow.Description {
	t.Helper()
	d := describe(t, e, id)
	if d.Status != want {
		t.Fatalf("execution %s is %s %s (%s) in %v, want %s", id, d.Status, d.Error, d.Cause, d.States, want)
	}
	return d
}

const oneTask = `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"r","Retry":[{"ErrorEquals":["States.ALL"],"IntervalSeconds":2,"MaxAttempts":99999999,"BackoffRate":2,"MaxDelaySeconds":60}],"End":true}}}`

// namedError is an error as other packages make them.
type namedError struct {
	name      string
	permanent bool
}

func (e namedError) Error() string   { return "refused: " + e.name }
func (e namedError) Name() string    { return e.name }
func (e namedError) Permanent() bool { return e.permanent }

func TestStartIsIdempotentByNameAndInput(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var deeds atomic.Int32
		e := newEngine(newMemory(), handlers{"r": func(context.Context, workflow.Task) (json.RawMessage, error) {
			deeds.Add(1)
			return json.RawMessage(`{"done":true}`), nil
		}})
		hash := deploy(t, e, oneTask)
		defer run(t, e)()
		must(t, e.Start(t.Context(), hash, "x", json.RawMessage(`{"a":1}`)))
		must(t, e.Start(t.Context(), hash, "x", json.RawMessage(`{ "a": 1 }`)))
		synctest.Wait()
		must(t, e.Start(t.Context(), hash, "x", json.RawMessage(`{"a":1}`)))
		if err := e.Start(t.Context(), hash, "x", json.RawMessage(`{"a":2}`)); !errors.Is(err, workflow.ErrExists) {
			t.Errorf("another input: %v, want ErrExists", err)
		}
		if err := e.Start(t.Context(), "no such machine", "y", nil); !errors.Is(err, workflow.ErrNotFound) {
			t.Errorf("unknown machine: %v, want ErrNotFound", err)
		}
		synctest.Wait()
		d := wantStatus(t, e, "x", asl.StatusSucceeded)
		if string(d.Output) != `{"done":true}` || string(d.Input) != `{"a":1}` || deeds.Load() != 1 {
			t.Errorf("output %s, input %s, %d deeds", d.Output, d.Input, deeds.Load())
		}
		h, err := e.History(t.Context(), "x")
		must(t, err)
		if len(h) == 0 || h[len(h)-1].Type != "ExecutionSucceeded" {
			t.Errorf("history %+v", h)
		}
		if _, err := e.Describe(t.Context(), "nobody"); !errors.Is(err, workflow.ErrNotFound) {
			t.Errorf("describe nobody: %v", err)
		}
	})
}

func TestPrepareIsWrittenByOthersThenWoken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newMemory()
		e := newEngine(j, handlers{"r": func(context.Context, workflow.Task) (json.RawMessage, error) { return nil, nil }})
		if _, err := e.Prepare("no such machine", "x", nil, time.Now()); !errors.Is(err, workflow.ErrNotFound) {
			t.Errorf("unknown machine: %v", err)
		}
		hash := deploy(t, e, oneTask)
		defer run(t, e)()
		tr, err := e.Prepare(hash, "x", json.RawMessage(`{}`), time.Now())
		must(t, err)
		if len(j.events) != 0 {
			t.Error("Prepare wrote to the journal")
		}
		must(t, j.Append(t.Context(), tr...))
		e.Wake(tr...)
		synctest.Wait()
		wantStatus(t, e, "x", asl.StatusSucceeded)
	})
}

// The retry of the language, with its attempts, keys and times; and nothing
// looks at the journal more often than it must.
func TestRetryWaitsAsTheDefinitionSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newMemory()
		var seen []string
		began := time.Now()
		e := newEngine(j, handlers{"r": func(_ context.Context, task workflow.Task) (json.RawMessage, error) {
			seen = append(seen, fmt.Sprintf("%s#%d@%v", task.Key, task.Attempt, time.Since(began)))
			if task.Attempt < 3 {
				return nil, errors.New("not yet")
			}
			return nil, nil
		}})
		hash := deploy(t, e, oneTask)
		defer run(t, e)()
		must(t, e.Start(t.Context(), hash, "x", nil))
		time.Sleep(time.Hour)
		wantStatus(t, e, "x", asl.StatusSucceeded)
		if want := []string{"x/A/1#0@0s", "x/A/1#1@2s", "x/A/1#2@6s", "x/A/1#3@14s"}; !slices.Equal(seen, want) {
			t.Errorf("attempts %v, want %v", seen, want)
		}
		synctest.Wait() // nobody asks while the count is read
		if j.dues > 7*60+60 {
			t.Errorf("the journal was asked %d times in an hour of rest by two lanes and the engine's own five", j.dues)
		}
	})
}

// A week without the service: the journal gains little, and all is done soon
// after; other lanes never notice.
func TestOutageIsProbedOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newMemory()
		var down atomic.Bool
		down.Store(true)
		var attempts atomic.Int32
		const executions = 200
		e := newEngine(j, handlers{
			"r": func(context.Context, workflow.Task) (json.RawMessage, error) {
				attempts.Add(1)
				if down.Load() {
					return nil, errors.New("no route to host")
				}
				return nil, nil
			},
			"other": func(context.Context, workflow.Task) (json.RawMessage, error) { return nil, nil },
		})
		hash := deploy(t, e, oneTask)
		other := deploy(t, e, strings.ReplaceAll(oneTask, `"r"`, `"other"`))
		defer run(t, e)()
		for i := range executions {
			must(t, e.Start(t.Context(), hash, fmt.Sprint("x", i), nil))
		}
		time.Sleep(24 * time.Hour)
		if n := attempts.Load(); n < 24*60*2/2 || n > 24*60*2+100 {
			t.Errorf("%d attempts in a day, want about one in 30 s", n)
		}
		must(t, e.Start(t.Context(), other, "other", nil))
		synctest.Wait()
		wantStatus(t, e, "other", asl.StatusSucceeded)
		down.Store(false)
		time.Sleep(2 * time.Minute)
		for i := range executions {
			wantStatus(t, e, fmt.Sprint("x", i), asl.StatusSucceeded)
		}
	})
}

// One item that always fails does not hold its lane.
func TestBadItemDoesNotHoldItsLane(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(newMemory(), handlers{"r": func(_ context.Context, task workflow.Task) (json.RawMessage, error) {
			if task.Execution == "bad" {
				return nil, errors.New("always")
			}
			return nil, nil
		}})
		hash := deploy(t, e, oneTask)
		defer run(t, e)()
		must(t, e.Start(t.Context(), hash, "bad", nil))
		synctest.Wait()
		for i := range 100 {
			must(t, e.Start(t.Context(), hash, fmt.Sprint("good", i), nil))
		}
		time.Sleep(1500 * time.Millisecond)
		for i := range 100 {
			wantStatus(t, e, fmt.Sprint("good", i), asl.StatusSucceeded)
		}
		wantStatus(t, e, "bad", asl.StatusRunning)
	})
}

const sideBySide = `{"StartAt":"P","States":{"P":{"Type":"Parallel","End":true,"Branches":[
 {"StartAt":"Alert","States":{"Alert":{"Type":"Task","Resource":"alert","End":true}}},
 {"StartAt":"Upload","States":{"Upload":{"Type":"Task","Resource":"upload","End":true,
   "Retry":[{"ErrorEquals":["Upstream.Named"],"IntervalSeconds":1},{"ErrorEquals":["States.ALL"],"IntervalSeconds":1}]}}}]}}}`

// What a person must mend is parked alone, seen, and goes on when redriven.
func TestPermanentErrorsPark(t *testing.T) {
	for _, test := range []struct {
		name   string
		fail   func() (json.RawMessage, error)
		reason string
	}{
		{"permanent", func() (json.RawMessage, error) {
			return nil, fmt.Errorf("put: %w", namedError{"Upstream.Denied", true})
		}, "refused: Upstream.Denied"},
		{"panic", func() (json.RawMessage, error) { panic("boom") }, "panicked: boom"},
		{"not JSON", func() (json.RawMessage, error) { return json.RawMessage("{"), nil }, "not JSON"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mended, alerts atomic.Int32
				e := newEngine(newMemory(), handlers{
					"alert": func(context.Context, workflow.Task) (json.RawMessage, error) { alerts.Add(1); return nil, nil },
					"upload": func(context.Context, workflow.Task) (json.RawMessage, error) {
						if mended.Load() == 0 {
							return test.fail()
						}
						return nil, nil
					},
				})
				hash := deploy(t, e, sideBySide)
				defer run(t, e)()
				must(t, e.Start(t.Context(), hash, "x", nil))
				time.Sleep(time.Hour)
				d := wantStatus(t, e, "x", asl.StatusRunning)
				if alerts.Load() != 1 || !strings.Contains(d.Parked, test.reason) || len(d.Work) != 1 {
					t.Errorf("%d alerts, parked %q, work %+v", alerts.Load(), d.Parked, d.Work)
				}
				mended.Store(1)
				must(t, e.Redrive(t.Context(), "x"))
				synctest.Wait()
				wantStatus(t, e, "x", asl.StatusSucceeded)
				if err := e.Redrive(t.Context(), "x"); !errors.Is(err, workflow.ErrNotParked) {
					t.Errorf("redrive of a finished execution: %v", err)
				}
			})
		})
	}
}

// A permanent error that the definition names is the definition's.
func TestNamedPermanentErrorIsRetried(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(newMemory(), handlers{
			"alert": func(context.Context, workflow.Task) (json.RawMessage, error) { return nil, nil },
			"upload": func(context.Context, workflow.Task) (json.RawMessage, error) {
				return nil, namedError{"Upstream.Named", true}
			},
		})
		hash := deploy(t, e, sideBySide)
		defer run(t, e)()
		must(t, e.Start(t.Context(), hash, "x", nil))
		time.Sleep(time.Hour)
		if d := wantStatus(t, e, "x", asl.StatusFailed); d.Error != "Upstream.Named" {
			t.Errorf("failed with %s", d.Error)
		}
	})
}

func TestUnknownResourceAndDefinitionPark(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newMemory()
		e := newEngine(j, handlers{"alert": func(context.Context, workflow.Task) (json.RawMessage, error) { return nil, nil }})
		hash := deploy(t, e, sideBySide)
		stop := run(t, e)
		must(t, e.Start(t.Context(), hash, "x", nil))
		synctest.Wait()
		if d := wantStatus(t, e, "x", asl.StatusRunning); !strings.Contains(d.Parked, `nobody handles the resource "upload"`) || len(d.Work) != 1 {
			t.Errorf("parked %q, work %+v", d.Parked, d.Work)
		}
		if err := e.Redrive(t.Context(), "x"); err == nil {
			t.Error("redriven although nobody handles it")
		}
		stop()

		// A handler arrives, but the definition is gone.
		definition := j.definitions[hash]
		delete(j.definitions, hash)
		e = newEngine(j, handlers{"upload": func(context.Context, workflow.Task) (json.RawMessage, error) { return nil, nil }})
		stop = run(t, e)
		must(t, e.Redrive(t.Context(), "x"))
		synctest.Wait()
		if d := wantStatus(t, e, "x", asl.StatusRunning); !strings.Contains(d.Parked, "definition "+hash) {
			t.Errorf("parked %q", d.Parked)
		}
		deploy(t, e, string(definition))
		must(t, e.Redrive(t.Context(), "x"))
		synctest.Wait()
		wantStatus(t, e, "x", asl.StatusSucceeded)
		stop()
	})
}

const review = `{"StartAt":"R","States":{"R":{"Type":"Task","Resource":"ask.waitForTaskToken","Parameters":{"token.$":"$$.Task.Token"},
  "TimeoutSeconds":600,"HeartbeatSeconds":60,"Catch":[{"ErrorEquals":["Said.No"],"Next":"No"}],"End":true},"No":{"Type":"Pass","End":true}}}`

func TestTokens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		tokens := map[string]string{}
		e := newEngine(newMemory(), handlers{"ask": func(_ context.Context, task workflow.Task) (json.RawMessage, error) {
			mu.Lock()
			defer mu.Unlock()
			tokens[task.Execution] = task.Token
			if want := fmt.Sprintf(`{"token":%q}`, task.Token); string(task.Input) != want {
				t.Errorf("input %s, want %s", task.Input, want)
			}
			return nil, nil
		}})
		hash := deploy(t, e, review)
		defer run(t, e)()
		for _, id := range []string{"yes", "no", "slow", "alive"} {
			must(t, e.Start(t.Context(), hash, id, nil))
		}
		synctest.Wait()
		must(t, e.SendTaskSuccess(t.Context(), tokens["yes"], json.RawMessage(`"fine"`)))
		must(t, e.SendTaskFailure(t.Context(), tokens["no"], "Said.No", "because"))
		for _, answer := range []error{
			e.SendTaskSuccess(t.Context(), tokens["yes"], json.RawMessage(`1`)),
			e.SendTaskFailure(t.Context(), tokens["no"], "Said.No", ""),
			e.SendTaskHeartbeat(t.Context(), tokens["yes"]),
		} {
			if !errors.Is(answer, workflow.ErrTaskClosed) {
				t.Errorf("second answer: %v, want ErrTaskClosed", answer)
			}
		}
		forged := tokens["slow"][:len(tokens["slow"])-1] + "x"
		for _, token := range []string{"", "x", "..", forged, "nobody.2.0123", strings.Replace(tokens["slow"], "slow", "alive", 1), strings.Replace(tokens["slow"], ".2.", ".1.", 1)} {
			if err := e.SendTaskSuccess(t.Context(), token, json.RawMessage(`1`)); !errors.Is(err, workflow.ErrInvalidToken) {
				t.Errorf("token %q: %v, want ErrInvalidToken", token, err)
			}
		}
		if err := e.SendTaskSuccess(t.Context(), tokens["slow"], json.RawMessage(`{`)); err == nil {
			t.Error("an answer that is no JSON was taken")
		}
		if d := wantStatus(t, e, "yes", asl.StatusSucceeded); string(d.Output) != `"fine"` {
			t.Errorf("output %s", d.Output)
		}
		if d := wantStatus(t, e, "no", asl.StatusSucceeded); string(d.Output) != `{"Cause":"because","Error":"Said.No"}` {
			t.Errorf("output %s", d.Output)
		}
		for range 9 {
			time.Sleep(50 * time.Second)
			must(t, e.SendTaskHeartbeat(t.Context(), tokens["alive"]))
		}
		if d := wantStatus(t, e, "slow", asl.StatusFailed); d.Error != "States.Timeout" {
			t.Errorf("failed with %s", d.Error)
		}
		wantStatus(t, e, "alive", asl.StatusRunning)
		time.Sleep(50 * time.Second)
		must(t, e.SendTaskHeartbeat(t.Context(), tokens["alive"]))
		time.Sleep(50*time.Second + 50*time.Second) // 600 s are over
		wantStatus(t, e, "alive", asl.StatusFailed)
	})
}

func TestTimeoutAndStopEndTheDeed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ends := make(chan error, 2)
		e := newEngine(newMemory(), handlers{"r": func(ctx context.Context, _ workflow.Task) (json.RawMessage, error) {
			<-ctx.Done()
			ends <- context.Cause(ctx)
			return nil, ctx.Err()
		}})
		timed := deploy(t, e, `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"r","TimeoutSeconds":7,"End":true}}}`)
		endless := deploy(t, e, `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"r","End":true}}}`)
		defer run(t, e)()
		must(t, e.Start(t.Context(), timed, "timed", nil))
		must(t, e.Start(t.Context(), endless, "endless", nil))
		time.Sleep(8 * time.Second)
		if d := wantStatus(t, e, "timed", asl.StatusFailed); d.Error != "States.Timeout" {
			t.Errorf("failed with %s", d.Error)
		}
		must(t, e.Stop(t.Context(), "endless", "By.Hand", "enough"))
		must(t, e.Stop(t.Context(), "endless", "By.Hand", "again"))
		synctest.Wait()
		if d := wantStatus(t, e, "endless", asl.StatusAborted); d.Error != "By.Hand" || d.Cause != "enough" || len(d.Work) != 0 {
			t.Errorf("stopped as %+v", d)
		}
		if len(ends) != 2 {
			t.Errorf("%d handlers were told to end, want 2", len(ends))
		}
	})
}

// A wait is the wall clock's: what fell due while the engine was off fires at
// once, what did not waits for the rest of its time.
func TestWaitsSurviveRestarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newMemory()
		e := newEngine(j, nil)
		hash := deploy(t, e, `{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":3600,"End":true}}}`)
		stop := run(t, e)
		must(t, e.Start(t.Context(), hash, "x", nil))
		time.Sleep(time.Minute)
		stop()
		time.Sleep(58 * time.Minute)
		e = newEngine(j, nil)
		stop = run(t, e)
		time.Sleep(59 * time.Second)
		wantStatus(t, e, "x", asl.StatusRunning)
		time.Sleep(time.Second)
		synctest.Wait()
		wantStatus(t, e, "x", asl.StatusSucceeded)
		must(t, e.Start(t.Context(), hash, "y", nil))
		stop()
		time.Sleep(10 * time.Hour)
		e = newEngine(j, nil)
		defer run(t, e)()
		synctest.Wait()
		wantStatus(t, e, "y", asl.StatusSucceeded)
	})
}

// An alert never waits behind uploads.
func TestLanesDoNotWaitForEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var uploading, most, alerts atomic.Int32
		e := newEngine(newMemory(), handlers{
			"alert": func(context.Context, workflow.Task) (json.RawMessage, error) { alerts.Add(1); return nil, nil },
			"upload": func(ctx context.Context, _ workflow.Task) (json.RawMessage, error) {
				n := uploading.Add(1)
				defer uploading.Add(-1)
				if n > most.Load() {
					most.Store(n)
				}
				<-ctx.Done()
				return nil, ctx.Err()
			},
		})
		hash := deploy(t, e, sideBySide)
		defer run(t, e)()
		for i := range 50 {
			must(t, e.Start(t.Context(), hash, fmt.Sprint("x", i), nil))
		}
		synctest.Wait()
		if alerts.Load() != 50 || most.Load() != 4 {
			t.Errorf("%d alerts and at most %d uploads at once, want 50 and 4", alerts.Load(), most.Load())
		}
	})
}

// A journal that refuses for a while: the deed is done once, and recorded in
// the end.
func TestJournalTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newMemory()
		var refuse atomic.Bool
		j.before = func(tr workflow.Transition) error {
			if refuse.Load() && tr.N > 1 {
				return errors.New("no space left on device")
			}
			return nil
		}
		var deeds atomic.Int32
		e := newEngine(j, handlers{"r": func(context.Context, workflow.Task) (json.RawMessage, error) { deeds.Add(1); return nil, nil }})
		hash := deploy(t, e, `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"r","Next":"B"},"B":{"Type":"Task","Resource":"r","End":true}}}`)
		defer run(t, e)()
		refuse.Store(true)
		must(t, e.Start(t.Context(), hash, "x", nil))
		time.Sleep(10 * time.Minute)
		wantStatus(t, e, "x", asl.StatusRunning)
		refuse.Store(false)
		time.Sleep(31 * time.Second)
		wantStatus(t, e, "x", asl.StatusSucceeded)
		if deeds.Load() != 2 {
			t.Errorf("%d deeds, want one of each state", deeds.Load())
		}
	})
}

// A lane reads the journal when it may hold something to start, and not else:
// work that comes while the lane is full begins as soon as there is room, and
// a piece of work that ends with nothing behind it costs no reading.
func TestLaneReadsTheJournalWhenItMayHoldWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newMemory()
		full := make(chan struct{})
		var done atomic.Int32
		e := newEngine(j, handlers{"r": func(context.Context, workflow.Task) (json.RawMessage, error) {
			<-full
			done.Add(1)
			return nil, nil
		}})
		hash := deploy(t, e, oneTask)
		defer run(t, e)()
		for i := range 4 {
			must(t, e.Start(t.Context(), hash, fmt.Sprint("first", i), nil))
			synctest.Wait()
		}
		for i := range 6 {
			must(t, e.Start(t.Context(), hash, fmt.Sprint("second", i), nil))
			synctest.Wait()
		}
		close(full)
		synctest.Wait()
		if n := done.Load(); n != 10 {
			t.Errorf("%d of 10 pieces of work are done without waiting", n)
		}
		before := j.dues
		for i := range 10 {
			must(t, e.Start(t.Context(), hash, fmt.Sprint("alone", i), nil))
			synctest.Wait()
		}
		if n := j.dues - before; n != 0 {
			t.Errorf("the journal was read %d times for 10 pieces of work that came alone", n)
		}
	})
}

// A journal that cannot be read for a moment holds work up for no longer.
func TestLaneReadsAgainAfterTrouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newMemory()
		e := newEngine(j, handlers{"r": func(context.Context, workflow.Task) (json.RawMessage, error) { return nil, nil }})
		hash := deploy(t, e, oneTask)
		must(t, e.Start(t.Context(), hash, "x", nil))
		e = newEngine(j, handlers{"r": func(context.Context, workflow.Task) (json.RawMessage, error) { return nil, nil }}) // has x not in memory
		j.unread = 3
		defer run(t, e)()
		time.Sleep(10 * time.Second)
		wantStatus(t, e, "x", asl.StatusSucceeded)
	})
}
