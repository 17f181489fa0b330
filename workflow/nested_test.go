package workflow_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"inspector/workflow"
	"inspector/workflow/asl"
)

// parent is a machine that begins an execution of machine child.
func parent(resource, more string) []byte {
	return []byte(fmt.Sprintf(`{"StartAt":"S","States":{"S":{"Type":"Task","Resource":"arn:aws:states:::states:startExecution%s",
		"Parameters":{"StateMachineArn":"arn:aws:states:local:a:stateMachine:child","Input.$":"$.in"%s},"End":true}}}`, resource, more))
}

// nesting is an engine with machine child, and machine parent as given.
func nesting(t *testing.T, j *memory, child string, parent []byte, r workflow.Handler) *workflow.Engine {
	t.Helper()
	e := newEngine(j, handlers{"r": r})
	_, err := e.CreateMachine(t.Context(), workflow.Machine{Name: "child"}, []byte(child), false)
	must(t, err)
	_, err = e.CreateMachine(t.Context(), workflow.Machine{Name: "parent"}, parent, false)
	must(t, err)
	return e
}

// children gives the executions of machine child.
func children(j *memory) (out []workflow.Execution) {
	j.mu.Lock()
	defer j.mu.Unlock()
	for _, x := range j.executions {
		if x.StateMachine == "child" {
			out = append(out, x)
		}
	}
	return out
}

const childTask = `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"r","End":true}}}`

func TestNestedExecutionsAnswerAsAWSDoes(t *testing.T) {
	for name, c := range map[string]struct {
		resource string
		fails    bool
		status   asl.Status
		says     []string
	}{
		"request":     {"", false, asl.StatusSucceeded, []string{`"ExecutionArn":"arn:aws:states:local:inspector:execution:child:`, `"StartDate":`}},
		"sync":        {".sync", false, asl.StatusSucceeded, []string{`"Output":"{\"a\":1}"`, `"Input":"{\"a\":1}"`, `"Status":"SUCCEEDED"`}},
		"sync:2":      {".sync:2", false, asl.StatusSucceeded, []string{`"Output":{"a":1}`, `"Input":{"a":1}`, `"StateMachineArn":"arn:aws:states:local:inspector:stateMachine:child"`}},
		"sync fails":  {".sync", true, asl.StatusFailed, []string{`"Error":"States.TaskFailed"`, `"Cause":"broken"`, `"Status":"FAILED"`}},
		"2 fails too": {".sync:2", true, asl.StatusFailed, []string{`"Input":{"a":1}`}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := newMemory()
				e := nesting(t, j, childTask, parent(c.resource, ""), func(_ context.Context, task workflow.Task) (json.RawMessage, error) {
					if c.fails {
						return nil, errors.New("broken")
					}
					return task.Input, nil
				})
				defer run(t, e)()
				must(t, e.Start(t.Context(), "parent", "p", json.RawMessage(`{"in":{"a":1}}`)))
				time.Sleep(time.Minute)
				d := wantStatus(t, e, "p", c.status)
				text := string(d.Output) + d.Cause
				for _, want := range c.says {
					if !strings.Contains(text, want) {
						t.Errorf("%s\nlacks %s", text, want)
					}
				}
				if c.fails && d.Error != "States.TaskFailed" {
					t.Errorf("error %s", d.Error)
				}
				if n := len(children(j)); n != 1 {
					t.Errorf("%d children", n)
				}
				if len(j.work) != 0 {
					t.Errorf("work left: %+v", j.work)
				}
			})
		})
	}
}

// A child that fails and is begun again by a retry: each attempt has its own,
// and the end of an old one answers nothing.
func TestNestedRetryBeginsAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var n atomic.Int32
		j := newMemory()
		p := strings.Replace(string(parent(".sync:2", "")), `"End":true`, `"Retry":[{"ErrorEquals":["States.TaskFailed"],"IntervalSeconds":1,"MaxAttempts":3}],"End":true`, 1)
		e := nesting(t, j, childTask, []byte(p), func(context.Context, workflow.Task) (json.RawMessage, error) {
			if n.Add(1) < 3 {
				return nil, errors.New("broken")
			}
			return nil, nil
		})
		defer run(t, e)()
		must(t, e.Start(t.Context(), "parent", "p", json.RawMessage(`{"in":null}`)))
		time.Sleep(10 * time.Minute)
		wantStatus(t, e, "p", asl.StatusSucceeded)
		if all := children(j); len(all) != 3 {
			t.Errorf("%d children, want 3", len(all))
		}
	})
}

// A parent that is stopped, or whose time is over, ends its child: also if
// the engine dies in between.
func TestParentEndsItsChild(t *testing.T) {
	for _, restart := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			j := newMemory()
			wait := `{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":100000,"End":true}}}`
			nobody := func(context.Context, workflow.Task) (json.RawMessage, error) { return nil, nil }
			e := nesting(t, j, wait, parent(".sync", `,"Name":"kid"`), nobody)
			stop := run(t, e)
			must(t, e.Start(t.Context(), "parent", "p", json.RawMessage(`{"in":{}}`)))
			synctest.Wait()
			wantStatus(t, e, "kid", asl.StatusRunning)
			must(t, e.Start(t.Context(), "parent", "q", json.RawMessage(`{"in":{}}`))) // the name is taken
			synctest.Wait()
			if d := wantStatus(t, e, "q", asl.StatusFailed); d.Error != "StepFunctions.ExecutionAlreadyExistsException" {
				t.Errorf("%s: %s", d.Error, d.Cause)
			}
			wantStatus(t, e, "kid", asl.StatusRunning) // and whoever failed to begin it does not end it
			if restart {
				stop()
				must(t, e.Stop(t.Context(), "p", "E", "why"))
				e = newEngine(j, nil)
				stop = run(t, e)
			} else {
				must(t, e.Stop(t.Context(), "p", "E", "why"))
			}
			synctest.Wait()
			wantStatus(t, e, "p", asl.StatusAborted)
			wantStatus(t, e, "kid", asl.StatusAborted)
			if len(j.work) != 0 {
				t.Errorf("work left: %+v", j.work)
			}
			stop()
		})
	}
}

func TestNestedRefusalsAreNamedAsOnAWS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(newMemory(), nil)
		_, err := e.CreateMachine(t.Context(), workflow.Machine{Name: "parent"}, parent("", ""), false)
		must(t, err)
		defer run(t, e)()
		for input, want := range map[string]string{`{"in":{}}`: "StepFunctions.StateMachineDoesNotExistException", `{"in":"{"}`: "StepFunctions.InvalidExecutionInputException"} {
			must(t, e.Start(t.Context(), "parent", input, json.RawMessage(input)))
			synctest.Wait()
			if d := wantStatus(t, e, input, asl.StatusFailed); d.Error != want {
				t.Errorf("%s: %s, want %s", input, d.Error, want)
			}
		}
	})
}
