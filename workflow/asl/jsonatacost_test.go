package asl

import (
	"errors"
	"testing"
)

// Work that the library does within one of its own steps is counted, too: the
// reading of long texts, and the comparison of objects each with each.
func TestQueriesPayForWhatTheyRead(t *testing.T) {
	long := `$s := "0123456789abcdef"; $s := $s & $s; $s := $s & $s; $s := $s & $s; $s := $s & $s; $s := $s & $s; $s := $s & $s;
		$s := $s & $s; $s := $s & $s; $s := $s & $s; $s := $s & $s; $s := $s & $s; $s := $s & $s; $s := $s & $s; $s := $s & $s;`
	for source, want := range map[string]error{
		"(" + long + "$length($s))":                       nil,
		"(" + long + "$count([1..100000].($length($s))))": errQuerySteps,
		"$count($distinct([1..1000].({'i': $})))":         nil,
		"$count($distinct([1..20000].({'i': $})))":        errQuerySteps,
		"$count($distinct([1..100000]))":                  nil,
	} {
		q, err := compileQuery(source)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := q.eval(queryInput{bindings: func(string) (any, bool) { return nil, false }}); !errors.Is(err, want) {
			t.Errorf("%.40s…%s: %v, want %v", source, source[max(0, len(source)-30):], err, want)
		}
	}
}
