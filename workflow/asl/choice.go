package asl

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// A test is the condition of a choice rule.
type test interface {
	holds(s *scope) (bool, error)
}

type allTests []test
type anyTest []test
type notTest struct{ of test }

func (t allTests) holds(s *scope) (bool, error) {
	for _, u := range t {
		if ok, err := u.holds(s); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

func (t anyTest) holds(s *scope) (bool, error) {
	for _, u := range t {
		if ok, err := u.holds(s); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

func (t notTest) holds(s *scope) (bool, error) {
	ok, err := t.of.holds(s)
	return !ok, err
}

// A compare is one of the 39 operators: Kind is String, Numeric, Boolean,
// Timestamp (with one of the five orders, or Matches) or Is.
type compare struct {
	variable *path
	kind     string
	order    string // ==, <, >, <=, >=, matches; for Is: what it is
	value    any
	path     *path // instead of value
}

// operator splits a field's name; ok if it is one of the 39.
func operator(name string) (c compare, byPath, ok bool) {
	if what, ok := strings.CutPrefix(name, "Is"); ok {
		return compare{kind: "Is", order: what}, false, slices.Contains([]string{"Null", "Present", "Numeric", "String", "Boolean", "Timestamp"}, what)
	}
	if name == "StringMatches" {
		return compare{kind: "String", order: "matches"}, false, true
	}
	base, byPath := strings.CutSuffix(name, "Path")
	for _, kind := range []string{"String", "Numeric", "Boolean", "Timestamp"} {
		order, found := strings.CutPrefix(base, kind)
		if !found {
			continue
		}
		sign := map[string]string{"Equals": "==", "LessThan": "<", "GreaterThan": ">", "LessThanEquals": "<=", "GreaterThanEquals": ">="}[order]
		return compare{kind: kind, order: sign}, byPath, sign != "" && (kind != "Boolean" || sign == "==")
	}
	return compare{}, false, false
}

func (c compare) holds(s *scope) (bool, error) {
	v, err := c.variable.eval(s)
	if c.kind == "Is" && c.order == "Present" {
		return (err == nil) == c.value.(bool), nil
	}
	if err != nil {
		return false, runtimeError("Invalid path '%s': The choice state's condition path references an invalid value.", c.variable.text)
	}
	if c.kind == "Is" {
		return isKind(c.order, v) == c.value.(bool), nil
	}
	want := c.value
	if c.path != nil {
		if want, err = c.path.eval(s); err != nil {
			return false, runtimeError("Invalid path '%s': The choice state's condition path references an invalid value.", c.path.text)
		}
	}
	switch c.kind {
	case "Boolean":
		a, okA := v.(bool)
		b, okB := want.(bool)
		return okA && okB && a == b, nil
	case "Numeric":
		_, okA := v.(json.Number)
		_, okB := want.(json.Number)
		return okA && okB && ordered(v, want, c.order), nil
	}
	a, okA := v.(string)
	b, okB := want.(string)
	switch {
	case !okA || !okB:
		return false, nil
	case c.order == "matches":
		return matches(b, a), nil
	case c.kind == "String":
		return ordered(a, b, c.order), nil
	}
	return timesOrdered(a, b, c.order), nil
}

func timesOrdered(a, b, order string) bool {
	at, okA := timestamp(a)
	bt, okB := timestamp(b)
	if !okA || !okB {
		return false
	}
	return ordered(number(int64(at.Compare(bt))), number(0), order)
}

func isKind(kind string, v any) bool {
	switch v := v.(type) {
	case nil:
		return kind == "Null"
	case json.Number:
		return kind == "Numeric"
	case bool:
		return kind == "Boolean"
	case string:
		_, ok := timestamp(v)
		return kind == "String" || kind == "Timestamp" && ok
	}
	return false
}

// timestamp reads RFC 3339 with capital T and Z, as the language demands.
func timestamp(s string) (time.Time, bool) {
	t, err := time.Parse(time.RFC3339Nano, s)
	return t, err == nil && !strings.ContainsAny(s, "tz,")
}

// matches compares s with a pattern in which * is any text and a backslash
// takes the meaning from what follows. It is linear in both but for
// backtracking to the last star.
func matches(pattern, s string) bool {
	type part struct {
		star bool
		c    byte
	}
	var parts []part
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '\\' && i+1 < len(pattern):
			i++
			parts = append(parts, part{c: pattern[i]})
		default:
			parts = append(parts, part{star: c == '*', c: c})
		}
	}
	p, star, mark := 0, -1, 0
	for i := 0; i < len(s); {
		switch {
		case p < len(parts) && parts[p].star:
			star, mark = p, i
			p++
		case p < len(parts) && parts[p].c == s[i]:
			p++
			i++
		case star >= 0:
			mark++
			p, i = star+1, mark
		default:
			return false
		}
	}
	for p < len(parts) && parts[p].star {
		p++
	}
	return p == len(parts)
}

// A query as the condition of a choice rule.
type queryTest struct {
	of    expr
	field string
}

func (t queryTest) holds(s *scope) (bool, error) {
	v, err := s.typed(t.of, t.field, "boolean")
	ok, _ := v.(bool)
	return ok, err
}

// choice compiles a rule of Choices with where it leads.
func (c *checker) choice(at, field string, o map[string]any, jsonata bool) choice {
	out := choice{next: c.needText(at, o, "Next"), assign: c.assignments(jsonata, at, field+"/Assign", o)}
	if !jsonata {
		out.test = c.rule(at, o, true, 0)
		return out
	}
	if v, ok := o["Output"]; ok {
		out.output = c.value(true, pointer(at, "Output"), field+"/Output", v)
	}
	condition := o["Condition"]
	_, isBool := condition.(bool)
	if _, isQuery := querySource(condition); !isBool && !isQuery {
		c.fault(at, "the field Condition is required, an expression or a boolean")
	}
	out.test = queryTest{c.value(true, pointer(at, "Condition"), field+"/Condition", condition), field + "/Condition"}
	return out
}

// rule compiles a choice rule. Only the top ones have a Next.
func (c *checker) rule(at string, v any, top bool, depth int) (t test) {
	o, ok := v.(map[string]any)
	if !ok || depth > maxNest {
		c.fault(at, "a choice rule must be an object, nested at most %d deep", maxNest)
		return nil
	}
	var operators []string
	for _, key := range slices.Sorted(maps.Keys(o)) {
		_, _, isOperator := operator(key)
		switch {
		case key == "And" || key == "Or" || key == "Not" || isOperator:
			operators = append(operators, key)
		case key == "Variable" || key == "Comment" || top && (key == "Next" || key == "Assign"):
		default:
			c.fault(pointer(at, key), "the field is not known in a choice rule")
		}
	}
	if len(operators) != 1 {
		c.fault(at, "a choice rule needs exactly one of And, Or, Not and the comparison operators; it has %d", len(operators))
		return nil
	}
	name := operators[0]
	switch name {
	case "And", "Or":
		list, _ := o[name].([]any)
		if len(list) == 0 {
			c.fault(pointer(at, name), "the value must be a list of at least one rule")
		}
		tests := make([]test, len(list))
		for i, e := range list {
			tests[i] = c.rule(fmt.Sprintf("%s/%s/%d", at, name, i), e, false, depth+1)
		}
		if name == "And" {
			return allTests(tests)
		}
		return anyTest(tests)
	case "Not":
		return notTest{c.rule(pointer(at, name), o[name], false, depth+1)}
	}
	return c.comparison(at, o, name)
}

func (c *checker) comparison(at string, o map[string]any, name string) test {
	t, byPath, _ := operator(name)
	if t.variable = c.path(at, o, "Variable"); t.variable == nil && o["Variable"] == nil {
		c.fault(at, "the field Variable is required")
	}
	if byPath {
		t.path = c.path(at, o, name)
		return t
	}
	t.value = o[name]
	ok := false
	switch {
	case t.kind == "Is" || t.kind == "Boolean":
		_, ok = t.value.(bool)
	case t.kind == "Numeric":
		_, ok = t.value.(json.Number)
	case t.kind == "Timestamp":
		text, isText := t.value.(string)
		_, ok = timestamp(text)
		ok = ok && isText
	default:
		_, ok = t.value.(string)
	}
	if !ok {
		c.fault(pointer(at, name), "the value %s does not fit the operator", encode(t.value))
	}
	return t
}
