package asl

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/recolabs/gnata"
)

// This file is the only one that knows the JSONata library.

// A query is a compiled JSONata expression. It never changes and may be
// evaluated by any number of goroutines at once.
type query struct {
	source string // without {% %}
	code   *gnata.Expression
	uses   queryUses
	calls  []string // functions to bind before it is evaluated
}

// A queryInput is what one evaluation may see.
type queryInput struct {
	data     any                            // the context item, as the library takes it; nil, which is none, in the States Language
	bindings func(name string) (any, bool)  // variables
	states   func(field string) (any, bool) // fields of $states
	draw     func() [32]byte                // repeatable randomness
	now      time.Time                      // of the event
}

// compileQuery compiles an expression.
func compileQuery(source string) (*query, error) {
	text, uses, err := parseQuery(source)
	if err != nil {
		return nil, err
	}
	code, err := gnata.Compile(text)
	if err != nil {
		return nil, libraryError(err)
	}
	q := &query{source: source, code: code, uses: uses}
	for name := range uses.variables {
		if _, ok := libraryFunctions()[name]; ok || addedFunctions[name] != nil || name == "eval" {
			q.calls = append(q.calls, name)
		}
	}
	for name := range ownFunctions {
		if strings.Contains(text, "$"+name+"(") {
			q.calls = append(q.calls, name)
		}
	}
	return q, nil
}

// errUndefined is an expression that gives nothing.
var errUndefined = errors.New("returned nothing (undefined).") //nolint:staticcheck // AWS's words

// errUnsupported is an expression that gives what is no JSON: a function.
var errUnsupported = errors.New("returned an unsupported result type.") //nolint:staticcheck // AWS's words

// eval gives the value of the expression. The error is errUndefined,
// errUnsupported or a *queryError. It ends within a bounded number of steps
// and within bounded memory, always the same for the same input, and never
// panics.
func (q *query) eval(in queryInput) (v any, err error) {
	defer func() {
		if r := recover(); r != nil {
			v, err = nil, queryFault("", fmt.Sprintf("the evaluation failed: %v", r))
		}
	}()
	m := &meter{Context: context.Background(), steps: maxQuerySteps, bytes: maxQueryBytes}
	vars := make(map[string]any, len(q.calls)+len(q.uses.variables))
	for _, name := range q.calls {
		vars[name] = m.function(name, in)
	}
	for name := range q.uses.variables {
		if value, ok := in.bindings(name); ok {
			vars[name] = toLibrary(value)
		}
	}
	if len(q.uses.states) > 0 && in.states != nil {
		vars["states"] = q.statesObject(in)
	}
	out, err := q.code.EvalWithVars(m, in.data, vars)
	switch {
	case m.spent != nil:
		return nil, m.spent
	case err != nil:
		return nil, libraryError(err)
	case out == nil:
		return nil, errUndefined
	}
	left := maxQueryNodes
	return fromLibrary(out, &left, 0)
}

// statesObject is $states with the fields that the expression names, or all.
func (q *query) statesObject(in queryInput) any {
	o := map[string]any{}
	fields := q.uses.states
	if fields[""] {
		fields = allStates
	}
	for name := range fields {
		if v, ok := in.states(name); ok {
			o[name] = toLibrary(v)
		}
	}
	return o
}

var allStates = map[string]bool{"input": true, "context": true, "result": true, "errorOutput": true}

var libraryCode = regexp.MustCompile(`^(?:JSONata error )?([A-Z][0-9]{4})(?: at token ".*?")?(?:: )?(.*)$`)

// libraryError gives an error of the library its code and AWS's words.
func libraryError(err error) error {
	var q *queryError
	if errors.As(err, &q) {
		return q
	}
	m := libraryCode.FindStringSubmatch(strings.ReplaceAll(err.Error(), "\n", " "))
	if m == nil {
		return queryFault("", err.Error())
	}
	return queryWords(m[1], m[2])
}

var libraryNull = func() any {
	null, err := gnata.DecodeJSON([]byte("null"))
	if err != nil {
		panic(err) // a programming error: null is JSON
	}
	return null
}()

// toLibrary gives v as the library takes it: null has a value of its own
// there. What holds no null is shared, not copied.
func toLibrary(v any) any {
	out, _ := replaceNulls(v)
	return out
}

// replaceNulls gives v with nulls replaced; changed if it had to copy.
func replaceNulls(v any) (out any, changed bool) {
	switch v := v.(type) {
	case nil:
		return libraryNull, true
	case []any:
		var copied []any
		for i, e := range v {
			if w, changed := replaceNulls(e); changed {
				if copied == nil {
					copied = slices.Clone(v)
				}
				copied[i] = w
			}
		}
		if copied != nil {
			return copied, true
		}
	case map[string]any:
		var copied map[string]any
		for k, e := range v {
			if w, changed := replaceNulls(e); changed {
				if copied == nil {
					copied = maps.Clone(v)
				}
				copied[k] = w
			}
		}
		if copied != nil {
			return copied, true
		}
	}
	return v, false
}

// An orderedObject is the library's own object.
type orderedObject interface {
	Len() int
	Range(func(key string, value any) bool)
}

// fromLibrary gives v as a value of the language, of at most left parts.
func fromLibrary(v any, left *int, depth int) (any, error) {
	if *left--; *left < 0 || depth > maxDepth {
		return nil, errQueryMemory
	}
	switch v := v.(type) {
	case nil:
		return nil, nil
	case bool, string, json.Number:
		return v, nil
	case float64:
		return fromFloat(v, depth)
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			var err error
			if out[i], err = fromLibrary(e, left, depth+1); err != nil {
				return nil, err
			}
		}
		return out, nil
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			var err error
			if out[k], err = fromLibrary(e, left, depth+1); err != nil {
				return nil, err
			}
		}
		return out, nil
	case orderedObject:
		out := make(map[string]any, v.Len())
		var err error
		v.Range(func(k string, e any) bool {
			out[k], err = fromLibrary(e, left, depth+1)
			return err == nil
		})
		return out, err
	}
	if gnata.IsNull(v) {
		return nil, nil
	}
	return nil, errUnsupported
}

// fromFloat writes a number as JavaScript does. Inside a value what is not
// finite becomes text, as on AWS.
func fromFloat(f float64, depth int) (any, error) {
	switch {
	case math.IsNaN(f) || math.IsInf(f, 0):
		name := strings.TrimPrefix(strconv.FormatFloat(f, 'g', -1, 64), "+")
		name = strings.Replace(name, "Inf", "Infinity", 1)
		if depth == 0 {
			return nil, queryFault("D1001", "Number out of range: "+name)
		}
		return name, nil
	case f == 0:
		return json.Number("0"), nil
	case math.Abs(f) < 1e21 && math.Abs(f) >= 1e-6:
		return json.Number(strconv.FormatFloat(f, 'f', -1, 64)), nil
	}
	return json.Number(strconv.FormatFloat(f, 'e', -1, 64)), nil
}
