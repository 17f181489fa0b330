package main

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"inspector"
	"inspector/classify"
)

func TestRecipeFaults(t *testing.T) {
	for _, c := range []struct{ text, fault string }{
		{"", ""},
		{"golden: a.png\ngoldens: [b.png]\nalign: false\ncopper: bright\nsmallest: 12\ntakt: 500ms\ninspect: [[0, 0, 9, 9], [[1, 1], [5, 1], [1, 5]]]", ""},
		{"golden: a.png\ngoldn: b.png", `p.yaml:2: unknown key "goldn"; inspector.example.yaml ends`},
		{"golden: a.png\ncopper: green", `p.yaml:2: copper: "green" is unknown; want dark or bright`},
		{"limits: {fail: 0.3, pass: 0.4}", "p.yaml:1: limits: fail 0.3 and pass 0.4; want 0 < pass <= fail < 1"},
		{"classes:\n  open: {fail: 2, pass: 0.4}", "p.yaml:2: classes.open: fail 2"},
		{"golden: a.png\ninspect:\n  - [0, 0, 9, 9]\n  - [9, 9, 0, 0]", "p.yaml:4: a region is"},
		{"ignore: [[0, 0, 9]]", "p.yaml:1: ignore: a region is"},
		{"ignore: [[[0, 0], [1, 1]]]", "p.yaml:1: ignore: a region is"},
		{"ignore: [[[0, 0], [1, 1], [2]]]", "p.yaml:1: ignore: a region is"},
		{"ignore: [all]", "p.yaml:1: ignore: a region is"},
		{"smallest: -1", "p.yaml:1: smallest: -1"},
		{"etch: 3", "p.yaml:1: etch: 3; want 0 to 2"},
		{"smallest: .inf", "p.yaml:1: smallest: +Inf"},
		{"takt: -1s", "p.yaml:1: takt: -1s is negative"},
		{"takt: soon", `p.yaml:1: takt: "soon" is not a duration such as 500ms or 2s`},
		{"goldens: [b.png]", "p.yaml:1: goldens: more golden pictures need a first"},
		{"golden: '{name}_temp.png'\ntolerance: t.png", "p.yaml:2: tolerance: it belongs to one"},
		{"copper: x\ntakt: -1s", "p.yaml:2: takt"},
		{"golden: [", "p.yaml:"},
	} {
		_, err := parseRecipe("p.yaml", []byte(c.text))
		if (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%q: %v; want %q", c.text, err, c.fault)
		}
	}
}

func TestRecipeIsRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mainboard.yaml")
	text := "golden: a.png\ngoldens: [b.png, /c.png]\ntolerance: t.png\nalign: false\nsmallest: 12\ntakt: 500ms\ninspect:\n  - [1, 2, 30, 40]\nignore:\n  - [[1, 1], [5, 1], [1, 5]]\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := readRecipe(file)
	if err != nil {
		t.Fatal(err)
	}
	r.from = origin{}
	off, dir := false, filepath.Dir(file)
	want := recipe{
		Golden: filepath.Join(dir, "a.png"), Goldens: []string{filepath.Join(dir, "b.png"), "/c.png"}, Tolerance: filepath.Join(dir, "t.png"),
		Align: &off, Copper: classify.Dark, Smallest: 12, Takt: 500 * time.Millisecond,
		Inspect: []region{{classify.Rectangle(inspector.Box{Left: 1, Top: 2, Right: 30, Bottom: 40})}},
		Ignore:  []region{{classify.Polygon{{X: 1, Y: 1}, {X: 5, Y: 1}, {X: 1, Y: 5}}}},
	}
	if !reflect.DeepEqual(r, want) {
		t.Errorf("read\n%+v; want\n%+v", r, want)
	}
}

// Another fault of a recipe makes no picture beside it missing.
func TestRecipeWithAFaultFindsItsPictures(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "d.yaml")
	for name, text := range map[string]string{file: "golden: g.png\ncode: {format: qr}\n", filepath.Join(dir, "g.png"): ""} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r, err := readRecipe(file)
	if err == nil || r.missing() != nil {
		t.Errorf("%v; and missing %v", err, r.missing())
	}
}

// A recipe's takt replaces the line's, and cannot exceed it.
func TestRecipeTakt(t *testing.T) {
	j := &judges{recipe: "slow", recipes: map[string]recipe{"slow": {}, "quick": {Takt: time.Second}}}
	for name, want := range map[string]time.Duration{"": 2 * time.Second, "slow": 2 * time.Second, "quick": time.Second} {
		if have := j.takt(name, 2*time.Second); have != want {
			t.Errorf("recipe %q: %v; want %v", name, have, want)
		}
	}
	if err := j.checkTakt(time.Second); err != nil {
		t.Error(err)
	}
	if err := j.checkTakt(time.Second / 2); err == nil || !strings.Contains(err.Error(), "recipe quick: takt") {
		t.Errorf("a takt beyond the line's: %v", err)
	}
}

// A board of a recipe with a takt is late by that takt.
func TestLateByRecipe(t *testing.T) {
	l := runLine(t, hanging(make(chan struct{})), time.Minute)
	r := l.judges.recipes[simulatedName]
	r.Takt = 50 * time.Millisecond
	l.judges.recipes[simulatedName] = r
	i, err := l.Inspect(t.Context(), inspector.Trigger{Source: "test"}, grey())
	if err != nil || i.Verdict != inspector.Unsure || !strings.Contains(i.Reason, "takt limit of 50ms") {
		t.Errorf("%s: %s, %v", i.Verdict, i.Reason, err)
	}
}

// The example explains every key of a recipe, and what it shows is valid.
func TestExampleRecipe(t *testing.T) {
	text, err := os.ReadFile("../../inspector.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, shown, ok := strings.Cut(string(text), "with these keys:\n")
	if !ok {
		t.Fatal("the example does not say which keys a recipe has")
	}
	shown, _, _ = strings.Cut(shown, "\n\n") // a line without # ends it
	shown = regexp.MustCompile(`(?m)^#( |$)`).ReplaceAllString(shown, "")
	if _, err := parseRecipe("example.yaml", []byte(shown)); err != nil {
		t.Fatal(err)
	}
	for f := range reflect.TypeFor[recipe]().Fields() {
		key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if key != "" && !slices.Contains(keysOf(t, []byte(shown)), key) {
			t.Errorf("the example does not explain %q of a recipe", key)
		}
	}
}

func FuzzRecipe(f *testing.F) {
	f.Add([]byte("golden: a.png\ninspect: [[0, 0, 9, 9], [[1, 1], [5, 1], [1, 5]]]\nsmallest: 3\ntakt: 1s"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := parseRecipe("fuzz.yaml", text)
		if err != nil {
			return
		}
		for _, part := range append(r.Inspect, r.Ignore...) {
			if len(part.outline) < 3 {
				t.Errorf("%q: a region of %d points", text, len(part.outline))
			}
		}
	})
}
