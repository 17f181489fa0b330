package temporal

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"inspector/workflow/asl"
	"inspector/workflow/asl/asltest"

	engine "inspector/workflow"
)

// TestConformance passes what was recorded on AWS through a Temporal workflow:
// level 1 is status, error name and output, level 2 the text of the cause,
// level 3 the history.
func TestConformance(t *testing.T) {
	for _, name := range []string{"cases.json", "cases_task.json", "cases_itemreader.json"} {
		t.Run(name, func(t *testing.T) {
			var cases []asltest.Case
			asltest.Corpus(t, filepath.Join("..", ".."), filepath.Join("asl-localstack", name), &cases)
			corpus := "asl-localstack/" + name + " (Temporal)"
			scores := []asltest.Score{{Corpus: corpus, Level: "1 outcome", Floor: 100}, {Corpus: corpus, Level: "2 cause", Floor: 98}, {Corpus: corpus, Level: "3 history", Floor: 95}}
			run := asltest.Score{Corpus: corpus, Level: "0 run", Floor: 100}
			for _, c := range cases {
				m, err := asl.Parse(c.Definition)
				if err != nil {
					t.Errorf("%s: AWS accepts it: %v", c.Name, err)
				}
				if run.Count(err == nil && c.Answerable()) {
					measured(t, m, c, scores)
				}
			}
			asltest.Report(t, append([]asltest.Score{run}, scores...)...)
		})
	}
}

func measured(t *testing.T, m *asl.Machine, c asltest.Case, scores []asltest.Score) {
	t.Helper()
	x, history := passCase(t, m, c)
	fault := c.Outcome(asltest.Result{Status: string(x.Status), Output: x.Output, Error: x.Error, Cause: x.Cause})
	if !scores[0].Count(fault == "") {
		t.Logf("level 1: %s: %s", c.Name, fault)
	}
	if c.Cause != nil && !scores[1].Count(c.SameCause(x.Cause)) {
		t.Logf("level 2: %s:\n  have %s\n  want %s", c.Name, x.Cause, c.Cause)
	}
	if len(c.History) > 0 {
		if fault := c.SameHistory(history); !scores[2].Count(fault == "") {
			t.Logf("level 3: %s: %s", c.Name, fault)
		}
	}
}

// passCase runs one case under Temporal's test environment.
func passCase(t *testing.T, m *asl.Machine, c asltest.Case) (Outcome, []asltest.HistoryEvent) {
	t.Helper()
	e := newEnvironment(t)
	answers := c.Service()
	e.handle(m, func(_ context.Context, task engine.Task) (json.RawMessage, error) {
		a := answers.Answer(task.State, task.Resource, task.Token, task.Input)
		if a.Failed {
			return nil, fault{a.Error, a.Cause, false}
		}
		e.RegisterDelayedCallback(func() {
			if end, ok := answers.Settle(task.Token); ok {
				e.UpdateWorkflow(updateAnswer, task.Token, &told{}, answer{Token: task.Token, Failed: end.Failed, Error: end.Error, Cause: end.Cause, Output: end.Output})
			}
		}, time.Second) // after the task itself has been answered
		return a.Output, nil
	})
	e.ExecuteWorkflow(Execute, Start{Definition: string(c.Definition), Input: c.Input})
	if !e.IsWorkflowCompleted() {
		t.Fatalf("%s: the workflow has not ended", c.Name)
	}
	return e.outcome(), e.events()
}

// An environment is Temporal's own for tests: its clock jumps, and no cluster
// is needed.
type environment struct {
	*testsuite.TestWorkflowEnvironment
	t testing.TB
}

const testID = "exec"

func newEnvironment(t testing.TB) *environment {
	var suite testsuite.WorkflowTestSuite
	suite.SetLogger(silent{})
	e := &environment{suite.NewTestWorkflowEnvironment(), t}
	e.SetStartWorkflowOptions(client.StartWorkflowOptions{ID: testID, TaskQueue: "inspector"})
	e.SetWorkerOptions(worker.Options{DeadlockDetectionTimeout: slowest})
	e.RegisterWorkflowWithOptions(Execute, workflow.RegisterOptions{Name: Type})
	return e
}

// handle registers h for all resources of the machine.
func (e *environment) handle(m *asl.Machine, h engine.Handler) {
	for _, resource := range m.Resources() {
		e.RegisterActivityWithOptions(performer(resource, h, 0), activity.RegisterOptions{Name: resource})
	}
}

// outcome is what the workflow gave, or what the detail of its failure says.
func (e *environment) outcome() (o Outcome) {
	e.t.Helper()
	err := e.GetWorkflowError()
	if err == nil {
		if err := e.GetWorkflowResult(&o); err != nil {
			e.t.Fatal(err)
		}
	} else if !detail(err, &o) {
		e.t.Fatalf("the workflow failed without an outcome: %v", err)
	}
	return o
}

// folded is the execution as its journal says.
func (e *environment) folded() *folded {
	e.t.Helper()
	f, err := fold(func(from int) (p page, err error) {
		v, err := e.QueryWorkflow(queryJournal, from)
		if err != nil {
			return p, err
		}
		return p, v.Get(&p)
	})
	if err != nil {
		e.t.Fatal(err)
	}
	return f
}

func (e *environment) events() (out []asltest.HistoryEvent) {
	for _, h := range e.folded().history {
		out = append(out, asltest.HistoryEvent{
			Type: h.Type, Name: h.Name, Input: h.Input(), Output: h.Output(), Index: h.Index, Length: h.Length,
			Error: h.Error, Cause: h.Cause, State: h.State, Location: h.Location, Assigned: h.Assigned(),
		})
	}
	return out
}

func detail(err error, o *Outcome) bool {
	var said interface {
		HasDetails() bool
		Details(...any) error
	}
	return errors.As(err, &said) && said.HasDetails() && said.Details(o) == nil
}

// A fault is a handler's error.
type fault struct {
	name, cause string
	final       bool
}

func (f fault) Error() string   { return f.cause }
func (f fault) Name() string    { return f.name }
func (f fault) Permanent() bool { return f.final }

// silent is a logger for the SDK that says nothing.
type silent struct{}

func (silent) Debug(string, ...any) {}
func (silent) Info(string, ...any)  {}
func (silent) Warn(string, ...any)  {}
func (silent) Error(string, ...any) {}
