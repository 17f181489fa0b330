package model

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
)

// draft completes what Guess leaves to others.
func draft(d Draft) (Manifest, error) {
	d.Name, d.Version, d.File, d.Licence, d.SHA256 = "x", "1.0.0", "model.onnx", "MIT", strings.Repeat("0", 64)
	return ParseManifest("model.yaml", d.Text())
}

// What is guessed from a graph is what its manifest says, but for what no graph
// tells.
func TestGuess(t *testing.T) {
	for ref, tt := range map[string]struct {
		check string                  // keys to look at again
		same  func(m, real *Manifest) // settles what cannot be known
	}{
		"resnet18":   {"activation colour mean thresholds", nil},
		"mobilenet":  {"activation colour mean thresholds", nil},
		"multilabel": {"activation colour good thresholds", func(m, real *Manifest) { m.Inputs[0].Colour, m.Decode.Activation = "bgr", "sigmoid" }},
		"yolov8":     {"colour fit mean nms thresholds", func(m, real *Manifest) { m.Decode.PerClass = true }},
		"yolo11":     {"colour fit mean nms thresholds", func(m, real *Manifest) { m.Inputs[0].Fit = "" }},
		"anomaly":    {"colour mean thresholds", nil},
		"unet":       {"activation colour mean thresholds", func(m, real *Manifest) { m.Decode.MinArea = 4 }},
		"classifier": {"colour mean thresholds", nil},
		"difference": {"golden mean nms task thresholds", func(m, real *Manifest) { m.Inputs[0].Binarise, m.Decode.NMS, real.Decode.Form = true, .3, Cells }},
	} {
		t.Run(ref, func(t *testing.T) {
			p, err := Find(os.DirFS("testdata/models"), ref)
			if err != nil {
				t.Fatal(err)
			}
			d, err := Guess(p.Graph, p.Labels, p.Good)
			if err != nil {
				t.Fatal(err)
			}
			var check []string
			for key := range d.Check {
				check = append(check, key)
			}
			if slices.Sort(check); strings.Join(check, " ") != tt.check {
				t.Errorf("asks to check %q; want %q", check, tt.check)
			}
			have, err := draft(d)
			if err != nil {
				t.Fatal(err)
			}
			want := p.Manifest
			want.Inputs = slices.Clone(want.Inputs)
			if tt.same != nil {
				tt.same(&have, &want)
			}
			a, b := have.Inputs[0], want.Inputs[0]
			a.Mean, a.Scale, b.Mean, b.Scale = nil, nil, nil, nil
			if have.Task != want.Task || a.String() != b.String() || a.Colour != b.Colour || a.Fit != b.Fit || a.Golden != b.Golden ||
				!slices.Equal(have.Outputs, want.Outputs) || have.Good != want.Good || have.Decode.Form != want.Decode.Form ||
				have.Decode.Activation != want.Decode.Activation || have.Decode.Cell() != want.Decode.Cell() {
				t.Errorf("guessed\n%+v\nwant\n%+v", have, want)
			}
			for i := range have.Inputs[0].Mean {
				for _, sample := range []uint8{0, 255} {
					if x, y := have.Inputs[0].Number(i, sample), want.Inputs[0].Number(i, sample); ref != "classifier" && (x-y > 1e-3 || y-x > 1e-3) {
						t.Errorf("sample %d is %v; want %v", sample, x, y)
					}
				}
			}
		})
	}
}

// What exporters note beside the graph is used, and what is not there is asked.
func TestGuessNotes(t *testing.T) {
	p, err := Find(os.DirFS("testdata/models"), "yolov8")
	if err != nil {
		t.Fatal(err)
	}
	g := p.Graph
	g.Metadata = map[string]string{"names": `{0: 'dry joint', 1: "bridge"}`, "imgsz": "[64, 64]"}
	g.Inputs = []Value{{Name: "input", Type: Float32, Shape: []int64{-1, 3, -1, -1}}}
	d, err := Guess(g, nil, "")
	if err != nil || !slices.Equal(d.Labels, []string{"dry joint", "bridge"}) || d.Inputs[0].Height != 64 || d.Inputs[0].Width != 64 || d.Check["width"] == "" {
		t.Errorf("%+v, %v", d.Manifest, err)
	}
	g.Metadata = nil
	g.Inputs = p.Graph.Inputs
	if d, err = Guess(g, nil, ""); err != nil || d.Labels[1] != "label1" || !strings.Contains(d.Check["labels"], "placeholders") {
		t.Errorf("%+v, %v", d.Labels, err)
	}
	if r, err := Find(os.DirFS("testdata/models"), "resnet18"); err != nil {
		t.Error(err)
	} else if d, err := Guess(r.Graph, []string{"scratch", "OK"}, ""); err != nil || d.Good != "OK" {
		t.Errorf("good is %q, %v", d.Good, err)
	} else if d, err := Guess(r.Graph, nil, ""); err != nil || d.Good != "" || !strings.Contains(string(d.Text()), "# good: LABEL   # CHECK: missing") {
		t.Errorf("good is %q, %v", d.Good, err)
	}
}

// Where shapes cannot be followed, the exporter's word for an output is taken.
func TestGuessBelievesTheExporter(t *testing.T) {
	p, err := Find(os.DirFS("testdata/models"), "anomaly")
	if err != nil {
		t.Fatal(err)
	}
	g := p.Graph
	g.Nodes = slices.Clone(g.Nodes)
	for i := range g.Nodes {
		g.Nodes[i].Domain = "of.nobody"
	}
	for i, v := range g.Outputs {
		if g.Outputs[i].Shape = []int64{-1, 1}; v.Name == "anomaly_map" {
			g.Outputs[i].Shape = []int64{-1, 1, 64, 64}
		}
	}
	if d, err := Guess(g, nil, ""); err != nil || d.Task != Anomaly || len(d.Outputs) != 2 {
		t.Errorf("%+v, %v", d.Manifest, err)
	}
}

func TestGuessesNothing(t *testing.T) {
	p, err := Find(os.DirFS("testdata/models"), "resnet18")
	if err != nil {
		t.Fatal(err)
	}
	picture := func(typ ElementType, shape ...int64) func(*Graph) {
		return func(g *Graph) { g.Inputs = []Value{{Name: "input", Type: typ, Shape: shape}} }
	}
	for name, tt := range map[string]struct {
		change func(*Graph)
		labels []string
		good   string
		want   string
	}{
		"two inputs":     {func(g *Graph) { g.Inputs = slices.Repeat(g.Inputs, 2) }, nil, "", "2 inputs"},
		"no picture":     {picture(Float32, 1, 3), nil, "", "four sizes"},
		"half precision": {picture(10, 1, 3, 64, 64), nil, "", "float16"},
		"two at once":    {picture(Float32, 2, 3, 64, 64), nil, "", "batch of 1"},
		"no colours":     {picture(Float32, 1, 64, 64, 64), nil, "", "1 or 3 colours"},
		"labels":         {nil, []string{"a", "b", "c"}, "", "3 labels"},
		"good":           {nil, []string{"a", "b"}, "c", "not one of the labels"},
		"odd output":     {func(g *Graph) { g.Outputs = []Value{{Name: "output", Type: Int64}} }, nil, "", "by hand"},
	} {
		g := p.Graph
		if tt.change != nil {
			tt.change(&g)
		}
		_, err := Guess(g, tt.labels, tt.good)
		var guess *GuessError
		if !errors.As(err, &guess) || !guess.Permanent() || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v; want %q", name, err, tt.want)
		}
	}
}

// A file of 2 GB is refused at once by its size, as are weights elsewhere.
func TestRefusesLargeAndScattered(t *testing.T) {
	dir := t.TempDir()
	fsys := changed(t, "classifier", "1.0.0")
	for _, file := range []string{"model.yaml", "model.onnx"} {
		if err := os.WriteFile(dir+"/"+file, fsys["classifier/1.0.0/"+file].Data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Truncate(dir+"/model.onnx", 2<<30); err != nil {
		t.Fatal(err)
	}
	var large *TooLargeError
	if _, err := Load(os.DirFS(dir), "."); !errors.As(err, &large) || large.Size != 2<<30 || !large.Permanent() || !strings.Contains(err.Error(), "export the network without") {
		t.Errorf("error is %v", err)
	}
}

// Every fault of the fit is told, each of which says what to correct.
func TestMismatch(t *testing.T) {
	for name, pairs := range map[string][]string{
		"shape": {"width: 48", "width: 64"},
		"type":  {"colour: rgb, mean: [123.7, 116.3, 103.5], scale: [0.017, 0.0175, 0.0174]", "colour: rgb, type: uint8"},
		"label": {"labels: [scratch, stain, clean]", "labels: [scratch, clean]"},
	} {
		_, err := Load(changed(t, "classifier", "1.0.0", pairs...), "classifier/1.0.0")
		var mismatch *MismatchError
		if !errors.As(err, &mismatch) || !mismatch.Permanent() || !strings.Contains(err.Error(), "correct") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
