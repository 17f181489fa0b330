package workflow

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
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

// The numbers of an execution's work that its own commands do not ask for: the
// interpreter gives none below 1.
const (
	reportCommand = -1 // tells the parent of the end
	orphanCommand = -2 // looks once, from the start on, whether the parent still waits
)

// nest gives the engine what executions inside executions need.
func (e *Engine) nest() {
	for _, resource := range []string{startExecution, startExecutionSync, startExecutionSync2} {
		e.Handle(resource, 4, e.startNested)
	}
	e.lanes[LaneReport] = newLane(e, LaneReport, 4, nil)
	e.lanes[LaneReport].chore = e.report
	e.lanes[LaneAbort] = newLane(e, LaneAbort, 4, nil)
	e.lanes[LaneAbort].chore = e.abortNested
}

// doChore does work of the engine's own until it is done, or the grace ends.
func (l *lane) doChore(task context.Context, w Work) {
	err := l.engine.insist(task, w, w.Lane, func(ctx context.Context) error {
		if err := l.chore(ctx, w); err != nil {
			return err
		}
		return l.engine.done(ctx, task, w)
	})
	if err != nil {
		l.engine.park(task, w, err.Error())
	}
}

// done forgets work of the engine's own. If it was withdrawn, its number may
// stand for newer work already: the lock of the execution keeps them apart.
func (e *Engine) done(ctx, task context.Context, w Work) error {
	f := e.cache.take(w.Execution)
	defer e.cache.put(f)
	if errors.Is(context.Cause(task), errWithdrawn) {
		return nil
	}
	err := e.journal.Done(ctx, w.Execution, w.Command)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// nestedInput is what a state gives startExecution.
type nestedInput struct {
	StateMachineArn string          // or a name, as for Start
	Name            string          // empty: from the key of the task
	Input           json.RawMessage // any JSON, or a text of it
}

// A nestedError is a refusal in AWS's words. It fails the state: its Retry and
// Catch decide.
type nestedError struct{ name, cause string }

func (e nestedError) Error() string { return e.cause }
func (e nestedError) Name() string  { return e.name }
func (nestedError) Answered() bool  { return true }

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

// nestedName is the name of the execution that a task begins: the same on
// every attempt, but another for every token of a state that waits for it.
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

// startNested begins an execution for a task.
func (e *Engine) startNested(ctx context.Context, task Task) (json.RawMessage, error) {
	var in nestedInput
	if err := json.Unmarshal(task.Input, &in); err != nil || in.StateMachineArn == "" {
		return nil, nestedError{"States.Runtime", "The Parameters of startExecution must have StateMachineArn, the name or ARN of a machine"}
	}
	input := in.input()
	if !json.Valid(input) {
		return nil, nestedError{"StepFunctions.InvalidExecutionInputException", refusedCause("Invalid State Machine Execution Input", "InvalidExecutionInput")}
	}
	w := Execution{Parent: task.Key}
	seed := task.Key
	if task.Resource != startExecution {
		parent, command, _ := asl.SplitToken(task.Token)
		w.ParentToken, seed = task.Token, tokenPlace(parent, command)
	}
	w.ID = nestedName(in, seed)
	if in.Name != "" && e.checkExecutionName(in.Name) != nil {
		return nil, nestedError{"StepFunctions.InvalidNameException", refusedCause(fmt.Sprintf("Invalid Name: '%s'", in.Name), "InvalidName")}
	}
	x, err := e.start(ctx, in.machineRef(), w, input)
	switch {
	case errors.Is(err, ErrExists):
		return nil, nestedError{"StepFunctions.ExecutionAlreadyExistsException", refusedCause(fmt.Sprintf("Execution Already Exists: '%s'", e.arn(x.Execution)), "ExecutionAlreadyExists")}
	case errors.Is(err, ErrNotFound):
		return nil, nestedError{"StepFunctions.StateMachineDoesNotExistException", refusedCause(fmt.Sprintf("State Machine Does Not Exist: '%s'", in.StateMachineArn), "StateMachineDoesNotExist")}
	case err != nil:
		return nil, err
	}
	return json.Marshal(map[string]any{"ExecutionArn": e.arn(x.Execution), "StartDate": x.Started})
}

// orphaned stops an execution whose task was withdrawn while it began: its
// parent found nothing to stop then.
func (e *Engine) orphaned(ctx context.Context, id string) error {
	x, _, err := e.journal.Load(ctx, id)
	if err != nil {
		return err
	}
	parent, command, _ := asl.SplitToken(x.ParentToken)
	f := e.cache.take(parent)
	err = e.load(ctx, f)
	waits := false
	if err == nil {
		_, waits = f.x.Command(command)
	}
	e.cache.put(f)
	gone := errors.Is(err, ErrNotFound) && !permanent(err) // the parent itself
	if err != nil && !gone || waits {
		return err
	}
	return e.Stop(ctx, id, "", notAwaited)
}

const notAwaited = "The parent execution no longer waits for it"

func refusedCause(text, code string) string {
	return fmt.Sprintf("%s (Service: AWSStepFunctions; Status Code: 400; Error Code: %s)", text, code)
}

func (e *Engine) arn(x Execution) string {
	return asl.ARN(cmp.Or(e.options.Account, "inspector"), cmp.Or(x.StateMachine, x.Machine), x.ID)
}

// report tells the task that waits for an execution how it ended. A task that
// waits no longer has nothing to be told.
func (e *Engine) report(ctx context.Context, w Work) error {
	d, err := e.Describe(ctx, w.Execution)
	if err != nil || d.Status == asl.StatusRunning { // redriven: it will end again
		return err
	}
	parent, command, ok := asl.SplitToken(d.ParentToken)
	if !ok {
		return nil
	}
	c, err := e.command(ctx, parent, command)
	if errors.Is(err, ErrNotFound) || errors.Is(err, errNotAsked) {
		return nil
	}
	if err != nil {
		return err
	}
	text, err := json.Marshal(e.describeNested(d, strings.HasSuffix(c.Resource, ":2")))
	if err != nil {
		return err
	}
	if d.Status == asl.StatusSucceeded {
		err = e.SendTaskSuccess(ctx, d.ParentToken, text)
	} else {
		err = e.SendTaskFailure(ctx, d.ParentToken, "States.TaskFailed", string(text))
	}
	if errors.Is(err, ErrTaskClosed) || errors.Is(err, ErrInvalidToken) || errors.Is(err, asl.ErrMoot) {
		return nil
	}
	return err
}

// describeNested is AWS's description of an execution that ended, as the
// result of .sync (input and output as text) or .sync:2 (as JSON).
func (e *Engine) describeNested(d Description, parsed bool) map[string]any {
	value := func(raw json.RawMessage) any {
		if parsed {
			return raw
		}
		return string(raw)
	}
	machine, _, _ := strings.Cut(e.arn(d.Execution), ":execution:")
	out := map[string]any{
		"ExecutionArn": e.arn(d.Execution), "StateMachineArn": machine + ":stateMachine:" + cmp.Or(d.StateMachine, d.Machine),
		"Name": d.ID, "Status": d.Status, "StartDate": d.Started, "StopDate": d.Stopped,
		"Input": value(d.Input), "InputDetails": map[string]bool{"Included": true}, "RedriveCount": d.Redrives,
		"RedriveStatus": "REDRIVABLE",
	}
	if d.Status == asl.StatusSucceeded {
		out["Output"], out["OutputDetails"] = value(d.Output), map[string]bool{"Included": true}
		out["RedriveStatus"], out["RedriveStatusReason"] = "NOT_REDRIVABLE", "Execution is SUCCEEDED and cannot be redriven"
	}
	for name, text := range map[string]string{"Error": d.Error, "Cause": d.Cause} {
		if text != "" {
			out[name] = text
		}
	}
	return out
}

// abort is the work that ends what a .sync task began, whose wait is cancelled.
// Its state is the name of that execution.
func abort(id string, c asl.Command, now time.Time) (Work, bool) {
	var in nestedInput
	if (c.Resource != startExecutionSync && c.Resource != startExecutionSync2) || len(c.Input) == 0 || json.Unmarshal(c.Input, &in) != nil {
		return Work{}, false
	}
	return Work{Execution: id, Command: c.ID, Lane: LaneAbort, State: nestedName(in, tokenPlace(id, c.ID)), Due: now, Since: now}, true
}

// abortNested stops the execution, if the task began it; or the work's own
// execution, if its parent waits no longer.
func (e *Engine) abortNested(ctx context.Context, w Work) error {
	if w.Command == orphanCommand {
		return e.orphaned(ctx, w.Execution)
	}
	x, _, err := e.journal.Load(ctx, w.State)
	switch {
	case errors.Is(err, ErrNotFound):
		return nil
	case err != nil:
		return err
	case !strings.HasPrefix(x.ParentToken, tokenPlace(w.Execution, w.Command)):
		return nil
	}
	return e.Stop(ctx, w.State, "", notAwaited)
}
