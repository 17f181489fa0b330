package rule

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
)

// A path is where a value is in an event: $.detail.defects[0]['class'].
type path []any // string: of an object; int: of an array

var step = regexp.MustCompile(`^(?:\.([^.\[\]'"*?@()\s,:]+)|\['([^']*)'\]|\["([^"]*)"\]|\[(\d{1,9})\])`)

// parsePath reads a JSON path as input transformers know it: one value, no
// wildcards.
func parsePath(s string) (path, error) {
	if s == "" || s[0] != '$' {
		return nil, fmt.Errorf("path %q does not begin with $", s)
	}
	p := path{}
	for rest := s[1:]; rest != ""; {
		m := step.FindStringSubmatch(rest)
		switch {
		case m == nil:
			return nil, fmt.Errorf("path %q: %q is no step; write .NAME, ['NAME'] or [NUMBER]", s, rest)
		case m[4] != "":
			n, _ := strconv.Atoi(m[4]) // the expression allows no other
			p = append(p, n)
		default:
			p = append(p, m[1]+m[2]+m[3])
		}
		rest = rest[len(m[0]):]
	}
	return p, nil
}

// find gives the value, and no if it is not there.
func (p path) find(v any) (any, bool) {
	for _, s := range p {
		switch s := s.(type) {
		case string:
			o, _ := v.(map[string]any)
			var ok bool
			if v, ok = o[s]; !ok {
				return nil, false
			}
		case int:
			a, _ := v.([]any)
			if s >= len(a) {
				return nil, false
			}
			v = a[s]
		}
	}
	return v, true
}

// decode reads JSON with its numbers as they are written.
func decode(raw []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, errors.New("something follows behind the JSON value")
	}
	return v, nil
}
