package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"

	"inspector/workflow"
)

// workflowDefine is create and update: they read a definition from a file.
func workflowDefine(name, action string) func(context.Context, []string, func(string) string, io.Writer, io.Writer) error {
	return func(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
		c := newStateCall(name, env, stdout, stderr)
		publish := c.flags.Bool("publish", false, "make it a version at once")
		description := c.flags.String("description", "", "`text` about the machine or the version")
		kind := new(string)
		if name == "create" {
			kind = c.flags.String("type", "STANDARD", "`type`: STANDARD, or EXPRESS, whose changes are no events")
		}
		if err := c.parse(args, 2, 2, env, stderr); err != nil {
			return err
		}
		definition, err := os.ReadFile(c.names[1])
		if err != nil {
			return exit{2, fmt.Errorf("read the definition: %w", err)}
		}
		body := map[string]any{"name": c.names[0], "definition": string(definition), "publish": *publish, "description": *description, "by": *c.by}
		if *kind != "" {
			body["type"] = *kind
		}
		return do(ctx, c, action, body, func(m shownMachine) { printMachine(stdout, m) })
	}
}

func printMachine(w io.Writer, m shownMachine) {
	fmt.Fprintf(w, "%s  revision %d, definition %.12s", m.Name, m.Revision, m.Hash)
	if m.Published > 0 {
		fmt.Fprintf(w, ", newest version %d", m.Published)
	}
	fmt.Fprintln(w)
	for _, v := range m.Versions {
		fmt.Fprintf(w, "  %d  %.12s  %s  %s\n", v.Number, v.Hash, stamp(v.Created), v.Description)
	}
	for _, a := range m.Aliases {
		fmt.Fprintf(w, "  %s  %s\n", a.Name, routes(a))
	}
}

// routes writes where an alias leads as it is given: 1=90 2=10.
func routes(a workflow.Alias) string {
	var out []string
	for _, r := range a.Routes {
		out = append(out, fmt.Sprintf("%d=%d", r.Version, r.Weight))
	}
	return strings.Join(out, " ")
}

func workflowDelete(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
	c := newStateCall("delete", env, stdout, stderr)
	if err := c.parse(args, 1, 1, env, stderr); err != nil {
		return err
	}
	return do(ctx, c, "DeleteStateMachine", map[string]any{"name": c.names[0], "by": *c.by}, func(struct{}) {
		fmt.Fprintf(stdout, "%s is deleted; what runs on it finishes\n", c.names[0])
	})
}

func workflowMachines(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
	c := newStateCall("machines", env, stdout, stderr)
	if err := c.parse(args, 0, 0, env, stderr); err != nil {
		return err
	}
	return do(ctx, c, "ListStateMachines", nil, func(all struct {
		StateMachines []shownMachine `json:"stateMachines"`
	}) {
		w := tabwriter.NewWriter(stdout, 0, 8, 2, ' ', 0)
		fmt.Fprintln(w, "MACHINE\tTYPE\tREVISION\tVERSION\tALIASES\tUPDATED\tHELD")
		for _, m := range all.StateMachines {
			var aliases []string
			for _, a := range m.Aliases {
				aliases = append(aliases, a.Name+": "+routes(a))
			}
			published := "-"
			if m.Published > 0 {
				published = strconv.Itoa(m.Published)
			}
			fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\t%s\n", m.Name, m.Type, m.Revision, published, strings.Join(aliases, ", "), stamp(m.Updated), heldWords(m.Held))
		}
		_ = w.Flush()
	})
}

// heldWords says what holds a machine.
func heldWords(all []workflow.Hold) string {
	var out []string
	for _, h := range all {
		word := "paused"
		switch {
		case h.Drain && h.Left == 0:
			word = "drained"
		case h.Drain && h.Left >= workflow.MaxLeft:
			word = fmt.Sprintf("draining, %d or more left", h.Left)
		case h.Drain:
			word = fmt.Sprintf("draining, %d left", h.Left)
		}
		if h.Machine == workflow.AllMachines {
			word = "all " + word
		}
		out = append(out, word)
	}
	return strings.Join(out, ", ")
}

func workflowVersions(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
	c := newStateCall("versions", env, stdout, stderr)
	publish := c.flags.Bool("publish", false, "make the newest revision a version")
	description := c.flags.String("description", "", "`text` about the version")
	gone := c.flags.Int("delete", 0, "forget version `N`")
	if err := c.parse(args, 1, 1, env, stderr); err != nil {
		return err
	}
	action, body := "DescribeStateMachine", map[string]any{"name": c.names[0], "by": *c.by}
	switch {
	case *publish:
		action, body["description"] = "PublishStateMachineVersion", *description
	case *gone > 0:
		action, body["version"] = "DeleteStateMachineVersion", *gone
	}
	return do(ctx, c, action, body, func(m shownMachine) { printMachine(stdout, m) })
}

func workflowAlias(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
	c := newStateCall("alias", env, stdout, stderr)
	gone := c.flags.Bool("delete", false, "forget the alias")
	description := c.flags.String("description", "", "`text` about the alias")
	if err := c.parse(args, 1, 4, env, stderr); err != nil {
		return err
	}
	action, body := "DescribeStateMachine", map[string]any{"name": c.names[0]}
	switch {
	case *gone && len(c.names) != 2:
		return exit{2, fmt.Errorf("alias: name the machine and the alias to forget: alias NAME ALIAS --delete")}
	case *gone:
		action, body = "DeleteStateMachineAlias", map[string]any{"stateMachine": c.names[0], "name": c.name(1), "by": *c.by}
	case len(c.names) == 2:
		return exit{2, fmt.Errorf("alias %s: say where it leads: VERSION, or VERSION=WEIGHT twice", c.names[1])}
	case len(c.names) > 2:
		to, err := parseRoutes(c.names[2:])
		if err != nil {
			return err
		}
		action, body = "PutStateMachineAlias", map[string]any{"stateMachine": c.names[0], "name": c.names[1], "description": *description, "routingConfiguration": to, "by": *c.by}
	}
	return do(ctx, c, action, body, func(m shownMachine) { printMachine(stdout, m) })
}

// parseRoutes reads VERSION or VERSION=WEIGHT.
func parseRoutes(words []string) (out []workflow.Route, err error) {
	for _, word := range words {
		version, weight, weighed := strings.Cut(word, "=")
		r := workflow.Route{Weight: 100}
		if r.Version, err = strconv.Atoi(version); err == nil && weighed {
			r.Weight, err = strconv.Atoi(weight)
		}
		if err != nil {
			return nil, exit{2, fmt.Errorf("%q: want VERSION, or VERSION=WEIGHT with weights that sum to 100", word)}
		}
		out = append(out, r)
	}
	return out, nil
}

// workflowHold is pause, drain and resume.
func workflowHold(name, action string) func(context.Context, []string, func(string) string, io.Writer, io.Writer) error {
	return func(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
		c := newStateCall(name, env, stdout, stderr)
		all := c.flags.Bool("all", false, "all machines, and what has none")
		if err := c.parse(args, 0, 1, env, stderr); err != nil {
			return err
		}
		if *all == (len(c.names) == 1) {
			return exit{2, fmt.Errorf("%s: name one machine, or say --all", name)}
		}
		return do(ctx, c, action, map[string]any{"name": c.name(0), "by": *c.by}, func(a struct {
			Holds []workflow.Hold `json:"holds"`
		}) {
			if len(a.Holds) == 0 {
				fmt.Fprintln(stdout, "nothing is held")
			}
			for _, h := range a.Holds {
				fmt.Fprintf(stdout, "%s  %s since %s by %s\n", h.Machine, heldWords([]workflow.Hold{h}), stamp(h.At), h.By)
			}
		})
	}
}
