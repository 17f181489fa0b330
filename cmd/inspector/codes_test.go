package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"inspector"
	"inspector/board"
	"inspector/code"
	"inspector/web"
)

func codingOf(t *testing.T, recipe, pattern string, spot code.Spot) coding {
	t.Helper()
	b := boardCode{Format: spot.Format, Pattern: pattern}
	var f faults
	if b.addFaults(&f); f != nil {
		t.Fatal(f)
	}
	c := b.coding(recipe)
	c.spot = spot
	return c
}

// A board is of one recipe, or nobody says of which.
func TestNamed(t *testing.T) {
	here, there := code.Spot{Format: code.QR}, code.Spot{Format: code.DataMatrix}
	a, b := codingOf(t, "a", `A-(?P<serial>\d+)|X.*`, here), codingOf(t, "b", `B-\d+|X1|C`, here)
	c := codingOf(t, "c", `C(-.*)?`, there)
	lost := sighting{err: errors.New("nothing")}
	for _, k := range []struct {
		seen          map[code.Spot]sighting
		recipe, fault string
	}{
		{map[code.Spot]sighting{here: {text: "A-17"}, there: lost}, "a", ""},
		{map[code.Spot]sighting{here: {text: "B-17"}, there: lost}, "b", ""},
		{map[code.Spot]sighting{here: lost, there: {text: "C-17"}}, "c", ""},
		{map[code.Spot]sighting{here: {text: "Z"}, there: {text: "C"}}, "c", ""},
		{map[code.Spot]sighting{here: {text: "X1"}, there: lost}, "", `["X1"], which fits the recipes a, b`},
		{map[code.Spot]sighting{here: {text: "A-17"}, there: {text: "C"}}, "", `["A-17" "C"], which fits the recipes a, c`},
		{map[code.Spot]sighting{here: {text: "C"}, there: {text: "C"}}, "", "fits the recipes b, c"},
		{map[code.Spot]sighting{here: {text: "A-17x"}, there: lost}, "", `["A-17x"], which fits none of the recipes a, b, c`},
		{map[code.Spot]sighting{here: {text: "xA-17"}, there: lost}, "", "fits none"},
		{map[code.Spot]sighting{here: {text: "C-17"}, there: lost}, "", "fits none"},
		{map[code.Spot]sighting{here: lost, there: lost}, "", "nothing"},
	} {
		have, _, err := named([]coding{a, b, c}, k.seen)
		if have.recipe != k.recipe || (err == nil) != (k.fault == "") || err != nil && !strings.Contains(err.Error(), k.fault) {
			t.Errorf("%v: %q, %v; want %q, %q", k.seen, have.recipe, err, k.recipe, k.fault)
		}
	}
	if _, _, err := named(nil, nil); err == nil {
		t.Error("no recipes at all: one was found")
	}
	if serial, ok := a.serial("A-17"); serial != "17" || !ok {
		t.Errorf("serial %q, %v", serial, ok)
	}
	if serial, ok := b.serial("B-17"); serial != "" || !ok {
		t.Errorf("serial %q, %v without a group", serial, ok)
	}
}

// label prints a QR code on a copy of the board, in labelled, and what is not
// printed is white.
func label(t *testing.T, px inspector.Pixels, text string) inspector.Pixels {
	t.Helper()
	m, err := qrcode.NewQRCodeWriter().Encode(text, gozxing.BarcodeFormat_QR_CODE, 1, 1, map[gozxing.EncodeHintType]any{gozxing.EncodeHintType_MARGIN: 3})
	if err != nil {
		t.Fatal(err)
	}
	px.Data = bytes.Clone(px.Data)
	const left, top, module = 30, 30, 3
	for y := range m.GetHeight() * module {
		for x := range m.GetWidth() * module {
			v := byte(225)
			if m.Get(x/module, y/module) {
				v = 25
			}
			for c := range px.Channels {
				px.Data[(top+y)*px.Stride+(left+x)*px.Channels+c] = v
			}
		}
	}
	return px
}

// labelled is where label prints, with a margin.
const labelled = "[20, 20, 140, 140]"

// Each board is judged by the recipe that its code names, and has the serial
// that it says; a code that cannot be read, or is of no recipe or of two,
// makes it unsure.
func TestRecipeByCode(t *testing.T) {
	b, golden := simulatedBoard(t)
	still := func(n uint64) inspector.Pixels {
		px, _, err := b.Sample(n, board.Usual(board.Photo))
		if err != nil {
			t.Fatal(err)
		}
		return px
	}
	recipes, stills := t.TempDir(), t.TempDir()
	write := func(dir, name string, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(recipes, "golden.jpg", jpeg(t, label(t, golden, "GOLDEN")))
	for name, pattern := range map[string]string{"main": `MB-(?P<serial>[0-9]+)|TWO`, "power": `PW-(?P<serial>[0-9]+)|TWO`} {
		write(recipes, name+".yaml", []byte("golden: golden.jpg\ncopper: bright\nignore: ["+labelled+"]\ncode: {format: qr, region: "+labelled+", pattern: '"+pattern+"'}\n"))
	}
	for name, px := range map[string]inspector.Pixels{
		"main.jpg": label(t, still(1), "MB-417"), "power.jpg": label(t, still(2), "PW-0007"),
		"none.jpg": still(3), "strange.jpg": label(t, still(4), "QX-1"), "two.jpg": label(t, still(5), "TWO"),
	} {
		write(stills, name, jpeg(t, px))
	}
	dir := t.TempDir()
	a := startAppliance(t, dir, "INSPECTOR_RECIPES="+recipes, "INSPECTOR_RECIPE=by-code", "INSPECTOR_CAMERA_SOURCE=folder:"+stills+"?mode=once")
	a.until("the stills are judged", func() bool { return len(a.inspections("")) == 5 })
	for _, r := range a.inspections("") {
		w := map[string]struct{ recipe, serial, code, reason string }{
			"main.jpg": {"main", "417", "MB-417", ""}, "power.jpg": {"power", "0007", "PW-0007", ""},
			"none.jpg": {byCode, "", "", "no qr in " + labelled}, "strange.jpg": {byCode, "", "QX-1", `["QX-1"], which fits none of the recipes main, power`},
			"two.jpg": {byCode, "", "TWO", `["TWO"], which fits the recipes main, power`},
		}[r.Still]
		if r.Recipe != w.recipe || r.Serial != w.serial || r.Code != w.code || r.Timings.Code == 0 {
			t.Errorf("%s: recipe %s, serial %q, code %q after %v; want %+v", r.Still, r.Recipe, r.Serial, r.Code, r.Timings.Code, w)
		}
		if (r.Verdict == inspector.Unsure) != (w.reason != "") || !strings.Contains(r.Reason, w.reason) || (r.Timings.Infer == 0) != (w.reason != "") {
			t.Errorf("%s: %s because %s; want %q", r.Still, r.Verdict, r.Reason, w.reason)
		}
	}
	if s, p := a.status(), a.part("recipe"); s.Recipe != byCode || s.Model == "" || p.State != web.OK || !strings.Contains(a.part("model").Detail, "pcb/") {
		t.Errorf("status %s by %s, %+v", s.Recipe, s.Model, p)
	}
	post := func(query, text string) (i inspector.Inspection) {
		t.Helper()
		code, answer := a.do(http.MethodPost, "/api/v1/inspections?"+query, "image/jpeg", bytes.NewReader(jpeg(t, label(t, still(6), text))))
		if err := json.Unmarshal(answer, &i); code >= 300 || err != nil {
			t.Fatalf("%d %s", code, answer)
		}
		return i
	}
	for _, c := range []struct{ query, text, recipe, serial, unsure string }{
		{"recipe=main", "MB-5", "main", "5", ""},
		{"recipe=main", "PW-5", "main", "", `"PW-5", which does not fit recipe main`},
		{"recipe=simulated&serial=S", "PW-5", "simulated", "S", ""}, // has no code; its golden board has no label
		{"serial=5", "PW-5", "power", "5", ""},
		{"serial=6", "PW-5", "power", "6", `serial "6", and the code on the board "5"`},
	} {
		i := post(c.query, c.text)
		if i.Recipe != c.recipe || i.Serial != c.serial || (i.Timings.Infer == 0) != (c.unsure != "") || !strings.Contains(i.Reason, c.unsure) || c.unsure != "" && i.Verdict != inspector.Unsure {
			t.Errorf("%+v: %s by %s, serial %q: %s", c, i.Verdict, i.Recipe, i.Serial, i.Reason)
		}
	}
	if code, answer := a.useRecipe(map[string]string{"recipe": "power", "by": "Ada"}); code != http.StatusOK || !strings.Contains(answer, `"from":"by-code"`) {
		t.Errorf("%d %s", code, answer)
	}
	if i := post("", "MB-5"); i.Verdict != inspector.Unsure || !strings.Contains(i.Reason, "does not fit recipe power") {
		t.Errorf("a board of another product than is in force: %s by %s: %s", i.Verdict, i.Recipe, i.Reason)
	}
	a.stop()

	vars := map[string]string{"INSPECTOR_RECIPES": recipes, "INSPECTOR_RECIPE": byCode, "INSPECTOR_DATA": t.TempDir()}
	var out bytes.Buffer
	command(t.Context(), []string{"inspect", "--json", filepath.Join(stills, "main.jpg"), filepath.Join(stills, "two.jpg")}, func(k string) string { return vars[k] }, &out, &out)
	for _, want := range []string{`"serial":"417"`, `"recipe":"main"`, `"code":"TWO"`, `fits the recipes main, power`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("want %s in\n%s", want, &out)
		}
	}
}

// Boards of recipes without a code are not looked at for one.
func TestNoCodeCostsNothing(t *testing.T) {
	j := stubJudges(t, stub{})
	p, err := j.take("")
	if err != nil {
		t.Fatal(err)
	}
	px, ctx := grey(), t.Context()
	if n := testing.AllocsPerRun(100, func() {
		if _, r, err := j.recognise(ctx, &p, "S", px); err != nil || r != (reading{}) {
			t.Fatalf("%+v, %v", r, err)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// A board whose code names its recipe is late by that recipe's takt limit.
func TestOverdue(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		takt  time.Duration
		asked time.Time
		late  bool
	}{{0, now.Add(-time.Hour), false}, {time.Minute, now, false}, {time.Minute, now.Add(-2 * time.Minute), true}} {
		j := &job{trigger: inspector.Trigger{At: c.asked}, deadline: c.asked.Add(time.Hour)}
		if err := overdue(j); err != nil {
			t.Errorf("without a recipe: %v", err)
		}
		j.place.Store(&place{recipe: recipe{Takt: c.takt}})
		if err := overdue(j); (err != nil) != c.late {
			t.Errorf("%v after %v: %v", c.takt, now.Sub(c.asked), err)
		}
		if j.deadline = (time.Time{}); overdue(j) != nil {
			t.Error("a board of free run is late for nobody")
		}
	}
}

func TestCodeFaults(t *testing.T) {
	for text, want := range map[string]string{
		"code: {format: qr, pattern: 'A.*'}":                                 "",
		"code: {format: code128, pattern: 'A.*', region: [1, 2, 30, 40]}":    "",
		"code: {format: aztec, pattern: 'A.*'}":                              `p.yaml:1: code.format: "aztec" is unknown; want one of qr datamatrix code128`,
		"code: {format: qr}":                                                 "p.yaml:1: code.pattern: it is required",
		"code:\n  format: qr\n  pattern: 'A('":                               "p.yaml:3: code.pattern: error parsing regexp",
		"code: {format: qr, pattern: 'A)|(B'}":                               "code.pattern: error parsing regexp",
		"code: {format: qr, pattern: A, region: [30, 2, 1, 40]}":             "code.region: [30 2 1 40]",
		"code: {format: qr, pattern: A, region: [-1, 2, 30, 40]}":            "code.region",
		"code: {format: qr, pattern: A, region: [0, 0, 2049, 30]}":           "code.region: [0 0 2049 30]: at most 2048 x 2048 pixels",
		"code: {format: qr, pattern: A, region: [1, 2, 30]}":                 "code.region",
		"code: {format: qr, pattern: A, regoin: [1, 2, 30]}":                 `p.yaml:1: unknown key "regoin"`,
		"golden: a.png\ncode: qr":                                            `p.yaml:2: code: "qr" is not a group of keys`,
		"code: {format: qr, pattern: A, region: [[1, 2], [3, 4], [5, 6]]}\n": "p.yaml:1: code: a list is not a whole number",
	} {
		_, err := parseRecipe("p.yaml", []byte(text))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want %q", text, err, want)
		}
	}
	for recipe, want := range map[string]string{byCode: "the name is taken", "other": "no recipe says which codes"} {
		dir := drawnRecipes(t, recipe)
		c := defaults()
		c.Data, c.Recipes, c.Recipe = t.TempDir(), dir, byCode
		if _, err := readJudges(c, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", recipe, err, want)
		}
	}
}
