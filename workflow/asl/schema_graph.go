package asl

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// targets reports transitions to states that the block has not, and keeps
// the states that no transition leads to. AWS takes a circle that nothing
// leads to; that is a warning here.
func (v *validator) targets(n, all *node) {
	named := map[string]bool{}
	start := n.member("StartAt")
	states := map[string]*node{}
	for _, m := range all.members {
		states[m.name] = m
	}
	leads := map[string][]string{}
	for _, e := range edges(all) {
		named[e.to.text] = named[e.to.text] || e.to.text != e.from.name
		leads[e.from.name] = append(leads[e.from.name], e.to.text)
		v.target(states, e.to)
	}
	if start == nil || start.kind != '"' {
		return
	}
	v.target(states, start)
	named[start.text] = true
	reached := reachable(leads, start.text)
	for _, m := range all.members {
		switch {
		case !named[m.name]:
			v.lost = append(v.lost, m)
		case !reached[m.name] && states[start.text] != nil:
			v.warn(m, codeTarget, fmt.Sprintf("State \"%s\" is not reachable from %s.", m.name, start.text))
		}
	}
}

func (v *validator) target(states map[string]*node, to *node) {
	if to.kind == '"' && states[to.text] == nil {
		f := v.fault(to, codeTarget, "Missing 'Next' target: "+to.text)
		if len(states) <= 200 {
			f.Hint = meant(to.text, slices.Sorted(maps.Keys(states)))
		}
	}
}

// unreachable reports the states that no transition leads to.
func (v *validator) unreachable() {
	for _, m := range v.lost {
		v.faultKey(m, codeTarget, fmt.Sprintf("State \"%s\" is not reachable.", m.name))
	}
}

// reachable are the names that can be reached.
func reachable(leads map[string][]string, start string) map[string]bool {
	seen := map[string]bool{}
	for open := []string{start}; len(open) > 0; {
		name := open[len(open)-1]
		open = open[:len(open)-1]
		if !seen[name] {
			seen[name] = true
			open = append(open, leads[name]...)
		}
	}
	return seen
}

// An edge is a transition with what is assigned on the way.
type edge struct{ from, to, assigned *node }

// edges are the transitions of a block.
func edges(all *node) (out []edge) {
	add := func(from, to, assigned *node) {
		if to != nil {
			out = append(out, edge{from, to, assigned})
		}
	}
	for _, m := range all.members {
		add(m, m.member("Next"), m.member("Assign"))
		add(m, m.member("Default"), m.member("Assign"))
		for _, name := range []string{"Choices", "Catch"} {
			list := m.member(name)
			if list == nil {
				continue
			}
			for _, e := range elements(list) {
				add(m, e.member("Next"), e.member("Assign"))
			}
		}
	}
	return out
}

// names are the variables that may be set when a state is entered: those of
// the states before it, and those of what is around its block.
type names struct {
	outer *names
	state *node // in whose blocks they are seen
	held  map[string]bool
	into  *map[string][]edge // the transitions of the block by where they lead
}

// has looks outwards. The states before are found when first asked for.
func (n *names) has(name string) bool {
	for ; n != nil; n = n.outer {
		if n.held == nil {
			n.held = n.assignedBefore()
		}
		if n.held[name] {
			return true
		}
	}
	return false
}

func (n *names) assignedBefore() map[string]bool {
	if *n.into == nil {
		*n.into = map[string][]edge{}
		for _, e := range edges(n.state.parent) {
			(*n.into)[e.to.text] = append((*n.into)[e.to.text], e)
		}
	}
	held, seen := map[string]bool{}, map[string]bool{}
	for open := []string{n.state.name}; len(open) > 0; {
		name := open[len(open)-1]
		open = open[:len(open)-1]
		if seen[name] {
			continue
		}
		seen[name] = true
		for _, e := range (*n.into)[name] {
			open = append(open, e.from.name)
			if e.assigned != nil && e.assigned.kind == '{' {
				for _, m := range e.assigned.members {
					held[strings.TrimSuffix(m.name, ".$")] = true
				}
			}
		}
	}
	return held
}
