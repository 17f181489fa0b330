package asl

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// A scope is what an expression may see.
type scope struct {
	input     any                           // $
	context   func() any                    // $$
	draw      func() (out [32]byte)         // the next bytes of the execution's own, repeatable randomness
	variables func(name string) (any, bool) // $name
	now       time.Time                     // of the event

	raw         any  // $states.input
	result      *any // $states.result; nil where it is not
	errorOutput *any // $states.errorOutput; nil where it is not
}

// states gives a field of $states.
func (s *scope) states(field string) (any, bool) {
	switch {
	case field == "input":
		return s.raw, true
	case field == "context":
		return s.context(), true
	case field == "result" && s.result != nil:
		return *s.result, true
	case field == "errorOutput" && s.errorOutput != nil:
		return *s.errorOutput, true
	}
	return nil, false
}

// An expr is a compiled path, intrinsic function, JSONata expression, literal
// or template of these.
type expr interface {
	eval(s *scope) (any, error)
}

type literal struct{ value any }
type listExpr []expr
type objectExpr []member
type member struct {
	name  string
	field string // as written, with .$
	expr  expr
}

func (l literal) eval(*scope) (any, error) { return l.value, nil }

func (p *path) eval(s *scope) (any, error) {
	switch {
	case p.context:
		return p.find(s.context())
	case p.variable != "":
		root, ok := s.variables(p.variable)
		if !ok {
			return nil, errNotFound{p}
		}
		return p.find(root)
	}
	return p.find(s.input)
}

func (l listExpr) eval(s *scope) (any, error) {
	out := make([]any, len(l))
	for i, e := range l {
		var err error
		if out[i], err = e.eval(s); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (o objectExpr) eval(s *scope) (any, error) {
	out := make(map[string]any, len(o))
	for _, m := range o {
		v, err := m.expr.eval(s)
		if err != nil {
			return nil, inField(m.field, s.input, err)
		}
		out[m.name] = v
	}
	return out, nil
}

// inField says where a path found nothing, in AWS's words.
func inField(field string, input any, err error) error {
	var missing errNotFound
	if !errors.As(err, &missing) || !strings.HasSuffix(field, ".$") && !strings.HasSuffix(field, "Path") {
		return err
	}
	return runtimeError("The JSONPath '%s' specified for the field '%s' could not be found in the input '%s'", missing.path.text, field, encode(input))
}

// A stateError is how a state fails: with an error name and a cause.
type stateError struct{ name, cause string }

func (e *stateError) Error() string { return e.name + ": " + e.cause }

func runtimeError(format string, args ...any) error {
	return &stateError{errRuntime, fmt.Sprintf(format, args...)}
}

// asStateError gives err its error name: States.Runtime unless it has one.
func asStateError(err error) *stateError {
	var named *stateError
	if errors.As(err, &named) {
		return named
	}
	return &stateError{errRuntime, err.Error()}
}

// value compiles what stands in a field in the query language of its state: a
// payload template, or JSON with JSONata expressions in it. field is the
// field's path within the state, as causes name it.
func (c *checker) value(jsonata bool, at, field string, v any) expr {
	if jsonata {
		return c.queries(at, field, v)
	}
	return c.template(at, v)
}

// template compiles a payload template. at is its JSON pointer.
func (c *checker) template(at string, v any) expr {
	switch v := v.(type) {
	case []any:
		out := make(listExpr, len(v))
		for i, e := range v {
			out[i] = c.template(fmt.Sprintf("%s/%d", at, i), e)
		}
		return constant(out, v)
	case map[string]any:
		out := make(objectExpr, 0, len(v))
		for _, key := range slices.Sorted(maps.Keys(v)) {
			m := member{name: key, field: key}
			if name, ok := strings.CutSuffix(key, ".$"); ok {
				if _, twice := v[name]; twice {
					c.fault(pointer(at, key), "the field %q is given twice, with and without .$", name)
				}
				m.name, m.expr = name, c.expression(pointer(at, key), v[key])
			} else {
				m.expr = c.template(pointer(at, key), v[key])
			}
			out = append(out, m)
		}
		return out.constant(v)
	}
	return literal{v}
}

// constant is the list itself if nothing in it is to be evaluated.
func constant(l listExpr, v []any) expr {
	if slices.ContainsFunc(l, func(e expr) bool { _, ok := e.(literal); return !ok }) {
		return l
	}
	return literal{v}
}

func (o objectExpr) constant(v map[string]any) expr {
	if slices.ContainsFunc(o, func(m member) bool { _, ok := m.expr.(literal); return !ok || m.name != m.field }) {
		return o
	}
	return literal{v}
}

// expression compiles the text of a field that ends in .$: a path or an
// intrinsic function. It gives a null after a fault.
func (c *checker) expression(at string, v any) expr {
	text, ok := v.(string)
	if !ok {
		c.fault(at, "the value of a field whose name ends with .$ must be a path or an intrinsic function in a string")
		return literal{}
	}
	e, err := parseExpression(text)
	if err != nil {
		c.fault(at, "%v", err)
		return literal{}
	}
	return e
}

func parseExpression(text string) (expr, error) {
	if strings.HasPrefix(text, "States.") {
		return parseCall(text)
	}
	return parsePath(text)
}
