package asl

import (
	"errors"
	"fmt"
	"strings"
)

// template is a payload template, or in JSONata any value with expressions.
func template(v *validator, n *node, s site) {
	if isExpression(v, n, s) {
		return
	}
	if s.jsonata {
		for _, m := range n.members {
			template(v, m, s)
		}
		return
	}
	plain := map[string]bool{}
	for _, m := range n.members {
		plain[m.name] = true
	}
	for _, m := range n.members {
		if n.kind == '[' {
			template(v, m, s)
			continue
		}
		name, dynamic := strings.CutSuffix(m.name, ".$")
		if !dynamic {
			if m.kind == '"' && expressionLike(m.text) {
				v.warn(m, codeNoDollar, "No .$ on a field that appears to be a JSONPath or an intrinsic function")
			}
			template(v, m, s)
			continue
		}
		if plain[name] {
			v.faultIn(n, m, codeSchema, fmt.Sprintf("The field '%s' is given twice, with and without .$", name))
		}
		if err := expressionFault(m); err != nil {
			v.faultIn(n, m, codeSchema, fmt.Sprintf("The value for the field '%s' must be a valid JSONPath or a valid intrinsic function call", m.name)).Hint = err.Error()
		}
	}
}

// resultTemplate is one that may use $states.result, if the state has one.
func resultTemplate(v *validator, n *node, s site) {
	s.result = hasResult(s.kind)
	template(v, n, s)
}

func failureTemplate(v *validator, n *node, s site) {
	s.failure = true
	template(v, n, s)
}

func hasResult(kind string) bool { return kind == "Task" || kind == "Parallel" || kind == "Map" }

// expressionFault is what is wrong with the value of a field that ends in .$.
func expressionFault(n *node) error {
	if n.kind != '"' {
		return errors.New("it is not a string")
	}
	if !strings.HasPrefix(n.text, "States.") {
		return pathFault(n.text)
	}
	if _, err := parseCall(n.text); err != nil {
		return err
	}
	return nil
}

// expressionLike reports a text that somebody may have meant as a path or an
// intrinsic function.
func expressionLike(text string) bool {
	if strings.HasPrefix(text, "States.") {
		_, err := parseCall(text)
		return err == nil
	}
	if text == "$" || text == "$$" || !strings.HasPrefix(text, "$.") && !strings.HasPrefix(text, "$$.") && !strings.HasPrefix(text, "$[") {
		return false
	}
	return pathFault(text) == nil
}

// assignment is the Assign of a state.
func assignment(v *validator, n *node, s site) {
	s.result = hasResult(s.kind)
	v.assign(n, s)
}

func failureAssignment(v *validator, n *node, s site) {
	s.failure = true
	v.assign(n, s)
}

const maxVariable = 80 // characters of a variable's name

func (v *validator) assign(n *node, s site) {
	if n.kind != '{' {
		v.wrongType(n, "an object")
		return
	}
	for _, m := range n.members {
		name := m.name
		if !s.jsonata {
			name = strings.TrimSuffix(name, ".$")
		}
		switch {
		case name == "states":
			v.faultKey(m, codeSchema, "The variable name 'states' is reserved")
		case runes(name) > maxVariable:
			v.faultKey(m, codeSchema, fmt.Sprintf("The variable name '%s' exceeds %d characters", name, maxVariable))
		case !isIdentifier(name):
			v.faultKey(m, codeSchema, fmt.Sprintf("'%s' is not a valid variable name", name)).Hint = "a letter, then letters, digits and _"
		case s.outer.has(name):
			v.faultKey(m, codeSchema, fmt.Sprintf("The variable '%s' is already defined in an outer scope", name))
		}
	}
	template(v, n, s)
}

// isIdentifier is Unicode's UAX 31 as far as variables need it.
func isIdentifier(name string) bool {
	for i, r := range name {
		if r != '_' && !isLetter(r) && (i == 0 || !isDigit(r)) {
			return false
		}
	}
	return name != ""
}
