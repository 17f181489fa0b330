package asl

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// jsonata checks the expression of a text {%…%}: its syntax, that it begins
// at a variable, and that it asks of $states only what is there.
func (v *validator) jsonata(n *node, s site) {
	_, uses, err := parseQuery(strings.TrimSuffix(strings.TrimPrefix(n.text, "{%"), "%}"))
	var fault *queryError
	switch {
	case errors.As(err, &fault):
		v.fault(n, codeJSONata, fault.message)
		return
	case uses.bare != "":
		v.fault(n, codeTopLevel, fmt.Sprintf("Reference to '%s' at the top level is not supported.", uses.bare)).Hint = "begin at $states.input or at a variable"
	}
	there := map[string]bool{"": true, "input": true, "context": true, "result": s.result, "errorOutput": s.failure}
	for _, name := range slices.Sorted(maps.Keys(uses.states)) {
		if !there[name] {
			v.fault(n, codeTopLevel, fmt.Sprintf("Reference to '$states.%s' is not supported here.", name)).Hint = "there are " + statesFields(there)
		}
	}
}

// statesFields lists the fields of $states that are there.
func statesFields(there map[string]bool) string {
	var out []string
	for _, name := range []string{"input", "context", "result", "errorOutput"} {
		if there[name] {
			out = append(out, "$states."+name)
		}
	}
	return strings.Join(out, ", ")
}
