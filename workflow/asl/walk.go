package asl

import (
	"errors"
	"maps"
	"slices"
)

// maxVisits bounds the work of one path: a filter inside a deep search inside
// a filter is quadratic and worse.
const maxVisits = 500_000

var errTooMuch = errors.New("the path visits too many values")

// A walk evaluates paths against one root, within one budget of visits.
type walk struct {
	root   any
	visits int
}

// spend counts n visits.
func (w *walk) spend(n int) error {
	if w.visits += n; w.visits > maxVisits {
		return errTooMuch
	}
	return nil
}

// equal is the equality of values, within the budget: the values of a are
// counted as they are compared.
func (w *walk) equal(a, b any) (bool, error) {
	if err := w.spend(1); err != nil {
		return false, err
	}
	switch a := a.(type) {
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false, nil
		}
		for i := range a {
			if same, err := w.equal(a[i], b[i]); !same || err != nil {
				return false, err
			}
		}
		return true, nil
	case map[string]any:
		b, ok := b.(map[string]any)
		if !ok || len(a) != len(b) {
			return false, nil
		}
		for k, v := range a {
			other, ok := b[k]
			if !ok {
				return false, nil
			}
			if same, err := w.equal(v, other); !same || err != nil {
				return false, err
			}
		}
		return true, nil
	}
	return equal(a, b), nil
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
		if err := w.spend(1); err != nil {
			return nil, err
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
	if err := w.spend(len(out) + 1); err != nil {
		return nil, err
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
	if err := w.spend(1); err != nil {
		return err
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
