package upstream

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// maxNesting is how deep a form may be.
const maxNesting = 32

// encodeForm writes a JSON object as a form: nested names in brackets, arrays
// in one of AWS's formats. Names are in their alphabetic order, so that the
// same object is the same form on every attempt.
func encodeForm(raw json.RawMessage, format string) (string, error) {
	if format == "" {
		format = "INDICES"
	}
	if !slices.Contains([]string{"INDICES", "REPEAT", "COMMAS", "BRACKETS"}, format) {
		return "", misfit("Transform: ArrayFormat %q; want INDICES, REPEAT, COMMAS or BRACKETS", format)
	}
	v, err := parseJSON(raw)
	fields, ok := v.(map[string]any)
	if err != nil || !ok {
		return "", misfit("RequestBody: only an object can be URL_ENCODED")
	}
	f := form{format: format}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if err := f.add(escapeForm(name), fields[name], 1); err != nil {
			return "", err
		}
	}
	return strings.Join(f.pairs, "&"), nil
}

type form struct {
	format string
	pairs  []string
}

func (f *form) add(name string, v any, depth int) error {
	if depth > maxNesting {
		return misfit("RequestBody: it is nested deeper than %d, which a form cannot be", maxNesting)
	}
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if err := f.add(name+"["+escapeForm(key)+"]", v[key], depth+1); err != nil {
				return err
			}
		}
	case []any:
		return f.list(name, v, depth)
	default:
		f.pairs = append(f.pairs, name+"="+escapeForm(scalar(v)))
	}
	return nil
}

func (f *form) list(name string, list []any, depth int) error {
	if f.format == "COMMAS" {
		var values []string
		for _, e := range list {
			switch e.(type) {
			case map[string]any, []any:
				return misfit("RequestBody: ArrayFormat COMMAS has no place for objects and lists in a list")
			}
			values = append(values, escapeForm(scalar(e)))
		}
		f.pairs = append(f.pairs, name+"="+strings.Join(values, ","))
		return nil
	}
	for i, e := range list {
		within := name
		switch f.format {
		case "INDICES":
			within += fmt.Sprintf("[%d]", i)
		case "BRACKETS":
			within += "[]"
		}
		if err := f.add(within, e, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// scalar is a JSON scalar as text; null is empty.
func scalar(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

// escapeForm writes a space as %20, which every server reads.
func escapeForm(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
