package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What docs/recipes.md shows: draw stills, learn a recipe, judge by it.
func TestLearnRecipe(t *testing.T) {
	dir := t.TempDir()
	stills, recipes := filepath.Join(dir, "stills"), filepath.Join(dir, "recipes")
	if err := os.Mkdir(recipes, 0o777); err != nil {
		t.Fatal(err)
	}
	env := func(key string) string {
		return map[string]string{"INSPECTOR_SIMULATED_STYLE": "plate", "INSPECTOR_RECIPES": recipes}[key]
	}
	do := func(want int, args ...string) string {
		t.Helper()
		var out, errs bytes.Buffer
		if code := command(t.Context(), args, env, &out, &errs); code != want {
			t.Fatalf("%v: exit code %d, want %d\n%s%s", args, code, want, &out, &errs)
		}
		return out.String() + errs.String()
	}
	do(0, "recipe", "example", "--stills", "12", stills)
	file := filepath.Join(recipes, "drawn.yaml")
	good, bad := filepath.Join(stills, "good"), filepath.Join(stills, "bad")
	if err := os.Rename(filepath.Join(bad, "board011.png"), filepath.Join(dir, "new.png")); err != nil {
		t.Fatal(err)
	}
	learn := []string{"recipe", "learn", "--good", good, "--bad", bad, "--copper", "dark", file}
	said := do(0, learn...)
	for _, want := range []string{"golden       of 6 stills, 0 refused", "6 good, 11 bad, 0 not judged", "false calls  0 of 6", "escapes      0 of 11", "wrote "} {
		if !strings.Contains(said, want) {
			t.Errorf("want %q in\n%s", want, said)
		}
	}
	if r, err := readRecipe(file); err != nil || r.Limits == nil || r.Model != "pcb@"+shippedModel(t).Version || r.Golden != filepath.Join(recipes, "drawn.golden.png") {
		t.Errorf("wrote %+v, %v", r, err)
	}
	do(0, "inspect", "--recipe", "drawn", filepath.Join(good, "board001.png"))
	do(1, "inspect", "--recipe", "drawn", filepath.Join(dir, "new.png"))
	if said := do(2, learn...); !strings.Contains(said, "--force") {
		t.Error(said)
	}
	if said := do(1, "recipe", "learn", "--good", dir, "--force", file); !strings.Contains(said, "1 stills; want 3 to 31") {
		t.Error(said)
	}
	for _, wrong := range [][]string{
		{"recipe"}, {"recipe", "learn", file}, {"recipe", "learn", "--good", good, "drawn.png"},
		{"recipe", "example"}, {"recipe", "learn", "--good", good, "--bad", filepath.Join(dir, "none"), "--force", file},
	} {
		do(2, wrong...)
	}
}
