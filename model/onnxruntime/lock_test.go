package onnxruntime

import (
	"context"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// Inferences side by side never wait for each other: the profile of waiting has
// no place in this package, however many share a session.
func TestNoLockAroundInference(t *testing.T) {
	for _, ref := range []string{"detector", "multilabel"} { // floats, and bytes from a pool
		s, p := open(t, ref)
		before := runtime.SetMutexProfileFraction(1)
		waits := waited()
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				ctx, cancel := context.WithCancel(t.Context()) // each board has its own
				defer cancel()
				in, out := make([]float32, p.InputSize()), make([]float32, p.OutputSize())
				for range 100 {
					if err := s.Run(ctx, in, out); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		all.Wait()
		if n := waited() - waits; n > 0 {
			t.Errorf("%s: %d times an inference waited for another", ref, n)
		}
		runtime.SetMutexProfileFraction(before)
	}
}

// waited counts how often somebody waited for a lock that Run held.
func waited() (n int64) {
	records := make([]runtime.BlockProfileRecord, 10_000)
	found, _ := runtime.MutexProfile(records)
	for _, r := range records[:min(found, len(records))] {
		frames, ours := runtime.CallersFrames(r.Stack()), false // the runtime's own locks are no concern
		for more := true; more; {
			var f runtime.Frame
			f, more = frames.Next()
			if strings.HasPrefix(f.Function, "sync.(*Pool)") { // a moment after a collection
				break
			}
			ours = ours || strings.HasPrefix(f.Function, "sync.(*")
			if ours && strings.Contains(f.Function, "onnxruntime.(*Session)") {
				n += r.Count
				break
			}
		}
	}
	return n
}
