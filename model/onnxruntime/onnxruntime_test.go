package onnxruntime

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"inspector/model"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func open(t testing.TB, ref string) (*Session, *model.Package) {
	library, err := Find()
	if err != nil {
		t.Skip(err)
	}
	p, err := model.Find(os.DirFS("../testdata/models"), ref)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(library, p, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s, p
}

func TestFind(t *testing.T) {
	file := filepath.Join(t.TempDir(), "libonnxruntime.so.1")
	if err := os.WriteFile(file, []byte("not a library"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv(EnvLibrary, file)
	if path, err := Find(); err != nil || path != file {
		t.Errorf("found %q, %v", path, err)
	}
	t.Setenv(EnvLibrary, file+".missing")
	var missing *MissingError
	if _, err := Find(); !errors.As(err, &missing) || !strings.Contains(err.Error(), "make onnxruntime") || !missing.Permanent() {
		t.Errorf("error is %v", err)
	}
	t.Setenv(EnvLibrary, "")
	if path, err := Find(); err != nil && (!errors.As(err, &missing) || len(missing.Tried) < 3) {
		t.Errorf("found %q, %v", path, err)
	}
}

// A library that cannot be used is an error each time, and never a crash.
func TestOtherLibraries(t *testing.T) {
	s, p := open(t, "difference") // the real one is loaded first and stays
	for _, path := range []string{filepath.Join(t.TempDir(), "none.so"), "/etc/hostname"} {
		if _, err := Open(path, p, Options{}); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if err := s.Run(t.Context(), make([]float32, p.InputSize()), make([]float32, p.OutputSize())); err != nil {
		t.Error(err)
	}
}

func TestDamagedNetwork(t *testing.T) {
	_, p := open(t, "difference")
	library, _ := Find()
	bad := *p
	bad.ONNX = bad.ONNX[:len(bad.ONNX)/2]
	if _, err := Open(library, &bad, Options{}); err == nil || !strings.Contains(err.Error(), bad.ID()) {
		t.Errorf("error is %v", err)
	}
}

// One session, many goroutines, collections between: nobody gets another's
// numbers, and the caller's buffers are used as they are.
func TestManyGoroutines(t *testing.T) {
	s, p := open(t, "detector")
	const kinds = 4
	var in, want [kinds][]float32
	for k := range kinds {
		r := rand.New(rand.NewPCG(uint64(k), 0))
		in[k], want[k] = make([]float32, p.InputSize()), make([]float32, p.OutputSize())
		for i := range in[k] {
			in[k][i] = r.Float32()
		}
		if err := s.Run(t.Context(), in[k], want[k]); err != nil {
			t.Fatal(err)
		}
	}
	if slices.Equal(want[0], want[1]) {
		t.Fatal("different inputs gave the same output")
	}
	var wg sync.WaitGroup
	for k := range kinds {
		wg.Go(func() {
			out := make([]float32, p.OutputSize())
			for i := range 100 {
				clear(out)
				if err := s.Run(t.Context(), in[k], out); err != nil || !slices.Equal(out, want[k]) {
					t.Errorf("goroutine %d, run %d: wrong numbers, %v", k, i, err)
					return
				}
				if i%20 == k {
					runtime.GC()
				}
			}
		})
	}
	wg.Wait()
}

func TestContextEnds(t *testing.T) {
	s, p := open(t, "detector")
	in, out := make([]float32, p.InputSize()), make([]float32, p.OutputSize())
	for range 200 {
		ctx, cancel := context.WithCancel(t.Context())
		go cancel()
		if err := s.Run(ctx, in, out); err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Run(gone, in, out); !errors.Is(err, context.Canceled) {
		t.Errorf("error is %v", err)
	}
	if err := s.Run(t.Context(), in, out); err != nil {
		t.Errorf("after cancelled runs: %v", err)
	}
}

func TestWrongSizesAndClosed(t *testing.T) {
	s, p := open(t, "classifier")
	in, out := make([]float32, p.InputSize()), make([]float32, p.OutputSize())
	if err := s.Run(t.Context(), in[1:], out); err == nil {
		t.Error("a short input was taken")
	}
	if err := s.Run(t.Context(), in, nil); err == nil {
		t.Error("a missing output was taken")
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	if err := s.Run(t.Context(), in, out); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("run after close: %v", err)
	}
}

// A file that leaves the shape of its output open is found out at the first
// inference: nothing is written beyond what the caller gave.
func TestOutputOfAnotherShape(t *testing.T) {
	_, p := open(t, "classifier")
	library, _ := Find()
	for _, labels := range [][]string{{"a", "b"}, {"a", "b", "c", "d"}} {
		other := *p
		other.Labels, other.Graph.Outputs = labels, slices.Clone(p.Graph.Outputs)
		other.Graph.Outputs[0].Shape = nil
		var err error
		if other.ONNX, err = other.Graph.Encode(); err != nil {
			t.Fatal(err)
		}
		s, err := Open(library, &other, Options{})
		if err != nil {
			continue // found out already
		}
		guarded := []float32{7, 7, 7, 7, 7, 7, 7, 7}
		if err := s.Run(t.Context(), make([]float32, p.InputSize()), guarded[:len(labels)]); err == nil {
			t.Errorf("3 numbers were taken for %d", len(labels))
		}
		if !slices.Equal(guarded[len(labels):], slices.Repeat([]float32{7}, 8-len(labels))) {
			t.Error("written beyond the buffer: ", guarded)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// An operator that no runtime knows is named, and no other runtime is advised.
func TestUnknownOperator(t *testing.T) {
	_, p := open(t, "difference")
	library, _ := Find()
	strange := *p
	strange.Graph.Nodes = slices.Clone(p.Graph.Nodes)
	strange.Graph.Nodes[1].Op = "FancyOp"
	var err error
	if strange.ONNX, err = strange.Graph.Encode(); err != nil {
		t.Fatal(err)
	}
	_, opened := Open(library, &strange, Options{})
	for _, err := range []error{opened, Check(library, strange.Graph, strange.ONNX)} {
		var unsupported *model.UnsupportedError
		if !errors.As(err, &unsupported) || unsupported.Op != "FancyOp" || len(unsupported.Able) > 0 || !strings.Contains(err.Error(), "no runtime knows it") {
			t.Errorf("error is %v", err)
		}
	}
	if err := Check(library, p.Graph, p.ONNX); err != nil {
		t.Error(err)
	}
}
