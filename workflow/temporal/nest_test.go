package temporal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"

	"inspector/workflow/asl"

	engine "inspector/workflow"
)

const (
	outer = `{"StartAt":"N","States":{"N":{"Type":"Task","Resource":"arn:aws:states:::states:startExecution%s","TimeoutSeconds":600,
		"Parameters":{"StateMachineArn":"%s","Input":{"board":7}},"End":true}}}`
	inner   = `{"StartAt":"D","States":{"D":{"Type":"Task","Resource":"local:deed","End":true}}}`
	waiting = `{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":86400,"End":true}}}`
)

// nested runs an execution whose device knows the machine "inner", and gives
// what was told of each machine.
func nested(t *testing.T, definition, child string, h func(int, engine.Task) (json.RawMessage, error)) (*stage, map[string]string) {
	t.Helper()
	m, err := asl.Parse([]byte(child))
	if err != nil {
		t.Fatal(err)
	}
	s := newStage(t, child, h)
	lookup := func(_ context.Context, ref string) (engine.Execution, []byte, error) {
		if ref != "inner" {
			return engine.Execution{}, nil, engine.ErrNotFound
		}
		return engine.Execution{Machine: m.Hash(), StateMachine: "inner", Type: engine.Standard}, []byte(child), nil
	}
	told := map[string]string{}
	tell := func(_ context.Context, c Change) error {
		s.mu.Lock()
		defer s.mu.Unlock()
		name := c.Execution.StateMachine
		if told[name] += " " + string(c.Execution.Status); told[name] == " RUNNING" && name == "outer" {
			return errors.New("not today")
		}
		if ended := c.Execution.Status != asl.StatusRunning; c.Device != "box1" || ended == c.Execution.Stopped.IsZero() {
			t.Errorf("told of %+v", c)
		}
		return nil
	}
	s.RegisterActivityWithOptions(performer(MachineResource, Machines(lookup), 0), activity.RegisterOptions{Name: MachineResource})
	s.RegisterActivityWithOptions(performer(TellResource, Tells(tell), 0), activity.RegisterOptions{Name: TellResource})
	s.run(Start{Definition: definition, Device: "box1", Local: []string{MachineResource}, StateMachine: "outer", Nests: true, Tells: true})
	return s, told
}

func failing(_ int, _ engine.Task) (json.RawMessage, error) {
	return nil, fault{"Oven.Cold", "too cold", false}
}

// An execution inside an execution ends its task as on the device.
func TestNested(t *testing.T) {
	for name, c := range map[string]struct {
		pattern, machine string
		handler          func(int, engine.Task) (json.RawMessage, error)
		status           asl.Status
		has, cause       string
		inner            string // how it ended; empty: there is none
	}{
		"awaited":          {".sync:2", "arn:aws:states:site:box1:stateMachine:inner", works, asl.StatusSucceeded, `"Output":"done"`, "", " SUCCEEDED"},
		"awaited as text":  {".sync", "inner", works, asl.StatusSucceeded, `"Input":"{\"board\":7}"`, "", " SUCCEEDED"},
		"awaited, failing": {".sync", "inner", failing, asl.StatusFailed, "", `"Error":"Oven.Cold"`, " FAILED"},
		"unknown":          {".sync", "nobody", works, asl.StatusFailed, "", "State Machine Does Not Exist: 'nobody'", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s, told := nested(t, fmt.Sprintf(outer, c.pattern, c.machine), inner, c.handler)
			o := s.outcome()
			if o.Status != c.status || !strings.Contains(string(o.Output), c.has) || !strings.Contains(o.Cause, c.cause) {
				t.Errorf("ended %s %s %s (%s)", o.Status, o.Output, o.Error, o.Cause)
			}
			if want := " RUNNING RUNNING " + string(c.status); told["outer"] != want { // again, because the first was refused
				t.Errorf("told%s of the outer one, want%s", told["outer"], want)
			}
			if c.inner != "" {
				c.inner = " RUNNING" + c.inner
			}
			if told["inner"] != c.inner {
				t.Errorf("told%s of the inner one, want%s", told["inner"], c.inner)
			}
		})
	}
}

// What nobody waits for any more is stopped, and the parent goes on.
func TestNestedIsStoppedWithItsTask(t *testing.T) {
	s, told := nested(t, fmt.Sprintf(outer, ".sync", "inner"), waiting, works)
	s.wants(asl.StatusFailed, "", "States.Timeout", "")
	if told["inner"] != " RUNNING ABORTED" {
		t.Errorf("told%s of the inner one, want it to be stopped", told["inner"])
	}
	if took := s.Now().Sub(s.folded().x.Started()); took > time.Hour {
		t.Errorf("it took %v", took)
	}
}
