package asl

import (
	"encoding/json"
	"fmt"
	"strings"
)

// mapStages reads a Map's items and limits, and notes them. It fails as the
// Map would before or after its items ran.
func (t *stateTest) mapStages() *stateError {
	input := t.input
	if !t.jsonata() {
		o := t.alone(only("Pass", t.state, "InputPath"), t.input, nil, nil)
		if o.failure != nil {
			return o.failure
		}
		input = o.output
		t.show("afterInputPath", input)
	}
	items, failed := t.mapItems(input)
	if failed != nil {
		return failed
	}
	if failed := t.mapInputs(input, items); failed != nil {
		return failed
	}
	limits := map[string]json.Number{}
	for _, l := range []struct{ name, shown string }{{"MaxConcurrency", "maxConcurrency"}, {"ToleratedFailureCount", "toleratedFailureCount"}, {"ToleratedFailurePercentage", "toleratedFailurePercentage"}} {
		n, failed := t.limit(l.name, input)
		if failed != nil {
			return failed
		}
		if n == "" && l.name == "MaxConcurrency" {
			n = "0"
		}
		if n != "" {
			limits[l.name], t.result.Inspection[l.shown] = n, n
		}
	}
	return t.threshold(limits, len(items))
}

// mapItems are what a Map runs on.
func (t *stateTest) mapItems(input any) ([]any, *stateError) {
	if t.state["ItemReader"] != nil {
		return t.readItems(input)
	}
	if given, ok := t.state["Items"]; ok && t.jsonata() {
		o := t.asOutput("Items", given, input)
		list, isList := o.output.([]any)
		if o.failure == nil && !isList {
			o.failure = &stateError{errQuery, fmt.Sprintf("The JSONata expression '%v' specified for the field 'Items' returned an unexpected result type. Expected 'array', but was '%s' for value: %s", expressionOf(given), jsonKind(o.output), shorten(encode(o.output)))}
		}
		return list, o.failure
	}
	path := any("$")
	if p, ok := t.state["ItemsPath"]; ok {
		path = p
	}
	o := outcome{output: input}
	if path != "$" {
		o = t.alone(map[string]any{"Type": "Pass", "End": true, "QueryLanguage": "JSONPath", "InputPath": path}, input, nil, nil)
	}
	list, isList := o.output.([]any)
	switch {
	case o.failure != nil:
		return nil, o.failure
	case !isList && t.jsonata():
		return nil, &stateError{errRuntime, "Map state input must be an array but was: " + shorten(encode(o.output))}
	case !isList:
		text := fmt.Sprint(path)
		if len(text) > 1 && text[:2] == "$$" {
			text = text[1:] // as AWS says it
		}
		return nil, &stateError{errRuntime, fmt.Sprintf("Reference path %q must point to array.", text)}
	case !t.jsonata():
		t.show("afterItemsPath", any(list))
	}
	return list, nil
}

// readItems are what an ItemReader was said to read.
func (t *stateTest) readItems(any) ([]any, *stateError) {
	if c := t.request.Configuration; c != nil && c.ReaderData != nil {
		v, _ := decode([]byte(*c.ReaderData))
		list, ok := v.([]any)
		if !ok {
			return nil, &stateError{"States.ItemReaderFailed", "Attempting to map over non-iterable node."}
		}
		return list, nil
	}
	return nil, nil
}

// mapInputs notes what each iteration gets.
func (t *stateTest) mapInputs(input any, items []any) *stateError {
	selector, given := t.state["ItemSelector"]
	if !given {
		return nil
	}
	out := make([]any, len(items))
	for i, item := range items {
		context := map[string]any{}
		for k, v := range t.context.(map[string]any) {
			context[k] = v
		}
		context["Map"] = map[string]any{"Item": map[string]any{"Index": number(int64(i)), "Value": item}}
		one := *t
		one.context = context
		o := one.asOutput("ItemSelector", selector, input)
		if o.failure != nil {
			return o.failure
		}
		out[i] = o.output
	}
	t.show("afterItemSelector", any(out))
	return nil
}

// limit is the number of a field: as written, by path or by expression; empty
// if there is none.
func (t *stateTest) limit(name string, input any) (json.Number, *stateError) {
	v, ok := t.state[name]
	field := name
	if path, byPath := t.state[name+"Path"]; byPath {
		field += "Path"
		o := t.alone(map[string]any{"Type": "Pass", "End": true, "QueryLanguage": "JSONPath", "InputPath": path}, input, nil, nil)
		if o.failure != nil {
			return "", o.failure
		}
		v, ok = o.output, true
	} else if _, isText := v.(string); isText {
		o := t.asOutput(name, v, input)
		if o.failure != nil {
			return "", o.failure
		}
		v = o.output
	}
	n, isNumber := v.(json.Number)
	f := toFloat(n)
	_, whole := toInt(n)
	switch {
	case !ok:
		return "", nil
	case !isNumber || !whole && name != "ToleratedFailurePercentage":
		return "", &stateError{errRuntime, fmt.Sprintf("The %s field refers to value %s which is not a valid integer: %v", field, encode(v), t.state[field])}
	case name == "ToleratedFailurePercentage" && (f < 0 || f > 100):
		return "", &stateError{errRuntime, name + " must be between 0 and 100."}
	case f < 0:
		return "", &stateError{errRuntime, name + " cannot be negative."}
	}
	return n, nil
}

// threshold rules on the iterations that were said to fail. Without a limit in
// the definition AWS rules nothing.
func (t *stateTest) threshold(limits map[string]json.Number, items int) *stateError {
	c := t.request.Configuration
	if c == nil || c.FailureCount == nil || t.request.Mock.Error != nil {
		return nil
	}
	failed := float64(*c.FailureCount)
	count, counted := limits["ToleratedFailureCount"]
	percentage, measured := limits["ToleratedFailurePercentage"]
	if counted && failed > toFloat(count) || measured && items > 0 && 100*failed/float64(items) > toFloat(percentage) {
		return &stateError{"States.ExceedToleratedFailureThreshold", "The specified tolerated failure threshold was exceeded"}
	}
	return nil
}

// asOutput evaluates what stands in a field of the state, in its language.
func (t *stateTest) asOutput(field string, v, input any) outcome {
	if t.jsonata() {
		o := t.alone(map[string]any{"Type": "Pass", "End": true, "QueryLanguage": "JSONata", "Output": v}, t.input, nil, nil)
		if o.failure != nil {
			o.failure = &stateError{o.failure.name, strings.ReplaceAll(o.failure.cause, "field 'Output", "field '"+field)}
		}
		return o
	}
	return t.alone(map[string]any{"Type": "Pass", "End": true, "QueryLanguage": "JSONPath", "Parameters": v}, input, nil, nil)
}

// expressionOf is the source of a field that is an expression.
func expressionOf(v any) any {
	if source, ok := querySource(v); ok {
		return source
	}
	return v
}
