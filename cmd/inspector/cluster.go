package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"inspector/notify/people"
	"inspector/notify/rule"
	"inspector/workflow"
	"inspector/workflow/asl"
	"inspector/workflow/temporal"
)

// A registrar learns who does the work of a resource: an engine, or a worker of
// a cluster.
type registrar interface {
	Handle(resource string, concurrency int, h workflow.Handler)
}

// onlyHere are the resources that touch what only this device has: its disk,
// its programs and, if it is embedded, its broker.
func onlyHere(c Config, o *outside, people map[string]people.Channel) []string {
	local := []string{quarantine, review, closeBoard, putObject, temporal.MachineResource} // evidence is forwarded from the disk
	if c.MQTT.Broker == "embedded" {
		local = append(local, publishResult, publishAlert)
	}
	if c.Upstream.Kind == "folder" || !isQueueURL(c.Upstream.QueueURL) {
		local = append(local, sendMessage)
	}
	for name := range o.commands {
		local = append(local, commandPrefix+name)
	}
	for name := range people {
		local = append(local, rule.ChannelResource(name)) // with its secrets
	}
	slices.Sort(local)
	return local
}

// join makes the client of the cluster, if one is configured, and the worker
// that this device is in it. Nothing is connected yet. Executions that were
// handed over are asked for there as long as the configuration says where.
func (a *works) join(ctx context.Context) (err error) {
	if a.config.Workflow.Engine != engineTemporal {
		return nil
	}
	k := a.config.cluster(onlyHere(a.config, a.outside, a.events.channels))
	k.Home = true
	if a.cluster, err = temporal.New(k, a.log); err != nil {
		return err
	}
	a.closers = append(a.closers, func() error { a.cluster.Close(); return nil })
	a.worker = a.cluster.NewWorker()
	a.worker.Handle(temporal.MachineResource, 4, temporal.Machines(a.engine.Lookup))
	a.worker.Handle(temporal.TellResource, 4, temporal.Tells(a.events.changed))
	a.engine.Handle(temporal.HandOverResource, 8, a.cluster.Hand(a.disk.Definition))
	a.handed, err = a.engine.Deploy(ctx, temporal.HandOver)
	return err
}

// checkCluster asks the cluster whether it is well.
func checkCluster(ctx context.Context, c Config) (string, error) {
	k := c.cluster(nil)
	client, err := temporal.New(k, slog.New(slog.DiscardHandler))
	if err != nil {
		return "", err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, askIn)
	defer cancel()
	if err := client.Check(ctx); err != nil {
		return "", fmt.Errorf("%w; check workflow.temporal: boards wait on the disk until it answers", err)
	}
	return fmt.Sprintf("Temporal at %s answers, namespace %s", k.Address, k.Namespace), nil
}

// registrars are all that do the work of tasks.
func (a *works) registrars() []registrar {
	if a.worker == nil {
		return []registrar{a.functions.of(a.engine)}
	}
	return []registrar{a.functions.of(a.engine), a.worker}
}

// work does what the cluster asks of this device, until ctx ends.
func (a *works) work(ctx context.Context) error {
	if a.worker == nil {
		return nil
	}
	return a.worker.Run(ctx)
}

// A preparer makes the first transitions of an execution.
type preparer interface {
	Prepare(machine, id string, input json.RawMessage, at time.Time) ([]workflow.Transition, error)
}

func (a *works) preparer() preparer {
	if a.cluster == nil {
		return a.engine
	}
	return handing{a.engine, a.handed}
}

// handing begins executions that hand over others to the cluster.
type handing struct {
	engine *workflow.Engine
	handed string
}

func (h handing) Prepare(machine, id string, input json.RawMessage, at time.Time) ([]workflow.Transition, error) {
	here, err := h.engine.Prepare(machine, id, input, at) // which definition a name and its aliases mean now
	if err != nil {
		return nil, err
	}
	w := here[0].Execution
	in, err := json.Marshal(temporal.Handing{Machine: w.Machine, Input: input, StateMachine: w.StateMachine, Version: w.Version, Alias: w.Alias, Type: w.Type})
	if err != nil {
		return nil, err
	}
	// That a board is handed over is no news; its name and its holds are those of its machine.
	return h.engine.PrepareBegin(workflow.Begin{Machine: h.handed, Called: w.StateMachine, ID: id, Input: in}, at)
}

// executions are those of the engine, and those that it handed over to the
// cluster.
type executions struct {
	*workflow.Engine
	cluster *temporal.Client // nil: none
	handed  string           // hash of the machine that hands over
}

// askIn bounds how long the cluster may take to answer.
const askIn = 10 * time.Second

// at gives the cluster, and for how long to ask it, if it has the execution or
// may have it, begun by another one there, and nil if the engine has it.
func (x executions) at(ctx context.Context, id string) (*temporal.Client, context.Context, context.CancelFunc) {
	if x.cluster != nil {
		d, err := x.Engine.Describe(ctx, id)
		if err == nil && d.Machine == x.handed && d.Status == asl.StatusSucceeded || errors.Is(err, workflow.ErrNotFound) && id != "" {
			ctx, cancel := context.WithTimeout(ctx, askIn)
			return x.cluster, ctx, cancel
		}
	}
	return nil, ctx, func() {}
}

// Describe gives the execution, wherever it is.
func (x executions) Describe(ctx context.Context, id string) (workflow.Description, error) {
	c, ctx, cancel := x.at(ctx, id)
	defer cancel()
	if c == nil {
		return x.Engine.Describe(ctx, id)
	}
	return c.Describe(ctx, id)
}

// History gives the execution's history, wherever it is.
func (x executions) History(ctx context.Context, id string) ([]asl.HistoryEvent, error) {
	c, ctx, cancel := x.at(ctx, id)
	defer cancel()
	if c == nil {
		return x.Engine.History(ctx, id)
	}
	return c.History(ctx, id)
}

// Stop aborts the execution, wherever it is.
func (x executions) Stop(ctx context.Context, id, errorName, cause string) error {
	c, ctx, cancel := x.at(ctx, id)
	defer cancel()
	if c == nil {
		return x.Engine.Stop(ctx, id, errorName, cause)
	}
	return c.Stop(ctx, id, errorName, cause)
}

// Redrive lets the execution go on, wherever it is.
func (x executions) Redrive(ctx context.Context, id string) error {
	c, ctx, cancel := x.at(ctx, id)
	defer cancel()
	if c == nil {
		return x.Engine.Redrive(ctx, id)
	}
	return c.Redrive(ctx, id)
}

// Asked is the input of an open task, wherever its execution is.
func (x executions) Asked(ctx context.Context, id string, command int64) (json.RawMessage, error) {
	c, ctx, cancel := x.at(ctx, id)
	defer cancel()
	if c == nil {
		return x.Engine.Asked(ctx, id, command)
	}
	return c.Asked(ctx, id, command)
}

// Amend replaces the input of a parked task, wherever its execution is.
func (x executions) Amend(ctx context.Context, id string, command int64, input json.RawMessage, by string) error {
	c, ctx, cancel := x.at(ctx, id)
	defer cancel()
	if c == nil {
		return x.Engine.Amend(ctx, id, command, input, by)
	}
	return c.Amend(ctx, id, command, input, by)
}

// Token gives the task token of the state that waits for an answer, wherever
// the execution is.
func (x executions) Token(ctx context.Context, id, state string) (string, error) {
	c, ctx, cancel := x.at(ctx, id)
	defer cancel()
	if c == nil {
		return x.Engine.Token(ctx, id, state)
	}
	return c.Token(ctx, id, state)
}

// SendTaskSuccess answers a task token, wherever its execution is.
func (x executions) SendTaskSuccess(ctx context.Context, token string, output json.RawMessage) error {
	c, ctx, cancel := x.at(ctx, temporal.ExecutionOf(token))
	defer cancel()
	if c == nil {
		return x.Engine.SendTaskSuccess(ctx, token, output)
	}
	return c.SendTaskSuccess(ctx, token, output)
}

// SendTaskFailure answers a task token, wherever its execution is.
func (x executions) SendTaskFailure(ctx context.Context, token, errorName, cause string) error {
	c, ctx, cancel := x.at(ctx, temporal.ExecutionOf(token))
	defer cancel()
	if c == nil {
		return x.Engine.SendTaskFailure(ctx, token, errorName, cause)
	}
	return c.SendTaskFailure(ctx, token, errorName, cause)
}

// SendTaskHeartbeat says that a token's holder is alive, wherever its execution
// is.
func (x executions) SendTaskHeartbeat(ctx context.Context, token string) error {
	c, ctx, cancel := x.at(ctx, temporal.ExecutionOf(token))
	defer cancel()
	if c == nil {
		return x.Engine.SendTaskHeartbeat(ctx, token)
	}
	return c.SendTaskHeartbeat(ctx, token)
}
