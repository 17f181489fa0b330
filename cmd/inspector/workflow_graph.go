package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"strings"

	"inspector/web"
	"inspector/workflow"
	"inspector/workflow/graph"
)

// Graph draws how far the execution has come in the definition that it runs.
func (b *backend) Graph(ctx context.Context, id string) ([]byte, error) {
	d, err := b.engine.Describe(ctx, id)
	if err != nil {
		return nil, meaning(err)
	}
	definition, err := b.store.Definition(ctx, d.Machine)
	if err != nil {
		return nil, meaning(err)
	}
	history, err := b.engine.History(ctx, id)
	if err != nil {
		return nil, meaning(err)
	}
	run := graph.Run{Status: string(d.Status), Events: make([]graph.Event, len(history))}
	for n, h := range history {
		run.Events[n] = graph.Event{Kind: h.Type, State: h.Name, Error: h.Error}
	}
	for _, w := range d.Work {
		if w.Parked != "" {
			run.Parked = append(run.Parked, w.State)
		}
	}
	return graph.Draw(definition, &run)
}

// shippedName stands for the shipped definition where a FILE may be named.
const shippedName = "inspection"

// graphCommand is inspector workflow graph. Exit code 0: drawn, 1: not, 2: the
// command makes no sense.
func graphCommand(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) error {
	f := workflowFlagSet("graph", stderr)
	at := withAppliance(f)
	execution := f.String("execution", "", "`name` of an execution of the running appliance: draw how far it has come; in FILE, or in the definition that it runs")
	out := f.String("o", "", "write the picture to this `file`; empty: to standard output")
	names, err := flagsAround(f, args, stderr)
	if err != nil {
		return err
	}
	if len(names) > 1 {
		return exit{2, fmt.Errorf("workflow graph: name one definition, not %q", names)}
	}
	var svg []byte
	switch {
	case *execution == "":
		svg, err = drawFile(names, nil)
	default:
		var o order
		if o, err = at.open(env); err != nil {
			return err
		}
		svg, err = o.drawExecution(ctx, *execution, names)
	}
	if err != nil {
		return err
	}
	if *out == "" {
		_, err = stdout.Write(svg)
		return err
	}
	return os.WriteFile(*out, svg, 0o644)
}

// drawExecution asks the running appliance how far the execution has come.
func (o order) drawExecution(ctx context.Context, id string, names []string) ([]byte, error) {
	path := "/executions/" + url.PathEscape(id)
	if len(names) == 0 {
		return o.fetch(ctx, http.MethodGet, path+"/graph.svg", nil)
	}
	var x web.Execution
	var history struct{ Events []web.Event }
	if err := errors.Join(o.ask(ctx, http.MethodGet, path, nil, &x), o.ask(ctx, http.MethodGet, path+"/history", nil, &history)); err != nil {
		return nil, err
	}
	run := graph.Run{Status: x.Status, Events: make([]graph.Event, len(history.Events))}
	for n, h := range history.Events {
		run.Events[n] = graph.Event{Kind: h.Kind, State: h.State, Error: h.Error}
	}
	if state, _, ok := strings.Cut(x.Parked, ": "); ok {
		run.Parked = []string{state}
	}
	return drawFile(names, &run)
}

// drawFile draws the named definition, or the shipped one.
func drawFile(names []string, run *graph.Run) ([]byte, error) {
	definition, name, err := readDefinition(names)
	if err != nil {
		return nil, err
	}
	svg, err := graph.Draw(definition, run)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return svg, nil
}

// readDefinition reads the definition that is named at most once: a file, or
// nothing for the shipped one.
func readDefinition(names []string) (definition []byte, name string, err error) {
	if len(names) == 0 {
		return workflow.Inspection, shippedName, nil
	}
	definition, err = os.ReadFile(names[0])
	switch {
	case errors.Is(err, fs.ErrNotExist) && names[0] == shippedName:
		return workflow.Inspection, shippedName, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, "", exit{2, fmt.Errorf("there is no file %s; name a definition, or leave it out for the shipped one", names[0])}
	case err != nil:
		return nil, "", fmt.Errorf("read the definition: %w", err)
	case !json.Valid(definition):
		return nil, "", fmt.Errorf("%s is not JSON; a definition is one JSON object", names[0])
	}
	return definition, names[0], nil
}
