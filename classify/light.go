package classify

import (
	"math"
	"slices"
	"sort"
)

// light is what a fit found, in logarithms of grey: a surface of six terms
// without a constant, and the level of each material, rising.
type light struct {
	surface [6]float64
	level   [3]float64
	levels  int
	spread  float64 // of the samples about their levels, standard deviation
}

// contrast is the distance of the lowest two levels in units of the spread.
func (l *light) contrast() float64 {
	if l.levels < 2 {
		return 0
	}
	return (l.level[1] - l.level[0]) / (l.spread + 0.01) // 0.01: a drawing has no noise
}

// terms of the surface at cell i; position runs from -1 to 1.
func terms(i int) [6]float64 {
	x, y := (float64(i%side)+.5)*2/side-1, (float64(i/side)+.5)*2/side-1
	r := x*x + y*y
	return [6]float64{x, y, x * x, x * y, y * y, r * r}
}

func (l *light) at(i int) (v float64) {
	for k, t := range terms(i) {
		v += l.surface[k] * t
	}
	return v
}

// rest is z without the surface.
func (l *light) rest(z *[side * side]float64) (r [side * side]float64) {
	for i := range r {
		r[i] = z[i] - l.at(i)
	}
	return r
}

// outlier is the class of samples that are none of the materials.
const outlier = 255

// unknowns of a fit, at most: three levels and six terms.
const unknowns = 9

// fitted is the least-squares light of z, given the material of each sample.
func fitted(z *[side * side]float64, class *[side * side]uint8, levels int) light {
	n := levels + 6
	var a [unknowns][unknowns + 1]float64 // normal equations, right-hand side last
	for i, v := range z {
		if class[i] == outlier {
			continue
		}
		var row [unknowns + 1]float64
		row[class[i]] = 1
		t := terms(i)
		copy(row[levels:], t[:])
		row[unknowns] = v
		for j := range n {
			if row[j] == 0 {
				continue
			}
			for k := j; k < n; k++ {
				a[j][k] += row[j] * row[k]
			}
			a[j][unknowns] += row[j] * v
		}
	}
	l := light{levels: levels}
	for j, v := range solved(&a, n) {
		if j < levels {
			l.level[j] = v
		} else if j < n {
			l.surface[j-levels] = v
		}
	}
	var sum, count float64
	for i, v := range z {
		if class[i] < 2 {
			d := v - l.at(i) - l.level[class[i]]
			sum, count = sum+d*d, count+1
		}
	}
	l.spread = math.Sqrt(sum / max(count, 1))
	return l
}

// solved is the solution of the first n of the normal equations, whose upper
// half is filled.
func solved(a *[unknowns][unknowns + 1]float64, n int) (x [unknowns]float64) {
	for j := range n {
		a[j][j] += 1e-3 // a level without samples must not make it singular
		for k := range j {
			a[j][k] = a[k][j]
		}
	}
	for j := range n { // Gauss-Jordan; symmetric and positive, so no pivoting
		for k := range n {
			if k == j {
				continue
			}
			f := a[k][j] / a[j][j]
			for m := j; m <= unknowns; m++ {
				a[k][m] -= f * a[j][m]
			}
		}
	}
	for j := range n {
		x[j] = a[j][unknowns] / a[j][j]
	}
	return x
}

// bins of the histogram that split cuts.
const bins = 96

// split sorts the samples into materials by Otsu's method, rising, and returns
// how many: with levels 3 a third is taken only if it explains most of what
// two leave over. The twentieth at the laminate's far end is left out as
// outliers: drilled holes and shadow, or glare where laminate is bright.
func split(rest *[side * side]float64, class *[side * side]uint8, levels int, copper Tone) int {
	low, high := slices.Min(rest[:]), slices.Max(rest[:])
	n := histogram(rest, low, high)
	if width := (high - low) / bins; copper == Bright {
		low += width * float64(sort.Search(bins, func(b int) bool { return n[0][b+1] > float64(len(rest))/20 }))
	} else {
		high -= width * float64(bins-sort.Search(bins, func(b int) bool { return n[0][b] >= float64(len(rest))*19/20 }))
	}
	n = histogram(rest, low, high)
	k, cut := otsu(&n, levels)
	width := (high - low + 1e-9) / bins
	for i, v := range rest {
		class[i] = 0
		for _, c := range cut {
			if v >= low+width*float64(c) {
				class[i]++
			}
		}
		if v < low || v > high {
			class[i] = outlier
		}
	}
	return k
}

// histogram holds running totals below each bin of the samples from low to
// high: their number, sum and sum of squares.
func histogram(rest *[side * side]float64, low, high float64) (t [3][bins + 1]float64) {
	width := (high - low + 1e-9) / bins
	for _, v := range rest {
		if v < low || v > high {
			continue
		}
		b := min(int((v-low)/width), bins-1) + 1
		t[0][b]++
		t[1][b] += v
		t[2][b] += v * v
	}
	for k := range t {
		for b := range bins {
			t[k][b+1] += t[k][b]
		}
	}
	return t
}

// otsu cuts a histogram where the sum of squares within the parts is least.
func otsu(t *[3][bins + 1]float64, levels int) (k int, cut [2]int) {
	within := func(from, to int) float64 { // sum of squares about the mean of bins [from, to)
		n, sum := t[0][to]-t[0][from], t[1][to]-t[1][from]
		if n == 0 {
			return 0
		}
		return t[2][to] - t[2][from] - sum*sum/n
	}
	two := math.Inf(1)
	k, cut = 2, [2]int{bins, bins}
	for b := 1; b < bins; b++ {
		if w := within(0, b) + within(b, bins); w < two {
			two, cut[0] = w, b
		}
	}
	if levels == 3 {
		three, both := math.Inf(1), cut
		for b := 1; b < bins; b++ {
			for c := b + 1; c < bins; c++ {
				if w := within(0, b) + within(b, c) + within(c, bins); w < three {
					three, both = w, [2]int{b, c}
				}
			}
		}
		if three < 0.4*two {
			k, cut = 3, both
		}
	}
	return k, cut
}
