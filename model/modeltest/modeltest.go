// Package modeltest is what tests of runtimes share: packages, numbers, and
// servers of the Open Inference Protocol with a runtime behind them.
package modeltest

import (
	"context"
	"math"
	"math/rand/v2"
	"os"
	"testing"

	"inspector/model"
)

// A Run is that of a session.
type Run func(ctx context.Context, in, out []float32) error

// Find loads a package, or ends the test.
func Find(t testing.TB, folder, ref string) *model.Package {
	t.Helper()
	p, err := model.Find(os.DirFS(folder), ref)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Distance is the greatest difference of two numbers at the same place: NaN if
// one is none, infinite if there are not as many.
func Distance(a, b []float32) (most float64) {
	if len(a) != len(b) {
		return math.Inf(1)
	}
	for i := range a {
		d := math.Abs(float64(a[i]) - float64(b[i]))
		if math.IsNaN(d) {
			return d
		}
		most = max(most, d)
	}
	return most
}

// Apart is Distance for numbers of any size: where one that is wanted is above
// 1, the difference is a part of it.
func Apart(have, want []float32) (most float64) {
	if len(have) != len(want) {
		return math.Inf(1)
	}
	for i := range want {
		d := math.Abs(float64(have[i])-float64(want[i])) / max(1, math.Abs(float64(want[i])))
		if math.IsNaN(d) {
			return d
		}
		most = max(most, d)
	}
	return most
}

// Noise is n numbers from 0 to 1.
func Noise(r *rand.Rand, n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = r.Float32()
	}
	return out
}
