package classify

import "math"

// bins of the histogram that split cuts.
const bins = 96

// split sorts the samples, from low to high, into materials by Otsu's method,
// rising, and returns how many: with levels 3 a third is taken only if it
// explains most of what two leave over. The twentieth at the laminate's far end
// is left out as outliers: drilled holes and shadow, or glare where laminate is
// bright.
func split(rest *[side * side]float64, low, high float64, class *[side * side]uint8, levels int, copper Tone) int {
	low, high = trimmed(rest, low, high, copper)
	n := histogram(rest, low, high, class)
	k, cut := otsu(&n, levels)
	var of [bins + 1]uint8 // the material of each bin
	for b := range of {
		switch {
		case b == bins:
			of[b] = outlier
		case b >= cut[1]:
			of[b] = 2
		case b >= cut[0]:
			of[b] = 1
		}
	}
	for i, b := range class {
		class[i] = of[b]
	}
	return k
}

// trimmed is the range of the samples without the twentieth at the laminate's
// far end.
func trimmed(rest *[side * side]float64, low, high float64, copper Tone) (float64, float64) {
	var n [bins]int
	perWidth := bins / (high - low + 1e-9)
	for _, v := range rest {
		n[min(uint(max(int((v-low)*perWidth), 0)), bins-1)]++
	}
	width, left := (high-low)/bins, len(rest)/20
	if copper == Bright {
		for b := 0; n[b] <= left; b++ {
			left -= n[b]
			low += width
		}
		return low, high
	}
	for b := bins - 1; n[b] <= left; b-- {
		left -= n[b]
		high -= width
	}
	return low, high
}

// histogram holds running totals below each bin of the samples from low to
// high: their number, sum and sum of squares. It also gives the bin of each
// sample; bins is that of the others.
func histogram(rest *[side * side]float64, low, high float64, in *[side * side]uint8) (t [3][bins + 1]float64) {
	var sum [bins + 1][3]float64
	perWidth := bins / (high - low + 1e-9)
	for i, v := range rest {
		b := uint8(bins)
		if v >= low && v <= high {
			b = min(uint8((v-low)*perWidth), bins-1)
		}
		in[i] = b
		s := &sum[b]
		s[0], s[1], s[2] = s[0]+1, s[1]+v, s[2]+v*v
	}
	for b := range bins {
		for k := range t {
			t[k][b+1] = t[k][b] + sum[b][k]
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
