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
)

const anHourly = `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":%q,"Retry":[{"ErrorEquals":["States.ALL"],"IntervalSeconds":3600,"MaxAttempts":9}],"End":true}}}`

// A notebook notes who was begun, in order.
type notebook struct {
	mu  sync.Mutex
	all []string
}

func (n *notebook) note(id string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all = append(n.all, id)
}

func (n *notebook) begun() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.all)
}

// takes is a handler that needs so long for each.
func (n *notebook) takes(d time.Duration) workflow.Handler {
	return func(_ context.Context, t workflow.Task) (json.RawMessage, error) {
		n.note(t.Execution)
		time.Sleep(d)
		return nil, nil
	}
}

// backlog is an engine with a lane of four whose journal holds n executions
// that wait for it.
func backlog(t *testing.T, n int, h workflow.Handler, p workflow.Precedence) (*workflow.Engine, string) {
	t.Helper()
	e := newEngine(newMemory(), handlers{"r": h})
	e.Arrange("r", p)
	hash := deploy(t, e, fmt.Sprintf(anHourly, "r"))
	for i := range n {
		must(t, e.Start(t.Context(), hash, fmt.Sprintf("x%03d", i), nil))
	}
	return e, hash
}

func TestBacklogIsTakenFromTheEndThatIsAskedFor(t *testing.T) {
	for newest, want := range map[bool]string{false: "x000 x001 x002 x003", true: "x006 x007 x008 x009"} {
		synctest.Test(t, func(t *testing.T) {
			n := &notebook{}
			e, _ := backlog(t, 10, n.takes(time.Second), workflow.Precedence{Newest: newest})
			defer run(t, e)()
			synctest.Wait()
			first := n.begun()
			slices.Sort(first)
			if have := strings.Join(first, " "); have != want {
				t.Errorf("newest %v: begun %s, want %s", newest, have, want)
			}
			time.Sleep(time.Minute)
			if all := n.begun(); len(all) != 10 {
				t.Errorf("begun %v, want all ten, once", all)
			}
		})
	}
}

// What is asked for now does not wait behind what has waited.
func TestLiveBeforeBacklog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &notebook{}
		e, hash := backlog(t, 100, n.takes(time.Second), workflow.Precedence{Rank: 1})
		defer run(t, e)()
		for i := range 10 {
			time.Sleep(1500 * time.Millisecond)
			before := len(n.begun())
			id := fmt.Sprint("live", i)
			must(t, e.Start(t.Context(), hash, id, nil))
			synctest.Wait()
			if have := n.begun()[before:]; !slices.Contains(have, id) {
				t.Errorf("begun %v, want %s at once", have, id)
			}
		}
		time.Sleep(time.Minute)
		all := n.begun()
		if slices.Sort(all); len(slices.Compact(all)) != 110 {
			t.Errorf("%d were begun, want each of 110 once", len(all))
		}
	})
}

func TestBacklogKeepsToItsRate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &notebook{}
		e, hash := backlog(t, 100, n.takes(0), workflow.Precedence{Rank: 1, Rate: 2})
		defer run(t, e)()
		time.Sleep(10*time.Second + time.Millisecond)
		if have := len(n.begun()); have < 20 || have > 22 {
			t.Errorf("%d of the backlog were begun in 10 s at 2 a second", have)
		}
		before := len(n.begun())
		must(t, e.Start(t.Context(), hash, "live", nil))
		synctest.Wait()
		if have := n.begun()[before:]; !slices.Equal(have, []string{"live"}) {
			t.Errorf("begun %v, want what is live at once", have)
		}
		time.Sleep(time.Minute)
		if have := len(n.begun()); have != 101 {
			t.Errorf("%d were begun in the end, want 101", have)
		}
	})
}

// While the better lane has more than it can do, the other keeps a share of its
// places, and so never starves; when it has not, the other takes all of them.
func TestBetterLanesGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var busy, most atomic.Int64
		n := &notebook{}
		evidence := func(_ context.Context, task workflow.Task) (json.RawMessage, error) {
			most.Store(max(most.Load(), busy.Add(1)))
			defer busy.Add(-1)
			n.note(task.Execution)
			time.Sleep(time.Second)
			return nil, nil
		}
		e := newEngine(newMemory(), handlers{"alert": (&notebook{}).takes(time.Second), "evidence": evidence})
		e.Arrange("alert", workflow.Precedence{Rank: 1, Newest: true})
		e.Arrange("evidence", workflow.Precedence{Rank: 3})
		alerts, uploads := deploy(t, e, fmt.Sprintf(anHourly, "alert")), deploy(t, e, fmt.Sprintf(anHourly, "evidence"))
		for i := range 80 {
			must(t, e.Start(t.Context(), alerts, fmt.Sprint("a", i), nil))
			must(t, e.Start(t.Context(), uploads, fmt.Sprint("e", i), nil))
		}
		defer run(t, e)()
		time.Sleep(3 * time.Second) // the first second may find both lanes alike
		most.Store(0)
		time.Sleep(10 * time.Second)
		if have := most.Load(); have != 1 {
			t.Errorf("%d uploads at once while alerts wait, want the share of one", have)
		}
		if have := len(n.begun()); have < 10 {
			t.Errorf("%d uploads were begun in 13 s: they starve", have)
		}
		time.Sleep(30 * time.Second)
		if have := most.Load(); have != 4 {
			t.Errorf("%d uploads at once when no alert waits, want all four places", have)
		}
		if have := len(n.begun()); have != 80 {
			t.Errorf("%d uploads were begun, want 80", have)
		}
	})
}

// The first success after an outage frees the lane, and the retries that would
// wait for an hour go at once.
func TestRecoveryHurriesRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var up atomic.Bool
		n := &notebook{}
		e, _ := backlog(t, 20, func(_ context.Context, task workflow.Task) (json.RawMessage, error) {
			if !up.Load() {
				return nil, errors.New("down")
			}
			n.note(task.Execution)
			return nil, nil
		}, workflow.Precedence{})
		defer run(t, e)()
		time.Sleep(5 * time.Minute) // some were tried, and wait for their hour
		up.Store(true)
		time.Sleep(31 * time.Second) // the longest pause between probes
		all := n.begun()
		if slices.Sort(all); len(all) != 20 || len(slices.Compact(all)) != 20 {
			t.Errorf("%d were delivered after the outage, want all 20, once: %v", len(all), all)
		}
	})
}
