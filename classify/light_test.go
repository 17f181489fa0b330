package classify

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The cuts are those that trying all of them finds.
func TestOtsuFindsTheBestCuts(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	var rest [side * side]float64
	for i := range rest {
		rest[i] = []float64{0, 1, 2.5}[r.IntN(3)] + r.NormFloat64()*0.15
	}
	h := histogram(&rest, -1, 4, new([side * side]uint8))
	part := func(from, to int) float64 {
		n, sum := h[0][to]-h[0][from], h[1][to]-h[1][from]
		return h[2][to] - h[2][from] - sum*sum/max(n, 1)
	}
	least, want := math.Inf(1), [2]int{}
	for b := 1; b < bins; b++ {
		for c := b + 1; c < bins; c++ {
			if w := part(0, b) + part(b, c) + part(c, bins); w < least {
				least, want = w, [2]int{b, c}
			}
		}
	}
	if k, cut := otsu(&h, 3); k != 3 || cut != want {
		t.Errorf("%d levels cut at %v; want 3 at %v", k, cut, want)
	}
}

// A fit finds the light and the levels that made the samples, whatever lies in
// its outliers.
func TestFitFindsLightAndLevels(t *testing.T) {
	var g grid
	g.fill(&samples{})
	want := light{surface: [terms]float64{.2, -.1, -.3, .05, -.2, -.1}, level: [3]float64{4, 4.6}}
	var class [side * side]uint8
	for i := range g.z {
		class[i] = uint8(i / 7 % 2)
		g.z[i] = want.level[class[i]]
		x, y := g.at[i%side], g.at[i/side]
		for j, v := range [terms]float64{x, y, x * x, x * y, y * y, (x*x + y*y) * (x*x + y*y)} {
			g.z[i] += want.surface[j] * v
		}
		if i%11 == 0 {
			class[i], g.z[i] = outlier, 9
		}
	}
	got := g.fitted(&class, 2)
	g.measure(&got, &class)
	for j := range terms {
		if math.Abs(got.surface[j]-want.surface[j]) > 1e-3 {
			t.Errorf("surface %v; want %v", got.surface, want.surface)
			break
		}
	}
	if math.Abs(got.level[0]-4) > 1e-3 || math.Abs(got.level[1]-4.6) > 1e-3 || got.spread > 1e-3 {
		t.Errorf("levels %v, spread %v; want 4 and 4.6 without", got.level, got.spread)
	}
}
