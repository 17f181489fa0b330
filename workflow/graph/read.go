package graph

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A block is one States object: the machine, a branch, or what a Map does with
// every item.
type block struct {
	start  string
	states []*state // those that can be reached first, in the order of a walk
	within *state   // nil: the machine

	nodes         []*node // with start, end and label nodes
	width, height float64
	edges         []*edge
}

// A state as it is drawn.
type state struct {
	name, kind string
	comment    string
	captions   []string // small lines below the name
	retries    []string // a line for each retrier
	exits      []exit
	ends       bool
	token      bool // somebody outside answers
	lost       bool // no transition leads there
	blocks     []*block
	stack      bool // a Map: its block is there many times
}

// An exit is a transition to another state of the same block.
type exit struct {
	to    string
	label string // empty: none
	kind  exitKind
}

type exitKind uint8

const (
	byNext exitKind = iota
	byChoice
	byDefault
	byCatch
)

const (
	deepest = 32     // blocks in blocks that are drawn
	largest = 20_000 // states in all: more is no picture
)

// read gives the machine of a definition.
func read(definition []byte) (*block, error) {
	d := json.NewDecoder(bytes.NewReader(definition))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, fmt.Errorf("it is not JSON: %w", err)
	}
	o, _ := v.(map[string]any)
	r := reader{left: largest}
	b := r.block(o, nil, 0)
	switch {
	case r.err != nil:
		return nil, r.err
	case len(b.states) == 0:
		return nil, errors.New("it has no States")
	}
	return b, nil
}

type reader struct {
	left int
	err  error
}

func (r *reader) block(o map[string]any, within *state, depth int) *block {
	b := &block{start: text(o, "StartAt"), within: within}
	states := object(o, "States")
	if r.left -= len(states); r.left < 0 {
		r.err = fmt.Errorf("it has more than %d states", largest)
	} else if depth > deepest {
		r.err = fmt.Errorf("states are in one another more than %d deep", deepest)
	}
	if r.err != nil {
		return b
	}
	byName := make(map[string]*state, len(states))
	for _, name := range slices.Sorted(maps.Keys(states)) {
		byName[name] = r.state(name, object(states, name), depth)
	}
	seen := make(map[string]bool, len(states))
	walk(b.start, byName, func(s *state) { seen[s.name] = true; b.states = append(b.states, s) })
	for _, name := range slices.Sorted(maps.Keys(states)) {
		if s := byName[name]; !seen[name] {
			s.lost = true
			b.states = append(b.states, s)
		}
	}
	return b
}

// walk visits what can be reached from start, each once, a transition's target
// as soon as nothing before it is left to visit.
func walk(start string, states map[string]*state, visit func(*state)) {
	seen := map[string]bool{}
	for stack := []string{start}; len(stack) > 0; {
		name := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		s := states[name]
		if s == nil || seen[name] {
			continue
		}
		seen[name] = true
		visit(s)
		for _, e := range slices.Backward(s.exits) {
			stack = append(stack, e.to)
		}
	}
}

func (r *reader) state(name string, o map[string]any, depth int) *state {
	s := &state{name: name, kind: text(o, "Type"), comment: text(o, "Comment"), ends: o["End"] == true}
	if next := text(o, "Next"); next != "" {
		s.exits = append(s.exits, exit{to: next})
	}
	for _, rule := range objects(o, "Choices") {
		s.exits = append(s.exits, exit{text(rule, "Next"), condition(rule), byChoice})
	}
	if next := text(o, "Default"); next != "" && s.kind == "Choice" {
		s.exits = append(s.exits, exit{next, "otherwise", byDefault})
	}
	for _, c := range objects(o, "Catch") {
		s.exits = append(s.exits, exit{text(c, "Next"), "on " + names(c), byCatch})
	}
	for _, t := range objects(o, "Retry") {
		s.retries = append(s.retries, retrier(t))
	}
	s.ends = s.ends || s.kind == "Succeed" || s.kind == "Fail"
	s.captions = captions(s, o)
	switch s.kind {
	case "Parallel":
		for _, branch := range objects(o, "Branches") {
			s.blocks = append(s.blocks, r.block(branch, s, depth+1))
		}
	case "Map":
		s.stack = true
		for _, field := range []string{"ItemProcessor", "Iterator"} {
			if processor, ok := o[field].(map[string]any); ok {
				s.blocks = append(s.blocks, r.block(processor, s, depth+1))
				break
			}
		}
	}
	return s
}

// captions say what the state works with.
func captions(s *state, o map[string]any) []string {
	switch s.kind {
	case "Task":
		resource, token := strings.CutSuffix(text(o, "Resource"), ".waitForTaskToken")
		s.token = token
		lines := []string{strings.TrimPrefix(resource, "arn:aws:states:::")}
		if token {
			lines = append(lines, "waits for an answer")
		}
		return lines
	case "Wait":
		for _, field := range []string{"Seconds", "SecondsPath", "Timestamp", "TimestampPath"} {
			if v, ok := o[field]; ok {
				return []string{waits(field, v)}
			}
		}
	case "Map":
		if text(object(object(o, "ItemProcessor"), "ProcessorConfig"), "Mode") == "DISTRIBUTED" {
			return []string{"Map of items, distributed"}
		}
		return []string{"Map: once for each item"}
	case "Parallel":
		return []string{"Parallel: all side by side"}
	case "Fail":
		if e := cmp.Or(text(o, "Error"), text(o, "ErrorPath")); e != "" {
			return []string{"Fail " + e}
		}
	}
	return []string{s.kind}
}

func waits(field string, v any) string {
	said := plain(v)
	switch {
	case field == "Seconds" && !strings.HasPrefix(said, "{%"):
		return "Wait " + said + " s"
	case strings.HasPrefix(field, "Seconds"):
		return "Wait " + said + " seconds"
	}
	return "Wait until " + said
}

// names lists the errors of a retrier or catcher.
func names(o map[string]any) string {
	list, _ := o["ErrorEquals"].([]any)
	out := make([]string, len(list))
	for n, v := range list {
		if out[n] = plain(v); v == "States.ALL" {
			out[n] = "any error"
		}
	}
	return strings.Join(out, ", ")
}

// retrier says how often a state is tried again.
func retrier(o map[string]any) string {
	times := "3"
	if v, ok := o["MaxAttempts"]; ok {
		times = plain(v)
	}
	if len(times) > 6 {
		return names(o) + ": always"
	}
	return names(o) + ": up to " + times + " times"
}

func text(o map[string]any, key string) string {
	s, _ := o[key].(string)
	return s
}

func object(o map[string]any, key string) map[string]any {
	v, _ := o[key].(map[string]any)
	return v
}

func objects(o map[string]any, key string) []map[string]any {
	list, _ := o[key].([]any)
	out := make([]map[string]any, 0, len(list))
	for _, v := range list {
		if m, ok := v.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

// plain is a value as people write it: strings bare, the rest as JSON.
func plain(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if e.Encode(v) != nil {
		return ""
	}
	return strings.TrimSpace(b.String())
}
