package temporal

import (
	"context"
	"encoding/json"
	"fmt"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"inspector/workflow/asl"

	engine "inspector/workflow"
)

const (
	updateAmend   = "amend"     // (amendment) of a person; durable when it returns
	typeNotParked = "NotParked" // of its errors
)

// An amendment replaces the input of a parked task.
type amendment struct {
	Command int64           `json:"command"`
	Input   json.RawMessage `json:"input"`
	By      string          `json:"by,omitempty"`
}

// Asked is the input that an open command of the execution has.
func (c *Client) Asked(ctx context.Context, id string, command int64) (json.RawMessage, error) {
	f, err := c.fold(ctx, id)
	if err != nil {
		return nil, wrap(err, "input of a task of", id)
	}
	asked, ok := f.x.Command(command)
	if !ok {
		return nil, wrap(engine.ErrNotFound, fmt.Sprintf("input of command %d of", command), id)
	}
	return asked.Input, nil
}

// Amend replaces the input of a parked task, for good, and tries it again, as
// the engine's does.
func (c *Client) Amend(ctx context.Context, id string, command int64, input json.RawMessage, by string) error {
	f, err := c.fold(ctx, id)
	if err != nil {
		return wrap(err, "amend the input of", id)
	}
	asked, ok := f.x.Command(command)
	if !ok || f.parked[command] == "" {
		return wrap(engine.ErrNotParked, "amend the input of", id)
	}
	if err := engine.CheckAmended(asked.Input, input); err != nil {
		return wrap(err, "amend the input of", id)
	}
	ctx, cancel := context.WithTimeout(ctx, answerIn)
	defer cancel()
	h, err := c.sdk.UpdateWorkflow(ctx, client.UpdateWorkflowOptions{WorkflowID: id, UpdateName: updateAmend, WaitForStage: client.WorkflowUpdateStageCompleted, Args: []any{amendment{command, input, by}}})
	if err == nil {
		err = h.Get(ctx, nil)
	}
	if typeOf(err) == typeNotParked {
		err = engine.ErrNotParked
	}
	return wrap(err, "amend the input of", id)
}

func (r *run) unamendable(a amendment) error {
	if r.parked[a.Command] == "" {
		return temporal.NewNonRetryableApplicationError("the command is not parked", typeNotParked, nil)
	}
	return nil
}

func (r *run) amended(_ workflow.Context, a amendment) error {
	if err := r.unamendable(a); err != nil { // it was redriven in between
		return err
	}
	reason := r.parked[a.Command]
	delete(r.parked, a.Command)
	err := r.tell(asl.Event{Kind: asl.Amended, Command: a.Command, Input: a.Input, By: a.By})
	if err != nil {
		r.parked[a.Command] = reason
		return temporal.NewNonRetryableApplicationError(err.Error(), "InvalidExecutionInput", nil)
	}
	return nil
}
