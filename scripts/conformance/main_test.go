package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	r, err := read(strings.NewReader(`{"Action":"output","Package":"p","Test":"TestConformance","Output":"    score.go:9: conformance | cases.json | 1 outcome | 543 | 543 | 100.0 | 100.0\n"}
{"Action":"output","Package":"p","Test":"TestConformanceB","Output":"    b_test.go:1: worse\n"}
{"Action":"fail","Package":"p","Test":"TestConformanceB"}
{"Action":"output","Package":"p","Test":"TestConformanceC","Output":"=== RUN TestConformanceC\n    the corpora are not here\n"}
{"Action":"skip","Package":"p","Test":"TestConformanceC"}
{"Action":"build-output","ImportPath":"q","Output":"q.go:1: undefined\n"}
{"Action":"build-fail","ImportPath":"q"}
`))
	if err != nil || len(r.rows) != 1 || !slices.Equal(r.rows[0], []string{"cases.json", "1 outcome", "543", "543", "100.0", "100.0"}) {
		t.Errorf("%v %q", err, r.rows)
	}
	var b bytes.Buffer
	r.print(&b)
	for _, want := range []string{"worse", "undefined", "skipped TestConformanceC: the corpora are not here", "1 outcome"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, &b)
		}
	}
	b.Reset()
	report{}.print(&b)
	if !strings.Contains(b.String(), "nothing was measured") {
		t.Error(b.String())
	}
}
