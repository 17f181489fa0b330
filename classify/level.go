package classify

import (
	"math"
	"slices"
)

// A level is the golden board at one resolution, ready to be compared with
// pictures of the same size: at pixels that a shift changes much, which steer,
// and at pixels of a regular grid, which tell how alike two boards are.
type level struct {
	w, h   int
	aspect float64 // width by height of the captured picture, however it was stretched
	steers []steer
	slopes [][6]float32 // of the grey value of each steer, by each number of a place
	probes []probe
}

// A steer is a pixel with a strong gradient.
type steer struct {
	x, y, v float32 // from -1 to 1, and the grey value
}

// A probe is a pixel of the grid.
type probe struct {
	at int32 // index of the pixel
	v  float32
}

const (
	mesh   = 16 // cells along each edge, each with its own steers
	enough = 24 // steers in a cell, at most
	steep  = 6  // grey levels per pixel, at least: less is noise
	thin   = 4  // of so many steers one decides about a step; all decide how alike boards are
)

// measure fills l, whose size is set, from the golden board's pixels.
func (l *level) measure(golden []byte) {
	w, h := l.w, l.h
	for row := range mesh {
		for col := range mesh {
			l.steepest(golden, col*w/mesh, row*h/mesh, (col+1)*w/mesh, (row+1)*h/mesh)
		}
	}
	step := max(1, int(math.Sqrt(float64(w*h)/3000)))
	for y := step / 2; y < h; y += step {
		for x := (y / step % 2) * step / 2; x < w; x += step { // every other row is offset
			l.probes = append(l.probes, probe{int32(y*w + x), float32(golden[y*w+x])})
		}
	}
}

// steepest adds the steers of one cell.
func (l *level) steepest(px []byte, left, top, right, bottom int) {
	type candidate struct {
		x, y   int
		dx, dy float64
	}
	var all []candidate
	for y := max(top, 1); y < min(bottom, l.h-1); y++ {
		for x := max(left, 1); x < min(right, l.w-1); x++ {
			i := y*l.w + x
			c := candidate{x, y, (float64(px[i+1]) - float64(px[i-1])) / 2, (float64(px[i+l.w]) - float64(px[i-l.w])) / 2}
			if math.Hypot(c.dx, c.dy) >= steep {
				all = append(all, c)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b candidate) int {
		if d := math.Hypot(b.dx, b.dy) - math.Hypot(a.dx, a.dy); d != 0 {
			return int(math.Copysign(1, d))
		}
		return 0
	})
	for _, c := range all[:min(len(all), enough)] {
		x, y := (float64(c.x)+.5)*2/float64(l.w)-1, (float64(c.y)+.5)*2/float64(l.h)-1
		gx, gy := c.dx*float64(l.w)/2, c.dy*float64(l.h)/2
		l.steers = append(l.steers, steer{float32(x), float32(y), float32(px[c.y*l.w+c.x])})
		var slope [6]float32
		for k, v := range [6]float64{gx * x, gx * y, gx, gy * x, gy * y, gy} {
			slope[k] = float32(v)
		}
		l.slopes = append(l.slopes, slope)
	}
}

// missing is the grey value of what lies outside the picture.
const missing = -1

// sample gives the picture's grey value at a point, between pixels.
func (l *level) sample(px []byte, x, y float32) float32 {
	fx, fy := (x+1)*float32(l.w)/2-.5, (y+1)*float32(l.h)/2-.5
	if !(fx >= 0 && fy >= 0 && fx < float32(l.w-1) && fy < float32(l.h-1)) {
		return missing
	}
	i, j := int(fx), int(fy)
	fx, fy = fx-float32(i), fy-float32(j)
	at := j*l.w + i
	a, b := px[at:at+2:at+2], px[at+l.w:at+l.w+2:at+l.w+2]
	top := float32(a[0]) + (float32(a[1])-float32(a[0]))*fx
	bottom := float32(b[0]) + (float32(b[1])-float32(b[0]))*fx
	return top + (bottom-top)*fy
}

// step moves p by one Gauss-Newton step of inverse-compositional alignment
// towards the least difference between picture and golden board, and returns
// the move. Contrast and brightness are equalised; where the two differ much,
// as at a defect, little is heeded. seen is room for len(l.steers) values.
func (l *level) step(p *place, px []byte, seen []float32) (move place, ok bool) {
	gain, offset, off, n := l.look(p, px, seen)
	if n < len(l.steers)/thin/3 {
		return home, false
	}
	var sums [6][7]float32 // of products of the slopes, and of slopes and errors
	scale := 1 / float32(max(1.5*off, 1))
	for i := 0; i < len(l.steers); i += thin {
		if seen[i] == missing {
			continue
		}
		slope := &l.slopes[i]
		e := gain*seen[i] + offset - l.steers[i].v
		weight := 1 / (1 + e*e*scale*scale)
		for j := range 6 {
			f := weight * slope[j]
			row := &sums[j]
			for k := j; k < 6; k++ {
				row[k] += f * slope[k]
			}
			row[6] += f * e
		}
	}
	var a [unknowns][unknowns + 1]float64
	for j, row := range sums {
		for k, v := range row[:6] {
			a[j][k] = float64(v)
		}
		a[j][unknowns] = float64(row[6])
	}
	l.stiffen(&a, p)
	x := solved(&a, 6)
	move = place{1 + x[0], x[1], x[2], x[3], 1 + x[4], x[5]}
	back, ok := move.inverse()
	*p = p.after(&back)
	return move, ok
}

// stiffen adds to the normal equations what is known beforehand: a board is
// hardly ever stretched or skewed, and where nothing steers it, along parallel
// traces say, it lies at home.
func (l *level) stiffen(a *[unknowns][unknowns + 1]float64, p *place) {
	strongest := 0.
	for j := range 6 {
		strongest = max(strongest, a[j][j])
	}
	stiff := 0.3 * strongest
	add := func(j, k int, u, v, is float64) { // u x[j] + v x[k] should become is
		a[j][j] += stiff * u * u
		a[j][k] += stiff * u * v
		a[k][k] += stiff * v * v
		a[j][unknowns] += stiff * u * is
		a[k][unknowns] += stiff * v * is
	}
	add(0, 4, 1, -1, p[0]-p[4])
	add(1, 3, l.aspect, 1/l.aspect, p[1]*l.aspect+p[3]/l.aspect)
	const weak = 1e-3
	for j := range 6 {
		a[j][j] += weak * strongest
		a[j][unknowns] += weak * strongest * (p[j] - home[j])
	}
}

// look fills seen with the picture's values at one steer of thin, and gives the
// gain and offset that make them like the golden board's, the mean difference
// that remains, and how many are inside the picture.
func (l *level) look(p *place, px []byte, seen []float32) (gain, offset float32, off float64, n int) {
	q := p.single()
	var t, tt, g, gg float64
	for i := 0; i < len(l.steers); i += thin {
		s := &l.steers[i]
		v := l.sample(px, q[0]*s.x+q[1]*s.y+q[2], q[3]*s.x+q[4]*s.y+q[5])
		if seen[i] = v; v == missing {
			continue
		}
		n++
		have, want := float64(v), float64(s.v)
		t, tt, g, gg = t+have, tt+have*have, g+want, gg+want*want
	}
	if n == 0 {
		return 0, 0, 0, 0
	}
	m := float64(n)
	gain = float32(math.Sqrt((gg/m - g/m*g/m + 1) / (tt/m - t/m*t/m + 1)))
	offset = float32(g/m) - gain*float32(t/m)
	for i := 0; i < len(l.steers); i += thin {
		if seen[i] != missing {
			off += math.Abs(float64(gain*seen[i] + offset - l.steers[i].v))
		}
	}
	return gain, offset, off / m, n
}

// likeness is the correlation, -1 to 1, of the picture and the golden board at
// one steer of every, the board lying at p: as edges decide, bare areas do not
// flatter it. Half the steers must be in the picture.
func (l *level) likeness(p *place, px []byte, every int) float64 {
	q := p.single()
	var c correlation
	for i := 0; i < len(l.steers); i += every {
		s := &l.steers[i]
		if v := l.sample(px, q[0]*s.x+q[1]*s.y+q[2], q[3]*s.x+q[4]*s.y+q[5]); v != missing {
			c.add(v, s.v)
		}
	}
	if c.n < len(l.steers)/every/2 {
		return 0
	}
	return c.value()
}

// A correlation of pairs of grey values.
type correlation struct {
	n                int
	a, b, aa, bb, ab float64
}

func (c *correlation) add(have, want float32) {
	a, b := float64(have), float64(want)
	c.n++
	c.a, c.b = c.a+a, c.b+b
	c.aa, c.bb, c.ab = c.aa+a*a, c.bb+b*b, c.ab+a*b
}

// value is 0 where either side is flat.
func (c *correlation) value() float64 {
	n := float64(max(c.n, 1))
	va, vb := c.aa/n-c.a/n*c.a/n, c.bb/n-c.b/n*c.b/n
	if va < 1 || vb < 1 {
		return 0
	}
	return (c.ab/n - c.a/n*c.b/n) / math.Sqrt(va*vb)
}
