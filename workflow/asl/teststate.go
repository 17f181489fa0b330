package asl

import (
	"encoding/json"
	"fmt"
	"time"
)

// A TestRequest asks what one state does, in the words of AWS's TestState. A
// Text may be JSON or JSON in a string, as on AWS.
type TestRequest struct {
	Definition      Text      `json:"definition"`          // a state, or a machine with StateName
	StateName       *string   `json:"stateName,omitempty"` // at any depth of the machine
	Input           Text      `json:"input,omitempty"`     // empty: {}
	Context         Text      `json:"context,omitempty"`   // empty: one as AWS makes
	Variables       Text      `json:"variables,omitempty"`
	RoleArn         string    `json:"roleArn,omitempty"`
	InspectionLevel string    `json:"inspectionLevel,omitempty"` // INFO (default), DEBUG or TRACE
	RevealSecrets   bool      `json:"revealSecrets,omitempty"`   // only for calls, of which a test makes none
	Mock            *Mock     `json:"mock,omitempty"`            // what a Task, Map or Parallel state's work gives
	Configuration   *TestCase `json:"stateConfiguration,omitempty"`

	At   time.Time `json:"-"` // of the state's entry
	Seed string    `json:"-"` // of random functions; unguessable, if that matters
}

// A Mock stands for the work of a state: exactly one of Result and Error.
type Mock struct {
	Result     *Text      `json:"result,omitempty"`
	Error      *MockError `json:"errorOutput,omitempty"`
	Validation string     `json:"fieldValidationMode,omitempty"` // STRICT (default), PRESENT or NONE
}

// A MockError is how the work of a state fails.
type MockError struct {
	Error string `json:"error"`
	Cause string `json:"cause"`
}

// A TestCase says what happened before, and in a Map.
type TestCase struct {
	RetryCount   *int64 `json:"retrierRetryCount,omitempty"`        // retries that the retrier has made
	CausedBy     string `json:"errorCausedByState,omitempty"`       // state in a Map or Parallel whose error it is
	FailureCount *int64 `json:"mapIterationFailureCount,omitempty"` // iterations that failed
	ReaderData   *Text  `json:"mapItemReaderData,omitempty"`        // what the ItemReader reads
}

// A TestResult is what the state did. JSON values are texts, as on AWS.
type TestResult struct {
	Status     string         `json:"status"` // SUCCEEDED, FAILED, RETRIABLE or CAUGHT_ERROR
	Output     string         `json:"output,omitempty"`
	Error      string         `json:"error,omitempty"`
	Cause      string         `json:"cause,omitempty"`
	NextState  string         `json:"nextState,omitempty"`
	Inspection map[string]any `json:"inspectionData,omitempty"` // of level DEBUG and TRACE
}

// The statuses of a tested state that failed, besides FAILED.
const (
	TestRetriable = "RETRIABLE"
	TestCaught    = "CAUGHT_ERROR"
)

// A TestError is a request that cannot be answered, in AWS's words.
type TestError struct{ Code, Message string }

func (e *TestError) Error() string { return e.Message }

func invalidRequest(format string, args ...any) *TestError {
	return &TestError{"ValidationException", fmt.Sprintf(format, args...)}
}

// A Text is JSON, given as such or in a string.
type Text string

// UnmarshalJSON takes the content of a string, and everything else as it is.
func (t *Text) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) == nil {
		*t = Text(s)
	} else {
		*t = Text(b)
	}
	return nil
}

// TestState runs one state alone, as AWS's TestState does. Nothing is invoked:
// what a Task, Map or Parallel state gives is in the mock. It is pure. Its
// error is a *TestError.
func TestState(r TestRequest) (TestResult, error) {
	t, err := newTest(r)
	if err != nil {
		return TestResult{}, err
	}
	t.run()
	if r.InspectionLevel == "" || r.InspectionLevel == "INFO" {
		t.result.Inspection = nil
	}
	return t.result, nil
}

// A stateTest is one test under way.
type stateTest struct {
	request   TestRequest
	state     map[string]any // as written, with its QueryLanguage
	compiled  *state
	kind      string
	input     any
	context   any // $$
	variables map[string]any
	mock      any // Result
	result    TestResult
}

// show notes a stage for who inspects.
func (t *stateTest) show(stage string, v any) { t.result.Inspection[stage] = string(encode(v)) }

// run fills the result.
func (t *stateTest) run() {
	t.result = TestResult{Inspection: map[string]any{}}
	t.show("input", t.input)
	t.shown(t.variables)
	if failed := t.stages(); failed != nil {
		t.fail(failed)
		return
	}
	if failed := t.mocked(); failed != nil {
		t.fail(failed)
		return
	}
	o := t.whole(without(t.state, "Retry", "Catch"), t.mock, nil)
	if o.failure != nil {
		t.fail(o.failure)
		return
	}
	t.after()
	t.succeed("SUCCEEDED", o)
}

// mocked is how the work fails, if it does.
func (t *stateTest) mocked() *stateError {
	if m := t.request.Mock; m != nil && m.Error != nil {
		return &stateError{m.Error.Error, m.Error.Cause}
	}
	return nil
}

func (t *stateTest) succeed(status string, o outcome) {
	t.result.Status, t.result.Output, t.result.NextState = status, string(encode(o.output)), o.next
	made := map[string]any{}
	for name, v := range t.variables {
		made[name] = v
	}
	for name, v := range o.assigned {
		made[name] = v
	}
	t.shown(made)
}

// shown notes variables, if there are any.
func (t *stateTest) shown(variables map[string]any) {
	if len(variables) > 0 {
		t.show("variables", any(variables))
	}
}

// fail gives the error to the state's retriers and catchers.
func (t *stateTest) fail(e *stateError) {
	t.result.Error, t.result.Cause = e.name, e.cause
	details := map[string]any{}
	if t.retried(e, details) {
		t.result.Status = TestRetriable
	} else if o := t.whole(without(t.state, "Retry"), t.mock, e); e.name != errRuntime && o.failure == nil {
		for i, c := range t.compiled.catch {
			if (&activity{}).caught(c.errors, e.name) {
				details["catchIndex"] = number(int64(i))
				break
			}
		}
		t.succeed(TestCaught, o)
	} else {
		t.result.Status = string(StatusFailed)
		if o.failure != nil && e.name != errRuntime { // a catcher may fail in its turn
			t.result.Error, t.result.Cause = o.failure.name, o.failure.cause
		}
	}
	if len(details) > 0 {
		t.result.Inspection["errorDetails"] = details
	}
}

// retried reports whether a retrier takes the error, and says which.
func (t *stateTest) retried(e *stateError, details map[string]any) bool {
	if e.name == errRuntime {
		return false
	}
	made := int64(0)
	if c := t.request.Configuration; c != nil && c.RetryCount != nil {
		made = *c.RetryCount
	}
	for i, r := range t.compiled.retry {
		if !(&activity{}).caught(r.errors, e.name) {
			continue
		}
		details["retryIndex"] = number(int64(i))
		if made < r.attempts {
			details["retryBackoffIntervalSeconds"] = number(int64(r.delay(made+1, 1) / time.Second))
			return true
		}
		return false
	}
	return false
}
