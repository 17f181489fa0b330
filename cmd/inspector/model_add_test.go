package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"inspector/classify"
)

const zooFolder = "../../model/testdata/models"

// shell runs one subcommand and gives what it said.
func shell(t *testing.T, vars map[string]string, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = command(t.Context(), args, func(k string) string { return vars[k] }, &out, &errs)
	return code, out.String(), errs.String()
}

// A newcomer's way: look at the network, add it, judge a board by it.
func TestModelOfYourOwn(t *testing.T) {
	dir := t.TempDir()
	onnx := filepath.Join(zooFolder, "resnet18/1.0.0/model.onnx")
	code, out, errs := shell(t, nil, "model", "inspect", onnx)
	for _, want := range []string{"20 Conv, 17 Relu, 8 Add", "opset 13", "?x3x64x64", "44.5 k", "1.14 MMAC", "onnx-go", "can execute it", "looks like", "classification"} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("code %d, %q lacks %q (%s)", code, out, want, errs)
		}
	}
	add := []string{"model", "add", onnx, "--name", "mine", "--folder", dir, "--labels", "defective, defect_free", "--good", "defect_free"}
	code, out, errs = shell(t, nil, add...)
	for _, want := range []string{"classification of 2 labels", "runs on onnx-go", "CHECK: the licence", "CHECK: ImageNet's"} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("code %d, %q lacks %q (%s)", code, out, want, errs)
		}
	}
	file := filepath.Join(dir, "mine/1.0.0/model.yaml")
	first, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if code, _, errs = shell(t, nil, append(add, "--licence", "MIT")...); code != 1 || !strings.Contains(errs, "is there already and is not changed") {
		t.Errorf("added again: %d, %s", code, errs)
	}
	if again, err := os.ReadFile(file); err != nil || !bytes.Equal(first, again) {
		t.Errorf("model.yaml was changed, %v", err)
	}
	if code, _, errs = shell(t, map[string]string{"INSPECTOR_MODEL_FOLDER": dir}, "model", "add", "--name", "mine", "--version", "1.0.1", onnx); code != 0 {
		t.Errorf("another version: %d, %s", code, errs)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "mine", ".adding-*")); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	picture, err := classify.JPEG(grey(), 90)
	if err != nil {
		t.Fatal(err)
	}
	board := filepath.Join(dir, "board.jpg")
	if err := os.WriteFile(board, picture, 0o600); err != nil {
		t.Fatal(err)
	}
	own := map[string]string{"INSPECTOR_MODEL_FOLDER": dir, "INSPECTOR_MODEL_NAME": "mine/1.0.0"}
	code, out, errs = shell(t, own, "inspect", "--json", board)
	var i struct{ Model, Reason string }
	if err := json.Unmarshal([]byte(out), &i); err != nil || code > 1 || !strings.HasPrefix(i.Model, "mine/1.0.0@") || !strings.Contains(i.Reason, "defective") {
		t.Errorf("code %d, %q, %s, %v", code, out, errs, err)
	}
}

func TestModelInspectJSON(t *testing.T) {
	code, out, errs := shell(t, nil, "model", "inspect", "--json", filepath.Join(zooFolder, "yolov8/1.0.0/model.onnx"))
	var s sight
	if err := json.Unmarshal([]byte(out), &s); err != nil {
		t.Fatalf("%v: %s%s", err, out, errs)
	}
	if s.Opset != 12 || s.MACs != 809_056 || s.FLOPs != 2*s.MACs || s.Operators["Conv"] != 58 || s.Task != "detection" || len(s.SHA256) != 64 {
		t.Errorf("%+v", s)
	}
	for _, r := range s.Runtimes {
		if r.Name == "onnx-go" && (r.Runs || len(r.Lacks) == 0 || r.Lacks[0] != "Split") || r.Name == "onnxruntime" && code == 0 && !r.Runs {
			t.Errorf("code %d, %+v", code, r)
		}
	}
}

// Whatever is no usable model is said so, with the remedy, and nothing is made.
func TestModelAddRefuses(t *testing.T) {
	dir := t.TempDir()
	whole, err := os.ReadFile(filepath.Join(zooFolder, "resnet18/1.0.0/model.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	good, cut, large := filepath.Join(dir, "good.onnx"), filepath.Join(dir, "cut.onnx"), filepath.Join(dir, "large.onnx")
	for name, data := range map[string][]byte{good: whole, cut: whole[:len(whole)/2], large: nil} {
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Truncate(large, 2<<30); err != nil {
		t.Fatal(err)
	}
	folder := filepath.Join(dir, "models")
	for name, tt := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no command":    {nil, 2, "usage: inspector model"},
		"no file":       {[]string{"inspect"}, 2, "name an ONNX file"},
		"not there":     {[]string{"inspect", filepath.Join(dir, "none.onnx")}, 2, "there is no file"},
		"two files":     {[]string{"inspect", good, cut}, 2, "one file at a time"},
		"cut off":       {[]string{"inspect", cut}, 2, "copy it again"},
		"2 GB":          {[]string{"inspect", large}, 2, "2147483648 bytes"},
		"odd size":      {[]string{"inspect", good, "--size", "64"}, 2, "WIDTHxHEIGHT"},
		"no name":       {[]string{"add", good}, 2, "--name NAME"},
		"bad name":      {[]string{"add", good, "--name", "../up"}, 1, "lower-case letters"},
		"bad version":   {[]string{"add", good, "--name", "x", "--version", "../1"}, 1, "MAJOR.MINOR.PATCH"},
		"wrong labels":  {[]string{"add", good, "--name", "x", "--labels", "a,b,c"}, 1, "3 labels"},
		"unknown good":  {[]string{"add", good, "--name", "x", "--labels", "a,b", "--good", "c"}, 1, "not one of the labels"},
		"cut off, add":  {[]string{"add", cut, "--name", "x"}, 2, "export the model again"},
		"unknown flags": {[]string{"add", good, "--title", "x"}, 2, "title"},
	} {
		t.Run(name, func(t *testing.T) {
			code, _, errs := shell(t, map[string]string{"INSPECTOR_MODEL_FOLDER": folder}, append([]string{"model"}, tt.args...)...)
			if code != tt.code || !strings.Contains(errs, tt.want) {
				t.Errorf("code %d, %q; want %d, %q", code, errs, tt.code, tt.want)
			}
		})
	}
	if _, err := os.Stat(folder); err == nil {
		t.Error("something was made")
	}
}
