package onnxgo

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"testing"

	"inspector/model"
)

// Goroutines side by side get what one of them would, and none another's.
func TestPoolSideBySide(t *testing.T) {
	p, err := model.Find(os.DirFS("../testdata/models"), "detector")
	if err != nil {
		t.Fatal(err)
	}
	pool, err := OpenPool(p, 2)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if len(pool.all) != 2 {
		t.Fatalf("%d graphs", len(pool.all))
	}
	one, err := Open(p)
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close()
	var working sync.WaitGroup
	for worker := range uint64(4) {
		r := rand.New(rand.NewPCG(worker, 1))
		in, want := make([]float32, p.InputSize()), make([]float32, p.OutputSize())
		for i := range in {
			in[i] = r.Float32()
		}
		if err := one.Run(t.Context(), in, want); err != nil {
			t.Fatal(err)
		}
		working.Go(func() {
			out := make([]float32, len(want))
			for range 5 {
				if err := pool.Run(t.Context(), in, out); err != nil || !slices.Equal(out, want) {
					t.Errorf("worker %d: %v, %v; want %v", worker, err, out[:4], want[:4])
				}
			}
		})
	}
	working.Wait()
	a, b := <-pool.free, <-pool.free // all are at work
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := pool.Run(ctx, make([]float32, p.InputSize()), make([]float32, p.OutputSize())); !errors.Is(err, context.Canceled) {
		t.Errorf("nobody waits any more: %v", err)
	}
	pool.free <- a
	pool.free <- b
	if err := errors.Join(pool.Close(), pool.Close()); err != nil {
		t.Error(err)
	}
	if err := pool.Run(t.Context(), make([]float32, p.InputSize()), make([]float32, p.OutputSize())); err == nil {
		t.Error("a closed pool runs")
	}
}

// A network that onnx-go cannot run leaves nothing open.
func TestPoolRefuses(t *testing.T) {
	p, err := model.Find(os.DirFS("../testdata/models"), "detector")
	if err != nil {
		t.Fatal(err)
	}
	bad := *p
	bad.Graph.Nodes = slices.Clone(p.Graph.Nodes)
	bad.Graph.Nodes[0].Op = "Unheard"
	if pool, err := OpenPool(&bad, 3); err == nil || pool != nil {
		t.Errorf("%v, %v", pool, err)
	}
}
