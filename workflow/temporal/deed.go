package temporal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"inspector/workflow"
)

// A deed is the input of an activity: one attempt at the work of one state.
type deed struct {
	Execution string          `json:"execution"`
	Command   int64           `json:"command"`
	State     string          `json:"state"`
	Input     json.RawMessage `json:"input"`
	Attempt   int             `json:"attempt,omitempty"`
	Token     string          `json:"token,omitempty"`
	Timeout   time.Duration   `json:"timeout,omitempty"`
}

// done is the result of an activity.
type done struct {
	Output json.RawMessage `json:"output,omitempty"`
}

// maxOutput is what Temporal takes as result of an activity, less some room.
// Results above 256 KiB fail in the interpreter, but a reader's may be longer.
const maxOutput = 1_900_000

var errStopping = errors.New("the worker is stopping")

// performer makes an activity of a handler. What the handler says is final for
// Temporal; only a deed that the worker's own end cut short is for another
// worker to do, with the same key.
func performer(resource string, h workflow.Handler, grace time.Duration) func(context.Context, deed) (done, error) {
	return func(ctx context.Context, d deed) (done, error) {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		beating := make(chan struct{})
		go func() {
			defer close(beating)
			watch(ctx, func() { cancel(errStopping) }, grace)
		}()
		task := workflow.Task{
			Execution: d.Execution, Key: workflow.Work{Execution: d.Execution, State: d.State, Command: d.Command}.Key(),
			State: d.State, Resource: resource, Input: d.Input, Attempt: d.Attempt, Token: d.Token,
		}
		output, err := workflow.Attempt(ctx, h, task, d.Timeout)
		stopping := errors.Is(context.Cause(ctx), errStopping)
		withdrawn := ctx.Err() != nil && !stopping
		cancel(nil)
		<-beating
		switch {
		case err == nil && len(output) > maxOutput:
			cause := fmt.Sprintf("The result of %s has %d bytes; a Temporal cluster takes %d.", resource, len(output), maxOutput)
			return done{}, temporal.NewNonRetryableApplicationError(cause, "States.DataLimitExceeded", nil)
		case err == nil:
			return done{output}, nil
		case stopping:
			return done{}, temporal.NewApplicationError(errStopping.Error(), "Interrupted")
		case withdrawn:
			return done{}, context.Canceled
		}
		name, cause, final := workflow.Failure(err)
		return done{}, temporal.NewNonRetryableApplicationError(cause, name, nil, final)
	}
}

// watch tells the cluster that the worker is alive until ctx ends. Once the
// worker stops, stop is called after the grace.
func watch(ctx context.Context, stop func(), grace time.Duration) {
	beat := time.NewTicker(max(activity.GetInfo(ctx).HeartbeatTimeout/6, 100*time.Millisecond))
	defer beat.Stop()
	stopped := activity.GetWorkerStopChannel(ctx)
	var after <-chan time.Time
	for {
		activity.RecordHeartbeat(ctx)
		select {
		case <-ctx.Done():
			return
		case <-stopped:
			stopped, after = nil, time.After(grace)
		case <-after:
			stop()
			return
		case <-beat.C:
		}
	}
}
