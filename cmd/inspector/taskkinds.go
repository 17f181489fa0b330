package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"inspector/notify/rule"
	"inspector/upstream"
	"inspector/workflow"
	"inspector/workflow/local"
)

// Resources of tasks that reach beyond the appliance.
const (
	httpInvoke    = "arn:aws:states:::http:invoke"
	httpLane      = httpInvoke + "/"     // then the connection's name
	commandPrefix = "inspector:command:" // then the command's name
)

// requests is how many HTTP tasks run at once.
const requests = 16

// outside are the tasks that reach others: HTTP services and local programs.
type outside struct {
	http        *upstream.HTTP
	connections []string
	commands    map[string]local.Spec
}

// openOutside reads the folders of connections and commands.
func openOutside(c Config) (*outside, error) {
	connections, connectionFaults := readConnections(c.Connections)
	commands, commandFaults := readCommands(c.Commands)
	if err := errors.Join(connectionFaults, commandFaults); err != nil {
		return nil, err
	}
	h, err := upstream.NewHTTP(connections)
	return &outside{h, slices.Sorted(maps.Keys(connections)), commands}, err
}

// register gives HTTP tasks a lane, and each command one of its own.
func (o *outside) register(e registrar) {
	e.Handle(httpInvoke, requests, o.request)
	for name, spec := range o.commands {
		e.Handle(commandPrefix+name, spec.Concurrency, runs(spec))
	}
}

func (o *outside) request(ctx context.Context, t workflow.Task) (json.RawMessage, error) {
	return o.http.Invoke(ctx, t.Key, t.Input)
}

// separate gives the HTTP tasks of each connection a lane of their own: a host
// that is down slows no other.
func (o *outside) separate(e registrar) {
	for _, name := range o.connections {
		e.Handle(httpLane+name, requests, o.request)
	}
}

// names gives the commands, in their order.
func (o *outside) names() []string { return slices.Sorted(maps.Keys(o.commands)) }

func runs(spec local.Spec) workflow.Handler {
	return func(ctx context.Context, t workflow.Task) (json.RawMessage, error) {
		return spec.Run(ctx, local.Task{Key: t.Key, Execution: t.Execution, State: t.State, Attempt: t.Attempt, Input: t.Input})
	}
}

// remedy says what a person can do about a resource that nobody handles.
func remedy(resource string) string {
	name, ok := strings.CutPrefix(resource, commandPrefix)
	channel, people := strings.CutPrefix(resource, rule.ChannelResource(""))
	switch {
	case people:
		return fmt.Sprintf("write %s.yaml into the folder that the configuration's key events.channels names, restart, then redrive", strings.TrimSuffix(channel, "/urgent"))
	case resource == lambdaInvoke:
		return "it must give a FunctionName: stop the execution and correct its definition"
	case ok && recipeName.MatchString(name):
		return fmt.Sprintf("write %s.yaml into the folder that the configuration's key commands names, restart, then redrive", name)
	case ok:
		return "no command can have that name: stop the execution and correct its definition"
	}
	return "correct the definition's Resource, or register a handler for it; then redrive"
}

// checkOutside reports what is wrong with connections and commands.
func checkOutside(c Config) error {
	if wrong := c.faulty(); slices.Contains(wrong, "connections") || slices.Contains(wrong, "commands") {
		return nil // which there are is not known
	}
	o, err := openOutside(c)
	if err == nil {
		o.http.Close()
	}
	return err
}
