package model

import (
	"errors"
	"strings"
	"testing"
)

// An unknown key comes first, with the key that was meant, and no fault is in
// words of Go.
func TestManifestInWords(t *testing.T) {
	for _, c := range []struct{ text, first string }{
		{"name: a\ntreshold: {fail: 0.5, pass: 0.4}\n", `m.yaml:2: unknown key "treshold"; did you mean thresholds?`},
		{"name: a\nthresholds: {fial: 0.5}\n", `m.yaml:2: unknown key "fial"; did you mean fail?`},
		{"name: a\ninputs: [{widht: 3}]\n", `m.yaml:2: unknown key "widht"; did you mean width?`},
		{"name: a\ncolourfulness: 3\n", `m.yaml:2: unknown key "colourfulness"; models/README.md has every key`},
	} {
		_, err := ParseManifest("m.yaml", []byte(c.text))
		if err == nil || !strings.HasPrefix(err.Error(), c.first+"\n") || strings.Contains(err.Error(), "model.") {
			t.Errorf("%q: %v; want first %s", c.text, err, c.first)
		}
	}
	_, err := ParseManifest("m.yaml", []byte("inputs: many\nlabels: {a: b}\nrequire: [\n"))
	var several *FaultsError
	if !errors.As(err, &several) {
		t.Error(err)
	}
	for have, want := range map[string]string{
		"cannot unmarshal !!str `many` into []model.Input": `"many" is not a list`,
		"cannot unmarshal !!seq into model.Thresholds":     "a list is not a group of keys",
		"cannot unmarshal !!str `a` into float32":          `"a" is not a number`,
		"cannot unmarshal !!map into string":               "a group of keys is not a text",
		"cannot unmarshal !!str `x` into int":              `"x" is not a whole number`,
		"cannot unmarshal !!str `x` into bool":             `"x" is not true or false`,
		`mapping key "name" already defined at line 1`:     `mapping key "name" already defined at line 1`,
	} {
		if got := inWords(have); got != want {
			t.Errorf("%s: %s; want %s", have, got, want)
		}
	}
}
