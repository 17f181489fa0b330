package workflow_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

// calls notes which executions each call of a batch handler was given, and when.
type calls struct {
	mu    sync.Mutex
	began time.Time
	all   []string
	keys  map[string][]string // of each execution, attempt by attempt
}

func newCalls() *calls { return &calls{began: time.Now(), keys: map[string][]string{}} }

func (c *calls) handler(answer func(context.Context, workflow.Task) (json.RawMessage, error)) workflow.BatchHandler {
	return func(ctx context.Context, tasks []workflow.Task) (out []workflow.Result) {
		c.note(tasks)
		for _, task := range tasks {
			o, err := answer(ctx, task)
			out = append(out, workflow.Result{Output: o, Err: err})
		}
		return out
	}
}

func (c *calls) note(tasks []workflow.Task) {
	c.mu.Lock()
	defer c.mu.Unlock()
	var names []string
	for _, task := range tasks {
		names = append(names, task.Execution)
		c.keys[task.Execution] = append(c.keys[task.Execution], task.Key)
	}
	c.all = append(c.all, fmt.Sprintf("%v %s", time.Since(c.began), strings.Join(names, ",")))
}

func (c *calls) attempts(execution string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.keys[execution])
}

func (c *calls) want(t *testing.T, want ...string) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !slices.Equal(c.all, want) {
		t.Errorf("calls %q, want %q", c.all, want)
	}
}

func fine(context.Context, workflow.Task) (json.RawMessage, error) {
	return json.RawMessage(`"done"`), nil
}

// batching gives an engine whose resource "r" is done in calls.
func batching(j workflow.Journal, b workflow.Batch, h workflow.BatchHandler) *workflow.Engine {
	e := newEngine(j, nil)
	e.HandleBatch("r", b, h)
	return e
}

// asked is how often the journal was asked for work that is due.
func asked(j *memory) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.dues
}

func start(t *testing.T, e *workflow.Engine, hash string, names ...string) {
	t.Helper()
	for _, name := range names {
		must(t, e.Start(t.Context(), hash, name, nil))
	}
}

// The first piece of work goes at once, what comes in the time after it goes
// together: also across a restart, which forgets only the pace.
func TestBatchFirstAtOnceThenTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, c := newMemory(), newCalls()
		b := workflow.Batch{Every: 5 * time.Minute}
		e := batching(j, b, c.handler(fine))
		hash := deploy(t, e, oneTask)
		stop := run(t, e)
		start(t, e, hash, "a")
		synctest.Wait()
		before := asked(j)
		for _, name := range []string{"b", "c", "d"} {
			time.Sleep(time.Minute)
			start(t, e, hash, name)
		}
		c.want(t, "0s a")
		if n := asked(j) - before; n > 3*7+3 {
			t.Errorf("the journal was asked %d times in 3 minutes", n)
		}
		time.Sleep(time.Minute + 59*time.Second)
		c.want(t, "0s a")
		time.Sleep(2 * time.Second)
		c.want(t, "0s a", "5m0s b,c,d")
		start(t, e, hash, "e", "f")
		synctest.Wait()
		stop()
		time.Sleep(time.Hour)
		e = batching(j, b, c.handler(fine))
		defer run(t, e)()
		synctest.Wait()
		c.want(t, "0s a", "5m0s b,c,d", "1h5m1s e,f")
		time.Sleep(6 * time.Minute) // an hour of rest costs nothing
		start(t, e, hash, "g")
		synctest.Wait()
		c.want(t, "0s a", "5m0s b,c,d", "1h5m1s e,f", "1h11m1s g")
		for _, name := range []string{"a", "b", "c", "d", "e", "f", "g"} {
			if d := wantStatus(t, e, name, asl.StatusSucceeded); string(d.Output) != `"done"` {
				t.Errorf("output of %s is %s", name, d.Output)
			}
		}
	})
}

// Each task has its own outcome, and only the failed one is tried again.
func TestBatchAnswersEachByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCalls()
		gate := make(chan struct{})
		e := batching(newMemory(), workflow.Batch{Max: 10}, func(ctx context.Context, tasks []workflow.Task) []workflow.Result {
			<-gate
			return c.handler(func(_ context.Context, task workflow.Task) (json.RawMessage, error) {
				switch {
				case task.Execution == "x3" && task.Attempt == 0:
					return nil, errors.New("not yet")
				case task.Execution == "x5":
					return nil, namedError{"Upstream.Denied", true}
				case task.Execution == "x7":
					return json.RawMessage(`{`), nil
				}
				return json.RawMessage(fmt.Sprintf("%q", task.Key)), nil
			})(ctx, tasks)
		})
		hash := deploy(t, e, oneTask)
		start(t, e, hash, "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "late")
		defer run(t, e)()
		close(gate)
		synctest.Wait()
		c.want(t, "0s x0,x1,x2,x3,x4,x5,x6,x7,x8,x9", "0s late")
		for _, name := range []string{"x0", "x9", "late"} {
			if d := wantStatus(t, e, name, asl.StatusSucceeded); string(d.Output) != fmt.Sprintf(`"%s/A/1"`, name) {
				t.Errorf("output of %s is %s", name, d.Output)
			}
		}
		for name, reason := range map[string]string{"x5": "refused: Upstream.Denied", "x7": "not JSON"} {
			if d := wantStatus(t, e, name, asl.StatusRunning); !strings.Contains(d.Parked, reason) {
				t.Errorf("%s is parked %q, want %q", name, d.Parked, reason)
			}
		}
		time.Sleep(3 * time.Second)
		wantStatus(t, e, "x3", asl.StatusSucceeded)
		if want := []string{"x3/A/1", "x3/A/1"}; !slices.Equal(c.keys["x3"], want) {
			t.Errorf("keys %q, want %q", c.keys["x3"], want)
		}
		if n := len(e.Troubles()); n != 0 {
			t.Errorf("one of ten failed: %d lanes are in trouble", n)
		}
	})
}

// A panic parks the one at fault; a handler that answers not each parks all.
func TestBatchThatIsAtFault(t *testing.T) {
	names := []string{"a", "b", "bad", "c", "d", "e", "f"}
	for _, test := range []struct {
		name    string
		h       workflow.BatchHandler
		calls   int
		parked  []string
		because string
	}{
		{"panic", func(_ context.Context, tasks []workflow.Task) []workflow.Result {
			if slices.ContainsFunc(tasks, func(t workflow.Task) bool { return t.Execution == "bad" }) {
				panic("boom")
			}
			return make([]workflow.Result, len(tasks))
		}, 7, []string{"bad"}, "boom"},
		{"too few", func(_ context.Context, tasks []workflow.Task) []workflow.Result {
			return make([]workflow.Result, len(tasks)-1)
		}, 1, names, "gave 6 results for 7 tasks"},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				e := batching(newMemory(), workflow.Batch{}, func(ctx context.Context, tasks []workflow.Task) []workflow.Result {
					calls++
					return test.h(ctx, tasks)
				})
				start(t, e, deploy(t, e, oneTask), names...)
				defer run(t, e)()
				time.Sleep(time.Second)
				for _, name := range names {
					d := describe(t, e, name)
					if parked := slices.Contains(test.parked, name); parked != strings.Contains(d.Parked, test.because) || !parked && d.Status != asl.StatusSucceeded {
						t.Errorf("%s is %s, parked %q", name, d.Status, d.Parked)
					}
				}
				if calls != test.calls {
					t.Errorf("%d calls, want %d", calls, test.calls)
				}
			})
		})
	}
}

// What is withdrawn does not disturb the others, nor is it done again; once
// nobody waits for any of it the call ends.
func TestBatchWithdrawn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCalls()
		gate := make(chan struct{})
		var cause error
		e := batching(newMemory(), workflow.Batch{}, func(ctx context.Context, tasks []workflow.Task) []workflow.Result {
			c.note(tasks)
			select {
			case <-gate:
			case <-ctx.Done():
				cause = context.Cause(ctx)
			}
			return make([]workflow.Result, len(tasks))
		})
		hash := deploy(t, e, oneTask)
		start(t, e, hash, "a", "b", "c")
		defer run(t, e)()
		synctest.Wait()
		must(t, e.Stop(t.Context(), "b", "By.Hand", ""))
		synctest.Wait()
		select {
		case gate <- struct{}{}:
		default:
			t.Fatal("the call has ended")
		}
		synctest.Wait()
		wantStatus(t, e, "a", asl.StatusSucceeded)
		wantStatus(t, e, "b", asl.StatusAborted)
		wantStatus(t, e, "c", asl.StatusSucceeded)
		if cause != nil {
			t.Errorf("the call was ended: %v", cause)
		}
		start(t, e, hash, "d")
		synctest.Wait()
		must(t, e.Stop(t.Context(), "d", "By.Hand", ""))
		synctest.Wait()
		if cause == nil {
			t.Error("a call that nobody waits for goes on")
		}
		start(t, e, hash, "e")
		synctest.Wait()
		close(gate)
		synctest.Wait()
		c.want(t, "0s a,b,c", "0s d", "0s e")
		wantStatus(t, e, "e", asl.StatusSucceeded)
	})
}

// A call ends with the shortest time that a state of its tasks gives it.
func TestBatchTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := batching(newMemory(), workflow.Batch{}, func(ctx context.Context, tasks []workflow.Task) []workflow.Result {
			<-ctx.Done()
			return slices.Repeat([]workflow.Result{{Err: ctx.Err()}}, len(tasks))
		})
		timed := func(seconds int) string {
			return deploy(t, e, fmt.Sprintf(`{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"r","TimeoutSeconds":%d,"End":true}}}`, seconds))
		}
		start(t, e, timed(90), "slow")
		start(t, e, timed(7), "a", "b")
		defer run(t, e)()
		time.Sleep(8 * time.Second)
		for _, name := range []string{"a", "b", "slow"} {
			if d := wantStatus(t, e, name, asl.StatusFailed); d.Error != "States.Timeout" {
				t.Errorf("%s failed with %s", name, d.Error)
			}
		}
	})
}

// Stopping gives a call its grace: what it answers in it is recorded, what it
// does not is repeated at the next start, with the same keys.
func TestBatchGraceAndCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, c := newMemory(), newCalls()
		slow := func(ctx context.Context, task workflow.Task) (json.RawMessage, error) {
			if task.Execution == "a" {
				time.Sleep(2 * time.Second)
				return fine(ctx, task)
			}
			<-ctx.Done()
			return nil, ctx.Err()
		}
		e := batching(j, workflow.Batch{}, c.handler(slow))
		hash := deploy(t, e, oneTask)
		start(t, e, hash, "a", "b", "c")
		stop := run(t, e)
		synctest.Wait()
		stop()
		wantStatus(t, e, "a", asl.StatusSucceeded)
		wantStatus(t, e, "b", asl.StatusRunning)

		// The power fails between the deed and its record.
		j.before = func(tr workflow.Transition) error {
			if tr.Execution.ID == "c" {
				return errors.New("no more power")
			}
			return nil
		}
		e = batching(j, workflow.Batch{}, c.handler(fine))
		stop = run(t, e)
		synctest.Wait()
		stop()
		wantStatus(t, e, "b", asl.StatusSucceeded)
		wantStatus(t, e, "c", asl.StatusRunning)
		j.before = nil
		e = batching(j, workflow.Batch{}, c.handler(fine))
		defer run(t, e)()
		synctest.Wait()
		wantStatus(t, e, "c", asl.StatusSucceeded)
		if want := []string{"c/A/1", "c/A/1", "c/A/1"}; !slices.Equal(c.keys["c"], want) {
			t.Errorf("keys %q, want %q", c.keys["c"], want)
		}
	})
}

// While whoever stands behind the lane is away one piece of work is tried at a
// time, so that an outage does not journal an attempt of everything again and
// again; the first success is followed by all the rest, whatever the pace.
func TestBatchProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCalls()
		var down atomic.Bool
		down.Store(true)
		e := batching(newMemory(), workflow.Batch{Every: time.Hour}, c.handler(func(ctx context.Context, task workflow.Task) (json.RawMessage, error) {
			if down.Load() {
				return nil, errors.New("no route to host")
			}
			return fine(ctx, task)
		}))
		hash := deploy(t, e, strings.ReplaceAll(oneTask, `"IntervalSeconds":2`, `"IntervalSeconds":60`))
		start(t, e, hash, "a")
		defer run(t, e)()
		synctest.Wait()
		start(t, e, hash, "b", "c", "d", "e")
		time.Sleep(2500 * time.Millisecond)
		down.Store(false)
		time.Sleep(10 * time.Second)
		c.mu.Lock()
		defer c.mu.Unlock()
		if all := strings.Join(c.all, " "); !strings.HasPrefix(all, "0s a 1s b 3s c 3s d,e") { // perhaps with a and b, whose retries are brought forward
			t.Errorf("calls %q", c.all)
		}
	})
}

// A handler may put work off: no attempt is journalled, a restart does not
// bring it forward, and other work goes on.
func TestPostponed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, c := newMemory(), newCalls()
		morning := time.Now().Add(8 * time.Hour)
		h := c.handler(func(ctx context.Context, task workflow.Task) (json.RawMessage, error) {
			switch {
			case task.Execution == "night" && time.Now().Before(morning):
				return nil, fmt.Errorf("quiet hours: %w", postponedError{morning})
			case task.Execution == "eager" && c.attempts("eager") < 3:
				return nil, postponedError{}
			}
			return fine(ctx, task)
		})
		e := batching(j, workflow.Batch{}, h)
		hash := deploy(t, e, oneTask)
		start(t, e, hash, "night", "day")
		stop := run(t, e)
		synctest.Wait()
		wantStatus(t, e, "day", asl.StatusSucceeded)
		time.Sleep(time.Hour)
		stop()
		e = batching(j, workflow.Batch{}, h)
		defer run(t, e)()
		time.Sleep(7*time.Hour + time.Second)
		wantStatus(t, e, "night", asl.StatusSucceeded)
		c.want(t, "0s night,day", "8h0m0s night")
		if n := len(j.events["night"]); n != 2 {
			t.Errorf("%d events, want the start and the end", n)
		}
		start(t, e, hash, "eager")
		time.Sleep(3 * time.Second)
		wantStatus(t, e, "eager", asl.StatusSucceeded) // once a second, at most
		if n := c.attempts("eager"); n != 3 {
			t.Errorf("%d attempts", n)
		}
	})
}

type postponedError struct{ until time.Time }

func (e postponedError) Error() string        { return "not before " + e.until.String() }
func (e postponedError) Postponed() time.Time { return e.until }

// A batch handler does one task for whoever has no lanes.
func TestBatchHandlerAlone(t *testing.T) {
	h := newCalls().handler(fine).Alone()
	if out, err := workflow.Attempt(t.Context(), h, workflow.Task{Execution: "x"}, 0); err != nil || string(out) != `"done"` {
		t.Errorf("%s, %v", out, err)
	}
	none := workflow.BatchHandler(func(context.Context, []workflow.Task) []workflow.Result { return nil })
	if _, err := none.Alone()(t.Context(), workflow.Task{}); err == nil || !strings.Contains(err.Error(), "0 results for 1 tasks") {
		t.Errorf("no result: %v", err)
	}
}

// A thousand pieces of work, in calls of a hundred, in the journal's order.
func TestBatchOrderAndMax(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var have, want []string
		e := batching(newMemory(), workflow.Batch{Max: 100}, func(_ context.Context, tasks []workflow.Task) []workflow.Result {
			if len(tasks) > 100 {
				t.Errorf("%d tasks in a call", len(tasks))
			}
			for _, task := range tasks {
				have = append(have, task.Execution)
			}
			return make([]workflow.Result, len(tasks))
		})
		hash := deploy(t, e, oneTask)
		for i := range 1000 {
			want = append(want, fmt.Sprint("x", i))
		}
		start(t, e, hash, want...)
		defer run(t, e)()
		synctest.Wait()
		if !slices.Equal(have, want) {
			t.Errorf("%d done, or in another order", len(have))
		}
	})
}

// What comes while the lane is held waits for the end of it, also across a
// restart, and then goes together; a call that is due does not wait longer.
func TestBatchHold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, c := newMemory(), newCalls()
		until := time.Now().Add(8 * time.Hour)
		b := workflow.Batch{Every: time.Minute, Hold: func(now time.Time) time.Time {
			if now.Before(until) {
				return until
			}
			return time.Time{}
		}}
		e := batching(j, b, c.handler(fine))
		hash := deploy(t, e, oneTask)
		stop := run(t, e)
		start(t, e, hash, "a")
		time.Sleep(3 * time.Hour)
		start(t, e, hash, "b")
		stop()
		time.Sleep(time.Hour)
		e = batching(j, b, c.handler(fine))
		defer run(t, e)()
		start(t, e, hash, "c")
		time.Sleep(4*time.Hour - time.Second)
		c.want(t)
		time.Sleep(time.Second + time.Millisecond)
		synctest.Wait()
		c.want(t, "8h0m0s a,b,c")
		time.Sleep(2 * time.Minute)
		start(t, e, hash, "d")
		synctest.Wait()
		c.want(t, "8h0m0s a,b,c", "8h2m0.001s d")
	})
}
