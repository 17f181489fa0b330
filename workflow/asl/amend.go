package asl

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// Amended replaces the input of the open task Command with Input, for good: its
// retries and redrives have it, too. The command is asked for again, with the
// same ID. By says who did it. What stood there is still in the history.
const Amended EventKind = "amended"

// amendable says why the input of the pending command cannot be replaced.
func (p *pending) amendable() error {
	switch {
	case p.role != roleTask:
		return fmt.Errorf("the %s command %d of state %q is no task whose input a person could replace", p.command.Kind, p.command.ID, p.command.State)
	case p.act.state.sync:
		return fmt.Errorf("state %q waits for what it began (.sync): stop that, then redrive", p.command.State)
	}
	return nil
}

func (x *Execution) amend(p *pending, input any) {
	p.act.amended = &input
	p.command.Input = encode(input)
	x.emit(p.act.frame, HistoryEvent{Type: "TaskAmended", Name: p.act.state.name, Resource: p.act.state.resource, By: x.current.By, parameters: &input})
	x.issued = append(x.issued, p.command)
}

// SameShape says how after, a task's input that a person edited, is not of the
// shape of before; nil if it is: every member is there, and each value is of
// the kind that it was. Members may be added, lists may grow and shrink, and
// null is of any kind.
func SameShape(before, after json.RawMessage) error {
	was, err := decode(before)
	if err != nil {
		return fmt.Errorf("the input that is there: %w", err)
	}
	is, err := decode(after)
	if err == nil && !json.Valid(after) {
		err = errors.New("nothing is there")
	}
	if err != nil {
		return fmt.Errorf("the new input is not JSON: %w", err)
	}
	if !fits(is) {
		return fmt.Errorf("the new input exceeds %d bytes or is nested deeper than %d", maxPayload, maxDepth)
	}
	return sameShape("$", was, is)
}

func sameShape(at string, was, is any) error {
	if was == nil || is == nil {
		return nil
	}
	if a, b := shapeOf(was), shapeOf(is); a != b {
		return fmt.Errorf("%s is %s, and was %s", at, b, a)
	}
	old, ok := was.(map[string]any)
	if !ok {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(old)) {
		v, ok := is.(map[string]any)[name]
		if !ok {
			return fmt.Errorf("%s.%s is missing", at, name)
		}
		if err := sameShape(at+"."+name, old[name], v); err != nil {
			return err
		}
	}
	return nil
}

// shapeOf names the kind of a JSON value.
func shapeOf(v any) string {
	switch v.(type) {
	case map[string]any:
		return "an object"
	case []any:
		return "a list"
	case string:
		return "a text"
	case bool:
		return "true or false"
	}
	return "a number"
}
