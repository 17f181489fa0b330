package main

import (
	"cmp"
	"context"
	"encoding/json"
	"strings"

	"inspector/upstream"
	"inspector/workflow"
)

const (
	lambdaInvoke = "arn:aws:states:::lambda:invoke"
	bareFunction = "arn:aws:lambda:" // how the ARN of a function begins
)

// functions lets a definition written for AWS run here unchanged: a Lambda
// function is the handler that an export would have given its name. The names
// are filled before the engine runs.
type functions map[string]string // resources by the function's name

// lambdaName is the name that an export gives the function which stands for a
// handler.
func lambdaName(resource string) string {
	name := strings.Trim(unfitForName.ReplaceAllString(resource, "-"), "-")
	return name[:min(len(name), 64)]
}

// lane is the resource that does the work: of inspector-NAME the handler
// inspector:NAME, of any other name the local command of that name, whether
// there is one or not. An HTTP task goes to the lane of its connection. What is
// no function does its work itself.
func (f functions) lane(resource string, input json.RawMessage) string {
	name := resource
	switch {
	case resource == httpInvoke:
		return cmp.Or(f[httpLane+upstream.ConnectionOf(input)], resource)
	case resource == lambdaInvoke:
		var in struct{ FunctionName string }
		_ = json.Unmarshal(input, &in) // an input that does not fit names none
		name = in.FunctionName
	case !strings.HasPrefix(resource, bareFunction):
		return resource
	}
	if _, after, ok := strings.Cut(name, "function:"); ok {
		name = after
	}
	if name, _, _ = strings.Cut(name, ":"); name == "" { // what follows is a version or an alias
		return resource
	}
	command := strings.TrimPrefix(strings.TrimPrefix(name, "inspector-"), "command-")
	for _, known := range []string{name, lambdaName(commandPrefix + name), lambdaName(commandPrefix + command)} {
		if r, ok := f[known]; ok {
			return r
		}
	}
	return commandPrefix + command
}

// of notes which handlers there are, and makes them answer as functions too.
func (f functions) of(r registrar) registrar { return functionRegistrar{f, r} }

type functionRegistrar struct {
	functions functions
	registrar registrar
}

// Handle registers h for the resource and for the function of its name.
func (r functionRegistrar) Handle(resource string, concurrency int, h workflow.Handler) {
	if strings.HasPrefix(resource, "inspector:") {
		r.functions[lambdaName(resource)] = resource
	} else if strings.HasPrefix(resource, httpLane) {
		r.functions[resource] = resource
	}
	r.registrar.Handle(resource, concurrency, func(ctx context.Context, t workflow.Task) (json.RawMessage, error) {
		asked := t.Resource
		if t.Resource = resource; asked != lambdaInvoke {
			return h(ctx, t)
		}
		return invoked(ctx, t, h)
	})
}

// invoked gives h the Payload, and its result as that of lambda:invoke.
func invoked(ctx context.Context, t workflow.Task, h workflow.Handler) (json.RawMessage, error) {
	var in struct{ Payload json.RawMessage }
	if err := json.Unmarshal(t.Input, &in); err != nil {
		return nil, &malformedError{t.Resource, err}
	}
	if t.Input = in.Payload; t.Input == nil {
		t.Input = json.RawMessage("{}")
	}
	out, err := h(ctx, t)
	if out == nil {
		out = json.RawMessage("null")
	}
	return output(map[string]any{"ExecutedVersion": "$LATEST", "Payload": out, "StatusCode": 200}, err)
}
