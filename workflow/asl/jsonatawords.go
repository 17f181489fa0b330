package asl

import (
	"reflect"
	"strings"
)

// callPlain calls a function of the library that needs no more than its
// arguments.
func callPlain(f any, args ...any) (any, error) {
	out := reflect.ValueOf(f).Call([]reflect.Value{reflect.ValueOf(args), reflect.Zero(reflect.TypeFor[any]())})
	err, _ := out[1].Interface().(error)
	return out[0].Interface(), err
}

// queryWords gives an error of the library the words of JSONata where they
// are not already.
func queryWords(code, message string) error {
	if words := fixedWords[code]; words != "" {
		return queryFault(code, words)
	}
	if code == "T2001" && strings.HasPrefix(message, "the right") {
		code = "T2002"
	}
	return queryFault(code, message)
}

var fixedWords = map[string]string{
	"T1006": "Attempted to invoke a non-function",
	"T1008": "Attempted to partially apply a non-function",
	"U1001": "",
}
