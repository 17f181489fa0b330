package pattern

import (
	"fmt"
	"slices"
	"strings"
)

// Matches reports whether the event is wanted.
func (p *Pattern) Matches(e *Event) bool {
	return slices.ContainsFunc(p.branches, func(b branch) bool { return b.fails(e) < 0 })
}

// Why says what keeps the event from matching: the first field by path that
// does not fit, what it is and what is wanted, for each alternative of $or.
// It is empty if the event matches.
func (p *Pattern) Why(e *Event) string {
	var out []string
	for _, b := range p.branches {
		i := b.fails(e)
		if i < 0 {
			return ""
		}
		if words := b[i].misfit(e); !slices.Contains(out, words) && len(out) < maxReasons {
			out = append(out, words)
		}
	}
	return strings.Join(out, "; nor: ")
}

// maxReasons bounds what Why tells about alternatives, maxShown the values of
// one field and maxText the bytes of one.
const (
	maxReasons = 8
	maxShown   = 8
	maxText    = 200
)

// maxPlaces bounds the combinations of array elements that are followed at
// once; an event with more does not match.
const maxPlaces = 10_000

// fails gives the first leaf that does not fit, or -1. Fields of objects in
// one array must fit in the same element, so every leaf takes the
// combinations of elements in which all before it fit, and leaves those in
// which it fits, too.
func (b branch) fails(e *Event) int {
	at := []places{nil}
	for i, l := range b {
		if at = l.fits(e, at); len(at) == 0 || len(at) > maxPlaces {
			return i
		}
	}
	return -1
}

func (l leaf) fits(e *Event, before []places) (after []places) {
	seen := map[string]bool{}
	add := func(p places) {
		if key := fmt.Sprint(p); !seen[key] {
			seen[key] = true
			after = append(after, p)
		}
	}
	values := e.fields[l.path]
	wanted := slices.DeleteFunc(slices.Clone(values), func(v value) bool { return !l.holds(v) })
	absent := slices.ContainsFunc(l.tests, func(t test) bool { return t.absent })
	for _, p := range before {
		for _, v := range wanted {
			if q, ok := p.with(v.lists); ok && len(after) <= maxPlaces {
				add(q)
			}
		}
		if absent && !slices.ContainsFunc(values, func(v value) bool { _, ok := p.with(v.lists); return ok }) {
			add(p)
		}
	}
	return after
}

func (l leaf) holds(v value) bool {
	return slices.ContainsFunc(l.tests, func(t test) bool { return t.holds != nil && t.holds(v) })
}

// with is p and q together, unless they are in different elements of an array.
func (p places) with(q places) (places, bool) {
	if len(q) == 0 {
		return p, true
	}
	out := make(places, 0, len(p)+len(q))
	for len(p) > 0 && len(q) > 0 {
		switch a, b := p[0], q[0]; {
		case a.array < b.array:
			out, p = append(out, a), p[1:]
		case a.array > b.array:
			out, q = append(out, b), q[1:]
		case a.element != b.element:
			return nil, false
		default:
			out, p, q = append(out, a), p[1:], q[1:]
		}
	}
	return append(append(out, p...), q...), true
}

// misfit says why the leaf does not fit.
func (l leaf) misfit(e *Event) string {
	values := e.fields[l.path]
	var have []string
	fit := false
	for i, v := range values {
		fit = fit || l.holds(v)
		if i < maxShown {
			have = append(have, v.shown())
		}
	}
	want := ", wanted " + cut(l.text)
	switch {
	case len(values) == 0:
		return l.path + ": the event has no such value" + want
	case fit:
		return l.path + ": " + strings.Join(have, ", ") + " fits, but not in the same element of an array as the fields before it" + want
	case len(values) > maxShown:
		have = append(have, fmt.Sprintf("and %d more", len(values)-maxShown))
	}
	return l.path + ": is " + strings.Join(have, ", ") + want
}

func (v value) shown() string {
	if v.kind == text {
		return fmt.Sprintf("%q", cut(v.text))
	}
	return cut(v.text)
}

func cut(s string) string {
	if len(s) <= maxText {
		return s
	}
	return strings.ToValidUTF8(s[:maxText], "") + "…"
}
