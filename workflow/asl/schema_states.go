package asl

import (
	"fmt"
	"slices"
	"strings"
)

// validate reports all that is wrong with a definition, in the order in which
// AWS's checks come, and what a user should know besides. It runs before the
// definition is compiled. The faults of v have no lines yet.
func (v *validator) validate(root *node) {
	v.machine = v.language(root, false)
	machine := site{express: v.express, jsonata: v.machine}
	v.form(root, machineForm(), machine)
	v.states(root, machine)
	if states := root.member("States"); !v.terminal && states != nil && len(states.members) > 0 {
		v.fault(root, codeEnd, "Workflow has no terminal state").Location = ""
	} else {
		v.unreachable()
	}
	for _, m := range v.twice {
		v.warn(m, codeTwice, fmt.Sprintf("The field '%s' is given twice; the last one counts", m.name))
	}
}

// language reads QueryLanguage: JSONata unless it is exactly JSONPath.
func (v *validator) language(n *node, machine bool) bool {
	q := n.member("QueryLanguage")
	if q == nil {
		return machine
	}
	among("JSONPath", "JSONata")(v, q, site{})
	return q.kind != '"' || q.text != "JSONPath"
}

// form reports fields that are missing, too many or not known, and applies
// the rules to the others.
func (v *validator) form(n *node, f form, s site) {
	var missing []string
	for _, name := range f.required {
		if n.member(name) == nil {
			missing = append(missing, name)
		}
	}
	if missing != nil {
		v.fault(n, codeSchema, "These fields are required: ["+strings.Join(missing, ", ")+"]")
	}
	for _, m := range n.members {
		i := slices.IndexFunc(f.fields, func(f field) bool { return f.name == m.name })
		switch {
		case i < 0:
			v.faultIn(n, m, codeSchema, fmt.Sprintf("Field '%s' is not supported", m.name)).Hint = meant(m.name, f.names())
		case !f.fields[i].in.has(s.jsonata):
			v.wrongLanguage(n, m, f.fields[i].in)
		default:
			f.fields[i].rule(v, m, s)
		}
	}
	v.groups(n, f, s)
}

func (f form) names() (out []string) {
	for _, f := range f.fields {
		out = append(out, f.name)
	}
	return out
}

func (v *validator) groups(n *node, f form, s site) {
	for _, g := range slices.Concat(f.only, f.one) {
		if len(present(n, g)) > 1 {
			v.fault(n, codeSchema, "Only one of these fields is allowed: ["+strings.Join(present(n, g), ", ")+"]")
		}
	}
	for _, g := range slices.Concat(f.one, f.some) {
		if s.jsonata {
			g = slices.DeleteFunc(slices.Clone(g), func(name string) bool { return strings.HasSuffix(name, "Path") })
		}
		if present(n, g) == nil {
			v.fault(n, codeSchema, "One of these fields is required: ["+strings.Join(g, ", ")+"]")
		}
	}
}

func present(n *node, names []string) (out []string) {
	for _, name := range names {
		if n.member(name) != nil {
			out = append(out, name)
		}
	}
	return out
}

func (v *validator) wrongLanguage(n, m *node, in language) {
	have := "JSONata"
	if in == jsonataOnly {
		have = "JSONPath"
	}
	v.faultIn(n, m, codeSchema, fmt.Sprintf("The QueryLanguage is set to '%s', but field '%s' is only supported for the '%s' QueryLanguage", have, m.name, in))
}

// states checks the states of the block n, and that all they name is there.
func (v *validator) states(n *node, s site) {
	all := n.member("States")
	if s.depth > maxBlocks {
		v.fault(n, codeDepth, fmt.Sprintf("The states are nested deeper than %d", maxBlocks))
		return
	}
	if all == nil {
		return
	}
	if all.kind != '{' {
		v.wrongType(all, "an object")
		return
	}
	if len(all.members) == 0 {
		v.fault(all, codeSchema, "Value cannot be empty")
	}
	s.into = new(map[string][]edge)
	for _, m := range all.members {
		v.stateName(m)
		v.state(m, s)
	}
	if slices.ContainsFunc(all.members, ends) {
		v.terminal = true
	} else if s.depth > 0 && len(all.members) > 0 {
		v.warn(all, codeEnd, "The block has no terminal state")
	}
	v.targets(n, all)
}

func (v *validator) stateName(m *node) {
	if length := runes(m.name); length < 1 || length > 80 {
		v.faultKey(m, codeStateName, fmt.Sprintf("The name of a state must have 1 to 80 characters, but has %d", length))
	}
	if v.seen[m.name] {
		v.faultKey(m, codeDuplicateState, "Duplicate State name: "+m.name)
	}
	v.seen[m.name] = true
}

const stateTypes = "Task, Wait, Pass, Succeed, Fail, Choice, Parallel, Map"

func (v *validator) state(n *node, s site) {
	if n.kind != '{' {
		v.wrongType(n, "an object")
		return
	}
	kind := n.member("Type")
	if kind == nil {
		v.fault(n, codeSchema, "These fields are required: [Type]")
		return
	}
	f, ok := stateForm(kind.text)
	if kind.kind != '"' || !ok {
		v.fault(kind, codeSchema, "The field 'Type' should have one of these values: ["+stateTypes+"]")
		return
	}
	s.kind, s.jsonata = kind.text, v.language(n, v.machine)
	if v.machine && !s.jsonata {
		v.fault(n, codeSchema, "'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine")
	}
	v.form(n, f, s)
	v.ending(n, kind.text)
	v.beats(n)
}

// ending reads Next and End, of which there must be exactly one.
func (v *validator) ending(n *node, kind string) {
	if kind == "Choice" || kind == "Succeed" || kind == "Fail" {
		return
	}
	switch next := n.member("Next"); {
	case next != nil && ends(n):
		v.fault(n, codeSchema, "Only one of these fields is allowed: [Next, End]")
	case next == nil && !ends(n):
		v.fault(n, codeSchema, "One of these fields is required: [Next, End]")
	}
}

// ends reports a state that ends its block.
func ends(n *node) bool {
	end, kind := n.member("End"), n.member("Type")
	return end != nil && end.text == "true" || kind != nil && (kind.text == "Succeed" || kind.text == "Fail")
}

// beats: a heartbeat must come before the time is up.
func (v *validator) beats(n *node) {
	most, beat := n.member("TimeoutSeconds"), n.member("HeartbeatSeconds")
	if most == nil || beat == nil || most.kind != '0' || beat.kind != '0' {
		return
	}
	if compareNumbers(numberOf(beat), numberOf(most)) >= 0 {
		v.fault(beat, codeSchema, "HeartbeatSeconds must be smaller than TimeoutSeconds")
	}
}

// branches are the blocks of a Parallel.
func branches(v *validator, n *node, s site) {
	if !v.filledList(n) {
		return
	}
	for _, m := range n.members {
		v.inner(m, blockForm(), s, &names{outer: s.outer, state: n.parent, into: s.into})
	}
}

// processor is the block of a Map.
func processor(v *validator, n *node, s site) {
	f := blockForm(field{"ProcessorConfig", both, object(configForm)})
	outer := &names{outer: s.outer, state: n.parent, into: s.into}
	config := n.member("ProcessorConfig")
	if mode := config.member("Mode"); mode != nil && mode.text == "DISTRIBUTED" {
		outer = nil // its children do not see variables of outside
		if v.express {
			v.fault(mode, codeSchema, "Express state machine does not support Map states of mode 'DISTRIBUTED'")
		}
		if t := config.member("ExecutionType"); t != nil && t.text == "EXPRESS" {
			s.express = true
		}
	}
	v.inner(n, f, s, outer)
}

// inner checks a block in a state. Its states speak the machine's language,
// whatever the state's own is.
func (v *validator) inner(n *node, f form, s site, outer *names) {
	if n.kind != '{' {
		v.wrongType(n, "an object")
		return
	}
	v.form(n, f, s)
	v.states(n, site{express: s.express, jsonata: v.machine, outer: outer, depth: s.depth + 1})
}

// object applies a form to a value.
func object(f func() form) rule {
	return func(v *validator, n *node, s site) {
		if n.kind != '{' {
			v.wrongType(n, "an object")
			return
		}
		v.form(n, f(), s)
	}
}

// list applies a form to every element of a value.
func list(f func() form, filled bool) rule {
	return func(v *validator, n *node, s site) {
		if n.kind != '[' {
			v.wrongType(n, "an array")
			return
		}
		if filled && len(n.members) == 0 {
			v.fault(n, codeSchema, "Value cannot be empty")
		}
		for _, m := range n.members {
			object(f)(v, m, s)
		}
	}
}

// errorsOfStates are the names of errors that the language reserves.
func errorsOfStates() []string {
	return []string{errAll, "States.HeartbeatTimeout", "States.Timeout", "States.TaskFailed", "States.Permissions", "States.ResultPathMatchFailure",
		"States.ParameterPathFailure", "States.QueryEvaluationError", "States.BranchFailed", "States.NoChoiceMatched", "States.IntrinsicFailure",
		"States.ExceedToleratedFailureThreshold", "States.ItemReaderFailed", "States.ResultWriterFailed", "States.DataLimitExceeded",
		"States.Runtime", "States.Http.Socket"}
}

// errorNames are those of a retrier or catcher.
func errorNames(v *validator, n *node, s site) {
	if !v.filledList(n) {
		return
	}
	entry := n.parent
	last := entry.index == len(entry.parent.members)-1
	for _, m := range n.members {
		switch {
		case m.kind != '"':
			v.wrongType(m, "a string")
		case m.text == errAll && (len(n.members) > 1 || !last):
			v.fault(m, codeSchema, "States.ALL must appear alone and at end of list")
		case strings.HasPrefix(m.text, "States.") && !slices.Contains(errorsOfStates(), m.text):
			v.warn(m, codeErrorName, fmt.Sprintf("'%s' is no error of the language: nothing gives it", m.text)).Hint = meant(m.text, errorsOfStates())
		}
	}
}
