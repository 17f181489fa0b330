package asl

import (
	"encoding/json"
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
	context  bool   // of the context object: $$
	variable string // of this variable: $name
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

// parsePath compiles text, which starts with $, $$ or $name.
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
		end := strings.IndexAny(rest, ".[")
		if end < 0 {
			end = len(rest)
		}
		if p.context || !isName(rest[:end]) {
			return nil, fmt.Errorf("%q is no path: unexpected %q", text, rest[:1])
		}
		p.variable, rest = rest[:end], rest[end:]
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
