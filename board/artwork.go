package board

import (
	"math"
	"slices"

	"gocv.io/x/gocv"
)

// An artwork draws a window of a foil: no parts, no grid, but traces of every
// width, pads, pours, combs, fields of vias and floods, as a camera close above
// a board sees them. Copper may leave the window and touch as it likes.
type artwork struct {
	*layout
	sin, cos float64 // the turn of the whole window
}

// draw fills the window with one or more kinds of copper.
func (a *artwork) draw() {
	a.sin, a.cos = 0, 1
	if a.r.IntN(8) == 0 {
		a.sin, a.cos = math.Sincos(a.r.Float64() * math.Pi / 2)
	}
	width := a.between(6, 60)
	switch kind := a.r.Float64(); {
	case kind < 0.3:
		a.pours()
	case kind < 0.42:
		a.field()
	case kind < 0.62:
		for range 1 + a.r.IntN(4) {
			a.comb()
		}
	}
	a.traces(1+a.r.IntN(5), width)
	if a.r.IntN(3) > 0 {
		a.traces(1+a.r.IntN(4), a.between(6, 14))
	}
	for range a.r.IntN(12) {
		x, y := a.anywhere()
		a.land(x, y, a.between(6, 34))
	}
	if a.r.IntN(4) == 0 {
		a.flood(int(a.between(7, 24)))
	}
	if a.r.IntN(8) == 0 {
		for i, v := range a.copper.px {
			a.copper.px[i] = 255 - v
		}
	}
}

// between draws a length from low to high, short ones as often as long ones.
func (a *artwork) between(low, high float64) float64 {
	return low * math.Pow(high/low, a.r.Float64())
}

// anywhere is a point of the window or a little outside it.
func (a *artwork) anywhere() (x, y float64) {
	s := float64(a.size)
	return s * (1.2*a.r.Float64() - 0.1), s * (1.2*a.r.Float64() - 0.1)
}

// turned is a point once the window has been turned about its middle.
func (a *artwork) turned(x, y float64) (float64, float64) {
	c := float64(a.size) / 2
	x, y = x-c, y-c
	return a.cos*x - a.sin*y + c, a.sin*x + a.cos*y + c
}

func (a *artwork) line(x0, y0, x1, y1, r float64, v byte) {
	x0, y0 = a.turned(x0, y0)
	x1, y1 = a.turned(x1, y1)
	a.copper.stroke(x0, y0, x1, y1, r, v)
}

func (a *artwork) disk(x, y, r float64, v byte) { a.line(x, y, x, y, r, v) }

// polygon fills the outline through the points of xy.
func (a *artwork) polygon(xy [][2]float64, v byte) {
	out := make([][2]float64, len(xy))
	for i, p := range xy {
		out[i][0], out[i][1] = a.turned(p[0], p[1])
	}
	a.copper.polygon(out, v)
}

// slab is a rectangle from x, y whose corners are cut off by cut pixels.
func (a *artwork) slab(x, y, w, h, cut float64, v byte) {
	c := min(cut, w/2, h/2)
	a.polygon([][2]float64{
		{x + c, y}, {x + w - c, y}, {x + w, y + c}, {x + w, y + h - c},
		{x + w - c, y + h}, {x + c, y + h}, {x, y + h - c}, {x, y + c},
	}, v)
}

// pours draws large areas, drilled and slotted.
func (a *artwork) pours() {
	s := float64(a.size)
	for range 1 + a.r.IntN(5) {
		x, y := a.anywhere()
		switch a.r.IntN(4) {
		case 0:
			a.disk(x, y, a.between(50, 320), 255)
		case 1:
			n, reach := 3+a.r.IntN(5), a.between(60, 280)
			angles := make([]float64, n)
			for i := range angles {
				angles[i] = 2 * math.Pi * a.r.Float64()
			}
			slices.Sort(angles)
			xy := make([][2]float64, n)
			for i, t := range angles {
				xy[i] = [2]float64{x + reach*math.Cos(t), y + reach*math.Sin(t)}
			}
			a.polygon(xy, 255)
		default:
			a.slab(x-60, y-60, a.between(40, 0.8*s), a.between(40, 0.8*s), a.r.Float64()*a.r.Float64()*120, 255)
		}
	}
	for range a.r.IntN(8) {
		x, y := a.anywhere()
		a.disk(x, y, a.between(5, 60), 0)
	}
	for range a.r.IntN(7) {
		a.slot()
	}
}

// slot cuts a line with a few bends out of the copper.
func (a *artwork) slot() {
	x, y := a.anywhere()
	r := a.between(6, 26) / 2
	d := a.r.IntN(8)
	for range 1 + a.r.IntN(4) {
		n := a.between(30, 400)
		sin, cos := math.Sincos(float64(d) * math.Pi / 4)
		a.line(x, y, x+n*cos, y+n*sin, r, 0)
		x, y = x+n*cos, y+n*sin
		d += 2 * (a.r.IntN(3) - 1)
	}
}

// field draws a grid of vias, some with a short trace to a neighbour.
func (a *artwork) field() {
	pitch := a.between(22, 70)
	r := pitch * (0.22 + 0.16*a.r.Float64())
	x0, y0 := a.anywhere()
	nx, ny := 3+a.r.IntN(10), 3+a.r.IntN(10)
	for j := range ny {
		for i := range nx {
			if a.r.IntN(10) == 0 {
				continue
			}
			x, y := x0/2+float64(i)*pitch, y0/2+float64(j)*pitch
			a.disk(x, y, r, 255)
			switch a.r.IntN(6) {
			case 0, 1:
				a.line(x, y, x+pitch/2, y+pitch/2, max(3, r/3), 255)
			case 2:
				a.drill(x, y, r*0.4)
			}
		}
	}
}

// comb draws a row of pads as under a chip, some with a trace that leaves.
func (a *artwork) comb() {
	pitch, long := a.between(16, 56), a.between(26, 140)
	wide := pitch * (0.35 + 0.3*a.r.Float64())
	x0, y0 := a.anywhere()
	upright, leads, cut := a.r.IntN(2) == 0, a.r.IntN(2) == 0, float64(a.r.IntN(2))*wide/2
	for i := range 4 + a.r.IntN(16) {
		d := float64(i) * pitch
		if upright {
			a.slab(x0, y0+d, long, wide, cut, 255)
		} else {
			a.slab(x0+d, y0, wide, long, cut, 255)
		}
		if leads && a.r.IntN(3) > 0 {
			n := long + a.between(10, 120)
			if upright {
				a.line(x0+long/2, y0+d+wide/2, x0+n, y0+d+wide/2, wide*0.3+1, 255)
			} else {
				a.line(x0+d+wide/2, y0+long/2, x0+d+wide/2, y0+n, wide*0.3+1, 255)
			}
		}
	}
}

// traces draws n bundles of parallel traces of a width.
func (a *artwork) traces(n int, width float64) {
	for range n {
		gap := max(6, width*(0.5+1.5*a.r.Float64()))
		x, y := a.anywhere()
		xs, ys := []float64{x}, []float64{y}
		d := a.r.IntN(8)
		for range 1 + a.r.IntN(5) {
			sin, cos := math.Sincos(float64(d) * math.Pi / 4)
			long := a.between(40, 420)
			x, y = x+long*cos, y+long*sin
			xs, ys = append(xs, x), append(ys, y)
			if turn := a.r.IntN(12); turn < 10 {
				d += 1 - 2*(turn%2)
			} else {
				d += 2 - 4*(turn%2)
			}
		}
		for i := range 1 + a.r.IntN(8) {
			a.offset(xs, ys, float64(i)*(width+gap), width/2)
		}
	}
}

// offset draws the trace beside the points at a distance, with pads at some ends.
func (a *artwork) offset(xs, ys []float64, distance, r float64) {
	last := len(xs) - 1
	normal := func(i int) (x, y float64) {
		d := math.Hypot(xs[i+1]-xs[i], ys[i+1]-ys[i])
		return (ys[i] - ys[i+1]) / d, (xs[i+1] - xs[i]) / d
	}
	px, py := make([]float64, last+1), make([]float64, last+1)
	for i := range px {
		nx, ny := normal(min(i, last-1))
		if i > 0 && i < last { // the mitre of both
			mx, my := normal(i - 1)
			k := 1 + nx*mx + ny*my
			nx, ny = (nx+mx)/k, (ny+my)/k
		}
		px[i], py[i] = xs[i]+nx*distance, ys[i]+ny*distance
	}
	for i := range last {
		a.line(px[i], py[i], px[i+1], py[i+1], r, 255)
	}
	for _, end := range []int{0, last} {
		if a.r.IntN(2) == 0 {
			a.land(px[end], py[end], r*(1.1+1.6*a.r.Float64())+2)
		}
	}
}

// land draws a pad, perhaps drilled.
func (a *artwork) land(x, y, r float64) {
	if a.r.IntN(5) < 3 {
		a.disk(x, y, r, 255)
	} else {
		h := r * (0.6 + 1.4*a.r.Float64())
		a.slab(x-r, y-h, 2*r, 2*h, float64(a.r.IntN(2))*r*0.4, 255)
	}
	if r > 10 && a.r.IntN(3) == 0 {
		a.drill(x, y, r*(0.25+0.35*a.r.Float64()))
	}
}

// drill takes the copper away where a hole goes through.
func (a *artwork) drill(x, y, r float64) {
	if r < 3.5 {
		return
	}
	a.disk(x, y, r, 0)
	x, y = a.turned(x, y)
	a.hole.disk(x, y, r, 255)
}

// flood fills all that is further than gap from copper.
func (a *artwork) flood(gap int) {
	near, err := a.copper.grown(gap)
	if err != nil {
		a.err = err
		return
	}
	fill := newCanvas(a.size)
	for i, v := range near.px {
		fill.px[i] = 255 - v
	}
	if fill, err = fill.morphed(gocv.MorphOpen, 4); err != nil {
		a.err = err
		return
	}
	for i, v := range fill.px {
		a.copper.px[i] |= v
	}
}
