package asl

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// An outcome is how a state ended that ran alone.
type outcome struct {
	output   any
	next     string
	assigned map[string]any
	failure  *stateError
}

// without is o less some fields.
func without(o map[string]any, fields ...string) map[string]any {
	out := maps.Clone(o)
	for _, f := range fields {
		delete(out, f)
	}
	return out
}

// only is a state of a kind with some of the fields of o.
func only(kind string, o map[string]any, fields ...string) map[string]any {
	out := map[string]any{"Type": kind, "End": true, "QueryLanguage": o["QueryLanguage"]}
	for _, f := range fields {
		if v, ok := o[f]; ok {
			out[f] = v
		}
	}
	if kind == "Task" {
		out["Resource"] = mockResource
	}
	return out
}

// mockResource stands for whatever does the work of a state under test.
const mockResource = "mock"

// stages runs the state up to its work, and notes what each field makes of
// the input: each stage is the state without the fields that come after it.
func (t *stateTest) stages() *stateError {
	switch {
	case t.kind == "Map":
		return t.mapStages()
	case t.jsonata() && t.kind == "Task":
		return t.stage("afterArguments", only("Pass", map[string]any{"QueryLanguage": "JSONata", "Output": t.state["Arguments"]}, "Output"), t.state["Arguments"] != nil)
	case t.jsonata() || t.kind == "Parallel":
		return nil
	case t.kind == "Pass" && t.state["Result"] != nil:
		t.show("result", t.state["Result"])
		return nil
	}
	if failed := t.stage("afterInputPath", only("Pass", t.state, "InputPath"), true); failed != nil {
		return failed
	}
	if t.kind == "Pass" || t.kind == "Task" {
		return t.stage("afterParameters", only("Pass", t.state, "InputPath", "Parameters"), true)
	}
	return nil
}

func (t *stateTest) stage(name string, state map[string]any, there bool) *stateError {
	if !there {
		return nil
	}
	o := t.alone(state, t.input, nil, nil)
	if o.failure == nil {
		t.show(name, o.output)
	}
	return o.failure
}

// after notes what the fields after the work made of its result. The state
// has succeeded.
func (t *stateTest) after() {
	if t.kind == "Task" {
		t.show("result", t.mock)
	}
	if t.jsonata() || !slices.Contains([]string{"Task", "Map", "Parallel", "Pass"}, t.kind) {
		return
	}
	if t.kind == "Pass" {
		t.show("afterResultSelector", t.alone(without(t.state, "ResultPath", "OutputPath", "Assign"), t.input, nil, nil).output)
		t.show("afterResultPath", t.alone(without(t.state, "OutputPath", "Assign"), t.input, nil, nil).output)
		return
	}
	t.show("afterResultSelector", t.alone(only("Task", t.state, "ResultSelector"), t.input, t.mock, nil).output)
	t.show("afterResultPath", t.alone(only("Task", t.state, "ResultSelector", "ResultPath"), t.input, t.mock, nil).output)
}

func (t *stateTest) jsonata() bool { return t.state["QueryLanguage"] == "JSONata" }

// whole runs all of the state; its work gives the result, or fails.
func (t *stateTest) whole(o map[string]any, result any, failure *stateError) outcome {
	return t.alone(t.reduced(o), t.input, result, failure)
}

// reduced makes a Task of a Map or Parallel, with all that is left of it once
// a mock does its work.
func (t *stateTest) reduced(o map[string]any) map[string]any {
	switch t.kind {
	case "Map":
		o = without(o, "ItemProcessor", "Iterator", "ItemsPath", "Items", "ItemSelector", "Parameters", "ItemReader", "ItemBatcher", "ResultWriter", "Label",
			"MaxConcurrency", "MaxConcurrencyPath", "ToleratedFailureCount", "ToleratedFailureCountPath", "ToleratedFailurePercentage", "ToleratedFailurePercentagePath")
	case "Parallel":
		o = without(o, "Branches")
	case "Task":
		o = without(o, "Credentials")
	default:
		return o
	}
	o["Type"], o["Resource"] = "Task", mockResource
	return o
}

// alone runs a state in a machine of its own, in which the states that it
// leads to only end.
func (t *stateTest) alone(o map[string]any, input, result any, failure *stateError) outcome {
	definition := encode(map[string]any{"StartAt": testedName, "States": withTargets(testedName, o)})
	m, err := Parse(definition)
	if err != nil {
		return outcome{failure: &stateError{errRuntime, err.Error()}}
	}
	x := &Execution{given: t.context, variables: t.variables}
	events, commands, err := m.Advance(x, Event{Kind: Started, At: t.request.At, Name: testedName, Input: encode(input), Seed: t.request.Seed})
	for err == nil && x.Status() == StatusRunning && len(commands) > 0 {
		e := Event{Kind: Succeeded, At: t.request.At, Command: commands[0].ID, Output: encode(result)}
		switch {
		case commands[0].Kind == SetTimer:
			e.Kind = Fired
		case failure != nil:
			e.Kind, e.Error, e.Cause = Failed, failure.name, failure.cause
		}
		var more []HistoryEvent
		more, commands, err = m.Advance(x, e)
		events = append(events, more...)
	}
	if err != nil {
		return outcome{failure: &stateError{errRuntime, err.Error()}}
	}
	return ended(x, events)
}

// ended reads how the state ended from the history.
func ended(x *Execution, events []HistoryEvent) (o outcome) {
	for i, h := range events {
		if strings.HasSuffix(h.Type, "StateExited") && h.Name == testedName {
			o.output, o.assigned = *h.output, h.assigned
			if i+1 < len(events) && strings.HasSuffix(events[i+1].Type, "StateEntered") {
				o.next = events[i+1].Name
			}
			return o
		}
	}
	// The words about where it happened say nothing here: there is one state.
	_, cause, ok := strings.Cut(x.Cause(), "). ")
	if !ok || !strings.HasPrefix(x.Cause(), "An error occurred while executing the state '"+testedName+"'") {
		cause = x.Cause()
	}
	return outcome{failure: &stateError{x.Error(), cause}}
}

// testedName is what AWS calls a state that is tested alone.
const testedName = "StateName"

// withTargets is a block of the state and those that it leads to.
func withTargets(name string, o map[string]any) map[string]any {
	states := map[string]any{}
	for _, target := range targetsOf(o) {
		states[target] = map[string]any{"Type": "Succeed"}
	}
	states[name] = o
	return states
}

// targetsOf are the names of the states that a state leads to.
func targetsOf(o map[string]any) (out []string) {
	add := func(v any) {
		if name, ok := v.(string); ok && name != "" {
			out = append(out, name)
		}
	}
	add(o["Next"])
	add(o["Default"])
	for _, field := range []string{"Choices", "Catch"} {
		list, _ := o[field].([]any)
		for _, rule := range list {
			if r, ok := rule.(map[string]any); ok {
				add(r["Next"])
			}
		}
	}
	return out
}

// find gives the state of the name at any depth of a block.
func find(o map[string]any, name string) map[string]any {
	states, _ := o["States"].(map[string]any)
	if s, ok := states[name].(map[string]any); ok {
		return s
	}
	for _, key := range slices.Sorted(maps.Keys(states)) {
		s, _ := states[key].(map[string]any)
		for _, block := range blocksOf(s) {
			if found := find(block, name); found != nil {
				return found
			}
		}
	}
	return nil
}

// blocksOf are the branches of a Parallel, or what a Map does with each item.
func blocksOf(s map[string]any) (out []map[string]any) {
	branches, _ := s["Branches"].([]any)
	for _, b := range append(slices.Clone(branches), s["ItemProcessor"], s["Iterator"]) {
		if o, ok := b.(map[string]any); ok {
			out = append(out, o)
		}
	}
	return out
}

// wrapped is the text of a machine of one state, which is given as text so
// that everything that is wrong with it can be said.
func wrapped(definition string, o map[string]any) []byte {
	var b strings.Builder
	fmt.Fprintf(&b, `{"StartAt":%q,"States":{%q:%s`, testedName, testedName, definition)
	for _, target := range slices.Compact(slices.Sorted(slices.Values(targetsOf(o)))) {
		if target != testedName {
			name, _ := json.Marshal(target)
			fmt.Fprintf(&b, `,%s:{"Type":"Succeed"}`, name)
		}
	}
	b.WriteString("}}")
	return []byte(b.String())
}
