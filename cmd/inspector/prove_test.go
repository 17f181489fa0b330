package main

import (
	"context"
	"errors"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"inspector/classify"
	"inspector/model"
	"inspector/model/modeltest"
	"inspector/model/onnxruntime"
	"inspector/models"
)

// inferenceServer serves the shipped model on ONNX Runtime, over HTTP or gRPC.
// While down, it is out of order; off is added to every number.
func inferenceServer(t *testing.T, scheme string, down *atomic.Bool, off float32) string {
	t.Helper()
	p, err := model.Find(models.FS, "pcb")
	if err != nil {
		t.Fatal(err)
	}
	s, err := onnxruntime.Open("", p, onnxruntime.Options{})
	var missing *onnxruntime.MissingError
	if errors.As(err, &missing) {
		t.Skip(err)
	} else if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	run := func(ctx context.Context, in, out []float32) error {
		if down.Load() {
			return errors.New("out of order")
		}
		err := s.Run(ctx, in, out)
		for i := range out {
			out[i] += off
		}
		return err
	}
	if scheme == "grpc" {
		return "grpc://" + modeltest.ServeGRPC(t, p, run)
	}
	server := httptest.NewServer(modeltest.HTTP(p, run))
	t.Cleanup(server.Close)
	return server.URL + "/v2/models/pcb"
}

// The vectors prove a server as they prove a runtime; a server that fails
// later makes boards unsure.
func TestRemoteRuntime(t *testing.T) {
	for _, scheme := range []string{"http", "grpc"} {
		t.Run(scheme, func(t *testing.T) { remoteRuntime(t, scheme) })
	}
}

func remoteRuntime(t *testing.T, scheme string) {
	var down atomic.Bool
	c := defaults()
	c.Data, c.Model.Runtime, c.Model.Remote = t.TempDir(), "remote", inferenceServer(t, scheme, &down, 0)
	j, err := openJudges(t.Context(), c, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if id, runtime := j.now(""); runtime != "remote" || !strings.Contains(j.words(), "vectors: 1 within") {
		t.Errorf("%s on %s: %s", id, runtime, j.words())
	}
	picture, _, err := j.simulation.still(0)
	if err != nil {
		t.Fatal(err)
	}
	p, err := j.take("")
	if err != nil {
		t.Fatal(err)
	}
	defer p.leave()
	judge, err := p.of("")
	if err != nil {
		t.Fatal(err)
	}
	if r := judge.Classify(t.Context(), picture); r.Timings.Infer == 0 || r.Verdict == "" || strings.Contains(r.Reason, "not judged") {
		t.Errorf("%+v", r)
	}
	down.Store(true)
	if r := judge.Classify(t.Context(), picture); r.Verdict != "unsure" || !strings.Contains(r.Reason, "out of order") {
		t.Errorf("%+v", r)
	}
	c.Model.Remote = inferenceServer(t, scheme, new(atomic.Bool), 0.01)
	if _, err := openJudges(t.Context(), c, nil); !errors.Is(err, classify.ErrVector) {
		t.Errorf("a server with another network: %v", err)
	}
}

// A server with another network that takes the address of the one that was proven
// judges no board.
func TestServerIsReplaced(t *testing.T) {
	const folder = "../../model/testdata/models"
	p := modeltest.Find(t, folder, "classifier")
	says := func(v float32) modeltest.Run {
		return func(_ context.Context, _, out []float32) error {
			for i := range out {
				out[i] = v
			}
			return nil
		}
	}
	in, want := make([]float32, p.InputSize()), make([]float32, p.OutputSize())
	_ = says(0.5)(t.Context(), in, want) // cannot fail
	p.Proof.Tensors = []model.TensorVector{{Name: "own", Variant: model.FP32, Input: in, Output: want}}
	serve := func(at string, v float32) (string, func()) {
		l, err := net.Listen("tcp", at)
		if err != nil {
			t.Skip("another has the port: ", err)
		}
		s := modeltest.GRPC(p, says(v))
		go func() { _ = s.Serve(l) }()
		t.Cleanup(s.Stop)
		return l.Addr().String(), s.Stop
	}
	r, err := model.OpenRegistry(os.DirFS(folder), "")
	if err != nil {
		t.Fatal(err)
	}
	at, stop := serve("127.0.0.1:0", 0.5)
	c := defaults().Model
	c.Runtime, c.Remote = "remote", "grpc://"+at
	g, err := openProven(t.Context(), r, p, c, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	defer g.session.Close()
	stop()
	serve(at, 0)
	for begun := time.Now(); !errors.Is(err, classify.ErrVector); {
		if err = g.session.Run(t.Context(), in, make([]float32, len(want))); err == nil || time.Since(begun) > time.Minute {
			t.Fatalf("the other server judges: %v", err)
		}
	}
}

// auto passes over what does not compute the model right, however fast it is.
func TestAutoTakesWhatProvesItself(t *testing.T) {
	c := defaults().Model
	c.Remote = inferenceServer(t, "grpc", new(atomic.Bool), 0.01)
	r, err := model.OpenRegistry(fs.FS(models.FS), "")
	if err != nil {
		t.Fatal(err)
	}
	p := shippedModel(t)
	g, err := openProven(t.Context(), r, p, c, time.Minute)
	if err != nil || g.runtime != onnxruntime.Name || g.proof.Vectors != 1 || g.proof.Median == 0 {
		t.Fatalf("%+v, %v", g, err)
	}
	if err := g.session.Close(); err != nil {
		t.Error(err)
	}
	c.Variant = model.INT8
	g, err = openProven(t.Context(), r, p, c, time.Minute)
	if err != nil || g.proof.Vectors != 1 {
		t.Fatalf("%+v, %v", g, err)
	}
	if err := g.session.Close(); err != nil {
		t.Error(err)
	}
	c.Runtime, c.Remote, c.Variant = "remote", inferenceServer(t, "grpc", new(atomic.Bool), 0), "auto"
	g, err = openProven(t.Context(), r, p, c, time.Minute)
	if err != nil || g.pkg.Variant != model.FP32 {
		t.Fatalf("which variant the server has is not known: %+v, %v", g, err)
	}
	if err := g.session.Close(); err != nil {
		t.Error(err)
	}
	c = defaults().Model
	c.Variant = model.INT8
	bare := *p
	bare.Variants = nil
	p = &bare
	var none *model.VariantError
	if _, err := openProven(t.Context(), r, p, c, time.Minute); !errors.As(err, &none) {
		t.Errorf("a variant that is not there: %v", err)
	}
}

// auto takes the fastest of what is installed and proves itself: a server that is
// slower is passed over, one that is there when the library is not is taken, and
// onnx-go where nothing else is.
func TestAutoTakesTheFastest(t *testing.T) {
	library, err := onnxruntime.Find()
	if err != nil {
		t.Skip(err)
	}
	const folder = "../../model/testdata/models"
	p := modeltest.Find(t, folder, "detector")
	behind, err := onnxruntime.Open(library, p, onnxruntime.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer behind.Close()
	slowly := func(ctx context.Context, in, out []float32) error {
		late := time.NewTimer(20 * time.Millisecond) // ten times what it takes here
		defer late.Stop()
		select {
		case <-late.C:
			return behind.Run(ctx, in, out)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	wrong := func(ctx context.Context, in, out []float32) error { clear(out); return nil }
	in := modeltest.Noise(rand.New(rand.NewPCG(1, 2)), p.InputSize())
	out := make([]float32, p.OutputSize())
	if err := behind.Run(t.Context(), in, out); err != nil {
		t.Fatal(err)
	}
	p.Proof.Tensors = []model.TensorVector{{Name: "own", Variant: model.FP32, Input: in, Output: out}}
	r, err := model.OpenRegistry(os.DirFS(folder), "")
	if err != nil {
		t.Fatal(err)
	}
	none := filepath.Join(t.TempDir(), "none.so")
	for name, tt := range map[string]struct {
		library string
		server  modeltest.Run
		want    string
	}{
		"all":                     {library, slowly, onnxruntime.Name},
		"no server":               {library, nil, onnxruntime.Name},
		"no library":              {none, slowly, "remote"},
		"no library, no server":   {none, nil, "onnx-go"},
		"no library, it is wrong": {none, wrong, "onnx-go"},
	} {
		t.Run(name, func(t *testing.T) {
			c := defaults().Model
			c.Library = tt.library
			if tt.server != nil {
				c.Remote = "grpc://" + modeltest.ServeGRPC(t, p, tt.server)
			}
			g, err := openProven(t.Context(), r, p, c, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			if g.runtime != tt.want || g.proof.Vectors != 1 {
				t.Errorf("%s judges, %+v; want %s", g.runtime, g.proof, tt.want)
			}
			if err := g.session.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}
