package asl

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A queryExpr is a JSONata expression at its place in a state.
type queryExpr struct {
	*query
	field string // its path within the state: Output/list[0]/name
}

// An evaluationError is an expression that could not be evaluated. It has a
// history event of its own.
type evaluationError struct {
	stateError
	location string // of the field in the state; may be empty
}

func (e *evaluationError) Error() string { return e.stateError.Error() }

func (e *evaluationError) Unwrap() error { return &e.stateError }

func queryFailed(location, format string, args ...any) error {
	return &evaluationError{stateError{errQuery, fmt.Sprintf(format, args...)}, location}
}

func (q queryExpr) eval(s *scope) (any, error) {
	v, err := q.query.eval(queryInput{bindings: s.variables, states: s.states, draw: s.draw, now: s.now})
	if err == nil {
		return v, nil
	}
	what := fmt.Sprintf("The JSONata expression '%s' specified for the field '%s' ", q.source, q.field)
	var failure *queryError
	switch {
	case !errors.As(err, &failure): // undefined, or no JSON
		return nil, queryFailed(q.field, "%s%v", what, err)
	case failure.code == "":
		return nil, queryFailed(q.field, "%sthrew an error during evaluation: %s", what, failure.message)
	}
	return nil, queryFailed(q.field, "%sthrew an error during evaluation. %v", what, failure)
}

// typed evaluates what must give a value of one of the kinds: array, boolean,
// string, number, integer, object.
func (s *scope) typed(e expr, field string, kinds ...string) (any, error) {
	v, err := e.eval(s)
	if err != nil || slices.Contains(kinds, jsonKind(v)) {
		return v, err
	}
	if n, ok := v.(json.Number); ok && slices.Contains(kinds, "integer") {
		if _, ok := toInt(n); ok {
			return v, nil
		}
	}
	source := ""
	if q, ok := e.(queryExpr); ok {
		source = q.source
	}
	return nil, unexpectedType(source, field, kinds[0], v)
}

func unexpectedType(source, field, kind string, v any) error {
	return queryFailed(field, "The JSONata expression '%s' specified for the field '%s' returned an unexpected result type. Expected '%s', but was '%s' for value: %s",
		source, field, kind, jsonKind(v), encode(v))
}

func jsonKind(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case json.Number:
		return "number"
	case string:
		return "string"
	case []any:
		return "array"
	}
	return "object"
}

// querySource gives the expression in a string of the form {% … %}.
func querySource(v any) (source string, ok bool) {
	text, isText := v.(string)
	if !isText || len(text) < 4 || !strings.HasPrefix(text, "{%") || !strings.HasSuffix(text, "%}") {
		return "", false
	}
	return strings.TrimSpace(text[2 : len(text)-2]), true
}

// queries compiles JSON in which strings may be JSONata expressions.
func (c *checker) queries(at, field string, v any) expr {
	switch v := v.(type) {
	case string:
		if source, ok := querySource(v); ok {
			return c.query(at, field, source)
		}
	case []any:
		out := make(listExpr, len(v))
		for i, e := range v {
			out[i] = c.queries(fmt.Sprintf("%s/%d", at, i), fmt.Sprintf("%s[%d]", field, i), e)
		}
		return constant(out, v)
	case map[string]any:
		out := make(objectExpr, 0, len(v))
		for _, key := range slices.Sorted(maps.Keys(v)) {
			out = append(out, member{key, key, c.queries(pointer(at, key), field+"/"+key, v[key])})
		}
		return out.constant(v)
	}
	return literal{v}
}

// query compiles one expression and reports what AWS refuses at create time.
func (c *checker) query(at, field, source string) expr {
	q, err := compileQuery(source)
	var failure *queryError
	switch {
	case errors.As(err, &failure):
		c.fault(at, "%s", failure.message)
		return literal{}
	case err != nil:
		c.fault(at, "%v", err)
		return literal{}
	case q.uses.bare != "":
		c.fault(at, "Reference to '%s' at the top level is not supported.", q.uses.bare)
	}
	return queryExpr{q, field}
}
