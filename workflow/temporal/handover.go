package temporal

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"

	"inspector/workflow"
)

// HandOver is the definition of a small execution on the embedded engine that
// has the cluster take another one of the same name. Its input is a Handing.
// The line never waits for the cluster: it begins this one, which tries until
// it is accepted.
//
//go:embed handover.asl.json
var HandOver []byte

// HandOverResource is what its only task invokes.
const HandOverResource = "inspector:handover"

// A Handing says what the cluster is to run.
type Handing struct {
	Machine string          `json:"machine"` // hash of the definition
	Input   json.RawMessage `json:"input"`

	StateMachine string        `json:"stateMachine,omitempty"` // name of the machine that it is begun by
	Version      int           `json:"version,omitempty"`
	Alias        string        `json:"alias,omitempty"`
	Type         workflow.Type `json:"type,omitempty"`
}

// Hand is the handler of HandOverResource. definition gives a definition by
// its hash.
func (c *Client) Hand(definition func(ctx context.Context, hash string) ([]byte, error)) workflow.Handler {
	return func(ctx context.Context, t workflow.Task) (json.RawMessage, error) {
		var in Handing
		if err := json.Unmarshal(t.Input, &in); err != nil {
			return nil, &startError{t.Execution, err}
		}
		d, err := definition(ctx, in.Machine)
		if err != nil {
			return nil, fmt.Errorf("hand over %q: definition %s: %w", t.Execution, in.Machine, err)
		}
		if err := c.Start(ctx, d, workflow.Execution{ID: t.Execution, StateMachine: in.StateMachine, Version: in.Version, Alias: in.Alias, Type: in.Type}, in.Input); err != nil {
			return nil, err
		}
		return json.Marshal(map[string]string{"workflow": t.Execution})
	}
}
