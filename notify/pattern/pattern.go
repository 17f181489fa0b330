// Package pattern matches events with event patterns in the language of
// Amazon EventBridge: the same patterns are valid, the same events match, and
// a pattern that is none is refused in AWS's words.
package pattern

import (
	"maps"
	"slices"
	"strings"
)

// A Pattern says which events are wanted. It never changes and may be used by
// any number of goroutines.
type Pattern struct {
	branches []branch // one of them must hold
}

// A branch is what must hold together, by path in ascending order.
type branch []leaf

// A leaf is what one field must be: one of its tests must hold for one of its
// values.
type leaf struct {
	path  string
	tests []test
	text  string // as written
}

// An Error is a pattern that is none, in AWS's words.
type Error struct{ Reason string }

func (e *Error) Error() string { return "Event pattern is not valid. Reason: " + e.Reason }

// maxBranches bounds what $or may make of one pattern, as AWS does.
const maxBranches = 1000

// Parse compiles the JSON text of a pattern. A key that is written twice
// counts as written last. Its errors are *Error.
func Parse(text []byte) (p *Pattern, err error) {
	c := &compiler{scanner: scanner{src: string(text)}}
	defer func() {
		if r := recover(); r != nil {
			b, ok := r.(bail)
			if !ok {
				panic(r)
			}
			p, err = nil, &Error{b.message}
		}
	}()
	if c.next() != startObject {
		c.fail("Filter is not an object")
	}
	rules := c.object([]map[string]leaf{{}}, nil, false)
	if c.refused != "" {
		return nil, &Error{c.refused}
	}
	p = &Pattern{}
	for _, r := range rules {
		p.branches = append(p.branches, slices.SortedFunc(maps.Values(r), func(a, b leaf) int { return strings.Compare(a.path, b.path) }))
	}
	return p, nil
}

// A compiler turns tokens into branches.
type compiler struct {
	scanner
	refused string // why a well-formed pattern is refused all the same
}

// object adds the fields of an object, behind its {, to every rule.
func (c *compiler) object(rules []map[string]leaf, path []string, insideOr bool) []map[string]leaf {
	empty := true
	for c.next() != endObject {
		empty = false
		name := c.name
		if name == "$or" {
			rules = c.or(rules, path)
			continue
		}
		if insideOr && reserved[name] {
			c.fail("%s is Ruler reserved fieldName which cannot be used inside $or.", name)
		}
		here := append(slices.Clip(path), name)
		switch c.next() {
		case startObject:
			rules = c.object(rules, here, insideOr)
		case startArray:
			l := c.leaf(strings.Join(here, "."))
			for _, r := range rules {
				r[l.path] = l
			}
		default:
			c.fail("%q must be an object or an array", name)
		}
	}
	if empty {
		c.fail("Empty objects are not allowed")
	}
	return rules
}

// or makes each rule one rule for each of the objects in the list.
func (c *compiler) or(rules []map[string]leaf, path []string) (out []map[string]leaf) {
	if c.next() != startArray {
		c.fail("It must be an Array followed with $or.")
	}
	n := 0
	for k := c.next(); k != endArray; k = c.next() {
		n++
		if k != startObject {
			c.fail("Only JSON object is allowed in array of $or relationship.")
		}
		if len(out)+len(rules) > maxBranches {
			c.fail("Rule is too complex: its $or make more than %d combinations", maxBranches)
		}
		mine := make([]map[string]leaf, len(rules))
		for i, r := range rules {
			mine[i] = maps.Clone(r)
		}
		out = append(out, c.object(mine, path, true)...)
	}
	if n < 2 {
		c.fail("There must have at least 2 Objects in $or relationship.")
	}
	return out
}

// leaf compiles the list of a field, behind its [.
func (c *compiler) leaf(path string) leaf {
	l := leaf{path: path}
	start := c.pos - 1
	for k := c.next(); k != endArray; k = c.next() {
		switch {
		case k == startObject:
			l.tests = append(l.tests, c.expression())
		case k.scalar():
			l.tests = append(l.tests, exactly(k, c.words()))
		default:
			c.fail("Match value must be String, number, true, false, or null")
		}
	}
	if len(l.tests) == 0 {
		c.fail("Empty arrays are not allowed")
	}
	l.text = strings.Join(strings.Fields(c.src[start:c.pos]), " ")
	return l
}

// reserved are names of fields that may not stand inside $or: they would look
// like operators.
var reserved = map[string]bool{
	"exactly": true, "equals-ignore-case": true, "prefix": true, "suffix": true, "anything-but": true, "exists": true,
	"wildcard": true, "numeric": true, "cidr": true, "=": true, "<": true, "<=": true, ">": true, ">=": true, "regex": true,
	"not-wildcard": true, "not-equals-ignore-case": true, "date-after": true, "date-on-or-after": true, "date-before": true,
	"date-on-or-before": true, "in-date-range": true, "ip-address-in-range": true, "ip-address-not-in-range": true,
}
