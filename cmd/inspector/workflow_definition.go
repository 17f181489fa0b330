package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
)

// workflowDefinition is inspector workflow definition.
func workflowDefinition(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
	c := newStateCall("definition", env, stdout, stderr)
	out := c.flags.String("o", "", "write the definition to this `file`; empty: to standard output")
	if err := c.parse(args, 1, 1, env, stderr); err != nil {
		return err
	}
	var broken error
	err := do(ctx, c, "DescribeStateMachine", map[string]any{"name": c.names[0]}, func(m shownMachine) {
		var text bytes.Buffer
		if broken = json.Indent(&text, m.Definition, "", "  "); broken != nil {
			return
		}
		text.WriteByte('\n')
		if *out == "" {
			_, broken = stdout.Write(text.Bytes())
			return
		}
		broken = os.WriteFile(*out, text.Bytes(), 0o644)
	})
	if broken != nil {
		return fmt.Errorf("the definition of %s: %w", c.names[0], broken)
	}
	return err
}
