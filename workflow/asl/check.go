package asl

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// A checker compiles a definition and collects what is wrong with it.
type checker struct {
	faults   Faults
	seen     map[string]bool   // names of states: unique in the whole machine
	jsonata  bool              // the machine's query language
	assigned []map[string]bool // variables that the blocks around assign, outermost first
}

func (c *checker) fault(at, format string, args ...any) {
	c.faults = append(c.faults, Fault{Pointer: at, Message: fmt.Sprintf(format, args...)})
}

// pointer appends a name to a JSON pointer.
func pointer(at, name string) string {
	return at + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// queryLanguage reports whether the machine or state speaks JSONata.
func (c *checker) queryLanguage(at string, o map[string]any) bool {
	switch v, ok := o["QueryLanguage"]; {
	case !ok:
		return c.jsonata
	case v == "JSONata":
		return true
	case v != "JSONPath":
		c.fault(at+"/QueryLanguage", `the query language must be "JSONPath" or "JSONata"`)
	case c.jsonata:
		c.fault(at, "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine")
	}
	return false
}

// text gives an optional string.
func (c *checker) text(at string, o map[string]any, name string) string {
	v, ok := o[name]
	s, isText := v.(string)
	if ok && !isText {
		c.fault(pointer(at, name), "the value must be a string")
	}
	return s
}

// needText gives a string that must be there.
func (c *checker) needText(at string, o map[string]any, name string) string {
	if _, ok := o[name]; !ok {
		c.fault(at, "the field %s is required", name)
		return ""
	}
	s := c.text(at, o, name)
	if _, isText := o[name].(string); isText && s == "" {
		c.fault(pointer(at, name), "the value must not be empty")
	}
	return s
}

// integer gives an optional whole number of at least least.
func (c *checker) integer(at string, o map[string]any, name string, least, otherwise int64) int64 {
	v, ok := o[name]
	if !ok {
		return otherwise
	}
	n, isNumber := v.(json.Number)
	i, isInt := toInt(n)
	if !isNumber || !isInt || i < least || i > maxNumber {
		c.fault(pointer(at, name), "the value must be a whole number from %d to %d", least, maxNumber)
		return otherwise
	}
	return i
}

const maxNumber = 99_999_999 // largest count and largest seconds, as on AWS

func (c *checker) seconds(at string, o map[string]any, name string, least int64) time.Duration {
	return time.Duration(c.integer(at, o, name, least, 0)) * time.Second
}

// path gives an optional path; nil if it is not there or faulty.
func (c *checker) path(at string, o map[string]any, name string) *path {
	v, ok := o[name]
	if !ok {
		return nil
	}
	text, isText := v.(string)
	if !isText {
		c.fault(pointer(at, name), "the value must be a path in a string")
		return nil
	}
	p, err := parsePath(text)
	if err != nil {
		c.fault(pointer(at, name), "%v", err)
		return nil
	}
	return p
}

// pathOrNull is for InputPath, OutputPath and ResultPath.
func (c *checker) pathOrNull(at string, o map[string]any, name string) (p *path, null bool) {
	if v, ok := o[name]; ok && v == nil {
		return nil, true
	}
	p = c.path(at, o, name)
	if p != nil && name == "ResultPath" && (p.context || p.variable != "" || !p.reference()) {
		c.fault(pointer(at, name), "%q must be a reference path into the input: names and indexes only", p.text)
		return nil, false
	}
	if p != nil && len(p.steps) == 0 && !p.context && p.variable == "" {
		p = nil // $ is what nil means
	}
	return p, false
}

// objects gives the objects of an optional list.
func (c *checker) objects(at string, o map[string]any, name string) (out []map[string]any) {
	v, ok := o[name]
	list, isList := v.([]any)
	if ok && !isList {
		c.fault(pointer(at, name), "the value must be a list")
	}
	for i, e := range list {
		object, ok := e.(map[string]any)
		if !ok {
			c.fault(fmt.Sprintf("%s/%s/%d", at, name, i), "the value must be an object")
		}
		out = append(out, object)
	}
	return out
}

const maxBlocks = 50 // nesting of Parallel and Map

// block compiles StartAt and States.
func (c *checker) block(at string, o map[string]any, depth int) *block {
	b := &block{start: c.needText(at, o, "StartAt"), states: map[string]*state{}}
	states, ok := o["States"].(map[string]any)
	switch {
	case depth > maxBlocks:
		c.fault(at, "blocks are nested deeper than %d", maxBlocks)
		return b
	case o["States"] == nil:
		c.fault(at, "the field States is required")
		return b
	case !ok || len(states) == 0:
		c.fault(pointer(at, "States"), "the value must be an object of at least one state")
		return b
	}
	c.assigned = append(c.assigned, outerNames(states))
	defer func() { c.assigned = c.assigned[:len(c.assigned)-1] }()
	for _, name := range slices.Sorted(maps.Keys(states)) {
		here := pointer(at+"/States", name)
		if runes(name) > 80 || name == "" {
			c.fault(here, "the name of a state must have 1 to 80 characters")
		}
		if c.seen[name] {
			c.fault(here, "the name is given twice; names of states are unique in the whole machine")
		}
		c.seen[name] = true
		object, ok := states[name].(map[string]any)
		if !ok {
			c.fault(here, "a state must be an object")
			continue
		}
		b.states[name] = c.state(here, name, object, depth)
	}
	c.target(at, "StartAt", states, b.start)
	for name, s := range b.states {
		c.targets(pointer(at+"/States", name), states, s)
	}
	return b
}

// target reports a transition to a state that is not in the block.
func (c *checker) target(at, field string, states map[string]any, name string) {
	if _, ok := states[name]; !ok && name != "" {
		c.fault(at+"/"+field, "there is no state %q in this block", name)
	}
}

func (c *checker) targets(at string, states map[string]any, s *state) {
	c.target(at, "Next", states, s.next)
	c.target(at, "Default", states, s.otherwise)
	for i, ch := range s.choices {
		c.target(at, fmt.Sprintf("Choices/%d/Next", i), states, ch.next)
	}
	for i, ca := range s.catch {
		c.target(at, fmt.Sprintf("Catch/%d/Next", i), states, ca.next)
	}
}
