package model

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

//go:embed testdata/models
var embedded embed.FS

func TestLoad(t *testing.T) {
	inside, err := fs.Sub(embedded, "testdata/models")
	if err != nil {
		t.Fatal(err)
	}
	for what, fsys := range map[string]fs.FS{"folder": os.DirFS("testdata/models"), "embedded": inside} {
		p, err := Load(fsys, "classifier/1.0.0")
		if err != nil {
			t.Fatal(what, err)
		}
		sum := sha256.Sum256(p.ONNX)
		if want := "classifier/1.0.0@" + hex.EncodeToString(sum[:])[:12]; p.ID() != want {
			t.Errorf("ID is %s; want %s", p.ID(), want)
		}
		if p.InputSize() != 3*32*48 || p.OutputSize() != 3 || p.Good != "clean" || p.Thresholds.Pass != .3 {
			t.Errorf("read as %+v", p.Manifest)
		}
	}
}

// The shapes that open sizes and layouts come to.
func TestShapes(t *testing.T) {
	for ref, want := range map[string][2]string{
		"difference": {"1x2x64x64", "1x7x8x8"},
		"detector":   {"1x2x64x96", "1x7x8x12"},
		"mixed":      {"1x16x16x3", "1x2"},
	} {
		p, err := Find(os.DirFS("testdata/models"), ref)
		if err != nil {
			t.Fatal(err)
		}
		if in, out := shape(p.Input().Shape()), shape(p.OutputShapes()[0]); in != want[0] || out != want[1] {
			t.Errorf("%s: %s and %s; want %v", ref, in, out, want)
		}
	}
}

// changed is the classifier with text of its manifest replaced, pairwise.
func changed(t *testing.T, name, version string, pairs ...string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for _, file := range []string{"model.onnx", "model.yaml"} {
		b, err := os.ReadFile("testdata/models/classifier/1.0.0/" + file)
		if err != nil {
			t.Fatal(err)
		}
		fsys[name+"/"+version+"/"+file] = &fstest.MapFile{Data: b}
	}
	y := fsys[name+"/"+version+"/model.yaml"]
	for i := 0; i < len(pairs); i += 2 {
		if !bytes.Contains(y.Data, []byte(pairs[i])) {
			t.Fatalf("the manifest has no %q", pairs[i])
		}
		y.Data = bytes.Replace(y.Data, []byte(pairs[i]), []byte(pairs[i+1]), 1)
	}
	return fsys
}

func TestRefuses(t *testing.T) {
	for name, tt := range map[string]struct {
		pairs []string
		want  []string
	}{
		"wrong input shape":   {[]string{"width: 48", "width: 64"}, []string{`input "input"`, "1x3x32x48", "1x3x32x64", "correct width"}},
		"wrong layout":        {[]string{"NCHW", "NHWC"}, []string{"1x3x32x48", "1x32x48x3"}},
		"golden not there":    {[]string{"colour: rgb", "colour: rgb, golden: true"}, []string{"1x3x32x48", "1x6x32x48", "golden"}},
		"wrong labels":        {[]string{"labels: [scratch, stain, clean]", "labels: [scratch, clean]"}, []string{`output "output"`, "1x3", "1x2", "labels"}},
		"input's name":        {[]string{"{name: input", "{name: data"}, []string{`input "data" is not in the graph`, `["input"]`}},
		"output's name":       {[]string{"{name: output", "{name: scores"}, []string{`output "scores" is not in the graph`}},
		"both shapes at once": {[]string{"width: 48", "width: 64", "scratch, stain", "scratch"}, []string{"1x3x32x64", "1x2"}},
		"other hash":          {[]string{"sha256: ", "sha256: 00"}, []string{"sha256", "66"}},
		"missing network":     {[]string{"model.onnx", "other.onnx"}, []string{"other.onnx", "not exist"}},
		"file outside":        {[]string{"model.onnx", "../model.onnx"}, []string{"same folder"}},
	} {
		t.Run(name, func(t *testing.T) {
			want := tt.want
			if name == "other hash" {
				want = []string{"64 hexadecimal digits"}
			}
			_, err := Load(changed(t, "classifier", "1.0.0", tt.pairs...), "classifier/1.0.0")
			for _, w := range want {
				if err == nil || !strings.Contains(err.Error(), w) {
					t.Errorf("error %v lacks %q", err, w)
				}
			}
		})
	}
	fsys := changed(t, "classifier", "1.0.0")
	fsys["classifier/1.0.0/model.onnx"].Data = append([]byte{}, fsys["classifier/1.0.0/model.onnx"].Data[1:]...)
	if _, err := Load(fsys, "classifier/1.0.0"); err == nil || !strings.Contains(err.Error(), "changed or damaged") {
		t.Errorf("a damaged network: %v", err)
	}
	fsys["classifier/1.0.0/model.yaml"].Data = bytes.Repeat([]byte("# \n"), maxManifest)
	if _, err := Load(fsys, "classifier/1.0.0"); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("a huge manifest: %v", err)
	}
	if _, err := Load(fsys, "nothing"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
}

func TestFind(t *testing.T) {
	fsys := fstest.MapFS{}
	for _, v := range []string{"1.2.0", "1.10.0", "1.9.9"} {
		maps.Copy(fsys, changed(t, "classifier", v, "version: 1.0.0", "version: "+v))
	}
	fsys["classifier/9.0.0-draft/model.yaml"] = &fstest.MapFile{}
	maps.Copy(fsys, changed(t, "renamed", "1.0.0"))
	for ref, want := range map[string]string{
		"classifier":         "1.10.0",
		"classifier/1.9.9":   "1.9.9",
		"classifier/2.0.0":   "!not exist",
		"nothing":            "!versions of",
		"../classifier":      "!does not name",
		"classifier/../x":    "!does not name",
		"classifier/newest":  "!does not name",
		"renamed":            "!holds classifier/1.0.0",
		"":                   "!does not name",
		"classifier/1.2.0/x": "!does not name",
	} {
		p, err := Find(fsys, ref)
		if reason, bad := strings.CutPrefix(want, "!"); bad {
			if err == nil || !strings.Contains(err.Error(), reason) {
				t.Errorf("%q: error %v; want one with %q", ref, err, reason)
			}
		} else if err != nil || p.Version != want {
			t.Errorf("%q: %v; want %s", ref, err, want)
		}
	}
}

const faulty = `name: Board Model
version: 1.0
colour: red
task: guess
file: model.onnx
sha256: abc
licence: ""
inputs:
  - name: input
    layout: NCWH
    width: many
    height: -3
    colour: grey
    mean: [0, 1]
    scale: [0]
outputs: []
decode: {activation: relu, stride: 8}
labels: [a, b, a]
good: c
thresholds: {fail: 0.2, pass: 0.3}
`

// Every fault at once, each with its line, in the order of the lines.
func TestAllFaultsAtOnce(t *testing.T) {
	_, err := ParseManifest("m.yaml", []byte(faulty))
	var e *FaultsError
	if !errors.As(err, &e) || !e.Permanent() {
		t.Fatalf("error is %v", err)
	}
	var have []string
	for line := range strings.Lines(err.Error()) {
		have = append(have, strings.TrimSpace(line))
	}
	want := []string{
		`m.yaml:3: unknown key "colour"`, `m.yaml:1: name: "Board Model"`, `m.yaml:2: version: "1.0"`, `m.yaml:4: task: "guess"`,
		`m.yaml:6: sha256: "abc"`, `m.yaml:7: licence: missing`, `m.yaml:10: inputs.0.layout: "NCWH"`, `m.yaml:11: "many" is not a whole number`,
		`m.yaml:12: inputs.0.height: -3`, `m.yaml:14: inputs.0.mean: 2 numbers`, `m.yaml:15: inputs.0.scale: [0]`, `m.yaml:16: outputs: 0 of them`,
		`m.yaml:17: decode.activation: "relu"`, `m.yaml:17: decode.stride`, `m.yaml:18: labels.2: "a"`, `m.yaml:19: good: "c"`, `m.yaml:20: thresholds: fail 0.2 and pass 0.3`,
	}
	if !slices.EqualFunc(have, want, strings.HasPrefix) {
		t.Errorf("faults:\n%s\nwant:\n%s", strings.Join(have, "\n"), strings.Join(want, "\n"))
	}
}

func TestManifestOddities(t *testing.T) {
	good, err := os.ReadFile("testdata/models/difference/1.0.0/model.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct{ old, new, want string }{
		"as it is":            {"", "", ""},
		"empty":               {string(good), "", "empty"},
		"two documents":       {"labels:", "---\nlabels:", "more than one document"},
		"not YAML":            {"labels: [", "labels: [[", "did not find expected"},
		"a key twice":         {"version: 1.0.0", "version: 1.0.0\nname: x", "already defined"},
		"a list":              {string(good), "- a\n", "a list is not a group of keys"},
		"softmax of cells":    {"activation: none", "activation: softmax", "decode.activation"},
		"stride":              {"stride: 8", "stride: 7", "does not divide"},
		"no overlap":          {"nms: 0.3", "nms: 0", "decode.nms"},
		"grow without end":    {"grow: 0", "grow: .inf", "decode.grow"},
		"good of a detection": {"labels:", "good: extra\nlabels:", "for classification"},
		"binarised colour":    {"colour: grey", "colour: rgb", "needs colour: grey"},
		"scale not a number":  {"scale: [0.00392156862745098]", "scale: [.nan]", "finite"},
		"metric not a number": {"escapes: 0", "escapes: few", `"few" is not a number`},
		"threshold of one":    {"fail: 0.5", "fail: 1", "fail 1"},
		"unknown fit":         {"colour: grey", "fit: squeeze, colour: grey", "inputs.0.fit"},
		"overlap of nothing":  {"colour: grey", "overlap: 8, colour: grey", "for fit: tiles"},
		"overlap too large":   {"colour: grey", "fit: tiles, overlap: 40, colour: grey", "0 to 32 pixels"},
		"pad of nothing":      {"colour: grey", "pad: 0, colour: grey", "for fit: letterbox"},
		"pad beyond":          {"colour: grey", "fit: letterbox, pad: 300, colour: grey", `"300" is not a whole number from 0 to 255`},
		"bytes with a mean":   {"colour: grey", "type: uint8, colour: grey", "takes samples as they are"},
		"unknown type":        {"colour: grey", "type: float16, colour: grey", "float32 or uint8"},
		"a form too many":     {"stride: 8", "stride: 8, form: boxes", "cells or yolo"},
		"cells in yolo":       {"stride: 8", "stride: 8, form: yolo", "decode.stride"},
		"odd strides":         {"stride: 8", "strides: [8, 7], form: yolo", "7 does not divide"},
		"no stride":           {"stride: 8", "strides: [0], form: yolo", "decode.strides.0"},
		"two outputs":         {"{name: output}", "{name: output}\n  - {name: more}", "exactly one"},
		"range of boxes":      {"stride: 8", "stride: 8, range: [0, 1]", "decode.range"},
		"anomaly of kinds":    {"task: detection", "task: anomaly", "an anomaly has one name"},
		"no background":       {"task: detection", "task: segmentation", "decode.nms"},
		"threshold NaN":       {"pass: 0.3", "pass: .nan", "NaN"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ParseManifest("m.yaml", []byte(strings.Replace(string(good), tt.old, tt.new, 1)))
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error is %v; want one with %q", err, tt.want)
			case tt.want != "" && !regexp.MustCompile(`m\.yaml:\d+: `).MatchString(err.Error()):
				t.Errorf("%v has no line", err)
			}
		})
	}
}

func TestReadGraph(t *testing.T) {
	p, err := Find(os.DirFS("testdata/models"), "classifier")
	if err != nil {
		t.Fatal(err)
	}
	var ops []string
	for _, n := range p.Graph.Nodes {
		ops = append(ops, n.Op)
	}
	if want := "Conv BatchNormalization LeakyRelu MaxPool Conv Tanh GlobalAveragePool Flatten Gemm Relu Gemm Softmax"; strings.Join(ops, " ") != want {
		t.Errorf("operators %v", ops)
	}
	if p.Graph.Opset != 11 || len(p.Graph.Inputs) != 1 || len(p.Graph.Outputs) != 1 {
		t.Errorf("opset %d, inputs %v, outputs %v", p.Graph.Opset, p.Graph.Inputs, p.Graph.Outputs)
	}
	a := p.Graph.Nodes[0].Attributes
	if !slices.Equal(a["pads"].Ints, []int64{1, 1, 1, 1}) || a["group"].Int != 1 || p.Graph.Nodes[8].Attributes["alpha"].Float != .5 {
		t.Errorf("attributes %v and %v", a, p.Graph.Nodes[8].Attributes)
	}
	w, ok := p.Graph.Weight(p.Graph.Nodes[0].Inputs[1])
	numbers, err := w.Floats()
	if !ok || err != nil || len(numbers) != 8*3*3*3 || numbers[0] == 0 {
		t.Errorf("weights %v, %v", w.Shape, err)
	}
	if _, err := w.Int64s(); err == nil {
		t.Error("floats were read as whole numbers")
	}
	again, err := p.Graph.Encode()
	if err != nil {
		t.Fatal(err)
	}
	g, err := ReadGraph(again)
	if err != nil || len(g.Nodes) != len(p.Graph.Nodes) || len(g.Weights) != len(p.Graph.Weights) || shape(g.Inputs[0].Shape) != "1x3x32x48" {
		t.Errorf("written and read again: %+v, %v", g, err)
	}
	for what, junk := range map[string][]byte{"nothing": nil, "text": []byte("this is a picture"), "cut": p.ONNX[:len(p.ONNX)/2], "zeros": make([]byte, 100)} {
		if _, err := ReadGraph(junk); err == nil || !strings.Contains(err.Error(), "export the model again") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A tensor whose shape and numbers disagree is an error and not an accident.
func TestTensorsThatLie(t *testing.T) {
	for name, x := range map[string]Tensor{
		"too few":       {Type: Float32, Shape: []int64{2, 2}, floats: []float32{1}},
		"negative":      {Type: Float32, Shape: []int64{-1}, floats: nil},
		"huge":          {Type: Float32, Shape: []int64{1 << 40, 1 << 40}},
		"wraps to zero": {Type: Float32, Shape: []int64{1 << 32, 1 << 32}},
		"odd bytes":     {Type: Float32, Shape: []int64{1}, raw: []byte{1, 2, 3, 4, 5}},
		"elsewhere":     {Type: Float32, Shape: []int64{0}, external: true},
	} {
		if _, err := x.Floats(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// Junk never panics, and what is read can be written and read again.
func FuzzReadGraph(f *testing.F) {
	for _, name := range []string{"difference", "mixed", "anomaly"} {
		b, err := os.ReadFile("testdata/models/" + name + "/1.0.0/model.onnx")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		g, err := ReadGraph(b)
		if err != nil {
			return
		}
		g.Infer(map[string][]int64{"input": {1, 3, 64, 64}})
		if d, err := Guess(g, nil, ""); err == nil {
			if _, err := draft(d); err != nil {
				t.Errorf("guessed\n%s\nwhich is wrong: %v", d.Text(), err)
			}
		}
		written, err := g.Encode()
		if err != nil {
			return
		}
		if again, err := ReadGraph(written); err != nil || len(again.Nodes) != len(g.Nodes) {
			t.Errorf("cannot be read again: %v", err)
		}
	})
}

// Junk never panics, and what is accepted has sizes that can be allocated.
func FuzzParseManifest(f *testing.F) {
	for _, name := range []string{"difference", "classifier", "mixed", "yolov8", "anomaly", "unet", "multilabel"} {
		b, err := os.ReadFile("testdata/models/" + name + "/1.0.0/model.yaml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte(faulty))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := ParseManifest("m.yaml", b)
		if err != nil {
			return
		}
		p := &Package{Manifest: m}
		if p.InputSize() <= 0 || p.OutputSize() <= 0 {
			t.Errorf("sizes %d and %d of %+v", p.InputSize(), p.OutputSize(), m)
		}
	})
}
