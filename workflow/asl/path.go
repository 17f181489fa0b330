package asl

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// A path is a JSONPath in the flavour that AWS takes (Jayway's, not RFC 9535):
// names may hold hyphens, a dot may stand before a bracket, and a path of
// single names and indexes only is definite: it must find its value.
type path struct {
	text     string
	context  bool // of the context object: $$
	steps    []step
	definite bool
}

type stepKind uint8

const (
	stepNames  stepKind = iota // .name ['a','b']
	stepIndex                  // [1] [0,2] [(@.length-1)] is -1
	stepSlice                  // [a:b:c]
	stepAll                    // .* [*]
	stepDeep                   // ..: this value and all below
	stepFilter                 // [?(...)]
)

type step struct {
	kind    stepKind
	names   []string
	indexes []int
	from    *int
	to      *int
	stride  int
	filter  filter
}

// single reports whether the step selects at most one value.
func (s step) single() bool {
	return s.kind == stepNames && len(s.names) == 1 || s.kind == stepIndex && len(s.indexes) == 1
}

func (s step) String() string {
	switch {
	case s.kind == stepNames && len(s.names) == 1:
		return "['" + s.names[0] + "']"
	case s.kind == stepIndex && len(s.indexes) == 1:
		return "[" + strconv.Itoa(s.indexes[0]) + "]"
	}
	return "[*]"
}

// normal is a path as Jayway prints it.
func normal(steps []step) string {
	var b strings.Builder
	b.WriteByte('$')
	for _, s := range steps {
		b.WriteString(s.String())
	}
	return b.String()
}

var errNoVariables = errors.New("variables are not supported yet")

// parsePath compiles text, which starts with $ or $$.
func parsePath(text string) (*path, error) {
	p := &path{text: text}
	rest, ok := strings.CutPrefix(text, "$")
	if !ok {
		return nil, fmt.Errorf("%q is no path: it does not begin with $", text)
	}
	if r, ok := strings.CutPrefix(rest, "$"); ok {
		p.context, rest = true, r
	}
	if rest != "" && rest[0] != '.' && rest[0] != '[' {
		if !p.context && (rest[0] == '_' || rest[0] >= 'a' && rest[0] <= 'z' || rest[0] >= 'A' && rest[0] <= 'Z' || rest[0] >= 0x80) {
			return nil, errNoVariables
		}
		return nil, fmt.Errorf("%q is no path: unexpected %q", text, rest[:1])
	}
	l := &lexer{text: rest}
	steps, err := l.steps(0)
	if err == nil && l.pos < len(l.text) {
		err = fmt.Errorf("unexpected %q", l.text[l.pos:l.pos+1])
	}
	if err != nil {
		return nil, fmt.Errorf("%q is no path: %w", text, err)
	}
	p.steps = steps
	p.definite = isDefinite(steps)
	return p, nil
}

// isDefinite: several names at the very end make one object, so they count.
func isDefinite(steps []step) bool {
	for i, s := range steps {
		if !s.single() && (s.kind != stepNames || i < len(steps)-1) {
			return false
		}
	}
	return true
}

// reference reports whether the path may be used where one node is needed.
func (p *path) reference() bool {
	return !slices.ContainsFunc(p.steps, func(s step) bool { return !s.single() || s.kind == stepIndex && s.indexes[0] < 0 })
}

// errNotFound is a definite path that selects nothing. (An indefinite one
// gives the empty list, whatever is missing.)
type errNotFound struct{ path *path }

func (e errNotFound) Error() string {
	return fmt.Sprintf("Invalid path '%s' : No results for path: %s", e.path.text, normal(e.path.steps))
}

// inside says in Jayway's words which part of the path is missing in root.
func (e errNotFound) inside(root any) string {
	for i, s := range e.path.steps {
		v, ok := child(s, root)
		if !ok && i < len(e.path.steps)-1 && s.kind == stepNames {
			return fmt.Sprintf("Invalid path '%s' : Missing property in path %s", e.path.text, normal(e.path.steps[:i+1]))
		}
		root = v
	}
	return e.Error()
}

// maxVisits bounds the work of one path: a filter inside a deep search inside
// a filter is quadratic and worse.
const maxVisits = 2_000_000

var errTooMuch = errors.New("the path visits too many values")

// A walk evaluates paths against one root, within one budget of visits.
type walk struct {
	root   any
	visits int
}

func (p *path) find(root any) (any, error) {
	w := &walk{root: root}
	return w.find(p, root)
}

func (w *walk) find(p *path, from any) (any, error) {
	found, err := w.steps(p.steps, from)
	switch {
	case err != nil:
		return nil, err
	case !p.definite:
		if found == nil {
			found = []any{}
		}
		return found, nil
	case len(found) == 0:
		return nil, errNotFound{p}
	}
	return found[0], nil
}

// steps gives what the steps select below v.
func (w *walk) steps(steps []step, v any) ([]any, error) {
	for len(steps) > 0 && steps[0].single() { // the common way, without lists
		if w.visits++; w.visits > maxVisits {
			return nil, errTooMuch
		}
		next, ok := child(steps[0], v)
		if !ok {
			return nil, nil
		}
		v, steps = next, steps[1:]
	}
	if len(steps) == 0 {
		return []any{v}, nil
	}
	nodes, err := w.many(steps, v)
	if err != nil {
		return nil, err
	}
	var out []any
	for _, n := range nodes {
		found, err := w.steps(steps[1:], n)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	return out, nil
}

// child is the one value that a single step selects.
func child(s step, v any) (any, bool) {
	if s.kind == stepNames {
		m, _ := v.(map[string]any)
		c, ok := m[s.names[0]]
		return c, ok
	}
	list, _ := v.([]any)
	i := s.indexes[0]
	if i < 0 {
		i += len(list)
	}
	if i < 0 || i >= len(list) {
		return nil, false
	}
	return list[i], true
}

// many gives the values that the first step, which may have many, selects.
func (w *walk) many(steps []step, v any) (out []any, err error) {
	s := steps[0]
	list, _ := v.([]any)
	object, isObject := v.(map[string]any)
	switch s.kind {
	case stepNames:
		if len(steps) == 1 { // several names at the end: one object of them
			merged := map[string]any{}
			for _, name := range s.names {
				if c, ok := object[name]; ok {
					merged[name] = c
				}
			}
			return []any{merged}, nil
		}
		for _, name := range s.names {
			if c, ok := object[name]; ok {
				out = append(out, c)
			}
		}
	case stepIndex, stepSlice:
		for _, i := range s.pick(len(list)) {
			out = append(out, list[i])
		}
	case stepAll:
		out = children(v)
	case stepDeep:
		err = w.deep(v, func(n any) { out = append(out, n) })
	case stepFilter:
		candidates := list
		if isObject {
			candidates = []any{v}
		}
		for _, c := range candidates {
			ok, err := s.filter.holds(w, c)
			if err != nil {
				return nil, err
			}
			if ok {
				out = append(out, c)
			}
		}
	}
	if w.visits += len(out) + 1; w.visits > maxVisits {
		return nil, errTooMuch
	}
	return out, err
}

func children(v any) (out []any) {
	switch v := v.(type) {
	case []any:
		return v
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			out = append(out, v[k])
		}
	}
	return out
}

// deep visits v and everything below it, parents first.
func (w *walk) deep(v any, visit func(any)) error {
	if w.visits++; w.visits > maxVisits {
		return errTooMuch
	}
	switch v.(type) {
	case []any, map[string]any:
		visit(v)
	}
	for _, c := range children(v) {
		if err := w.deep(c, visit); err != nil {
			return err
		}
	}
	return nil
}

// pick gives the indexes of a list of n that the step selects, in order.
func (s step) pick(n int) (out []int) {
	if s.kind == stepIndex {
		for _, i := range s.indexes {
			if i < 0 {
				i += n
			}
			if i >= 0 && i < n {
				out = append(out, i)
			}
		}
		return out
	}
	bound := func(p *int, otherwise int) int {
		if p == nil {
			return otherwise
		}
		i := *p
		if i < 0 {
			i += n
		}
		return min(max(i, 0), n)
	}
	for i := bound(s.from, 0); i < bound(s.to, n); i += s.stride {
		out = append(out, i)
	}
	return out
}

// put gives root with value at the reference path p, making the objects that
// are missing on the way. Nothing of root is changed: what is on the way is
// copied. It fails where a name meets a list, or an index no element.
func (p *path) put(root any, value any) (any, error) { return putSteps(p.steps, root, value) }

func putSteps(steps []step, at any, value any) (any, error) {
	if len(steps) == 0 {
		return value, nil
	}
	s := steps[0]
	switch at := at.(type) {
	case []any:
		if s.kind != stepIndex || s.indexes[0] >= len(at) {
			return nil, fmt.Errorf("step %s cannot be applied to a list of %d", s, len(at))
		}
		v, err := putSteps(steps[1:], at[s.indexes[0]], value)
		if err != nil {
			return nil, err
		}
		at = slices.Clone(at)
		at[s.indexes[0]] = v
		return at, nil
	case map[string]any, nil, string, bool, json.Number:
		if s.kind != stepNames {
			return nil, fmt.Errorf("step %s needs a list", s)
		}
		object, _ := at.(map[string]any) // a scalar gives way to an object
		v, err := putSteps(steps[1:], object[s.names[0]], value)
		if err != nil {
			return nil, err
		}
		out := make(map[string]any, len(object)+1)
		maps.Copy(out, object)
		out[s.names[0]] = v
		return out, nil
	}
	return nil, fmt.Errorf("step %s cannot be applied", s)
}
