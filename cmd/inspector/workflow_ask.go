package main

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
)

// A stateCall is a workflow command that asks the running appliance.
type stateCall struct {
	flags  *flag.FlagSet
	at     applianceFlags
	asJSON *bool
	by     *string
	names  []string // arguments that are no flags
	order  order
	stdout io.Writer
}

// newStateCall gives the command its flags; those that only it has come
// before parse.
func newStateCall(name string, env func(string) string, stdout, stderr io.Writer) *stateCall {
	f := workflowFlagSet(name, stderr)
	return &stateCall{flags: f, at: withAppliance(f), asJSON: f.Bool("json", false, "the answer as JSON"),
		by: f.String("by", cmp.Or(env("USER"), env("LOGNAME")), "`name` of the person, for the audit"), stdout: stdout}
}

// parse reads the arguments: at least least that are no flags, at most most.
func (c *stateCall) parse(args []string, least, most int, env func(string) string, stderr io.Writer) (err error) {
	if c.names, err = flagsAround(c.flags, args, stderr); err != nil {
		return err
	}
	if n := len(c.names); n < least || n > most {
		c.flags.Usage()
		return exit{2, fmt.Errorf("%s: its arguments are missing, or too many: it has %d beside its flags", c.flags.Name(), n)}
	}
	c.order, err = c.at.open(env)
	return err
}

// name is an argument, or empty.
func (c *stateCall) name(n int) string {
	if n < len(c.names) {
		return c.names[n]
	}
	return ""
}

// do asks for the action. print is given the answer, unless JSON is wanted.
func do[T any](ctx context.Context, c *stateCall, action string, body any, print func(T)) error {
	var raw json.RawMessage
	if err := c.order.ask(ctx, http.MethodPost, "/states/"+action, body, &raw); err != nil {
		return err
	}
	if *c.asJSON {
		_, err := fmt.Fprintln(c.stdout, string(raw))
		return err
	}
	var answer T
	if err := json.Unmarshal(raw, &answer); err != nil {
		return fmt.Errorf("the appliance's answer to %s: %w", action, err)
	}
	print(answer)
	return nil
}

// document is the JSON that a flag or argument gives, as given reads it.
func document(what, text string) (json.RawMessage, error) {
	data, err := given(what, text)
	if err == nil && !json.Valid(data) {
		err = exit{2, fmt.Errorf("%s: %.100q is not JSON: write JSON, a FILE or @FILE of it, or - for the standard input", what, data)}
	}
	return data, err
}

// given is what a flag or argument gives: JSON is itself, @FILE, or FILE if
// there is one, its content, - the standard input.
func given(what, text string) (data []byte, err error) {
	switch file, ok := strings.CutPrefix(text, "@"); {
	case text == "-":
		data, err = io.ReadAll(os.Stdin)
	case ok:
		data, err = os.ReadFile(file)
	case json.Valid([]byte(text)):
		return []byte(text), nil
	default:
		if data, err = os.ReadFile(text); err != nil {
			err = fmt.Errorf("%.100q is neither JSON nor a file that can be read: it is not JSON, and %w", text, err)
		}
	}
	if err != nil {
		return nil, exit{2, fmt.Errorf("%s: %w", what, err)}
	}
	return data, nil
}

// moment reads a time of day, or how long ago it was: 2026-03-04T05:06:07Z, 90m.
func moment(what, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(text); err == nil {
		return now.Add(-ago), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, exit{2, fmt.Errorf("--%s: %q: want 2026-03-04T05:06:07Z, or how long ago: 90m", what, text)}
	}
	return at, nil
}

func stamp(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Local().Format(time.DateTime)
}
