package main

import (
	"context"
	"encoding/json"
	"strings"

	"inspector/workflow"
)

// A machineOrder creates or changes a machine. Definition is an object, or a
// text with it as on AWS.
type machineOrder struct {
	Name        string          `json:"name"`
	Definition  json.RawMessage `json:"definition"`
	Type        workflow.Type   `json:"type"`
	Publish     bool            `json:"publish"`
	Description string          `json:"description"`
	By          string          `json:"by"`
}

// definition is the definition's text.
func (o machineOrder) definition() []byte {
	var text string
	if json.Unmarshal(o.Definition, &text) == nil {
		return []byte(text)
	}
	return o.Definition
}

func (a *statesAPI) createMachine(ctx context.Context, o machineOrder) (any, error) {
	m, err := a.engine.CreateMachine(ctx, workflow.Machine{Name: o.Name, Type: o.Type, Description: o.Description}, o.definition(), o.Publish)
	return a.changed(ctx, o.By, "create-machine", m, err)
}

func (a *statesAPI) updateMachine(ctx context.Context, o machineOrder) (any, error) {
	m, err := a.engine.UpdateMachine(ctx, o.Name, o.definition(), o.Publish, o.Description)
	return a.changed(ctx, o.By, "update-machine", m, err)
}

// changed audits the change and gives the machine as it is now.
func (a *statesAPI) changed(ctx context.Context, by, what string, m workflow.Machine, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	a.audit(ctx, by, what, m.Name, map[string]any{"machine": m.Hash, "revision": m.Revision, "published": m.Published, "aliases": m.Aliases})
	return m, nil
}

// A machineRef names a machine: NAME, and for DescribeStateMachine also
// NAME:VERSION and NAME:ALIAS.
type machineRef struct {
	Name        string `json:"name"`
	Version     int    `json:"version"`
	Description string `json:"description"`
	By          string `json:"by"`
}

func (a *statesAPI) deleteMachine(ctx context.Context, r machineRef) (any, error) {
	err := a.engine.DeleteMachine(ctx, r.Name)
	if err == nil {
		a.audit(ctx, r.By, "delete-machine", r.Name, nil)
	}
	return nil, err
}

// A shownMachine is a machine with what holds it.
type shownMachine struct {
	workflow.Machine
	Held       []workflow.Hold `json:"held,omitempty"`
	Definition json.RawMessage `json:"definition,omitempty"`
}

func (a *statesAPI) listMachines(ctx context.Context, _ struct{}) (any, error) {
	all, err := a.engine.Machines(ctx)
	if err != nil {
		return nil, err
	}
	held, err := a.engine.Holds(ctx)
	out := make([]shownMachine, len(all))
	for i, m := range all {
		out[i] = shownMachine{Machine: m, Held: holding(held, m.Name)}
	}
	return map[string]any{"stateMachines": out}, err
}

// holding gives the holds that hold the machine.
func holding(all []workflow.Hold, name string) (out []workflow.Hold) {
	for _, h := range all {
		if h.Machine == name || h.Machine == workflow.AllMachines {
			out = append(out, h)
		}
	}
	return out
}

func (a *statesAPI) describeMachine(ctx context.Context, r machineRef) (any, error) {
	m, definition, err := a.engine.DescribeMachine(ctx, r.Name)
	if err != nil {
		return nil, err
	}
	held, err := a.engine.Holds(ctx)
	return shownMachine{m, holding(held, m.Name), definition}, err
}

func (a *statesAPI) publishVersion(ctx context.Context, r machineRef) (any, error) {
	m, err := a.engine.PublishVersion(ctx, r.Name, r.Description)
	return a.changed(ctx, r.By, "publish-version", m, err)
}

func (a *statesAPI) deleteVersion(ctx context.Context, r machineRef) (any, error) {
	m, err := a.engine.DeleteVersion(ctx, r.Name, r.Version)
	return a.changed(ctx, r.By, "delete-version", m, err)
}

// An aliasOrder makes, moves or deletes an alias.
type aliasOrder struct {
	StateMachine string           `json:"stateMachine"`
	Name         string           `json:"name"`
	Description  string           `json:"description"`
	Routes       []workflow.Route `json:"routingConfiguration"`
	By           string           `json:"by"`
}

func (a *statesAPI) putAlias(ctx context.Context, o aliasOrder) (any, error) {
	m, err := a.engine.PutAlias(ctx, o.StateMachine, workflow.Alias{Name: o.Name, Description: o.Description, Routes: o.Routes})
	return a.changed(ctx, o.By, "put-alias", m, err)
}

func (a *statesAPI) deleteAlias(ctx context.Context, o aliasOrder) (any, error) {
	m, err := a.engine.DeleteAlias(ctx, o.StateMachine, o.Name)
	return a.changed(ctx, o.By, "delete-alias", m, err)
}

// A holdOrder holds or frees a machine; no name is all of them.
type holdOrder struct {
	Name string `json:"name"`
	By   string `json:"by"`
}

func (o holdOrder) machine() string {
	if strings.TrimSpace(o.Name) == "" {
		return workflow.AllMachines
	}
	return o.Name
}

func (a *statesAPI) pause(ctx context.Context, o holdOrder) (any, error) {
	return a.held(ctx, o, "pause", a.engine.Pause(ctx, o.machine(), o.By))
}

func (a *statesAPI) drain(ctx context.Context, o holdOrder) (any, error) {
	return a.held(ctx, o, "drain", a.engine.Drain(ctx, o.machine(), o.By))
}

func (a *statesAPI) resume(ctx context.Context, o holdOrder) (any, error) {
	return a.held(ctx, o, "resume", a.engine.Resume(ctx, o.machine()))
}

func (a *statesAPI) held(ctx context.Context, o holdOrder, what string, err error) (any, error) {
	if err != nil {
		return nil, err
	}
	a.audit(ctx, o.By, what, o.machine(), nil)
	return a.holds(ctx, struct{}{})
}

func (a *statesAPI) holds(ctx context.Context, _ struct{}) (any, error) {
	all, err := a.engine.Holds(ctx)
	if all == nil {
		all = []workflow.Hold{}
	}
	return map[string]any{"holds": all}, err
}
