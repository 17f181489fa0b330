package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"golang.org/x/sync/errgroup"

	"inspector/store"
	"inspector/web"
	"inspector/workflow"
)

// A parkedOrder chooses parked work.
type parkedOrder struct {
	Target       string `json:"target"`   // its name in the status
	Resource     string `json:"resource"` // one of its lanes
	StateMachine string `json:"stateMachine"`
	Reason       string `json:"reason"` // is in the reason, in any case of letters
	MaxResults   int    `json:"maxResults"`
	NextToken    string `json:"nextToken"`
	By           string `json:"by"` // of RedriveParked
}

// parked lists work that waits for a person.
type parked struct {
	store   *store.Store
	engine  executions
	targets []target
}

// find gives a page of the parked work that the order chooses.
func (p *parked) find(ctx context.Context, o parkedOrder) ([]workflow.Work, string, error) {
	if o.MaxResults < 0 || o.MaxResults > 1000 {
		return nil, "", invalid("maxResults: want 1 to 1000, have " + strconv.Itoa(o.MaxResults))
	}
	f := store.ParkedFilter{Machine: o.StateMachine, Reason: o.Reason, After: o.NextToken, Limit: o.MaxResults}
	switch {
	case o.Target != "" && o.Resource != "":
		f.Lanes = slices.DeleteFunc(slices.Clone(lanesOf(p.targets, o.Target)), func(lane string) bool { return lane != o.Resource })
	case o.Target != "":
		f.Lanes = lanesOf(p.targets, o.Target)
	case o.Resource != "":
		f.Lanes = []string{o.Resource}
	}
	return p.store.Parked(ctx, f)
}

// Parked implements what web asks.
func (p *parked) Parked(ctx context.Context, q web.ParkedQuery) ([]web.ParkedTask, string, error) {
	found, next, err := p.find(ctx, parkedOrder{Target: q.Target, Reason: q.Reason, NextToken: q.Page, MaxResults: q.Limit})
	if err != nil {
		return nil, "", coded(err)
	}
	out := make([]web.ParkedTask, len(found))
	for n, w := range found {
		out[n] = p.task(w)
	}
	return out, next, nil
}

func (p *parked) task(w workflow.Work) web.ParkedTask {
	return web.ParkedTask{Execution: w.Execution, Command: w.Command, State: w.State, Target: targetOf(p.targets, w.Lane), Resource: w.Lane, Since: w.Since, Reason: w.Parked}
}

// A parkedList is a page of parked work, and how to ask for the next one.
type parkedList struct {
	Parked    []web.ParkedTask `json:"parked"`
	NextToken string           `json:"nextToken,omitempty"`
}

func (a *statesAPI) listParked(ctx context.Context, o parkedOrder) (any, error) {
	found, next, err := a.parked.find(ctx, o)
	out := parkedList{[]web.ParkedTask{}, next}
	for _, w := range found {
		out.Parked = append(out.Parked, a.parked.task(w))
	}
	return out, err
}

// redrivers is how many pieces of work are freed at once: they share commits.
const redrivers = 16

// redriveParked tries again a page of the parked work that the order chooses;
// what else of its executions is parked stays so.
func (a *statesAPI) redriveParked(ctx context.Context, o parkedOrder) (any, error) {
	found, next, err := a.parked.find(ctx, o)
	if err != nil {
		return nil, err
	}
	errs := make([]error, len(found))
	var freeing errgroup.Group
	freeing.SetLimit(redrivers)
	for n, w := range found {
		freeing.Go(func() error { errs[n] = a.engine.RedriveWork(ctx, w); return nil })
	}
	_ = freeing.Wait() // each has its own error
	out := redriven{[]string{}, map[string]string{}, next}
	for n, w := range found {
		if errs[n] != nil {
			out.Refused[w.Key()] = errs[n].Error()
			continue
		}
		out.Redriven = append(out.Redriven, w.Key())
	}
	a.audit(ctx, o.By, "redrive-parked", o.Target, map[string]any{"resource": o.Resource, "reason": o.Reason, "stateMachine": o.StateMachine, "redriven": len(out.Redriven), "refused": len(out.Refused)})
	return out, nil
}

// An amendOrder replaces the input of a parked task, or asks for it.
type amendOrder struct {
	Name    string          `json:"name"`    // of the execution
	Command int64           `json:"command"` // of the task; 0: the one that is parked
	Input   json.RawMessage `json:"input"`   // any JSON
	By      string          `json:"by"`
}

// A parkedInput is a parked task with its input.
type parkedInput struct {
	web.ParkedTask
	Input json.RawMessage `json:"input"`
}

// one finds the parked task that the order means.
func (a *statesAPI) one(ctx context.Context, o amendOrder) (web.ParkedTask, error) {
	d, err := a.engine.Describe(ctx, o.Name)
	if err != nil {
		return web.ParkedTask{}, err
	}
	var all []workflow.Work
	for _, w := range d.Work {
		if w.Parked != "" && (o.Command == 0 || w.Command == o.Command) {
			all = append(all, w)
		}
	}
	switch {
	case len(all) == 0:
		return web.ParkedTask{}, &web.CodedError{Code: "ExecutionNotRedrivable", Err: fmt.Errorf("execution %s: no such task of it is parked", o.Name)}
	case len(all) > 1:
		return web.ParkedTask{}, invalid(fmt.Sprintf("command: %d tasks of execution %s are parked; name one: %s is %d", len(all), o.Name, all[0].State, all[0].Command))
	}
	return a.parked.task(all[0]), nil
}

// describeParked gives a parked task with its input.
func (a *statesAPI) describeParked(ctx context.Context, o amendOrder) (any, error) {
	t, err := a.one(ctx, o)
	if err != nil {
		return nil, err
	}
	input, err := a.engine.Asked(ctx, t.Execution, t.Command)
	return parkedInput{t, input}, err
}

// amend replaces the input of a parked task and tries it again.
func (a *statesAPI) amend(ctx context.Context, o amendOrder) (any, error) {
	if len(o.Input) == 0 {
		return nil, &web.CodedError{Code: "InvalidExecutionInput", Err: errors.New("input: want any JSON value; DescribeParkedTask gives the one that is there")}
	}
	t, err := a.one(ctx, o)
	if err != nil {
		return nil, err
	}
	before, err := a.engine.Asked(ctx, t.Execution, t.Command)
	if err != nil {
		return nil, err
	}
	if err := a.engine.Amend(ctx, t.Execution, t.Command, o.Input, o.By); err != nil {
		return nil, err
	}
	a.audit(ctx, o.By, "amend-task", t.Execution, map[string]any{"state": t.State, "command": t.Command, "before": before, "input": o.Input})
	return parkedInput{t, o.Input}, nil
}
