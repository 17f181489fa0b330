package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"text/tabwriter"
)

// workflowParked lists what was refused for good, or tries it again.
func workflowParked(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
	c := newStateCall("parked", env, stdout, stderr)
	target := c.flags.String("target", "", "only what waits for the target of that `name`, as the status and the list call it")
	reason := c.flags.String("reason", "", "only what has `text` in its reason")
	machine := c.flags.String("machine", "", "only of executions of the machine of that `name`")
	redrive := c.flags.Bool("redrive", false, "try it again: all that --target, --reason or --machine choose, or --all")
	all := c.flags.Bool("all", false, "of --redrive: everything that is parked")
	most := c.flags.Int("limit", 100, "at most `N` in the list, to 1000")
	page := c.flags.String("page", "", "go on at `token`, as printed")
	if err := c.parse(args, 0, 0, env, stderr); err != nil {
		return err
	}
	body := map[string]any{"target": *target, "reason": *reason, "stateMachine": *machine}
	if !*redrive {
		body["maxResults"], body["nextToken"] = *most, *page
		return do(ctx, c, "ListParked", body, func(l parkedList) { printParked(stdout, l) })
	}
	if *all == (*target+*reason+*machine != "") {
		return exit{2, errors.New("parked: choose what to redrive with --target, --reason or --machine, or say --all")}
	}
	return redriveAllParked(ctx, c, body)
}

// redriveAllParked goes through the pages.
func redriveAllParked(ctx context.Context, c *stateCall, body map[string]any) error {
	total := redriven{Redriven: []string{}, Refused: map[string]string{}}
	body["by"], body["maxResults"] = *c.by, 1000
	for {
		var some redriven
		if err := c.order.ask(ctx, http.MethodPost, "/states/RedriveParked", body, &some); err != nil {
			return err
		}
		total.Redriven = append(total.Redriven, some.Redriven...)
		maps.Copy(total.Refused, some.Refused)
		if some.Next == "" {
			break
		}
		body["nextToken"] = some.Next
	}
	if *c.asJSON {
		return json.NewEncoder(c.stdout).Encode(total)
	}
	for _, key := range slices.Sorted(maps.Keys(total.Refused)) {
		fmt.Fprintf(c.stdout, "%s  not: %s\n", key, total.Refused[key])
	}
	fmt.Fprintf(c.stdout, "%d redriven, %d not\n", len(total.Redriven), len(total.Refused))
	return nil
}

func printParked(stdout io.Writer, l parkedList) {
	if len(l.Parked) == 0 {
		fmt.Fprintln(stdout, "nothing is parked")
		return
	}
	w := tabwriter.NewWriter(stdout, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "TARGET\tSINCE\tEXECUTION\tTASK\tREASON")
	for _, p := range l.Parked {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s %d\t%s\n", p.Target, stamp(p.Since), p.Execution, p.State, p.Command, firstLine(p.Reason))
	}
	_ = w.Flush()
	if l.NextToken != "" {
		fmt.Fprintf(stdout, "more: --page %s\n", l.NextToken)
	}
}

// workflowAmend shows the input of a parked task, or replaces it.
func workflowAmend(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
	c := newStateCall("amend", env, stdout, stderr)
	command := c.flags.Int64("command", 0, "`number` of the task, as parked lists it; 0: the only one")
	input := c.flags.String("input", "", "the new input: `JSON`, FILE, @FILE, or - for the standard input; empty: the one that is there is printed")
	if err := c.parse(args, 1, 1, env, stderr); err != nil {
		return err
	}
	body := map[string]any{"name": c.names[0], "command": *command}
	if *input == "" {
		return do(ctx, c, "DescribeParkedTask", body, func(p parkedInput) {
			var text bytes.Buffer
			_ = json.Indent(&text, p.Input, "", "  ") // it came as JSON
			fmt.Fprintln(stdout, text.String())
		})
	}
	in, err := document("--input", *input)
	if err != nil {
		return err
	}
	body["input"], body["by"] = in, *c.by
	return do(ctx, c, "AmendTask", body, func(p parkedInput) {
		fmt.Fprintf(stdout, "%s of %s is tried again with the new input\n", p.State, p.Execution)
	})
}
