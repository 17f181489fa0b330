package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"image"
	jpegs "image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"aead.dev/minisign"

	"inspector"
	"inspector/board"
	"inspector/classify"
	"inspector/evaluate"
	"inspector/model"
	"inspector/model/onnxruntime"
)

// drawPairs writes n pairs as DeepPCB has them: every second board is good.
func drawPairs(t *testing.T, n int) string {
	t.Helper()
	dir := t.TempDir()
	for i := range n {
		b, err := board.New(uint64(500+i), 640)
		if err != nil {
			t.Fatal(err)
		}
		o := board.Usual(board.Plate)
		o.Shift, o.Rotate, o.Defects = 0, 0, 4*(i%2)
		p, defects, err := b.Sample(uint64(i), o)
		if err != nil {
			t.Fatal(err)
		}
		golden, err := b.Golden(board.Plate)
		if err != nil {
			t.Fatal(err)
		}
		stem := filepath.Join(dir, fmt.Sprintf("%03d", i))
		writePNG(t, stem+"_test.png", p)
		writePNG(t, stem+"_temp.png", golden)
		text := "x1,y1,x2,y2,class\n"
		for _, d := range defects {
			class := 0
			for k, c := range board.Classes() {
				if c == d.Class {
					class = k + 1
				}
			}
			text += fmt.Sprintf("%g,%g,%g,%g,%d\n", d.Box.Left, d.Box.Top, d.Box.Right, d.Box.Bottom, class)
		}
		if err := os.WriteFile(stem+".csv", []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func writePNG(t *testing.T, name string, p inspector.Pixels) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := png.Encode(f, &image.Gray{Pix: p.Data, Stride: p.Stride, Rect: image.Rect(0, 0, p.Width, p.Height)}); err != nil {
		t.Fatal(err)
	}
}

// eval runs the command and gives its exit code and output.
func eval(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = command(t.Context(), append([]string{"eval"}, args...), func(string) string { return "" }, &out, &errs)
	return code, out.String(), errs.String()
}

func summaryOf(t *testing.T, stdout string) (s map[string]any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(stdout))
	if err := d.Decode(&s); err != nil {
		t.Fatalf("%v in %q", err, stdout)
	}
	if d.More() {
		t.Errorf("more than one object: %s", stdout)
	}
	return s
}

func TestEval(t *testing.T) {
	dir, out := drawPairs(t, 6), t.TempDir()
	csvFile, htmlFile := filepath.Join(out, "boards.csv"), filepath.Join(out, "report.html")
	code, stdout, stderr := eval(t, "--data", dir, "--model", "pcb@"+shippedModel(t).Version, "--json", "--workers", "3", "--csv", csvFile, "--html", htmlFile)
	if code != 0 || stderr != "" {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	s := summaryOf(t, stdout)
	for _, key := range []string{"map33", "map50", "f_score", "precision", "recall", "defect_recall"} {
		if v, ok := s[key].(float64); !ok || v < .7 || v > 1 {
			t.Errorf("%s is %v; the shipped model does better on boards like those it was trained on", key, s[key])
		}
	}
	if s["boards"] != 6. || s["good_boards"] != 3. || s["false_call_boards"] != 0. || s["escape_boards"] != 0. || len(s["per_class"].(map[string]any)) != 6 || s["data"] != filepath.Base(dir) {
		t.Errorf("%s", stdout)
	}
	code, alone, stderr := eval(t, "--data", dir, "--json", "--workers", "1")
	if code != 0 {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	again := summaryOf(t, alone)
	delete(s, "median_ms")
	delete(again, "median_ms")
	if a, b := fmt.Sprint(s), fmt.Sprint(again); a != b {
		t.Errorf("three workers give\n%s\none gives\n%s", a, b)
	}
	f, err := os.Open(csvFile)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if rows, err := csv.NewReader(f).ReadAll(); err != nil || len(rows) != 7 || rows[1][0] != "000" || rows[2][4] != "4" {
		t.Errorf("%v, %v", rows, err)
	}
	if page, err := os.ReadFile(htmlFile); err != nil || !bytes.Contains(page, []byte("<polyline")) || !bytes.Contains(page, []byte("</html>")) {
		t.Errorf("%s, %v", page, err)
	}
}

// The same boards give the same figures, whatever the format.
// What is measured is what may judge: the variant that was named, of a package
// with all its hashes and a signature of whoever is trusted.
func TestEvalVariantAndTrust(t *testing.T) {
	dir, p := drawPairs(t, 2), shippedModel(t)
	if _, err := onnxruntime.Find(); err == nil {
		code, stdout, stderr := eval(t, "--data", dir, "--variant", "int8", "--json")
		if code != 0 {
			t.Fatalf("exit %d: %s", code, stderr)
		}
		s := summaryOf(t, stdout)
		if want := p.Variants[model.INT8].SHA256[:12]; s["runtime"] != "onnxruntime int8" || !strings.HasSuffix(fmt.Sprint(s["model"]), want) {
			t.Errorf("%v on %v; want %s", s["model"], s["runtime"], want)
		}
	}
	key, _, err := minisign.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	strict := filepath.Join(t.TempDir(), "inspector.yaml")
	if err := os.WriteFile(strict, fmt.Appendf(nil, "model: {trusted_keys: [%q]}\n", key.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	models := t.TempDir()
	damaged := filepath.Join(models, "pcb", p.Version)
	if err := os.CopyFS(damaged, os.DirFS("../../models/pcb/"+p.Version)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(damaged, "vectors/expected.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, args := range map[string][]string{
		"--variant fp32 or --variant int8": {"--variant", "auto"},
		"want one of":                      {"--variant", "int4"},
		"is not signed":                    {"--config", strict},
		"damaged":                          {"--models", models},
	} {
		code, _, stderr := eval(t, append([]string{"--data", dir}, args...)...)
		if code != 2 || !strings.Contains(stderr, want) {
			t.Errorf("%v: exit %d, %q; want %q", args, code, stderr, want)
		}
	}
}

func TestEvalFormatsAgree(t *testing.T) {
	pairs := drawPairs(t, 4)
	d, err := evaluate.Open(pairs, evaluate.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var images, annotations []map[string]any
	var categories []map[string]any
	for i, c := range d.Classes {
		categories = append(categories, map[string]any{"id": i, "name": c})
	}
	other := t.TempDir()
	for _, folder := range []string{"images", "labels", "goldens"} {
		if err := os.Mkdir(filepath.Join(other, folder), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	for i, s := range d.Samples {
		truth, err := s.Truth(640, 640)
		if err != nil {
			t.Fatal(err)
		}
		images = append(images, map[string]any{"id": i, "file_name": s.Name + ".png"})
		labels := ""
		for _, d := range truth {
			class := slices.Index(board.Classes(), d.Class)
			w, h := d.Box.Right-d.Box.Left, d.Box.Bottom-d.Box.Top
			annotations = append(annotations, map[string]any{"image_id": i, "category_id": class, "bbox": []float32{d.Box.Left, d.Box.Top, w, h}})
			labels += fmt.Sprintf("%d %g %g %g %g\n", class, (d.Box.Left+w/2)/640, (d.Box.Top+h/2)/640, w/640, h/640)
		}
		for from, to := range map[string]string{s.Picture: "images", s.Golden: "goldens"} {
			if err := os.Link(from, filepath.Join(other, to, s.Name+".png")); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(other, "labels", s.Name+".txt"), []byte(labels), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	text, err := json.Marshal(map[string]any{"images": images, "annotations": annotations, "categories": categories})
	if err != nil {
		t.Fatal(err)
	}
	coco, yolo := filepath.Join(other, "boards.json"), filepath.Join(other, "data.yaml")
	for file, text := range map[string]string{coco: string(text), yolo: "names: [" + strings.Join(board.Classes(), ", ") + "]\n"} {
		if err := os.WriteFile(file, []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	figures := map[string]string{}
	for format, args := range map[string][]string{"deeppcb": {"--data", pairs}, "coco": {"--data", coco, "--golden", "goldens"}, "yolo": {"--data", other}} {
		code, stdout, stderr := eval(t, append(args, "--json")...)
		if code != 0 {
			t.Fatalf("%s: exit %d: %s", format, code, stderr)
		}
		s := summaryOf(t, stdout)
		if s["format"] != format {
			t.Errorf("%s is read as %s", format, s["format"])
		}
		figures[format] = fmt.Sprint(s["map33"], s["map50"], s["f_score"], s["defect_recall"], s["false_call_boards"], s["confusion"], s["boards"])
	}
	if figures["coco"] != figures["deeppcb"] || figures["yolo"] != figures["deeppcb"] {
		t.Errorf("%q", figures)
	}
}

func TestEvalTable(t *testing.T) {
	dir := drawPairs(t, 2)
	code, stdout, stderr := eval(t, "--data", dir, "--goldens-as-good", "--limit", "2")
	if code != 0 {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	for _, want := range []string{"4 boards, of which 3 good; 4 defects", "mAP, IoU > 0.33", "95 % OF RESAMPLES", "good boards failed (false calls)", "pin-hole", "IS \\ CALLED"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
	if strings.Contains(stdout, "%!") {
		t.Errorf("badly formatted:\n%s", stdout)
	}
}

// A recipe's limits and golden board are those that count.
func TestEvalByRecipe(t *testing.T) {
	dir := drawPairs(t, 2)
	boards := t.TempDir() // one folder for each label, all of one board
	for label, still := range map[string]string{"good": "001_temp.png", "scratched": "001_test.png"} {
		if err := os.Mkdir(filepath.Join(boards, label), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(filepath.Join(dir, still), filepath.Join(boards, label, "a.png")); err != nil {
			t.Fatal(err)
		}
	}
	recipe := filepath.Join(t.TempDir(), "board.yaml")
	golden := filepath.Join(boards, "good", "a.png")
	if err := os.WriteFile(recipe, []byte("golden: "+golden+"\nlimits: {fail: 0.999, pass: 0.01}\nclasses: {open: {fail: 0.998, pass: 0.02}}\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := eval(t, "--data", boards, "--recipe", recipe, "--json")
	s := summaryOf(t, stdout)
	if code != 0 || !strings.Contains(stderr, "only whole boards are compared") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	if s["map33"] != nil || s["escape_boards"] != 0. || s["boards"] != 2. || s["recipe"] != "board" || s["format"] != "folders" {
		t.Errorf("%s", stdout)
	}
	limits := s["limits"].(map[string]any)
	if limits["pass"] != .01 || limits["classes"].(map[string]any)["open"].(map[string]any)["fail"] != .998 {
		t.Errorf("limits %v", limits)
	}
	code, stdout, _ = eval(t, "--data", boards, "--recipe", recipe, "--json", "--goldens-as-good")
	if s := summaryOf(t, stdout); code != 0 || s["boards"] != 3. || s["good_boards"] != 2. {
		t.Errorf("exit %d, %s; want the one golden board once", code, stdout)
	}
	code, _, stderr = eval(t, "--data", boards, "--recipe", recipe, "--copper", "green")
	if code != 2 || !strings.Contains(stderr, `--copper: "green" is unknown`) {
		t.Errorf("exit %d: %s", code, stderr)
	}
}

func TestEvalFaults(t *testing.T) {
	dir := drawPairs(t, 2)
	noGoldens := filepath.Join(t.TempDir(), "d")
	for _, label := range []string{"good", "bad"} {
		if err := os.MkdirAll(filepath.Join(noGoldens, label), 0o777); err != nil {
			t.Fatal(err)
		}
		writePNG(t, filepath.Join(noGoldens, label, "x.png"), inspector.Pixels{Width: 4, Height: 4, Channels: 1, Stride: 4, Data: make([]byte, 16)})
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no data":           {nil, "name the data set with --data"},
		"an argument":       {[]string{dir}, "eval takes no"},
		"no worker":         {[]string{"--data", dir, "--workers", "0"}, "want at least 1"},
		"no such folder":    {[]string{"--data", dir + "x"}, "there is no folder or file " + dir + "x"},
		"no such model":     {[]string{"--data", dir, "--model", "other@1.0.0"}, "other/1.0.0"},
		"no such runtime":   {[]string{"--data", dir, "--runtime", "abacus"}, `model.runtime: "abacus" is unknown`},
		"no such format":    {[]string{"--data", dir, "--format", "tar"}, "want deeppcb, coco, yolo or folders"},
		"no recipes":        {[]string{"--data", dir, "--recipe", "mainboard"}, "names no folder of recipes"},
		"broken rename":     {[]string{"--data", dir, "--rename", "open"}, "want OLD=NEW"},
		"strange classes":   {[]string{"--data", dir, "--rename", "open=a,short=b,mousebite=c,spur=d,copper=e,pin-hole=f"}, "name equals with --rename OLD=NEW"},
		"no golden board":   {[]string{"--data", noGoldens}, "the recipe must give the picture of a good one"},
		"no golden at all":  {[]string{"--data", noGoldens, "--golden", "bad/x.png", "--goldens-as-good", "--limit", "1", "--copper", "red"}, `"red" is unknown`},
		"nothing as good":   {[]string{"--data", noGoldens, "--goldens-as-good"}, "say where they are with --golden"},
		"page in no folder": {[]string{"--data", dir, "--html", filepath.Join(dir, "none", "x.html")}, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			if code, stdout, stderr := eval(t, c.args...); code != 2 || !strings.Contains(stderr, c.want) || stdout != "" {
				t.Errorf("exit %d: %s%s; want 2 and %q", code, stdout, stderr, c.want)
			}
		})
	}
	t.Run("a broken picture is unsure and an error", func(t *testing.T) {
		if err := os.WriteFile(filepath.Join(dir, "001_test.png"), []byte("nonsense"), 0o666); err != nil {
			t.Fatal(err)
		}
		code, stdout, stderr := eval(t, "--data", dir, "--json")
		s := summaryOf(t, stdout)
		if code != 2 || !strings.Contains(stderr, "1 of 2 boards could not be read") || !strings.Contains(stderr, "001_test.png: it is no JPEG") {
			t.Errorf("exit %d: %s", code, stderr)
		}
		if s["unjudged_boards"] != 1. || s["defects"] != 4. || s["defect_recall"] != 0. || s["escape_boards"] != 0. {
			t.Errorf("%s", stdout)
		}
	})
}

func TestBar(t *testing.T) {
	for _, c := range []struct {
		done, all int
		after     time.Duration
		want      string
	}{
		{0, 100, time.Second, "[..............................] 0 of 100 boards"},
		{50, 100, 10 * time.Second, "[###############...............] 50 of 100 boards, 5.0 a second, 10s left"},
		{100, 100, 90 * time.Second, "[##############################] 100 of 100 boards, 1.1 a second, 0s left"},
		{0, 0, 0, "[..............................] 0 of 0 boards"},
	} {
		if have := bar(c.done, c.all, c.after, "boards"); have != c.want {
			t.Errorf("%q; want %q", have, c.want)
		}
	}
	if terminal(new(bytes.Buffer)) {
		t.Error("a buffer is a terminal")
	}
}

// The cut shows the same pixels, whatever the picture's stride.
func TestCut(t *testing.T) {
	p := inspector.Pixels{Width: 8, Height: 4, Channels: 1, Stride: 10, Data: make([]byte, 40)}
	p.Data[2*10+5] = 200
	x := cut(p, image.Rect(4, 1, 8, 4))
	m, err := png.Decode(bytes.NewReader(x.Data))
	if err != nil {
		t.Fatal(err)
	}
	if r, _, _, _ := m.At(m.Bounds().Min.X+1, m.Bounds().Min.Y+1).RGBA(); x.Type != "image/png" || m.Bounds().Size() != image.Pt(4, 3) || r>>8 != 200 {
		t.Errorf("%s of %v with %d", x.Type, m.Bounds(), r>>8)
	}
	colour := inspector.Pixels{Width: 16, Height: 16, Channels: 3, Stride: 50, Data: make([]byte, 800)}
	for y := 8; y < 16; y++ {
		copy(colour.Data[y*50+8*3:], bytes.Repeat([]byte{255}, 8*3))
	}
	x = cut(colour, image.Rect(8, 8, 16, 16))
	if m, err = jpegs.Decode(bytes.NewReader(x.Data)); err != nil {
		t.Fatal(err)
	}
	if r, _, _, _ := m.At(1, 1).RGBA(); x.Type != "image/jpeg" || m.Bounds() != image.Rect(0, 0, 8, 8) || r>>8 < 250 {
		t.Errorf("%s of %v with %d", x.Type, m.Bounds(), r>>8)
	}
	if x := (evaluate.Exhibit{Tested: cut(p, image.Rectangle{})}); len(x.Tested.Data) != 0 {
		t.Error("nothing has pixels")
	}
}

// The model is the recipe's, unless another one is asked for.
func TestEvalTakesTheRecipesModel(t *testing.T) {
	folder := t.TempDir()
	addModel(t, folder, "1.0.0", nil)
	addModel(t, folder, "1.1.0", nil)
	file := filepath.Join(folder, "r.yaml")
	if err := os.WriteFile(file, []byte("model: pcb@1.0.0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for asked, want := range map[string]string{"": "1.0.0", "pcb@1.1.0": "1.1.0"} {
		e, err := openEvaluation(t.Context(), evalOptions{recipe: file, models: folder, model: asked, workers: 1, runtime: "onnx-go"}, func(string) string { return "" })
		if err != nil {
			t.Fatal(err)
		}
		if e.pkg.Version != want {
			t.Errorf("%q: %s judges; want %s", asked, e.pkg.ID(), want)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Boards are judged as the line judges them by the same recipe, its aligning,
// regions and sizes included.
func TestEvalJudgesByTheWholeRecipe(t *testing.T) {
	dir := t.TempDir()
	for text, want := range map[string]classify.Recipe{
		"copper: bright\n": {Align: true, Etch: 1, Copper: classify.Bright},
		"align: false\netch: 0\nsmallest: 7\nignore: [[1, 2, 30, 40]]\n": {Copper: classify.Dark, Smallest: 7, Ignore: make([]classify.Polygon, 1)},
	} {
		file := filepath.Join(dir, "r.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		r, name, err := evalOptions{recipe: file}.recipeIn("")
		if err != nil || name != "r" {
			t.Fatal(name, err)
		}
		e := evaluation{pkg: shippedModel(t)}
		if err := e.judgeBy(r, evalOptions{}); err != nil {
			t.Fatal(err)
		}
		s := e.settings
		if s.Align != want.Align || s.Etch != want.Etch || s.Copper != want.Copper || s.Smallest != want.Smallest || len(s.Ignore) != len(want.Ignore) || s.Limits != classify.Limits(e.pkg.Thresholds) {
			t.Errorf("%q gives %+v", text, s)
		}
	}
}
