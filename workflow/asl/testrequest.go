package asl

import (
	"maps"
	"slices"
	"strings"
)

// newTest checks a request, in AWS's words.
func newTest(r TestRequest) (*stateTest, error) {
	t := &stateTest{request: r}
	if r.StateName != nil && *r.StateName == "" {
		return nil, &TestError{"ParamValidationError", "Parameter validation failed:\nInvalid length for parameter stateName, value: 0, valid min length: 1"}
	}
	switch r.InspectionLevel {
	case "", "INFO", "DEBUG", "TRACE":
	default:
		return nil, invalidRequest("Value '%s' at 'inspectionLevel' failed to satisfy constraint: Member must satisfy enum value set: [INFO, DEBUG, TRACE]", r.InspectionLevel)
	}
	for _, check := range []func() error{t.define, t.mockFits, t.read, t.contextFits, t.mockResult} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	return t, nil
}

// define finds the state and compiles it.
func (t *stateTest) define() error {
	definition := []byte(t.request.Definition)
	v, _ := decode(definition)
	o, isObject := v.(map[string]any)
	var machineLanguage any
	if t.request.StateName == nil {
		if _, whole := o["States"]; whole && o["Type"] == nil {
			return invalidRequest("stateName must be specified when the definition is a state machine")
		}
		if isObject {
			definition = wrapped(string(t.request.Definition), o)
		}
		t.state = o
	} else {
		machineLanguage = o["QueryLanguage"]
		t.state = find(o, *t.request.StateName)
	}
	faults := Check(definition, Standard)
	if words := faults.AWS(); words != "" {
		return &TestError{"InvalidDefinition", words}
	}
	if t.state == nil {
		return invalidRequest("State not found in definition")
	}
	return t.compile(machineLanguage)
}

// compile makes the state one of a machine of its own.
func (t *stateTest) compile(machineLanguage any) error {
	t.state = without(t.state)
	if t.state["QueryLanguage"] == nil {
		t.state["QueryLanguage"] = "JSONPath"
		if machineLanguage != nil {
			t.state["QueryLanguage"] = machineLanguage
		}
	}
	t.kind, _ = t.state["Type"].(string)
	alone := encode(map[string]any{"StartAt": testedName, "States": withTargets(testedName, t.reduced(t.state))})
	m, err := Parse(alone)
	if err != nil {
		return &TestError{"InvalidDefinition", err.Error()}
	}
	t.compiled = m.top.states[testedName]
	return nil
}

// mockFits checks that the mock fits the kind of state.
func (t *stateTest) mockFits() error {
	works := t.kind == "Task" || t.kind == "Map" || t.kind == "Parallel"
	m, c := t.request.Mock, t.request.Configuration
	switch {
	case m == nil && c != nil && c.FailureCount != nil:
		return invalidRequest("TestState does not support MapIterationFailureCount when a mock is not specified.")
	case m == nil && c != nil && c.CausedBy != "":
		return invalidRequest("TestState does not support ErrorCausedByState when a mock is not specified.")
	case m == nil && c != nil && c.ReaderData != nil:
		return invalidRequest("TestState does not support MapItemReaderData when a mock is not specified.")
	case m == nil && c != nil && c.RetryCount != nil:
		return invalidRequest("TestState does not support RetrierRetryCount when a mock is not specified.")
	case m == nil && (t.kind == "Map" || t.kind == "Parallel"):
		return &TestError{"InvalidDefinition", "TestState API does not support Map or Parallel states. Supported state types include: [Task, Wait, Pass, Succeed, Fail, Choice]"}
	case m == nil && t.kind == "Task" && t.request.RoleArn == "":
		return invalidRequest("RoleArn must be specified when testing a Task state")
	case m == nil && t.kind == "Task":
		return invalidRequest("a test invokes nothing, so it cannot say what '%s' gives: specify a mock, with a result or an errorOutput", t.state["Resource"])
	case m == nil:
		return nil
	case !works:
		return invalidRequest("State type '%s' is not supported when a mock is specified", t.kind)
	case (m.Result == nil) == (m.Error == nil):
		return invalidRequest("A mock must have exactly one of: [Result, ErrorOutput]")
	}
	return t.causedBy()
}

// causedBy checks that the state whose error it is is inside this one.
func (t *stateTest) causedBy() error {
	c := t.request.Configuration
	if c == nil || c.CausedBy == "" {
		return nil
	}
	for _, block := range blocksOf(t.state) {
		if find(block, c.CausedBy) != nil {
			return nil
		}
	}
	return invalidRequest("State not found in definition")
}

// read decodes input and variables.
func (t *stateTest) read() (err error) {
	t.input = map[string]any{}
	if t.request.Input != "" {
		if t.input, err = decode([]byte(t.request.Input)); err != nil {
			return &TestError{"InvalidExecutionInput", "Invalid State Machine Execution Input: '" + err.Error() + "'"}
		}
	}
	if !fits(t.input) {
		return invalidRequest("The input exceeds %d bytes or is nested deeper than %d", maxPayload, maxDepth)
	}
	if t.request.Variables != "" {
		v, err := decode([]byte(t.request.Variables))
		o, ok := v.(map[string]any)
		if err != nil || !ok {
			return invalidRequest("Invalid variables provided: they must be a JSON object")
		}
		for name := range o {
			if !isName(name) || name == "states" {
				return invalidRequest("Invalid variables provided: '%s' is not a valid variable name", name)
			}
		}
		t.variables = o
	}
	return nil
}

// mockResult decodes the mock's result, and checks its form.
func (t *stateTest) mockResult() error {
	m := t.request.Mock
	if m == nil || m.Result == nil {
		return nil
	}
	v, err := decode([]byte(*m.Result))
	if err != nil {
		return invalidRequest("Mocked result must be valid JSON.")
	}
	t.mock = v
	_, isList := v.([]any)
	_, isObject := v.(map[string]any)
	_, written := t.state["ResultWriter"]
	switch {
	case t.kind == "Map" && written && !isObject:
		return invalidRequest("Mocked result must be a JSON object.")
	case (t.kind == "Parallel" || t.kind == "Map" && !written) && !isList:
		return invalidRequest("Mocked result must be an array.")
	}
	switch m.Validation {
	case "", "STRICT", "PRESENT":
		return t.resultFits()
	case "NONE":
		return nil
	}
	return invalidRequest("Value '%s' at 'mock.fieldValidationMode' failed to satisfy constraint: Member must satisfy enum value set: [STRICT, PRESENT, NONE]", m.Validation)
}

// contextFields are those of a context object that a test may give, and what
// they hold.
var contextFields = map[string]map[string]string{
	"Execution":    {"Id": "a string", "Input": "", "Name": "a string", "RoleArn": "a string", "StartTime": "a string", "RedriveCount": "a number", "RedriveTime": "a string"},
	"State":        {"EnteredTime": "a string", "Name": "a string", "RetryCount": "a number"},
	"StateMachine": {"Id": "a string", "Name": "a string"},
	"Task":         {"Token": "a string"},
}

// contextFits reads the context object that is given, or makes one.
func (t *stateTest) contextFits() error {
	if t.request.Context == "" {
		t.context = t.ownContext()
		return nil
	}
	refuse := func(format string, args ...any) error {
		return invalidRequest("Invalid Context object provided: "+format, args...)
	}
	v, err := decode([]byte(t.request.Context))
	o, ok := v.(map[string]any)
	if err != nil || !ok {
		return refuse("must be a JSON object")
	}
	for _, name := range slices.Sorted(maps.Keys(o)) {
		fields, known := contextFields[name]
		within, isObject := o[name].(map[string]any)
		switch {
		case name == "Map":
			return refuse("'Map' field is not supported when mocking a Context object")
		case !known:
			return refuse("Field '%s' is not allowed", name)
		case name == "Task" && !t.waits():
			return refuse("Context object contains 'Task' when state is not a Task state with a '.sync' or '.waitForTaskToken' service integration pattern")
		case !isObject:
			return refuse("%s must be an object", name)
		}
		for _, field := range slices.Sorted(maps.Keys(within)) {
			want, known := fields[field]
			if !known {
				return refuse("Field '%s.%s' is not allowed", name, field)
			}
			if want != "" && kindOf(within[field]) != want {
				return refuse("%s.%s must be %s", name, field, want)
			}
		}
	}
	t.context = v
	return nil
}

// waits reports a Task that ends when somebody else says so.
func (t *stateTest) waits() bool {
	resource, _ := t.state["Resource"].(string)
	return t.kind == "Task" && (strings.HasSuffix(resource, tokenSuffix) || strings.HasSuffix(resource, ".sync") || strings.HasSuffix(resource, ".sync:2"))
}

// ownContext is the context object of a test that gives none.
func (t *stateTest) ownContext() any {
	const machine, execution = "arn:aws:states:local:000000000000:stateMachine:test", "arn:aws:states:local:000000000000:express:test:"
	x := &Execution{name: "test", seed: t.request.Seed}
	role := any(nil)
	if t.request.RoleArn != "" {
		role = t.request.RoleArn
	}
	at := rfc3339(t.request.At)
	state := map[string]any{"Name": testedName, "EnteredTime": at}
	if t.kind == "Task" || t.kind == "Map" || t.kind == "Parallel" {
		state["RetryCount"] = number(0)
		if c := t.request.Configuration; c != nil && c.RetryCount != nil {
			state["RetryCount"] = number(*c.RetryCount)
		}
	}
	o := map[string]any{
		"Execution":    map[string]any{"Id": execution + "test", "Input": t.input, "Name": "test", "RoleArn": role, "StartTime": at},
		"StateMachine": map[string]any{"Id": machine, "Name": "test"},
		"State":        state,
	}
	if t.waits() {
		o["Task"] = map[string]any{"Token": x.Token(1)}
	}
	return o
}
