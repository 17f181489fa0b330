package asl

import (
	"context"
	"reflect"
	"regexp"
	"strings"
	"sync"

	"github.com/recolabs/gnata"
)

// Bounds of one evaluation. They are counts, not times, so that folding the
// same events always ends the same. A string of 4 MiB and an array of 873,782
// numbers are what AWS just accepts.
const (
	maxQuerySteps = 5_000_000
	maxQueryBytes = 256 << 20 // copied in all
	maxQueryValue = 873_782 * 8
	maxQueryNodes = 1_000_000 // parts of one value
)

var (
	errQuerySteps  = queryFault("", "Expression evaluation timeout: Check for infinite loop")
	errQueryMemory = queryFault("", "Expression evaluation memory limit exceeded: Check for excessive memory usage")
)

// A meter counts what an evaluation costs. The library asks its context
// before every step.
type meter struct {
	context.Context
	steps, bytes int
	spent        error
}

// Err is asked by the library before every step.
func (m *meter) Err() error { return m.step(1) }

func (m *meter) step(n int) error {
	if m.steps -= n; m.steps < 0 && m.spent == nil {
		m.spent = errQuerySteps
	}
	return m.spent
}

// hold counts n bytes of one new value.
func (m *meter) hold(n int) error {
	if m.bytes -= n; (m.bytes < 0 || n > 2*maxQueryValue) && m.spent == nil {
		m.spent = errQueryMemory
	}
	return m.spent
}

// value counts v with everything in it, as it is about to go into another.
func (m *meter) value(v any) error {
	left := maxQueryNodes
	if !nodes(v, &left, maxDepth) {
		m.spent = errQueryMemory
		return m.spent
	}
	if err := m.step((maxQueryNodes - left) / 2); err != nil {
		return err
	}
	switch v := v.(type) {
	case []any:
		if len(v)*8 > maxQueryValue {
			m.spent = errQueryMemory
		}
		return m.hold(16 * len(v))
	case string:
		if len(v) > maxQueryValue {
			m.spent = errQueryMemory
		}
		return m.step(len(v) / 64) // it is about to be read
	}
	return m.spent
}

// nodes counts the parts of v down; false if there are more than left.
func nodes(v any, left *int, depth int) bool {
	if *left--; *left < 0 || depth == 0 {
		return false
	}
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			if !nodes(e, left, depth-1) {
				return false
			}
		}
	case map[string]any:
		for _, e := range v {
			if !nodes(e, left, depth-1) {
				return false
			}
		}
	case orderedObject:
		ok := true
		v.Range(func(_ string, e any) bool {
			ok = nodes(e, left, depth-1)
			return ok
		})
		return ok
	}
	return true
}

// libraryFunctions gives the library's functions by name.
var libraryFunctions = sync.OnceValue(func() map[string]any {
	env := gnata.NewCustomEnv(nil)
	out := map[string]any{}
	env.Range(func(name string, f any) { out[name] = f })
	return out
})

// plainFunction is the library's type of a function that needs no more than
// its arguments; its name cannot be written outside the library.
var plainFunction = sync.OnceValue(func() reflect.Type { return reflect.TypeOf(libraryFunctions()["append"]) })

// A queryFunction gets the arguments and the context item.
type queryFunction = func(args []any, focus any) (any, error)

// function gives the function of the name for one evaluation: one of ours, or
// the library's with its cost counted. It is nil for $eval, which is not
// there.
func (m *meter) function(name string, in queryInput) any {
	if make := ownFunctions[name]; make != nil {
		return reflect.ValueOf(make(m)).Convert(plainFunction()).Interface()
	}
	if make := addedFunctions[name]; make != nil {
		return reflect.ValueOf(make(in)).Convert(plainFunction()).Interface()
	}
	f := reflect.ValueOf(libraryFunctions()[name])
	if name == "eval" || f.Kind() != reflect.Func {
		if name == "eval" {
			return nil
		}
		return f.Interface() // checks the types of its arguments, and costs no more than their length
	}
	return reflect.MakeFunc(f.Type(), func(args []reflect.Value) []reflect.Value {
		list, _ := args[0].Interface().([]any)
		if err := m.before(name, list, args[1].Interface()); err != nil {
			return failing(err)
		}
		out := f.Call(args)
		if out[1].IsNil() {
			if err := m.value(out[0].Interface()); err != nil {
				return failing(err)
			}
		}
		return out
	}).Interface()
}

func failing(err error) []reflect.Value {
	return []reflect.Value{reflect.Zero(reflect.TypeFor[any]()), reflect.ValueOf(&err).Elem()}
}

var longWidth = regexp.MustCompile(`[0-9]{5}`)

// before refuses a call whose result would be far larger than what it is
// made of, and counts what it will read.
func (m *meter) before(name string, args []any, focus any) error {
	if len(args) == 0 {
		args = []any{focus}
	}
	for _, a := range args {
		if err := m.value(a); err != nil {
			return err
		}
	}
	switch name {
	case "distinct": // compares each object and array with all before it
		list, _ := args[0].([]any)
		n := 0
		for _, e := range list {
			switch e.(type) {
			case []any, map[string]any, orderedObject:
				n++
			}
		}
		return m.step(n * n / 16)
	case "join":
		if list, _ := args[0].([]any); len(args) > 1 {
			separator, _ := args[1].(string)
			return m.hold(len(list) * len(separator))
		}
	case "replace":
		if len(args) > 2 {
			text, _ := args[0].(string)
			with, _ := args[2].(string)
			n := len(text) + 1
			if pattern, ok := args[1].(string); ok {
				n = strings.Count(text, pattern)
			}
			return m.hold(n * len(with))
		}
	case "fromMillis", "formatInteger", "formatNumber":
		if len(args) > 1 {
			picture, _ := args[1].(string)
			f, _ := toNumber(args[0])
			if len(picture) > 1000 || longWidth.MatchString(picture) || f > 1e7 && name == "formatInteger" && strings.ContainsAny(picture, "iI") {
				m.spent = errQueryMemory
			}
		}
	}
	return m.spent
}
