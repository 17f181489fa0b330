package main

import (
	"slices"
	"strings"
	"testing"

	"inspector/model"
)

// What a recipe says for a model that compares means nothing to one that does
// not, and is a fault before the first board.
func TestIdleKeys(t *testing.T) {
	const learnt = "golden: g.png\ntolerance: t.png\ngoldens: [h.png]\nalign: false\netch: 0\ncopper: dark\n"
	for _, c := range []struct {
		text  string
		in    model.Input
		fault []string
	}{
		{learnt, model.Input{Golden: true, Binarise: true}, nil},
		{learnt, model.Input{Golden: true}, []string{"p.yaml:5: etch", "p.yaml:6: copper"}},
		{learnt, model.Input{Binarise: true}, []string{"p.yaml:1: golden", "p.yaml:3: goldens", "p.yaml:2: tolerance", "p.yaml:4: align", "p.yaml:5: etch"}},
		{"golden: g.png\nsmallest: 3\n", model.Input{}, nil},
		{"limits: {fail: 0.7, pass: 0.6}\n", model.Input{}, nil},
	} {
		r, err := parseRecipe("p.yaml", []byte(c.text))
		if err != nil {
			t.Fatal(err)
		}
		j := &judges{recipes: map[string]recipe{"p": r}}
		g := &judge{pkg: &model.Package{Manifest: model.Manifest{Name: "mine", Version: "1.0.0", Inputs: []model.Input{c.in}}}}
		var have []string
		if err := r.idle(g.pkg); err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				key, _, _ := strings.Cut(line, ": it means nothing to mine/1.0.0")
				have = append(have, key)
			}
			if _, placed := j.place("p", g); placed == nil || placed.Error() != err.Error() {
				t.Errorf("%q is put in place: %v", c.text, placed)
			}
		}
		if !slices.Equal(have, c.fault) {
			t.Errorf("%q, %+v: %q; want %q", c.text, c.in, have, c.fault)
		}
	}
}
