package workflow

import (
	"context"
	"fmt"
)

// Token gives the task token of the execution's state that waits for an
// answer, for whoever answers on this machine; ErrTaskClosed if none waits.
func (e *Engine) Token(ctx context.Context, id, state string) (string, error) {
	work, err := e.journal.Work(ctx, id)
	if err != nil {
		return "", fmt.Errorf("task token of execution %q: %w", id, err)
	}
	for _, w := range work {
		if w.Lane != LaneToken || w.State != state {
			continue
		}
		f, err := e.refold(ctx, id, nil)
		if err != nil {
			return "", fmt.Errorf("task token of execution %q: %w", id, err)
		}
		return f.x.Token(w.Command), nil
	}
	return "", fmt.Errorf("task token of execution %q, state %s: %w", id, state, ErrTaskClosed)
}
