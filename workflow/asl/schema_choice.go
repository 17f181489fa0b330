package asl

import (
	"fmt"
	"strings"
)

// choices are the rules of a Choice.
func choices(v *validator, n *node, s site) {
	if !v.filledList(n) {
		return
	}
	for _, m := range n.members {
		switch {
		case m.kind != '{':
			v.wrongType(m, "an object")
		case s.jsonata:
			v.form(m, conditionForm(), s)
		default:
			v.choiceRule(m, s, true, 0)
		}
	}
}

func conditionForm() form {
	return form{
		fields: []field{{"Condition", both, condition}, {"Next", both, text}, {"Comment", both, text},
			{"Output", both, template}, {"Assign", both, assignment}},
		required: []string{"Condition", "Next"},
	}
}

func condition(v *validator, n *node, s site) {
	if n.kind != 't' && !isExpression(v, n, s) {
		v.wrongType(n, "true, false or a JSONata expression")
	}
}

// choiceRule checks a JSONPath rule. Only the top ones lead on.
func (v *validator) choiceRule(n *node, s site, top bool, depth int) {
	if n.kind != '{' {
		v.wrongType(n, "an object")
		return
	}
	if depth > maxNest {
		v.fault(n, codeDepth, fmt.Sprintf("Rules are nested deeper than %d", maxNest))
		return
	}
	f := form{fields: []field{{"Comment", both, text}, {"Variable", both, definite}}}
	if top {
		f.fields = append(f.fields, field{"Next", both, text}, field{"Assign", both, assignment},
			field{"Condition", jsonataOnly, condition}, field{"Output", jsonataOnly, template})
		f.required = []string{"Next"}
	}
	var operators []string
	var compares, byPath bool
	for _, m := range n.members {
		c, path, ok := operator(m.name)
		switch {
		case m.name == "And" || m.name == "Or":
			f.fields = append(f.fields, field{m.name, both, ruleList(depth)})
		case m.name == "Not":
			f.fields = append(f.fields, field{"Not", both, func(v *validator, n *node, s site) { v.choiceRule(n, s, false, depth+1) }})
		case ok:
			compares, byPath = true, path
			f.fields = append(f.fields, field{m.name, both, operandRule(c, byPath)})
		default:
			continue
		}
		operators = append(operators, m.name)
	}
	if compares {
		f.required = append([]string{"Variable"}, f.required...)
	}
	v.form(n, f, s)
	switch {
	case len(operators) > 1:
		v.fault(n, codeSchema, "Only one of these fields is allowed: ["+strings.Join(operators, ", ")+"]")
	case operators == nil && n.member("Condition") == nil:
		v.fault(n, codeSchema, "One of these fields is required: [And, Or, Not] or a comparison operator")
	}
}

func ruleList(depth int) rule {
	return func(v *validator, n *node, s site) {
		if !v.filledList(n) {
			return
		}
		for _, m := range n.members {
			v.choiceRule(m, s, false, depth+1)
		}
	}
}

// operandRule is for what a comparison operator compares with.
func operandRule(c compare, byPath bool) rule {
	switch {
	case byPath:
		return definite
	case c.kind == "Is" || c.kind == "Boolean":
		return flag
	case c.kind == "Timestamp":
		return moment
	case c.kind == "Numeric":
		return func(v *validator, n *node, _ site) {
			if n.kind != '0' {
				v.wrongType(n, "a number")
			}
		}
	}
	return text
}
