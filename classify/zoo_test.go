package classify

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"math"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"inspector"
	"inspector/model"
	"inspector/model/modeltest"
	"inspector/model/onnxgo"
	"inspector/model/onnxruntime"
	"inspector/model/remote"
)

// zoo is every kind of model that users bring, and for each runtime that cannot
// execute it, the operator that it must name. model/testdata/zoo.py made them.
var zoo = map[string]map[string]string{
	"resnet18":   nil,
	"mobilenet":  nil,
	"multilabel": nil,
	"yolov8":     {onnxgo.Name: "Split"},
	"yolo11":     {onnxgo.Name: "Split"},
	"anomaly":    {onnxgo.Name: "ReduceL2"},
	"unet":       {onnxgo.Name: "ConvTranspose"},
}

// A closer is a session that a test closes.
type closer interface {
	session
	Close() error
}

// runtimes open a package each; the caller closes. One that is not on this
// machine is left out; servers have ONNX Runtime behind them, until the test
// ends.
func runtimes() map[string]func(*testing.T, *model.Package) (closer, error) {
	type opener = func(*testing.T, *model.Package) (closer, error)
	all := map[string]opener{
		onnxgo.Name: func(_ *testing.T, p *model.Package) (closer, error) { return onnxgo.Open(p) },
	}
	library, err := onnxruntime.Find()
	if err != nil {
		return all
	}
	all[onnxruntime.Name] = func(_ *testing.T, p *model.Package) (closer, error) {
		return onnxruntime.Open(library, p, onnxruntime.Options{})
	}
	served := func(serve func(*testing.T, *model.Package, modeltest.Run) remote.Options) opener {
		return func(t *testing.T, p *model.Package) (closer, error) {
			behind, err := onnxruntime.Open(library, p, onnxruntime.Options{})
			if err != nil {
				return nil, err
			}
			t.Cleanup(func() { behind.Close() })
			return remote.Open(t.Context(), p, serve(t, p, behind.Run))
		}
	}
	web := func(asJSON bool) opener {
		return served(func(t *testing.T, p *model.Package, run modeltest.Run) remote.Options {
			s := httptest.NewServer(modeltest.HTTP(p, run))
			t.Cleanup(s.Close)
			return remote.Options{URL: s.URL, JSON: asJSON}
		})
	}
	all["remote over HTTP"], all["remote over HTTP in JSON"] = web(false), web(true)
	all["remote over gRPC"] = served(func(t *testing.T, p *model.Package, run modeltest.Run) remote.Options {
		return remote.Options{URL: "grpc://" + modeltest.ServeGRPC(t, p, run)}
	})
	return all
}

// Every model gives on every runtime what PyTorch gave, run after run, and the
// defects that NumPy made of it.
func TestZoo(t *testing.T) {
	folder := "../model/testdata/models"
	if full := os.Getenv("INSPECTOR_ZOO"); full != "" {
		folder = full
	}
	for name, cannot := range zoo {
		for runtime, open := range runtimes() {
			t.Run(name+" on "+runtime, func(t *testing.T) {
				p := load(t, folder, name)
				s, err := open(t, p)
				if op := cannot[runtime]; op != "" {
					var unsupported *model.UnsupportedError
					if !errors.As(err, &unsupported) || unsupported.Op != op || !slices.Contains(unsupported.Able, onnxruntime.Name) {
						t.Errorf("error is %v; want one about %s that names a runtime that can", err, op)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				conform(t, p, s, filepath.Join(folder, name, p.Version))
			})
		}
	}
}

type vectors struct {
	Width, Height int
	Defects       []struct {
		Label string
		Score float32
		Box   [4]float32
	}
}

// conform runs p in s on a known picture, on noise, and on the picture again.
func conform(t *testing.T, p *model.Package, s session, dir string) {
	var want vectors
	b, err := os.ReadFile(filepath.Join(dir, "expected.json"))
	if err == nil {
		err = json.Unmarshal(b, &want)
	}
	if err != nil || len(want.Defects) == 0 {
		t.Fatal("no defects are expected: ", err)
	}
	numbers := floats(t, filepath.Join(dir, "expected.f32"))
	checked := run(func(ctx context.Context, in, out []float32) error {
		noise := make([]float32, len(in))
		for i := range noise {
			noise[i] = in[len(in)-1-i]
		}
		for _, x := range [][]float32{in, noise, in} {
			if err := s.Run(ctx, x, out); err != nil {
				return err
			}
			if d := modeltest.Apart(out, numbers); &x[0] == &in[0] && !(d <= 1e-4) {
				t.Errorf("the output differs by %v from PyTorch's", d)
			}
		}
		return nil
	})
	c, err := New(p, checked, Recipe{Name: "zoo"})
	if err != nil {
		t.Fatal(err)
	}
	r := c.Classify(t.Context(), texture(want.Width, want.Height))
	want.Defects = want.Defects[:min(len(want.Defects), maxDefects)] // the worst
	if len(r.Defects) != len(want.Defects) {
		t.Fatalf("%d defects; want %d: %+v", len(r.Defects), len(want.Defects), r)
	}
	for i, d := range r.Defects {
		w := want.Defects[i]
		box := inspector.Box{Left: w.Box[0], Top: w.Box[1], Right: w.Box[2], Bottom: w.Box[3]}
		if d.Class != w.Label || math.Abs(float64(d.Score-w.Score)) > 1e-4 || !closeTo(d.Box, box, .02) {
			t.Errorf("defect %d is %+v; want %+v", i, d, w)
		}
		if maps := p.Task == model.Segmentation || p.Task == model.Anomaly; maps != (len(d.Polygon) >= 3) && extent(d.Box) < float32(want.Width*want.Height) {
			t.Errorf("defect %d has outline %v", i, d.Polygon)
		}
	}
}

func closeTo(a, b inspector.Box, by float64) bool {
	return modeltest.Distance([]float32{a.Left, a.Top, a.Right, a.Bottom}, []float32{b.Left, b.Top, b.Right, b.Bottom}) <= by
}

func floats(t *testing.T, file string) []float32 {
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float32, len(b)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return out
}

// texture is the picture that zoo.py draws too.
func texture(w, h int) inspector.Pixels {
	p := inspector.Pixels{Width: w, Height: h, Channels: 3, Stride: 3 * w, Data: make([]byte, 3*w*h)}
	for y := range h {
		for x := range w {
			for c := range 3 {
				p.Data[y*p.Stride+3*x+c] = byte((x/4*37 + y/4*59 + c*29) ^ (x*y)>>3)
			}
		}
	}
	return p
}
