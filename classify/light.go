package classify

import (
	"math"
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

// terms is how many the surface has: x, y, x², xy, y², r⁴.
const terms = 6

// grid is what every fit to one picture starts from. Positions run from -1 to
// 1, at the middles of the cells.
type grid struct {
	z                  [side * side]float64  // logarithm of grey of each sample
	at, square, fourth [side]float64         // a position along an edge, to the powers 1, 2 and 4
	all                [terms][terms]float64 // products of the terms, summed over the cells: the upper half
}

// fill makes g, which must be zero, the grid of s.
func (g *grid) fill(s *samples) {
	var logs [256]float64
	for v := range logs {
		logs[v] = math.Log(float64(v) + 4) // +4: black is not minus infinity
	}
	for i, v := range s {
		g.z[i] = logs[v]
	}
	for i := range g.at {
		x := (float64(i)+.5)*2/side - 1
		g.at[i], g.square[i], g.fourth[i] = x, x*x, x*x*x*x
	}
	var row powers
	for _, x := range g.at {
		row.add(x)
	}
	for y := range side {
		row.products(&g.all, g.at[y], 1)
	}
}

// powers are the sums of the powers 0 to 8 of x over some samples of a row.
type powers [9]float64

func (p *powers) add(x float64) {
	v := 1.
	for k := range p {
		p[k] += v
		v *= x
	}
}

// products adds the products of the terms at those samples, times weight: the
// upper half.
func (p *powers) products(to *[terms][terms]float64, y, weight float64) {
	yy := y * y
	var by [5][terms]float64 // sums of the terms times a power of x
	for _, k := range [...]int{0, 1, 2, 4} {
		s := sums{p[k], p[k+1], p[k+2], p[k+4]}
		s.terms(&by[k], y, weight)
	}
	for k := range terms {
		to[0][k] += by[1][k]
		to[1][k] += by[0][k] * y
		to[2][k] += by[2][k]
		to[3][k] += by[1][k] * y
		to[4][k] += by[0][k] * yy
		to[5][k] += by[4][k] + 2*yy*by[2][k] + yy*yy*by[0][k]
	}
}

// sums are those of the powers 0, 1, 2 and 4 of x over some samples of a row,
// or of the samples times these.
type sums [4]float64

// terms adds the sums of the terms, times weight.
func (s *sums) terms(to *[terms]float64, y, weight float64) {
	yy := y * y
	for j, v := range [terms]float64{s[1], y * s[0], s[2], y * s[1], yy * s[0], s[3] + 2*yy*s[2] + yy*yy*s[0]} {
		to[j] += weight * v
	}
}

// a row of the surface is a polynomial of x: x a + x² b + x⁴ c + d.
func (g *grid) row(l *light, row int) (a, b, c, d float64) {
	s, y, yy := &l.surface, g.at[row], g.square[row]
	return s[0] + s[3]*y, s[2] + 2*s[5]*yy, s[5], s[1]*y + s[4]*yy + s[5]*g.fourth[row]
}

// rest fills r with z without the surface, and gives its least and greatest.
func (g *grid) rest(l *light, r *[side * side]float64) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for row := range side {
		a, b, c, d := g.row(l, row)
		z, to := g.z[row*side:][:side], r[row*side:][:side]
		for i, v := range z {
			v -= g.at[i]*a + g.square[i]*b + g.fourth[i]*c + d
			to[i] = v
			if v < low {
				low = v
			}
			if v > high {
				high = v
			}
		}
	}
	return low, high
}

// outlier is the class of samples that are none of the materials.
const outlier = 3

// fitted is the least-squares light, given the material of each sample; its
// spread is left to measure.
func (g *grid) fitted(class *[side * side]uint8, levels int) light {
	products := g.all
	var count, sum [outlier]float64   // of the samples of each level
	var cross [outlier][terms]float64 // sums of the terms at its samples
	var right [terms]float64          // sums of the terms times the samples
	for row := range side {
		var ones, values [outlier + 1]sums
		var out powers
		for col, v := range g.z[row*side:][:side] {
			c := class[row*side+col] & 3
			x, xx, x4 := g.at[col], g.square[col], g.fourth[col]
			n, s := &ones[c], &values[c]
			n[0], n[1], n[2], n[3] = n[0]+1, n[1]+x, n[2]+xx, n[3]+x4
			s[0], s[1], s[2], s[3] = s[0]+v, s[1]+x*v, s[2]+xx*v, s[3]+x4*v
			if c == outlier {
				out.add(x)
			}
		}
		y := g.at[row]
		if out[0] > 0 {
			out.products(&products, y, -1)
		}
		for c := range outlier {
			count[c] += ones[c][0]
			sum[c] += values[c][0]
			ones[c].terms(&cross[c], y, 1)
			values[c].terms(&right, y, 1)
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
	return l
}

// improved sorts the samples under the light l into materials and fits it to
// them anew, at most so often.
func (g *grid) improved(l light, times int, copper Tone) light {
	levels := 2
	if copper == Bright {
		levels = 3 // pads and legend are brighter still
	}
	var rest [side * side]float64
	var class, last [side * side]uint8
	for range times {
		low, high := g.rest(&l, &rest)
		k := split(&rest, low, high, &class, levels, copper)
		l = g.fitted(&class, k)
		if class == last {
			break
		}
		last = class
	}
	g.measure(&l, &class)
	return l
}

// measure sets the spread of l, from the samples of the lower two levels.
func (g *grid) measure(l *light, class *[side * side]uint8) {
	var rest [side * side]float64
	g.rest(l, &rest)
	var squares, n float64
	for i, v := range rest {
		if c := class[i]; c < 2 {
			d := v - l.level[c]
			squares, n = squares+d*d, n+1
		}
	}
	l.spread = math.Sqrt(squares / max(n, 1))
}

// unknowns of a fit, at most: three levels and the terms.
const unknowns = outlier + terms

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
