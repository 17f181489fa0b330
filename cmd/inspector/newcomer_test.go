package main

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"inspector/model"
)

// Help that is asked for is an answer: exit code 0, on stdout.
func TestHelp(t *testing.T) {
	for _, args := range [][]string{
		{"--help"}, {"help"}, {"run", "--help"}, {"inspect", "-h"}, {"recipe", "--help"}, {"recipe", "-h"}, {"recipe", "list", "--help"}, {"recipe", "use", "--help"},
		{"recipe", "learn", "--help"}, {"recipe", "example", "-h"}, {"config", "--help"}, {"config", "check", "-h"}, {"config", "-help"}, {"model", "--help"}, {"model", "list", "--help"}, {"model", "promote", "-h"}, {"model", "rollback", "-h"}, {"model", "shadow", "-h"}, {"model", "disagreements", "-h"}, {"eval", "--help"}, {"doctor", "--help"},
	} {
		var out, errs bytes.Buffer
		code := command(t.Context(), args, noEnvironment, &out, &errs)
		if code != 0 || !strings.Contains(out.String(), "inspector ") || errs.Len() > 0 {
			t.Errorf("%v: exit code %d\nstdout %s\nstderr %s", args, code, &out, &errs)
		}
		if args[0] == "model" && len(args) == 3 && !strings.HasPrefix(out.String(), "usage: inspector model "+args[1]+" ") {
			t.Errorf("%v: want its own usage first\n%s", args, &out)
		}
	}
	for _, args := range [][]string{{"recipe"}, {"recipe", "forget"}, {"config"}, {"config", "mend"}, {"inspect", "--", "--help"}} {
		var out, errs bytes.Buffer
		if code := command(t.Context(), args, noEnvironment, &out, &errs); code != 2 || out.Len() > 0 && args[0] != "inspect" || errs.Len() == 0 {
			t.Errorf("%v: exit code %d\nstdout %s\nstderr %s", args, code, &out, &errs)
		}
	}
}

func TestCameraSourceIsKnown(t *testing.T) {
	file := filepath.Join(t.TempDir(), "clip")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for source, ok := range map[string]bool{
		"simulated": true, "0": true, "/dev/video7": true, "clip.mp4": true, "stills/clip": true, file: true, "folder:stills": true, "folder:stills?mode=watch": true,
		"rtsp://host/cam": true, "gstreamer:videotestsrc ! appsink": true, "file:clip": true, "http://host/mjpeg": true,
		"foo": false, "simulatd": false, "foldr:stills": false, "webcam:0": false,
	} {
		_, err := loadConfig("", func(k string) string { return map[string]string{"INSPECTOR_CAMERA_SOURCE": source}[k] })
		if (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "camera.source") {
			t.Errorf("%s: %v", source, err)
		}
	}
}

// Faults of recipes are found before the start, all at once, with file and line.
func TestRecipesInUse(t *testing.T) {
	dir := drawnRecipes(t, "well")
	for name, text := range map[string]string{
		"golden.yaml": "copper: bright\ngolden: lost.png\n", "goldens.yaml": "golden: golden.jpg\ngoldens: [lost.png]\ncopper: bright\n", "broken.yaml": "golden: well.yaml\n",
		"model.yaml": "golden: golden.jpg\nmodel: lost\n", "class.yaml": "golden: golden.jpg\nclasses: {scratch: {fail: 0.9, pass: 0.8}}\n",
		"code.yaml": "golden: golden.jpg\ncode:\n  format: qr\n  pattern: A\n  region: [0, 0, 10, 1000]\n", "takt.yaml": "golden: golden.jpg\ntakt: 2s\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := map[string]string{"INSPECTOR_RECIPES": dir, "INSPECTOR_DATA": t.TempDir()}
	check := func() string {
		var out bytes.Buffer
		if code := command(t.Context(), []string{"config", "check", "--config", "../../inspector.example.yaml"}, func(k string) string { return env[k] }, &out, &out); code != 1 {
			t.Errorf("exit code %d", code)
		}
		return out.String()
	}
	said := check()
	for _, want := range []string{"golden.yaml:2: golden: there is no picture " + filepath.Join(dir, "lost.png"), "goldens.yaml:2: goldens: there is no picture"} {
		if !strings.Contains(said, filepath.Join(dir, want)) {
			t.Errorf("want %q in\n%s", want, said)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "lost.png"), []byte("no picture"), 0o600); err != nil {
		t.Fatal(err)
	}
	said = check()
	for _, want := range []string{
		"golden.yaml:2: golden: picture " + filepath.Join(dir, "lost.png"), "goldens.yaml:2: goldens: picture", "broken.yaml:1: golden: picture",
		"model.yaml:2: model: there is no model lost in the program, only pcb", `class.yaml: classify: recipe "class"`, "code.yaml:5: code.region: [0 0 10 1000] reaches beyond",
	} {
		if !strings.Contains(said, filepath.Join(dir, want)) {
			t.Errorf("want %q in\n%s", want, said)
		}
	}
	env["INSPECTOR_LOG_LEVEL"], env["INSPECTOR_MODEL_NAME"], env["INSPECTOR_RECIPE"], env["INSPECTOR_MODEL_THREADS"] = "loud", "none", "nobody", "0"
	if err := os.WriteFile(filepath.Join(dir, "takt.yaml"), []byte("golden: golden.jpg\ntakt: -2s\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	said = check()
	for _, want := range []string{
		`log.level: "loud"`, "model.threads: 0", "takt.yaml:2: takt: -2s is negative", `there is no recipe "nobody"`, "model.name: there is no model none", "model.yaml:2: model: there is no model lost",
	} {
		if strings.Count(said, want) != 1 {
			t.Errorf("want %q once in\n%s", want, said)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "takt.yaml"), []byte("golden: golden.jpg\ntakt: 2s\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	clear(env)
	env["INSPECTOR_RECIPES"], env["INSPECTOR_DATA"] = dir, t.TempDir()
	env["INSPECTOR_TRIGGER_TAKT"] = "1s"
	if said := check(); !strings.Contains(said, "takt.yaml:2: takt: 2s is longer than trigger.takt") {
		t.Error(said)
	}
}

// A folder of models stands beside those of the program.
func TestShelf(t *testing.T) {
	folder := t.TempDir()
	c := defaults()
	c.Data, c.Model.Folder = t.TempDir(), folder
	for _, d := range []string{"mine/1.0.0", "mine/1.1.0"} {
		if err := os.MkdirAll(filepath.Join(folder, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	r, err := openRegistry(c)
	if err != nil {
		t.Fatal(err)
	}
	if names, err := r.Names(); err != nil || !slices.Equal(names, []string{"mine", "pcb"}) {
		t.Errorf("%v, %v", names, err)
	}
	if v, err := r.Resolve(model.Ref{Name: "mine", At: model.Production}); err != nil || v != "1.1.0" {
		t.Errorf("%s, %v", v, err)
	}
	shipped := shippedModel(t)
	if p, err := r.Load("pcb", shipped.Version, model.Trust{}); err != nil || p.ID() != shipped.ID() {
		t.Errorf("%v, %v", p, err)
	}
	if _, err := r.Versions("lost"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if !carried(folder, "pcb") || carried(folder, "mine") || !carried("", "pcb") || carried(t.TempDir(), "pcb") || carried(filepath.Join(folder, "lost"), "pcb") {
		t.Error("who carries which model is mixed up")
	}
	addModel(t, folder, "0.9.0", nil) // a model of the folder hides the program's of that name
	if v, err := r.Versions("pcb"); err != nil || !slices.Equal(v, []string{"0.9.0"}) {
		t.Errorf("%v, %v", v, err)
	}
}

// A version that is damaged is no good one in the list.
func TestListTellsOfDamage(t *testing.T) {
	folder := t.TempDir()
	addModel(t, folder, "1.0.0", nil)
	addModel(t, folder, "1.1.0", func(files map[string][]byte) { files["model.onnx"] = append(files["model.onnx"], 0) }, "model.onnx")
	env := map[string]string{"INSPECTOR_MODEL_FOLDER": folder, "INSPECTOR_DATA": t.TempDir(), "INSPECTOR_WEB_LISTEN": "127.0.0.1:1"}
	var out, errs bytes.Buffer
	if code := command(t.Context(), []string{"model", "list"}, func(k string) string { return env[k] }, &out, &errs); code != 0 {
		t.Fatalf("exit code %d: %s", code, &errs)
	}
	refused := func(version string) bool {
		for line := range strings.Lines(out.String()) {
			if strings.HasPrefix(line, "pcb") && strings.Contains(line, version) {
				return strings.Contains(line, "refused: ") && strings.Contains(line, "model.onnx")
			}
		}
		t.Errorf("no version %s", version)
		return false
	}
	if refused("1.0.0") || !refused("1.1.0") {
		t.Errorf("want 1.1.0 refused, and 1.0.0 not:\n%s", &out)
	}
}

// The recipe in force is one more thing that the configuration stands on.
func TestCheckMissesTheRecipeInForce(t *testing.T) {
	dir, data := drawnRecipes(t, "well"), t.TempDir()
	err := os.WriteFile(filepath.Join(data, "recipes.json"), []byte(`{"changes": [{"by": "Ada", "from": "simulated", "to": "gone"}]}`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"INSPECTOR_RECIPES": dir, "INSPECTOR_DATA": data}
	var out bytes.Buffer
	code := command(t.Context(), []string{"config", "check", "--config", "../../inspector.example.yaml"}, func(k string) string { return env[k] }, &out, &out)
	if code != 1 || !strings.Contains(out.String(), `recipe "gone" is in force, and is not there any more`) {
		t.Errorf("exit code %d: %s", code, &out)
	}
}

// Who interrupts reads that it was interrupted, and no finding that is none.
func TestInterrupted(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	for _, args := range [][]string{{"config", "check", "--config", "../../inspector.example.yaml"}, {"doctor"}, {"run"}, {"inspect", "../../docs/page.png"}} {
		var out, errs bytes.Buffer
		env := map[string]string{"INSPECTOR_DATA": t.TempDir(), "INSPECTOR_WEB_LISTEN": "127.0.0.1:0", "INSPECTOR_MQTT_LISTEN": "127.0.0.1:0"}
		code := command(ctx, args, func(k string) string { return env[k] }, &out, &errs)
		if code == 0 || !strings.HasSuffix(errs.String(), "inspector: interrupted\n") || strings.Contains(out.String()+errs.String(), "cancel") || strings.Contains(out.String(), "FAULT") {
			t.Errorf("%v: exit code %d\nstdout %s\nstderr %s", args, code, &out, &errs)
		}
	}
}

// What is wrong on the command line is said with the flag, the whole name and
// what to do.
func TestWordsOfWrongFlags(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "r.yaml")
	if err := errors.Join(os.MkdirAll(filepath.Join(dir, "stills", "good"), 0o777), os.WriteFile(filepath.Join(dir, "stills", "good", "a.png"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	lost, stills := filepath.Join(dir, "lost"), filepath.Join(dir, "stills")
	env := map[string]string{"INSPECTOR_DATA": filepath.Join(dir, "data"), "INSPECTOR_WEB_LISTEN": "127.0.0.1:1"}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"model", "inspect", lost + ".onnx"}, "there is no file " + lost + ".onnx"},
		{[]string{"model", "inspect", dir}, dir + " is a folder; name the ONNX file in it"},
		{[]string{"model", "promote", "--by", "Ada", "nope@1.0.0"}, "there is no model nope; there are pcb"},
		{[]string{"inspect", "--golden", "g.png", "--copper", "shiny", "a.png"}, `--copper: "shiny" is unknown; want dark or bright`},
		{[]string{"eval", "--data", dir, "--copper", "shiny"}, `--copper: "shiny" is unknown; want dark or bright`},
		{[]string{"recipe", "learn", "--copper", "shiny", "--good", dir, file}, `--copper: "shiny" is unknown; want dark or bright`},
		{[]string{"recipe", "learn", "--good", lost, file}, "--good: there is no folder " + lost + "; name one with stills, or draw some"},
		{[]string{"recipe", "learn", "--good", stills, file}, "--good: no pictures in " + stills + "; there are some in " + filepath.Join(stills, "good")},
		{[]string{"recipe", "learn", "--good", filepath.Join(stills, "good"), "--bad", lost, file}, "--bad: there is no folder " + lost},
		{[]string{"eval", "--data", lost}, "there is no folder or file " + lost},
		{[]string{"inspect", dir}, dir + " is a folder; name its pictures: " + filepath.Join(dir, "*.png")},
		{[]string{"inspect", "--golden", filepath.Join(dir, "g.png"), "a.png"}, "there is no picture " + filepath.Join(dir, "g.png")},
	} {
		var out, errs bytes.Buffer
		code := command(t.Context(), c.args, func(k string) string { return env[k] }, &out, &errs)
		if code == 0 || strings.Count(errs.String(), c.want) != 1 {
			t.Errorf("%v: exit code %d: %s; want once %s", c.args, code, &errs, c.want)
		}
	}
}
