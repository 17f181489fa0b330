package workflow

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"inspector/workflow/asl"
)

// The resources that begin an execution inside another.
const (
	startExecution      = "arn:aws:states:::states:startExecution"
	startExecutionSync  = startExecution + ".sync"   // its end is the result, the output as text
	startExecutionSync2 = startExecution + ".sync:2" // its end is the result, the output as JSON
)

// Nests reports whether a task of the resource begins an execution.
func Nests(resource string) bool { return resource == startExecution || Awaited(resource) }

// Awaited reports whether a task of the resource ends with the execution that
// it begins.
func Awaited(resource string) bool {
	return resource == startExecutionSync || resource == startExecutionSync2
}

// NotAwaited is why an execution is stopped whose parent's task is over.
const NotAwaited = "The parent execution no longer waits for it"

// A Nesting is what a task asks for that begins an execution inside its own.
type Nesting struct {
	Arn     string // as the state gives it
	Machine string // as for Start
	Name    string // of the execution: the same on every attempt, but another for every token
	Named   bool   // by the state
	Input   json.RawMessage
}

// nestedInput is what a state gives startExecution.
type nestedInput struct {
	StateMachineArn string          // or a name, as for Start
	Name            string          // empty: from the key of the task
	Input           json.RawMessage // any JSON, or a text of it
}

// ReadNesting reads the input of the task. Errors are AWS's and fail the state.
func ReadNesting(task Task) (n Nesting, err error) {
	var in nestedInput
	if err := json.Unmarshal(task.Input, &in); err != nil || in.StateMachineArn == "" {
		return n, nestedError{"States.Runtime", "The Parameters of startExecution must have StateMachineArn, the name or ARN of a machine"}
	}
	n = Nesting{Arn: in.StateMachineArn, Machine: in.machineRef(), Named: in.Name != "", Input: in.input()}
	if !json.Valid(n.Input) {
		return n, nestedError{"StepFunctions.InvalidExecutionInputException", refusedCause("Invalid State Machine Execution Input", "InvalidExecutionInput")}
	}
	if n.Named && checkName("execution", in.Name) != nil {
		return n, invalidName(in.Name)
	}
	seed := task.Key
	if Awaited(task.Resource) {
		parent, command, _ := asl.SplitToken(task.Token)
		seed = tokenPlace(parent, command)
	}
	n.Name = nestedName(in, seed)
	return n, nil
}

// machineRef is the reference, as of Start, in a name or an ARN.
func (in nestedInput) machineRef() string {
	_, ref, ok := strings.Cut(in.StateMachineArn, ":stateMachine:")
	if !ok {
		return in.StateMachineArn
	}
	return ref
}

func (in nestedInput) input() json.RawMessage {
	var text string
	switch raw := in.Input; {
	case len(raw) == 0 || string(raw) == "null":
		return json.RawMessage("{}")
	case json.Unmarshal(raw, &text) == nil:
		return json.RawMessage(text)
	}
	return in.Input
}

func nestedName(in nestedInput, seed string) string {
	if in.Name != "" {
		return in.Name
	}
	h := sha256.Sum256([]byte(seed))
	return fmt.Sprintf("%x-%x-%x-%x-%x", h[:4], h[4:6], h[6:8], h[8:10], h[10:16])
}

// tokenPlace is the readable part of a token: which command of which
// execution holds it.
func tokenPlace(execution string, command int64) string {
	return fmt.Sprintf("%s.%d.", execution, command)
}

// AwaitedBy reports whether an execution that was begun with that token was
// begun by the command of the execution parent.
func AwaitedBy(parent string, command int64, token string) bool {
	return strings.HasPrefix(token, tokenPlace(parent, command))
}

// AwaitedExecution names the execution that the command of the execution id,
// an Await or its Cancel, waits for; false if it waits for none.
func AwaitedExecution(id string, c asl.Command) (name string, ok bool) {
	var in nestedInput
	if !Awaited(c.Resource) || len(c.Input) == 0 || json.Unmarshal(c.Input, &in) != nil {
		return "", false
	}
	return nestedName(in, tokenPlace(id, c.ID)), true
}

// A nestedError is a refusal in AWS's words. It fails the state: its Retry and
// Catch decide.
type nestedError struct{ name, cause string }

func (e nestedError) Error() string { return e.cause }
func (e nestedError) Name() string  { return e.name }
func (nestedError) Answered() bool  { return true }

// NestedExists says that the name was used for something else.
func NestedExists(arn string) error {
	return nestedError{"StepFunctions.ExecutionAlreadyExistsException", refusedCause(fmt.Sprintf("Execution Already Exists: '%s'", arn), "ExecutionAlreadyExists")}
}

// NestedUnknown says that there is no such machine.
func NestedUnknown(arn string) error {
	return nestedError{"StepFunctions.StateMachineDoesNotExistException", refusedCause(fmt.Sprintf("State Machine Does Not Exist: '%s'", arn), "StateMachineDoesNotExist")}
}

func invalidName(name string) error {
	return nestedError{"StepFunctions.InvalidNameException", refusedCause(fmt.Sprintf("Invalid Name: '%s'", name), "InvalidName")}
}

func refusedCause(text, code string) string {
	return fmt.Sprintf("%s (Service: AWSStepFunctions; Status Code: 400; Error Code: %s)", text, code)
}

// NestedStarted is the result of a task that has begun an execution.
func NestedStarted(arn string, at time.Time) (json.RawMessage, error) {
	return json.Marshal(map[string]any{"ExecutionArn": arn, "StartDate": at})
}

// NestedEnded is AWS's description of an execution that ended, as the result
// of .sync (input and output as text) or .sync:2 (as JSON).
func NestedEnded(d Description, arn, resource string) (json.RawMessage, error) {
	value := func(raw json.RawMessage) any {
		if resource == startExecutionSync2 {
			return raw
		}
		return string(raw)
	}
	machine, _, _ := strings.Cut(arn, ":execution:")
	out := map[string]any{
		"ExecutionArn": arn, "StateMachineArn": machine + ":stateMachine:" + cmp.Or(d.StateMachine, d.Machine),
		"Name": d.ID, "Status": d.Status, "StartDate": d.Started, "StopDate": d.Stopped,
		"Input": value(d.Input), "InputDetails": map[string]bool{"Included": true}, "RedriveCount": d.Redrives,
		"RedriveStatus": "REDRIVABLE",
	}
	if d.Status == asl.StatusSucceeded {
		out["Output"], out["OutputDetails"] = value(d.Output), map[string]bool{"Included": true}
		out["RedriveStatus"], out["RedriveStatusReason"] = "NOT_REDRIVABLE", "Execution is SUCCEEDED and cannot be redriven"
	}
	if d.Error != "" {
		out["Error"] = d.Error
	}
	if d.Cause != "" {
		out["Cause"] = d.Cause
	}
	return json.Marshal(out)
}
