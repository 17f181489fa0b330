package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"inspector/web"
)

func workflowStart(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
	c := newStateCall("start", env, stdout, stderr)
	name := c.flags.String("name", "", "`name` of the execution; empty: one is drawn")
	input := c.flags.String("input", "{}", "`JSON`, FILE, @FILE, or - for the standard input")
	if err := c.parse(args, 1, 1, env, stderr); err != nil {
		return err
	}
	in, err := document("--input", *input)
	if err != nil {
		return err
	}
	return do(ctx, c, "StartExecution", map[string]any{"stateMachine": c.names[0], "name": *name, "input": in, "by": *c.by},
		func(x web.Execution) { fmt.Fprintf(stdout, "%s  %s\n", x.ID, x.Status) })
}

// listFlags are those that choose executions.
func listFlags(c *stateCall) func(body map[string]any) error {
	machine := c.flags.String("machine", "", "only those of the machine of that `name`")
	status := c.flags.String("status", "", "only `STATUS`: RUNNING, SUCCEEDED, FAILED, TIMED_OUT, ABORTED, or PARKED: waits for a person")
	since := c.flags.String("since", "", "only those started at that `time` or later: 2026-03-04T05:06:07Z, or how long ago: 90m")
	until := c.flags.String("until", "", "only those started before that `time`")
	prefix := c.flags.String("prefix", "", "only those whose names begin with `text`")
	most := c.flags.Int("limit", 100, "at most `N`, to 1000")
	page := c.flags.String("page", "", "go on at `token`, as printed")
	return func(body map[string]any) error {
		now := time.Now()
		from, err := moment("since", *since, now)
		to, also := moment("until", *until, now)
		if err := errors.Join(err, also); err != nil {
			return err
		}
		body["stateMachine"], body["statusFilter"], body["prefix"] = *machine, strings.ToUpper(*status), *prefix
		body["since"], body["until"], body["maxResults"], body["nextToken"] = from, to, *most, *page
		return nil
	}
}

func workflowList(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
	c := newStateCall("list", env, stdout, stderr)
	fill, body := listFlags(c), map[string]any{}
	if err := c.parse(args, 0, 0, env, stderr); err != nil {
		return err
	}
	if err := fill(body); err != nil {
		return err
	}
	return do(ctx, c, "ListExecutions", body, func(l executionList) {
		w := tabwriter.NewWriter(stdout, 0, 8, 2, ' ', 0)
		fmt.Fprintln(w, "EXECUTION\tMACHINE\tSTATUS\tSTARTED\tSTOPPED\tAT")
		for _, x := range l.Executions {
			where := cmp.Or(x.Error, strings.Join(x.States, ", "))
			status := x.Status
			if x.Parked != "" {
				status, where = "PARKED", where+": "+firstLine(x.Parked)
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", x.ID, x.StateMachine, status, stamp(x.Started), stamp(x.Stopped), where)
		}
		_ = w.Flush()
		if l.NextToken != "" {
			fmt.Fprintf(stdout, "more: --page %s\n", l.NextToken)
		}
	})
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

func workflowShow(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
	c := newStateCall("show", env, stdout, stderr)
	if err := c.parse(args, 1, 1, env, stderr); err != nil {
		return err
	}
	return do(ctx, c, "DescribeExecution", map[string]any{"name": c.names[0]}, func(x describedExecution) { printExecution(stdout, x) })
}

func printExecution(stdout io.Writer, x describedExecution) {
	w := tabwriter.NewWriter(stdout, 0, 8, 2, ' ', 0)
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%s\t%s\n", name, value)
		}
	}
	machine := x.StateMachine
	if x.Version > 0 {
		machine += fmt.Sprintf(", version %d", x.Version)
	}
	if x.Alias != "" {
		machine += ", by " + x.Alias
	}
	line("execution", x.ID)
	line("machine", strings.TrimPrefix(fmt.Sprintf("%s, definition %.12s", machine, x.Machine), ", "))
	line("status", x.Status+", "+x.RedriveStatus)
	line("started", stamp(x.Started))
	if !x.Stopped.IsZero() {
		line("stopped", stamp(x.Stopped))
	}
	if x.Redrives > 0 {
		line("redriven", fmt.Sprintf("%d times, last %s", x.Redrives, stamp(x.Redriven)))
	}
	line("begun by", x.Parent)
	line("input", string(x.Input))
	line("output", string(x.Output))
	line("error", x.Error)
	line("cause", x.Cause)
	for _, r := range x.MapRuns {
		line("map run", fmt.Sprintf("%s %s: %d items, %d pending, %d running, %d succeeded, %d failed", r.Label, r.Status, r.Total, r.Pending, r.Running, r.Succeeded, r.Failed))
	}
	for _, at := range x.Work {
		line("waits", strings.TrimSpace(fmt.Sprintf("%s for %s since %s %s", at.State, at.Resource, stamp(at.Since), at.Parked)))
	}
	_ = w.Flush()
}

func workflowHistory(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
	c := newStateCall("history", env, stdout, stderr)
	reverse := c.flags.Bool("reverse", false, "the newest first")
	whole := c.flags.Bool("data", false, "inputs and outputs as far as they go, not cut to fit a line")
	most := c.flags.Int("limit", 1000, "at most `N` events, to 1000")
	page := c.flags.String("page", "", "go on at `token`, as printed")
	if err := c.parse(args, 1, 1, env, stderr); err != nil {
		return err
	}
	body := map[string]any{"name": c.names[0], "reverseOrder": *reverse, "maxResults": *most, "nextToken": *page}
	return do(ctx, c, "GetExecutionHistory", body, func(h struct {
		Events    []map[string]any `json:"events"`
		NextToken string           `json:"nextToken"`
	}) {
		for _, e := range h.Events {
			fmt.Fprintf(stdout, "%5v  %v  %v%s\n", e["id"], e["timestamp"], e["type"], details(e, *whole))
		}
		if h.NextToken != "" {
			fmt.Fprintf(stdout, "more: --page %s\n", h.NextToken)
		}
	})
}

// details are the words of a history event that say most, on its line; data
// that is not wanted whole is cut.
func details(e map[string]any, whole bool) (out string) {
	for name, v := range e {
		d, ok := v.(map[string]any)
		if !ok || !strings.HasSuffix(name, "EventDetails") {
			continue
		}
		for _, key := range []string{"name", "resource", "index", "redriveCount", "by", "error", "cause"} {
			if value, ok := d[key]; ok {
				out += fmt.Sprintf("  %s=%.200v", key, value)
			}
		}
		for _, key := range []string{"input", "output", "parameters"} {
			if value, ok := d[key]; ok && whole {
				out += fmt.Sprintf("  %s=%v", key, value)
			} else if ok {
				out += fmt.Sprintf("  %s=%s", key, short(fmt.Sprint(value), 40))
			}
		}
	}
	return out
}

// short is at most n characters of text; … says that there were more.
func short(text string, n int) string {
	if r := []rune(text); len(r) > n {
		return string(r[:n]) + "…"
	}
	return text
}

func workflowRedrive(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
	c := newStateCall("redrive", env, stdout, stderr)
	fill, body := listFlags(c), map[string]any{}
	if err := c.parse(args, 0, 1, env, stderr); err != nil {
		return err
	}
	if len(c.names) == 1 {
		return do(ctx, c, "RedriveExecution", map[string]any{"name": c.names[0], "by": *c.by}, func(x describedExecution) { printExecution(stdout, x) })
	}
	if err := fill(body); err != nil {
		return err
	}
	if body["statusFilter"] == "" {
		return exit{2, errors.New("redrive: name one execution, or choose with --status PARKED, FAILED, TIMED_OUT or ABORTED")}
	}
	body["by"] = *c.by
	return do(ctx, c, "RedriveExecutions", body, func(r redriven) {
		for _, name := range r.Redriven {
			fmt.Fprintf(stdout, "%s  redriven\n", name)
		}
		for _, name := range slices.Sorted(maps.Keys(r.Refused)) {
			fmt.Fprintf(stdout, "%s  not: %s\n", name, r.Refused[name])
		}
		fmt.Fprintf(stdout, "%d redriven, %d not\n", len(r.Redriven), len(r.Refused))
		if r.Next != "" {
			fmt.Fprintf(stdout, "more: --page %s\n", r.Next)
		}
	})
}

func workflowStop(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
	c := newStateCall("stop", env, stdout, stderr)
	name := c.flags.String("error", "", "`name` of the error")
	cause := c.flags.String("cause", "", "`text`: why")
	if err := c.parse(args, 1, 1, env, stderr); err != nil {
		return err
	}
	return do(ctx, c, "StopExecution", map[string]any{"name": c.names[0], "error": *name, "cause": *cause, "by": *c.by},
		func(x describedExecution) { printExecution(stdout, x) })
}

// workflowSend answers a task token.
func workflowSend(name, action string) func(context.Context, []string, func(string) string, io.Writer, io.Writer) error {
	return func(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
		c := newStateCall(name, env, stdout, stderr)
		output, failure, cause := new(string), new(string), new(string)
		switch action {
		case "SendTaskSuccess":
			output = c.flags.String("output", "{}", "`JSON`, FILE, @FILE, or - for the standard input")
		case "SendTaskFailure":
			failure = c.flags.String("error", "", "`name` of the error, for Retry and Catch")
			cause = c.flags.String("cause", "", "`text`: why")
		}
		if err := c.parse(args, 1, 1, env, stderr); err != nil {
			return err
		}
		body := map[string]any{"taskToken": c.names[0]}
		switch action {
		case "SendTaskSuccess":
			out, err := document("--output", *output)
			if err != nil {
				return err
			}
			body["output"] = out
		case "SendTaskFailure":
			body["error"], body["cause"] = *failure, *cause
		}
		return do(ctx, c, action, body, func(json.RawMessage) { fmt.Fprintln(stdout, "answered") })
	}
}
