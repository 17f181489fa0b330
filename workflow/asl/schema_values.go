package asl

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

func anything(*validator, *node, site) {}

// isExpression reports a text that is a JSONata expression where the state's
// query language takes one; what is in it is checked.
func isExpression(v *validator, n *node, s site) bool {
	if !s.jsonata || n.kind != '"' || !strings.HasPrefix(n.text, "{%") || !strings.HasSuffix(n.text, "%}") || len(n.text) < 4 {
		return false
	}
	v.jsonata(n, s)
	return true
}

func text(v *validator, n *node, _ site) {
	if n.kind != '"' {
		v.wrongType(n, "a string")
	}
}

func texts(v *validator, n *node, s site) {
	if isExpression(v, n, s) {
		return
	}
	if n.kind != '[' {
		v.wrongType(n, "an array")
	}
	for _, m := range elements(n) {
		text(v, m, s)
	}
}

func jsonPointer(v *validator, n *node, _ site) {
	if n.kind != '"' {
		v.wrongType(n, "a string")
	} else if n.text != "" && n.text[0] != '/' {
		v.fault(n, codeSchema, "Value must be a valid JSON pointer.").Hint = "it begins with /"
	}
}

func flag(v *validator, n *node, _ site) {
	if n.kind != 't' {
		v.wrongType(n, "true or false")
	}
}

// whole is an integer in a range.
func whole(least, most int64) rule {
	return func(v *validator, n *node, s site) {
		if isExpression(v, n, s) {
			return
		}
		i, ok := toInt(numberOf(n))
		if n.kind != '0' || !ok {
			v.wrongType(n, "an integer")
		} else if i < least || i > most {
			v.fault(n, codeSchema, fmt.Sprintf("Value must be between %d and %d", least, most))
		}
	}
}

func numeric(least, most float64) rule {
	return func(v *validator, n *node, s site) {
		if isExpression(v, n, s) {
			return
		}
		if n.kind != '0' {
			v.wrongType(n, "a number")
		} else if f := toFloat(numberOf(n)); math.IsNaN(f) || f < least || f > most {
			v.fault(n, codeSchema, fmt.Sprintf("Value must be between %.0f and %.0f", least, most))
		}
	}
}

// among takes one of the words.
func among(words ...string) rule {
	return func(v *validator, n *node, s site) {
		if n.kind != '"' || !slices.Contains(words, n.text) {
			v.oneOf(n, words)
		}
	}
}

func version(v *validator, n *node, s site) {
	if n.kind != '"' || n.text != "1.0" {
		v.oneOf(n, []string{"1.0"})
	}
}

func moment(v *validator, n *node, s site) {
	if isExpression(v, n, s) {
		return
	}
	if _, ok := timestamp(n.text); n.kind != '"' || !ok {
		v.fault(n, codeSchema, "String does not match RFC3339 timestamp")
	}
}

// definite is a path where null will not do.
func definite(v *validator, n *node, _ site) {
	if n.kind != '"' {
		v.fault(n, codeSchema, "Value must be a valid JSONPath.")
	} else if err := pathFault(n.text); err != nil {
		v.fault(n, codeSchema, "Value must be a valid JSONPath.").Hint = err.Error()
	}
}

func pathOrNull(v *validator, n *node, s site) {
	if n.kind != 'n' {
		definite(v, n, s)
	}
}

// reference is a place in the input: names and indexes only.
func reference(v *validator, n *node, s site) {
	if n.kind == 'n' {
		return
	}
	p, err := parsePath(n.text)
	hint := "names and indexes of the input only"
	switch {
	case err != nil && !isVariable(n.text):
		hint = err.Error()
	case n.kind == '"' && err == nil && !p.context && !isVariable(n.text) && p.reference():
		return
	}
	v.fault(n, codeSchema, "Value must be a valid Reference Path.").Hint = hint
}

// isVariable reports a path that begins at a variable: $name.
func isVariable(text string) bool {
	return len(text) > 1 && text[0] == '$' && strings.IndexByte("$.[", text[1]) < 0
}

// pathFault is what is wrong with a path; variables may be the start of one.
func pathFault(text string) error {
	if isVariable(text) {
		name, rest := text[1:], ""
		if i := strings.IndexAny(name, ".["); i >= 0 {
			name, rest = name[:i], name[i:]
		}
		if !isIdentifier(name) {
			return fmt.Errorf("%q is no name of a variable", name)
		}
		_, err := parsePath("$" + rest)
		return err
	}
	_, err := parsePath(text)
	return err
}

// pathOrCall is for ErrorPath and CausePath.
func pathOrCall(v *validator, n *node, s site) {
	if err := expressionFault(n); err != nil {
		v.fault(n, codeSchema, fmt.Sprintf("The value for the field '%s' must be a valid JSONPath or a valid intrinsic function call", n.name)).Hint = err.Error()
	}
}

func resource(v *validator, n *node, s site) {
	if n.kind != '"' {
		v.wrongType(n, "a string")
		return
	}
	if n.text == "" || strings.ContainsAny(n.text, " \t\r\n{}\"") {
		hint := ""
		if strings.Contains(n.text, "${") {
			hint = "replace ${…} by its value first"
		}
		v.fault(n, codeSchema, "Value is not a valid resource ARN").Hint = hint
		return
	}
	name := strings.TrimSuffix(n.text, tokenSuffix)
	switch {
	case !s.express:
	case name != n.text: // AWS's text does end in a space
		v.fault(n, codeSchema, "Express state machine does not support '.waitForTaskToken' service integration ")
	case strings.HasSuffix(name, ".sync") || strings.HasSuffix(name, ".sync:2"):
		v.fault(n, codeSchema, "Express state machine does not support '.sync' service integration")
	case strings.HasPrefix(name, "arn:aws:states:") && strings.Contains(name, ":activity:"):
		v.fault(n, codeSchema, "Express state machine does not support activities")
	}
}

func credentials(v *validator, n *node, s site) {
	if isExpression(v, n, s) {
		return
	}
	if n.kind != '{' {
		v.wrongType(n, "an object")
		return
	}
	if n.member("RoleArn") == nil && (s.jsonata || n.member("RoleArn.$") == nil) {
		v.fault(n, codeSchema, "The field 'RoleArn' is required but was missing")
	}
	template(v, n, s)
}

func failText(v *validator, n *node, s site) {
	if isExpression(v, n, s) {
		return
	}
	text(v, n, s)
	if !s.jsonata && n.kind == '"' && expressionLike(n.text) {
		v.warn(n, codeNoPath, "Field value looks like a path, but the name of the field does not end with 'Path'")
	}
}

// static is the Result of a Pass: paths in it stay text.
func static(v *validator, n *node, s site) {
	for _, m := range n.members {
		static(v, m, s)
	}
	if n.kind == '"' && expressionLike(n.text) {
		v.warn(n, codeStatic, "Result is taken as it is: a path in it is not replaced").Hint = "use Parameters"
	}
}

func items(v *validator, n *node, s site) {
	switch {
	case n.kind == '[' || n.kind == '{':
		template(v, n, s)
	case !isExpression(v, n, s):
		v.wrongType(n, "an array, an object or a JSONata expression")
	}
}

func label(v *validator, n *node, s site) {
	if n.kind != '"' {
		v.wrongType(n, "a string")
		return
	}
	if runes(n.text) > 40 {
		v.fault(n, codeLabel, "Label exceeds maximum length of 40 characters")
	}
	for _, r := range n.text {
		if r <= ' ' || r >= 0x7f && r <= 0x9f || strings.ContainsRune("?*<>{}[]:;,\\|^~$#%&`\"", r) {
			v.fault(n, codeLabel, fmt.Sprintf("Label contains invalid character: %s", quoteRune(r)))
			break
		}
	}
	if n.text != "" && v.labels[n.text] {
		v.fault(n, codeDuplicateLabel, "Duplicate Label name: "+n.text)
	}
	v.labels[n.text] = true
}

// quoteRune shows a character in single quotes; what cannot be seen, as \xNN.
func quoteRune(r rune) string {
	if r < ' ' || r >= 0x7f && r <= 0x9f {
		return fmt.Sprintf(`'\x%02x'`, r)
	}
	return "'" + string(r) + "'"
}
