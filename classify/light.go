package classify

import (
	"math"
	"slices"
	"sort"
)

// light is what a fit found, in logarithms of grey: a surface of six terms
// without a constant, and the level of each material, rising.
type light struct {
	surface [terms]float64
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

// terms is how many the surface has.
const terms = 6

// grid is what every fit to one picture starts from.
type grid struct {
	z     [side * side]float64        // logarithm of grey of each sample
	terms [side * side][terms]float64 // of the surface, at the middle of each cell
	all   [terms][terms]float64       // their products, summed over the cells: the upper half
}

// fill makes g, which must be zero, the grid of s.
func (g *grid) fill(s *samples) {
	for i, v := range s {
		g.z[i] = math.Log(float64(v) + 4) // +4: black is not minus infinity
		// Position runs from -1 to 1.
		x, y := (float64(i%side)+.5)*2/side-1, (float64(i/side)+.5)*2/side-1
		r := x*x + y*y
		g.terms[i] = [terms]float64{x, y, x * x, x * y, y * y, r * r}
		add(&g.all, &g.terms[i], 1)
	}
}

// add adds the products of the terms at one cell, times sign.
func add(products *[terms][terms]float64, t *[terms]float64, sign float64) {
	for j := range terms {
		for k := j; k < terms; k++ {
			products[j][k] += sign * t[j] * t[k]
		}
	}
}

// at is the surface where the terms are t.
func (l *light) at(t *[terms]float64) float64 {
	s := &l.surface
	return s[0]*t[0] + s[1]*t[1] + s[2]*t[2] + s[3]*t[3] + s[4]*t[4] + s[5]*t[5]
}

// rest is z without the surface.
func (g *grid) rest(l *light) (r [side * side]float64) {
	for i := range r {
		r[i] = g.z[i] - l.at(&g.terms[i])
	}
	return r
}

// outlier is the class of samples that are none of the materials.
const outlier = 255

// unknowns of a fit, at most: three levels and the terms.
const unknowns = 3 + terms

// fitted is the least-squares light, given the material of each sample.
func (g *grid) fitted(class *[side * side]uint8, levels int) light {
	products := g.all
	var count, sum [3]float64   // of the samples of each level
	var cross [3][terms]float64 // sums of the terms at its samples
	var right [terms]float64    // sums of the terms times the samples
	for i, v := range g.z {
		t, c := &g.terms[i], class[i]
		if c >= 3 {
			add(&products, t, -1)
			continue
		}
		count[c]++
		sum[c] += v
		for j, x := range t {
			cross[c][j] += x
			right[j] += x * v
		}
	}
	var a [unknowns][unknowns + 1]float64 // normal equations, right-hand side last; the upper half
	for c := range levels {
		a[c][c], a[c][unknowns] = count[c], sum[c]
		copy(a[c][levels:], cross[c][:])
	}
	for j := range terms {
		copy(a[levels+j][levels:levels+terms], products[j][:])
		a[levels+j][unknowns] = right[j]
	}
	l := light{levels: levels}
	x := solved(&a, levels+terms)
	copy(l.level[:], x[:levels])
	copy(l.surface[:], x[levels:])
	var squares, n float64
	for i, v := range g.z {
		if class[i] < 2 {
			d := v - l.at(&g.terms[i]) - l.level[class[i]]
			squares, n = squares+d*d, n+1
		}
	}
	l.spread = math.Sqrt(squares / max(n, 1))
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
	perWidth := bins / (high - low + 1e-9)
	for _, v := range rest {
		if v < low || v > high {
			continue
		}
		b := min(int((v-low)*perWidth), bins-1) + 1
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
	var below, above [bins]float64 // within the bins on either side of a cut
	for b := 1; b < bins; b++ {
		below[b], above[b] = within(0, b), within(b, bins)
		if w := below[b] + above[b]; w < two {
			two, cut[0] = w, b
		}
	}
	if levels < 3 {
		return k, cut
	}
	// What lies outside two cuts only grows as they close in, and what lies
	// between as they part: nothing that is skipped could be the least.
	three, from := 0.4*two, 2
	for b := 1; b < bins && below[b] < three; b++ {
		for from = max(from, b+1); from < bins && below[b]+above[from] >= three; {
			from++
		}
		for c := from; c < bins; c++ {
			inner := below[b] + within(b, c)
			if inner >= three {
				break
			}
			if w := inner + above[c]; w < three {
				three, k, cut = w, 3, [2]int{b, c}
			}
		}
	}
	return k, cut
}
