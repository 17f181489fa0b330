package inspector

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Each foreign module has one door.
var doors = map[string][]string{
	"gocv.io/":                            {"camera", "classify", "board"},
	"github.com/owulveryck/onnx-go":       {"model/onnxgo"},
	"gorgonia.org/":                       {"model/onnxgo"},
	"github.com/yalue/onnxruntime_go":     {"model/onnxruntime"},
	"google.golang.org/protobuf":          {"model", "model/remote/inference", "notify/sparkplug"},
	"google.golang.org/grpc":              {"model/remote", "model/remote/inference", "model/modeltest"},
	"aead.dev/minisign":                   {"model"},
	"github.com/makiuchi-d/gozxing":       {"code"},
	"github.com/eclipse/paho.mqtt":        {"notify"},
	"github.com/mochi-mqtt":               {"notify"},
	"github.com/gorilla/websocket":        {"notify"},
	"github.com/cockroachdb/pebble":       {"notify"},
	"github.com/wneessen/go-mail":         {"notify/people"},
	"github.com/aws/":                     {"upstream"},
	"github.com/gin-gonic/":               {"web"},
	"github.com/recolabs/gnata":           {"workflow/asl"},
	"github.com/prometheus/client_golang": {"web"},
	"github.com/mattn/go-sqlite3":         {"store"},
	"go.temporal.io/":                     {"workflow/temporal", "workflow/temporal/temporaltest"},
	"go.yaml.in/":                         {"cmd/inspector", "model", "evaluate"},
}

// Who may import whom of ours; a package that is not listed may import none.
var imports = map[string][]string{
	"camera":               {""},
	"board":                {""},
	"classify":             {"", "model"},
	"code":                 {""},
	"evaluate":             {""},
	"model/onnxruntime":    {"model"},
	"model/onnxgo":         {"model"},
	"model/remote":         {"model", "model/remote/inference"},
	"model/modeltest":      {"model", "model/remote/inference"},
	"notify":               {"", "certificate"},
	"notify/sparkplug":     {"notify"},
	"notify/rule":          {"notify/pattern"},
	"notify/people":        {"", "notify"},
	"upstream":             {"", "certificate"},
	"web":                  {""},
	"store":                {"", "workflow", "workflow/asl"},
	"workflow":             {"workflow/asl"},
	"workflow/temporal":    {"workflow", "workflow/asl"},
	"workflow/journaltest": {"workflow", "workflow/asl"},
	"models/bench":         {"", "board", "camera", "classify", "model", "model/onnxgo", "model/onnxruntime", "models"},
	"models/train":         {"", "board", "camera", "classify", "evaluate"},
}

func TestOneDoorPerDependency(t *testing.T) {
	eachImport(t, func(dir, path, imported string) {
		for module, allowed := range doors {
			if strings.HasPrefix(imported, module) && !slices.Contains(allowed, dir) {
				t.Errorf("%s imports %s; only %v may", path, imported, allowed)
			}
		}
	})
}

func TestWhoImportsWhom(t *testing.T) {
	eachImport(t, func(dir, path, imported string) {
		ours, ok := strings.CutPrefix(imported, "inspector")
		if !ok || dir == "cmd/inspector" {
			return
		}
		if ours = strings.TrimPrefix(ours, "/"); !slices.Contains(imports[dir], ours) {
			t.Errorf("%s imports %q; %s may import only %q", path, imported, dir, imports[dir])
		}
	})
}

func TestVocabularyIsPlain(t *testing.T) {
	eachImport(t, func(dir, path, imported string) {
		if dir == "." && strings.Contains(imported, ".") {
			t.Errorf("%s imports %s; the root package knows only the standard library", path, imported)
		}
	})
}

// eachImport visits every import of every Go file that is not a test.
func eachImport(t *testing.T, visit func(dir, path, imported string)) {
	seen := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && path != "." && (strings.HasPrefix(name, ".") || name == "testdata" || name == "data") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, i := range f.Imports {
			seen++
			visit(filepath.ToSlash(filepath.Dir(path)), path, strings.Trim(i.Path.Value, `"`))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen == 0 {
		t.Fatal("no import was seen: the walk is broken")
	}
}
