package workflow

import (
	"context"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"

	"inspector/workflow/asl"
)

// ErrInvalidToken is given for a task token that no execution gave out.
var ErrInvalidToken = errors.New("the task token is not valid")

// ErrTaskClosed is given for a task token whose task is over: it was answered,
// it timed out or its execution ended.
var ErrTaskClosed = errors.New("the task of this token is over: it was answered, timed out or withdrawn")

// SendTaskSuccess answers a task token with JSON. It is durable when it
// returns. ErrTaskClosed says that an answer came before.
func (e *Engine) SendTaskSuccess(ctx context.Context, token string, output json.RawMessage) error {
	if !readable(output) {
		return errors.New("answer a task token: the output is not JSON, or nested too deep")
	}
	return e.answer(ctx, token, asl.Event{Kind: asl.Succeeded, Output: output})
}

// SendTaskFailure answers a task token with an error, for Retry and Catch.
func (e *Engine) SendTaskFailure(ctx context.Context, token, errorName, cause string) error {
	return e.answer(ctx, token, asl.Event{Kind: asl.Failed, Error: errorName, Cause: cause})
}

// SendTaskHeartbeat says that whoever holds the token is alive, so that
// HeartbeatSeconds begin anew.
func (e *Engine) SendTaskHeartbeat(ctx context.Context, token string) error {
	return e.answer(ctx, token, asl.Event{Kind: asl.Heartbeat})
}

func (e *Engine) answer(ctx context.Context, token string, event asl.Event) error {
	id, command, ok := asl.SplitToken(token)
	if !ok {
		return fmt.Errorf("answer a task token: %w", ErrInvalidToken)
	}
	err := e.tell(ctx, id, func(x *asl.Execution) (asl.Event, error) {
		if subtle.ConstantTimeCompare([]byte(x.Token(command)), []byte(token)) != 1 {
			return event, ErrInvalidToken
		}
		if c, ok := x.Command(command); !ok || c.Kind != asl.Await {
			return event, ErrTaskClosed
		}
		event.Command = command
		return event, nil
	})
	if errors.Is(err, ErrNotFound) {
		err = ErrInvalidToken // and no word about which executions there are
	}
	if err != nil {
		return fmt.Errorf("answer the task token of execution %q: %w", id, err)
	}
	return nil
}
