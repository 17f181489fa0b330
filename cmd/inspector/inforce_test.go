package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"inspector"
	"inspector/board"
	"inspector/classify"
	"inspector/store"
	"inspector/web"
	"inspector/workflow"
)

// simulatedBoard is that of the simulated line, with its golden picture.
func simulatedBoard(t *testing.T) (*board.Board, inspector.Pixels) {
	t.Helper()
	b, err := board.New(1, simulatedSize)
	if err != nil {
		t.Fatal(err)
	}
	golden, err := b.Golden(board.Photo)
	if err != nil {
		t.Fatal(err)
	}
	return b, golden
}

// drawnRecipes are recipes on the golden board of the simulated line.
func drawnRecipes(t *testing.T, names ...string) (dir string) {
	t.Helper()
	_, golden := simulatedBoard(t)
	dir = t.TempDir()
	err := os.WriteFile(filepath.Join(dir, "golden.jpg"), jpeg(t, golden), 0o600)
	for _, name := range names {
		err = errors.Join(err, os.WriteFile(filepath.Join(dir, name+".yaml"), []byte("golden: golden.jpg\ncopper: bright\n"), 0o600))
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func (a *appliance) useRecipe(body map[string]string) (int, string) {
	a.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		a.t.Fatal(err)
	}
	code, answer := a.do(http.MethodPut, "/api/v1/recipe", "application/json", bytes.NewReader(text))
	return code, string(answer)
}

// untilAllBy waits until the newest boards were all judged by the recipe.
func (a *appliance) untilAllBy(recipe string) {
	a.t.Helper()
	a.until("ten boards are judged by "+recipe, func() bool {
		newest := a.inspections("")
		newest = newest[:min(10, len(newest))]
		return len(newest) == 10 && !slices.ContainsFunc(newest, func(r web.Record) bool { return r.Recipe != recipe })
	})
}

// A recipe is put in force between two boards, and stays so after a power cut.
func TestRecipeInForce(t *testing.T) {
	dir, recipes := t.TempDir(), drawnRecipes(t, "early", "late")
	env := []string{"INSPECTOR_RECIPES=" + recipes, "INSPECTOR_RECIPE=early", "INSPECTOR_CAMERA_PERIOD=20ms"}
	a := startAppliance(t, dir, env...)
	a.untilAllBy("early")
	for _, c := range []struct {
		body map[string]string
		want int
		say  string
	}{
		{map[string]string{"recipe": "late"}, http.StatusBadRequest, "by"},
		{map[string]string{"recipe": "lost", "by": "Ada"}, http.StatusNotFound, "early, late, simulated"},
		{map[string]string{"recipe": "early", "by": "Ada"}, http.StatusConflict, "in force already"},
		{map[string]string{"recipe": "late", "by": "Ada", "reason": "the next order"}, http.StatusOK, `"from":"early","to":"late"`},
	} {
		if code, answer := a.useRecipe(c.body); code != c.want || !strings.Contains(answer, c.say) {
			t.Errorf("%v: %d %s; want %d and %q", c.body, code, answer, c.want, c.say)
		}
	}
	a.untilAllBy("late")
	path, all := []string{""}, a.inspections("")
	slices.SortFunc(all, func(x, y web.Record) int { return cmp.Compare(x.Seq, y.Seq) })
	for _, r := range all {
		if r.Timings.Infer == 0 || r.Verdict == inspector.Unsure && strings.Contains(r.Reason, "not judged") {
			t.Errorf("frame %d was not judged: %s", r.Seq, r.Reason)
		}
		if r.Recipe != path[len(path)-1] {
			path = append(path, r.Recipe)
		}
	}
	if !slices.Equal(path, []string{"", "early", "late"}) {
		t.Errorf("the recipes in the order of the boards: %v", path)
	}
	a.kill()

	a = startAppliance(t, dir, env...)
	a.untilAllBy("late")
	now := get[web.InForce](a, "/api/v1/recipe")
	if now.Recipe != "late" || now.Configured != "early" || len(now.Recipes) != 3 || len(now.Changes) != 1 {
		t.Fatalf("after the power cut %+v", now)
	}
	if c := now.Changes[0]; c.By != "Ada" || c.From != "early" || c.To != "late" || c.Reason != "the next order" || c.At.IsZero() {
		t.Errorf("audit %+v", c)
	}
	if p := a.part("recipe"); p.State != web.OK || !strings.Contains(p.Detail, "late, by Ada on ") || !strings.Contains(p.Detail, "the next order") {
		t.Errorf("on the page %+v", p)
	}
	if s := a.status(); s.Recipe != "late" {
		t.Errorf("status %s", s.Recipe)
	}
	a.stop()
}

// A board is of the recipe that was in force when it was asked for, or came by
// itself, whatever is in force when it gets its judge, or its verdict without one.
func TestBoardKeepsItsRecipe(t *testing.T) {
	j := stubJudges(t, stub{})
	other := j.places[simulatedName]
	other.name, j.recipes["other"] = "other", recipe{Takt: time.Hour}
	j.places["other"] = other
	if err := j.force.read(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	l, stop := benchLine(t, t.TempDir(), j, func(s *store.Store) workflow.Journal { return s })
	defer stop()
	ctx, cancel := context.WithCancel(t.Context())
	var asking sync.WaitGroup
	asking.Go(func() {
		if _, err := l.Trigger(ctx, inspector.Trigger{Source: "http"}); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
	defer asking.Wait()
	defer cancel()
	<-l.more
	asked, free := l.take()[0], &job{frame: inspector.NewFrame(1, time.Now(), grey(), nil), held: true}
	d := &dispatcher{line: l, free: true}
	d.pair(free)
	if _, err := j.use(recipeChange{By: "Ada", To: "other"}); err != nil {
		t.Fatal(err)
	}
	for what, b := range map[string]*job{"asked for": asked, "free run": free} {
		if i := l.inspection(b, classify.Unsure(errStopping)); i.Recipe != simulatedName {
			t.Errorf("%s: without a judge it is of recipe %q", what, i.Recipe)
		}
		if l.seat(b); b.bad != nil || b.place.Load().name != simulatedName {
			t.Errorf("%s: judged by %+v, %v", what, b.place.Load(), b.bad)
		}
		l.unseat(b)
	}
}

// When the recipe in force is gone, no other takes its place: boards that ask
// for none are unsure until somebody chooses.
func TestRecipeInForceIsGone(t *testing.T) {
	dir, recipes := t.TempDir(), drawnRecipes(t, "early", "late")
	vars := map[string]string{"INSPECTOR_DATA": dir, "INSPECTOR_RECIPES": recipes, "INSPECTOR_RECIPE": "early", "INSPECTOR_WEB_LISTEN": "127.0.0.1:1", "USER": "Ada"}
	cli := func(want int, args ...string) string {
		t.Helper()
		var out bytes.Buffer
		if code := command(t.Context(), append([]string{"recipe"}, args...), func(key string) string { return vars[key] }, &out, &out); code != want {
			t.Fatalf("%v: exit code %d, want %d\n%s", args, code, want, &out)
		}
		return out.String()
	}
	cli(1, "use", "lost")
	if out := cli(0, "use", "late", "--reason", "the next order"); !strings.Contains(out, "late, before early") { // it is stopped
		t.Error(out)
	}
	if out := cli(0, "list"); !strings.Contains(out, "late       pcb@production  -     in force") || !strings.Contains(out, "Ada") {
		t.Error(out)
	}
	if err := os.Remove(filepath.Join(recipes, "late.yaml")); err != nil {
		t.Fatal(err)
	}
	a := startAppliance(t, dir, "INSPECTOR_RECIPES="+recipes, "INSPECTOR_RECIPE=early", "INSPECTOR_TRIGGER_MODE=external")
	trigger := func(body string) (i inspector.Inspection) {
		t.Helper()
		code, answer := a.do(http.MethodPost, "/api/v1/triggers", "application/json", strings.NewReader(body))
		if err := json.Unmarshal(answer, &i); code != http.StatusOK || err != nil {
			t.Fatalf("%s: %d %s", body, code, answer)
		}
		return i
	}
	if i := trigger(`{}`); i.Verdict != inspector.Unsure || !strings.Contains(i.Reason, `recipe "late" is in force, and is not there`) || i.Recipe != "late" || i.Model != "" {
		t.Errorf("%s by %s, %s: %s", i.Verdict, i.Recipe, i.Model, i.Reason)
	}
	if i := trigger(`{"recipe":"early"}`); i.Timings.Infer == 0 || i.Recipe != "early" {
		t.Errorf("a board that asks for its recipe: %s by %s: %s", i.Verdict, i.Recipe, i.Reason)
	}
	if p := a.part("recipe"); p.State != web.Down || !strings.Contains(p.Detail, "late") || !strings.Contains(p.Remedy, "inspector recipe use") {
		t.Errorf("on the page %+v", p)
	}
	if code, b := a.do(http.MethodGet, "/readyz", "", nil); code != http.StatusServiceUnavailable || !strings.Contains(string(b), `"recipe"`) {
		t.Errorf("readyz %d %s", code, b)
	}
	if out := cli(0, "list", "--address", a.page); !strings.Contains(out, "late       not there any more") {
		t.Error(out)
	}
	if out := cli(1, "use", "early"); !strings.Contains(out, "--address") {
		t.Errorf("a running appliance's directory was changed behind its back: %s", out)
	}
	if out := cli(0, "use", "--address", a.page, "early"); !strings.Contains(out, "early, before late") {
		t.Error(out)
	}
	if i := trigger(`{}`); i.Timings.Infer == 0 || i.Recipe != "early" {
		t.Errorf("after the choice: %s by %s: %s", i.Verdict, i.Recipe, i.Reason)
	}
	if code, b := a.do(http.MethodGet, "/readyz", "", nil); code != http.StatusOK {
		t.Errorf("readyz %d %s", code, b)
	}
	a.stop()
}

// A file of choices that nobody can read is a fault, and no choice.
func TestRecipeLog(t *testing.T) {
	for text, want := range map[string]string{
		`{"changes":[{"to":"a"},{"by":"Ada","from":"a","to":"b"}]}`: "",
		`{}`:                            "",
		``:                              "unexpected end",
		`{"changes":[{"to":"a"},{}]}`:   `change 2: "" is no recipe's name`,
		`{"changes":[{"to":"../a"}]}`:   "no recipe's name",
		`{"changes":[{"to":"a"},{"t`:    "unexpected end",
		`{"changes":{"to":"elsewhere"}`: "unexpected end",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "recipes.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var l recipeLog
		if err := l.read(dir); (err == nil) != (want == "") || err != nil && (!strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "recipes.json")) {
			t.Errorf("%s: %v; want %q", text, err, want)
		}
	}
	var l recipeLog
	if err := l.read(t.TempDir()); err != nil {
		t.Error(err)
	}
	if _, ok := l.last(); ok {
		t.Error("somebody has chosen before anybody did")
	}
}

// What cannot be written down does not happen.
func TestChoiceThatCannotBeKept(t *testing.T) {
	j := stubJudges(t, stub{})
	j.recipes["other"] = recipe{}
	if _, err := j.use(recipeChange{By: "Ada", To: "other"}); err == nil || !strings.Contains(err.Error(), "no data directory") {
		t.Errorf("without a data directory: %v", err)
	}
	dir := t.TempDir()
	if err := j.force.read(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "recipes.json", "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := j.use(recipeChange{By: "Ada", To: "other"}); err == nil || !strings.Contains(err.Error(), "nothing was changed") || j.name("") != simulatedName {
		t.Errorf("%v, and %s is in force", err, j.name(""))
	}
	if err := os.RemoveAll(filepath.Join(dir, "recipes.json")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if c, err := j.use(recipeChange{By: "Ada", To: "other"}); err != nil || c.From != simulatedName || j.name("") != "other" {
		t.Errorf("%+v, %v, and %s is in force", c, err, j.name(""))
	}
}

func FuzzRecipeLog(f *testing.F) {
	f.Add([]byte(`{"changes":[{"at":"2026-01-01T00:00:00Z","by":"Ada","from":"a","to":"b","reason":"x"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := parseRecipeChanges(data)
		for _, c := range all {
			if err == nil && !recipeName.MatchString(c.To) {
				t.Errorf("%q: a choice of %q", data, c.To)
			}
		}
	})
}
