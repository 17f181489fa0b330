package main

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"inspector"
	"inspector/model"
	"inspector/model/modeltest"
	"inspector/model/onnxruntime"
)

// Networks in full size, as their own libraries write them today, go unchanged
// through 'model inspect' and 'model add' to a recipe, and every runtime that
// claims them gives PyTorch's numbers and the same defects.
// model/testdata/exports.py makes them; with -v the test says what docs/models.md
// has in a table.
func TestExports(t *testing.T) {
	folder := os.Getenv("INSPECTOR_EXPORTS")
	if folder == "" {
		t.Skip("make conformance FULL=1 exports the networks")
	}
	if _, err := onnxruntime.Find(); err != nil {
		t.Skip(err)
	}
	files, err := filepath.Glob(filepath.Join(folder, "*/export.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("nothing is exported in %s, %v", folder, err)
	}
	for _, file := range files {
		dir := filepath.Dir(file)
		t.Run(filepath.Base(dir), func(t *testing.T) { export(t, dir) })
	}
}

func export(t *testing.T, dir string) {
	name := filepath.Base(dir)
	var made struct {
		By        string            `json:"by"`
		Flags     map[string]string `json:"flags"`
		Tolerance string            `json:"tolerance"`
	}
	text, err := os.ReadFile(filepath.Join(dir, "export.json"))
	if err == nil {
		err = json.Unmarshal(text, &made)
	}
	if err != nil {
		t.Fatal(err)
	}
	onnx := filepath.Join(dir, "model.onnx")
	code, out, errs := shell(t, nil, "model", "inspect", "--json", onnx)
	var s sight
	if err := json.Unmarshal([]byte(out), &s); err != nil || code != 0 || s.Task == "" || len(s.Unknown) > 0 && name != "patchcore" {
		t.Fatalf("model inspect: %d, %v, %s%s", code, err, out, errs)
	}
	models := t.TempDir()
	add := []string{"model", "add", onnx, "--name", name, "--folder", models, "--licence", "LicenseRef-none"}
	for flag, value := range made.Flags {
		add = append(add, "--"+flag, value)
	}
	if code, out, errs = shell(t, nil, add...); code != 0 {
		t.Fatalf("model add: %d, %s%s", code, out, errs)
	}
	if err := os.CopyFS(filepath.Join(models, name, "1.0.0/vectors"), os.DirFS(filepath.Join(dir, "vectors"))); err != nil {
		t.Fatal(err)
	}
	if made.Tolerance != "" {
		manifest := filepath.Join(models, name, "1.0.0/model.yaml")
		text, err := os.ReadFile(manifest)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(manifest, fmt.Appendf(text, "tolerance: %s\n", made.Tolerance), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := modeltest.Find(t, models, name)
	row := fmt.Sprintf("| %s | %s | opset %d | %s | ", name, made.By, s.Opset, thousands(s.MACs, "MAC"))
	var first []inspector.Defect
	for i, r := range everyRuntime(t, models, p) {
		claims := r.at == "" || r.at == "onnx-go" && slices.ContainsFunc(s.Runtimes, func(s sightRuntime) bool { return s.Name == r.at && s.Runs })
		if !claims {
			row += "- | "
			continue
		}
		worst, defects := judgedBy(t, r.config, p)
		row += fmt.Sprintf("%.1g | ", worst)
		if i == 0 {
			first = defects
		}
		if !alike(first, defects) {
			t.Errorf("%s finds %+v; onnxruntime %+v", r.name, defects, first)
		}
	}
	if p.Task != model.Classification && len(first) == 0 {
		t.Error("nothing is found, so that the comparison of defects proves nothing")
	}
	t.Logf("%s%d |", row, len(first))
}

// A way to run a model; at names the runtime that must claim it, if it is none
// that ONNX Runtime is behind.
type way struct {
	name, at string
	config   Config
}

func everyRuntime(t *testing.T, models string, p *model.Package) []way {
	behind, err := onnxruntime.Open("", p, onnxruntime.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { behind.Close() })
	web := httptest.NewServer(modeltest.HTTP(p, behind.Run))
	t.Cleanup(web.Close)
	recipes := t.TempDir()
	if err := os.WriteFile(filepath.Join(recipes, "own.yaml"), fmt.Appendf(nil, "model: %s\n", p.Name), 0o600); err != nil {
		t.Fatal(err)
	}
	c := defaults()
	c.Model.Name, c.Model.Folder, c.Recipes, c.Recipe, c.Model.RequireVectors = p.Name, models, recipes, "own", true
	ways := []way{{name: "onnxruntime"}, {name: "onnx-go", at: "onnx-go"}, {name: "remote over HTTP"}, {name: "remote over gRPC"}}
	for i, remote := range []string{"", "", web.URL, "grpc://" + modeltest.ServeGRPC(t, p, behind.Run)} {
		ways[i].config = c
		ways[i].config.Data, ways[i].config.Model.Remote = t.TempDir(), remote
		ways[i].config.Model.Runtime, _, _ = strings.Cut(ways[i].name, " ")
	}
	return ways
}

// judgedBy has the model prove itself by its vector and judge a board by the
// recipe. worst is how far its numbers were from PyTorch's.
func judgedBy(t *testing.T, c Config, p *model.Package) (worst float32, defects []inspector.Defect) {
	c.Trigger.Takt *= 100 // onnx-go is slow
	j, err := openJudges(t.Context(), c, nil)
	if err != nil {
		t.Fatalf("%s: %v", c.Model.Runtime, err)
	}
	defer j.Close()
	place, err := j.take("")
	if err != nil {
		t.Fatal(err)
	}
	defer place.leave()
	proof := place.proof
	if proof.Vectors != 1 || proof.Worst > p.Tolerance() {
		t.Errorf("%s: %+v", c.Model.Runtime, proof)
	}
	own, err := place.of("")
	if err != nil {
		t.Fatal(err)
	}
	board := grain(p.Input().Width, p.Input().Height)
	r := own.Classify(t.Context(), board)
	if r.Verdict == "" || r.Timings.Infer == 0 {
		t.Errorf("%s: %+v", c.Model.Runtime, r)
	}
	return proof.Worst, r.Defects
}

// grain is a picture in which no two places are alike.
func grain(w, h int) inspector.Pixels {
	p := inspector.Pixels{Width: w, Height: h, Channels: 3, Stride: 3 * w, Data: make([]byte, 3*w*h)}
	for i := range p.Data {
		x, y, c := i/3%w, i/3/w, i%3
		p.Data[i] = byte((x/4*37 + y/4*59 + c*29) ^ (x*y)>>3)
	}
	return p
}

func alike(a, b []inspector.Defect) bool {
	near := func(x, y float32, by float64) bool {
		return modeltest.Distance([]float32{x}, []float32{y}) <= by
	}
	return slices.EqualFunc(a, b, func(x, y inspector.Defect) bool {
		return x.Class == y.Class && near(x.Score, y.Score, 1e-4) &&
			near(x.Box.Left, y.Box.Left, .05) && near(x.Box.Top, y.Box.Top, .05) && near(x.Box.Right, y.Box.Right, .05) && near(x.Box.Bottom, y.Box.Bottom, .05)
	})
}
