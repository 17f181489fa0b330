package graph

import (
	"maps"
	"slices"
	"strings"
)

// condition is a choice rule in words.
func condition(rule map[string]any) string {
	if said, ok := rule["Condition"].(string); ok { // JSONata
		said = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(said), "{%"), "%}")
		return strings.Join(strings.Fields(said), " ")
	}
	return joined(rule, 0)
}

func joined(rule map[string]any, depth int) string {
	if depth > deepest {
		return "…"
	}
	for _, word := range []string{"And", "Or"} {
		if list := objects(rule, word); len(list) > 0 {
			parts := make([]string, len(list))
			for n, inner := range list {
				parts[n] = joined(inner, depth+1)
			}
			said := strings.Join(parts, " "+strings.ToLower(word)+" ")
			if depth > 0 && len(parts) > 1 {
				return "(" + said + ")"
			}
			return said
		}
	}
	if inner, ok := rule["Not"].(map[string]any); ok {
		said := joined(inner, depth+1)
		if !strings.HasPrefix(said, "(") {
			said = "(" + said + ")"
		}
		return "not " + said
	}
	return comparison(rule)
}

// signs of the comparisons, after the type that they compare.
var signs = []struct{ suffix, sign string }{
	{"GreaterThanEquals", "≥"}, {"LessThanEquals", "≤"}, {"GreaterThan", ">"}, {"LessThan", "<"}, {"Equals", "="}, {"Matches", "matches"},
}

func comparison(rule map[string]any) string {
	variable := text(rule, "Variable")
	for _, key := range slices.Sorted(maps.Keys(rule)) {
		operator, byPath := strings.CutSuffix(key, "Path")
		value := rule[key]
		if kind, ok := strings.CutPrefix(operator, "Is"); ok {
			return variable + " is " + negation(value) + article(kind)
		}
		for _, s := range signs {
			if !strings.HasSuffix(operator, s.suffix) {
				continue
			}
			said := plain(value)
			if _, isText := value.(string); isText && !byPath {
				said = `"` + said + `"`
			}
			return variable + " " + s.sign + " " + said
		}
	}
	return variable
}

func negation(v any) string {
	if v == false {
		return "not "
	}
	return ""
}

func article(kind string) string {
	switch kind {
	case "String", "Boolean", "Timestamp":
		return "a " + strings.ToLower(kind)
	case "Numeric":
		return "a number"
	}
	return strings.ToLower(kind) // present, null
}
