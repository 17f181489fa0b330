package temporal

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"inspector/workflow/asl"

	engine "inspector/workflow"
)

// A stage is an environment with one machine, whose handlers note their keys.
type stage struct {
	*environment
	definition string

	mu     sync.Mutex
	keys   []string
	queues []string
}

// did gives the keys of the deeds, in their order.
func (s *stage) did() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.keys)
}

func newStage(t *testing.T, definition string, h func(n int, task engine.Task) (json.RawMessage, error)) *stage {
	t.Helper()
	m, err := asl.Parse([]byte(definition))
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{environment: newEnvironment(t), definition: definition}
	s.handle(m, func(ctx context.Context, task engine.Task) (json.RawMessage, error) {
		s.mu.Lock()
		s.keys = append(s.keys, task.Key)
		s.queues = append(s.queues, activity.GetInfo(ctx).TaskQueue)
		n := len(s.keys)
		s.mu.Unlock()
		return h(n, task)
	})
	return s
}

func (s *stage) run(in Start) {
	s.t.Helper()
	if in.Definition == "" {
		in.Definition = s.definition
	}
	s.ExecuteWorkflow(Execute, in)
	if !s.IsWorkflowCompleted() {
		s.t.Fatal("the workflow has not ended")
	}
}

func (s *stage) wants(status asl.Status, output, errorName, cause string) {
	s.t.Helper()
	o := s.outcome()
	if o.Status != status || string(o.Output) != output || o.Error != errorName || !strings.Contains(o.Cause, cause) {
		s.t.Errorf("ended %s, output %s, error %q (%s), want %s, %s, %q (%s)", o.Status, o.Output, o.Error, o.Cause, status, output, errorName, cause)
	}
}

const retried = `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"local:deed","Retry":[{"ErrorEquals":["States.ALL"],"IntervalSeconds":3600,"MaxAttempts":3}],"End":true}}}`

func works(_ int, _ engine.Task) (json.RawMessage, error) { return json.RawMessage(`"done"`), nil }

// Retry is the interpreter's: each attempt has the same key, hours apart.
func TestRetryKeepsTheKey(t *testing.T) {
	s := newStage(t, retried, func(n int, task engine.Task) (json.RawMessage, error) {
		if n < 3 {
			return nil, fault{"Oven.Cold", "too cold", false}
		}
		return json.RawMessage(`{"attempt":` + string(rune('0'+task.Attempt)) + `}`), nil
	})
	began := s.Now()
	s.run(Start{})
	s.wants(asl.StatusSucceeded, `{"attempt":2}`, "", "")
	if took := s.Now().Sub(began); took < 3*time.Hour {
		t.Errorf("took %v, want at least the 3 hours of the retrier", took)
	}
	if want := []string{"exec/A/1", "exec/A/1", "exec/A/1"}; !slices.Equal(s.keys, want) {
		t.Errorf("keys %q, want %q", s.keys, want)
	}
}

// Chance follows from the seed: the same in every replay, another every time.
func TestChanceFollowsFromTheSeed(t *testing.T) {
	s := newStage(t, retried, works)
	s.run(Start{})
	events := s.folded().events
	seen := map[float64]bool{}
	for n, e := range events {
		r := run{journal: events[:n]}
		if want := r.chance(events[0].Seed); e.Random != want || seen[want] || want < 0 || want >= 1 {
			t.Errorf("event %d has %v, want %v and no other to have it", n+1, e.Random, want)
		}
		seen[e.Random] = true
	}
	if len(events) < 2 || len(events[0].Seed) < 26 {
		t.Errorf("%d events, seed %q", len(events), events[0].Seed)
	}
}

// A device's resources are asked of its own queue, all others of everybody's.
func TestQueues(t *testing.T) {
	s := newStage(t, `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"disk:write","Next":"B"},"B":{"Type":"Task","Resource":"mail:send","End":true}}}`, works)
	s.run(Start{Device: "box1", Local: []string{"disk:write"}})
	if want := []string{"inspector@box1/disk:write", "inspector/mail:send"}; !slices.Equal(s.queues, want) {
		t.Errorf("asked %q, want %q", s.queues, want)
	}
}

// What no retry can change waits for a person, unless the definition names it.
func TestPermanentErrorsPark(t *testing.T) {
	caught := `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"local:deed","Catch":[{"ErrorEquals":["Oven.Gone"],"Next":"B"}],"End":true},"B":{"Type":"Pass","Result":"caught","End":true}}}`
	for name, c := range map[string]struct {
		definition string
		failing    func() (json.RawMessage, error)
		parked     string // empty: it is not
		output     string
	}{
		"refusal": {retried, func() (json.RawMessage, error) { return nil, fault{"Oven.Gone", "sold", true} }, "sold", `"done"`},
		"panic":   {retried, func() (json.RawMessage, error) { panic("no oven") }, "no oven", `"done"`},
		"no JSON": {retried, func() (json.RawMessage, error) { return json.RawMessage("{"), nil }, "not JSON", `"done"`},
		"named":   {caught, func() (json.RawMessage, error) { return nil, fault{"Oven.Gone", "sold", true} }, "", `"caught"`},
		"large": {caught, func() (json.RawMessage, error) {
			return json.RawMessage(`"` + strings.Repeat("a", maxOutput) + `"`), nil
		}, "", ""},
		"other named": {caught, func() (json.RawMessage, error) { return nil, fault{"Oven.Lost", "lost", true} }, "lost", `"done"`},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t, c.definition, func(n int, _ engine.Task) (json.RawMessage, error) {
				if n == 1 {
					return c.failing()
				}
				return json.RawMessage(`"done"`), nil
			})
			s.RegisterDelayedCallback(func() {
				if have := s.folded().parked[1]; c.parked == "" || !strings.Contains(have, c.parked) {
					t.Errorf("parked because %q, want %q", have, c.parked)
				}
				s.SignalWorkflow(signalRedrive, nil)
			}, time.Hour)
			s.run(Start{})
			if name == "large" {
				s.wants(asl.StatusFailed, "", "States.DataLimitExceeded", "bytes")
				return
			}
			s.wants(asl.StatusSucceeded, c.output, "", "")
			if c.parked != "" && (len(s.keys) != 2 || s.keys[0] != s.keys[1]) {
				t.Errorf("keys %q, want the same twice", s.keys)
			}
		})
	}
}

const asking = `{"StartAt":"Ask","States":{"Ask":{"Type":"Task","Resource":"local:ask.waitForTaskToken","TimeoutSeconds":1000000,"HeartbeatSeconds":3600,"Parameters":{"t.$":"$$.Task.Token"},"End":true}}}`

// asks runs a state that waits for a token, and lets f answer after a month.
func asks(t *testing.T, f func(s *stage, token string)) *stage {
	t.Helper()
	token := ""
	s := newStage(t, asking, func(_ int, task engine.Task) (json.RawMessage, error) {
		token = task.Token
		return nil, nil
	})
	s.RegisterDelayedCallback(func() { f(s, token) }, 30*time.Minute)
	s.run(Start{})
	return s
}

// An update's fate, as who sent it is told.
type told struct {
	rejected, failed error
	done             bool
}

func (u *told) Accept() {}
func (u *told) Reject(err error) {
	u.rejected = err
}
func (u *told) Complete(_ any, err error) { u.done, u.failed = true, err }

func (s *stage) answer(id string, a answer) *told {
	u := &told{}
	s.UpdateWorkflow(updateAnswer, id, u, a)
	return u
}

func TestTokens(t *testing.T) {
	t.Run("success", func(t *testing.T) {
		var wrong, right, late *told
		s := asks(t, func(s *stage, token string) {
			wrong = s.answer("1", answer{Token: token[:len(token)-1] + "x", Output: json.RawMessage(`1`)})
			right = s.answer("2", answer{Token: token, Output: json.RawMessage(`{"scrap":true}`)})
			late = s.answer("3", answer{Token: token, Output: json.RawMessage(`2`)})
		})
		s.wants(asl.StatusSucceeded, `{"scrap":true}`, "", "")
		if typeOf(wrong.rejected) != typeInvalid || right.rejected != nil || right.failed != nil || !right.done {
			t.Errorf("wrong %+v, right %+v", wrong, right)
		}
		if late.done && late.failed == nil {
			t.Errorf("a second answer was taken: %+v", late)
		}
	})
	t.Run("failure", func(t *testing.T) {
		s := asks(t, func(s *stage, token string) {
			s.answer("1", answer{Token: token, Failed: true, Error: "Person.Away", Cause: "holidays"})
		})
		s.wants(asl.StatusFailed, "", "Person.Away", "holidays")
	})
	t.Run("no heartbeat", func(t *testing.T) {
		s := asks(t, func(*stage, string) {})
		s.wants(asl.StatusFailed, "", "States.Timeout", "") // as AWS says it
	})
	t.Run("heartbeats", func(t *testing.T) {
		s := asks(t, func(s *stage, token string) {
			s.SignalWorkflow(signalHeartbeat, "nonsense")
			s.SignalWorkflow(signalHeartbeat, token)
			s.RegisterDelayedCallback(func() { s.answer("1", answer{Token: token, Output: json.RawMessage(`1`)}) }, 50*time.Minute)
		})
		s.wants(asl.StatusSucceeded, `1`, "", "")
	})
}

func TestStop(t *testing.T) {
	s := asks(t, func(s *stage, _ string) { s.SignalWorkflow(signalStop, stop{Error: "Line.Closed", Cause: "for good"}) })
	s.wants(asl.StatusAborted, "", "Line.Closed", "for good")
	var said *temporal.ApplicationError
	if !errors.As(s.GetWorkflowError(), &said) || said.Type() != "Line.Closed" || said.Message() != "for good" {
		t.Errorf("the workflow failed with %v", s.GetWorkflowError())
	}
}

func TestCancel(t *testing.T) {
	s := asks(t, func(s *stage, _ string) { s.CancelWorkflow() })
	s.wants(asl.StatusAborted, "", "", "cancelled")
	if err := s.GetWorkflowError(); !temporal.IsCanceledError(err) {
		t.Errorf("the workflow ended with %v, want cancelled", err)
	}
}

// The branch that fails ends the others: their deeds are withdrawn, and what
// they come to is moot.
func TestBranchesAreWithdrawn(t *testing.T) {
	s := newStage(t, `{"StartAt":"P","States":{"P":{"Type":"Parallel","End":true,"Branches":[
		{"StartAt":"Slow","States":{"Slow":{"Type":"Task","Resource":"local:slow","End":true}}},
		{"StartAt":"Wait","States":{"Wait":{"Type":"Wait","Seconds":86400,"End":true}}},
		{"StartAt":"Bad","States":{"Bad":{"Type":"Fail","Error":"Bad","Cause":"as ever"}}}],
		"Catch":[{"ErrorEquals":["Bad"],"Next":"Q"}]},"Q":{"Type":"Pass","Result":"caught","End":true}}}`, works)
	began := s.Now()
	s.run(Start{})
	s.wants(asl.StatusSucceeded, `"caught"`, "", "")
	if s.Now().Sub(began) > time.Hour {
		t.Error("the withdrawn wait was waited for")
	}
}

func TestInvalidStart(t *testing.T) {
	for _, in := range []Start{{Definition: "{"}, {Definition: retried, Input: json.RawMessage(`"` + strings.Repeat("a", 300_000) + `"`)}, {Definition: retried, Journal: []byte("x")}} {
		e := newEnvironment(t)
		e.ExecuteWorkflow(Execute, in)
		if err := e.GetWorkflowError(); err == nil || !strings.HasPrefix(typeOf(err), "Invalid") {
			t.Errorf("%.60v ended with %v", in, err)
		}
	}
}
