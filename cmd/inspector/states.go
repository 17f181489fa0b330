package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"inspector/store"
	"inspector/web"
	"inspector/workflow"
)

// statesAPI carries out the actions of Step Functions on the engine, and those
// that the appliance has beside them.
type statesAPI struct {
	engine  executions
	store   *store.Store
	log     *slog.Logger
	parked  *parked
	actions map[string]action
}

// An action reads its body and gives what becomes the answer, a JSON object.
type action func(ctx context.Context, body json.RawMessage) (any, error)

func newStatesAPI(e executions, s *store.Store, p *parked, log *slog.Logger) *statesAPI {
	a := &statesAPI{engine: e, store: s, parked: p, log: log}
	a.actions = map[string]action{
		"CreateStateMachine":         strictly(a.createMachine),
		"UpdateStateMachine":         strictly(a.updateMachine),
		"DeleteStateMachine":         strictly(a.deleteMachine),
		"ListStateMachines":          strictly(a.listMachines),
		"DescribeStateMachine":       strictly(a.describeMachine),
		"PublishStateMachineVersion": strictly(a.publishVersion),
		"DeleteStateMachineVersion":  strictly(a.deleteVersion),
		"PutStateMachineAlias":       strictly(a.putAlias),
		"DeleteStateMachineAlias":    strictly(a.deleteAlias),
		"StartExecution":             strictly(a.start),
		"DescribeExecution":          strictly(a.describe),
		"ListExecutions":             strictly(a.list),
		"GetExecutionHistory":        strictly(a.history),
		"StopExecution":              strictly(a.stop),
		"RedriveExecution":           strictly(a.redrive),
		"RedriveExecutions":          strictly(a.redriveAll),
		"SendTaskSuccess":            strictly(a.succeed),
		"SendTaskFailure":            strictly(a.fail),
		"SendTaskHeartbeat":          strictly(a.heartbeat),
		"Pause":                      strictly(a.pause),
		"Drain":                      strictly(a.drain),
		"Resume":                     strictly(a.resume),
		"ListHolds":                  strictly(a.holds),
		"ListParked":                 strictly(a.listParked),
		"RedriveParked":              strictly(a.redriveParked),
		"DescribeParkedTask":         strictly(a.describeParked),
		"AmendTask":                  strictly(a.amend),
		"TestState":                  strictly(a.testState),
	}
	return a
}

// Act implements what web asks of it.
func (a *statesAPI) Act(ctx context.Context, name string, body json.RawMessage) (any, error) {
	do, ok := a.actions[name]
	if !ok {
		return nil, fmt.Errorf("%w: there is no action %.100q", web.ErrNotFound, name)
	}
	done, err := do(ctx, body)
	if err != nil {
		return nil, coded(err)
	}
	if done == nil {
		done = struct{}{}
	}
	return done, nil
}

// strictly gives f the body: strictly, and an empty one is an empty object.
func strictly[In any](f func(context.Context, In) (any, error)) action {
	return func(ctx context.Context, body json.RawMessage) (any, error) {
		var in In
		if len(bytes.TrimSpace(body)) == 0 {
			body = json.RawMessage("{}")
		}
		d := json.NewDecoder(bytes.NewReader(body))
		d.DisallowUnknownFields()
		err := d.Decode(&in)
		if err == nil && d.More() {
			err = errors.New("something follows the object")
		}
		if err != nil {
			return nil, &web.CodedError{Code: "ValidationException", Err: fmt.Errorf("the body does not fit the action: %w", err)}
		}
		return f(ctx, in)
	}
}

// coded gives err the name that Step Functions has for it.
func coded(err error) error {
	var done *web.CodedError
	var r *workflow.Refusal
	code := ""
	switch {
	case errors.As(err, &done):
		return err
	case errors.As(err, &r):
		code = r.Code
	case errors.Is(err, workflow.ErrInvalidToken):
		code = "InvalidToken"
	case errors.Is(err, workflow.ErrTaskClosed):
		code = "TaskTimedOut"
	case errors.Is(err, workflow.ErrNotParked), errors.Is(err, workflow.ErrUnhandled):
		code = "ExecutionNotRedrivable"
	case errors.Is(err, workflow.ErrExists):
		code = "ExecutionAlreadyExists"
	case errors.Is(err, workflow.ErrConflict):
		code = "Conflict"
	case errors.Is(err, workflow.ErrNotFound):
		code = "ExecutionDoesNotExist"
	case permanent(err):
		code = "ValidationException"
	default:
		return meaning(err)
	}
	return &web.CodedError{Code: code, Err: err}
}

// audit writes down who changed what. The change is made already, so a trail
// that cannot be written is said in the log.
func (a *statesAPI) audit(ctx context.Context, by, what, subject string, detail any) {
	text, err := json.Marshal(detail)
	if err == nil {
		err = a.store.Audit(context.WithoutCancel(ctx), store.Entry{At: time.Now().UTC(), Who: cmp.Or(by, "api"), What: what, Subject: subject, Detail: text})
	}
	if err != nil {
		a.log.Error("the audit trail lacks a change", "what", what, "subject", subject, "by", by, "err", err)
	}
}
