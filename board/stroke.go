package board

import (
	"math"
	"math/rand/v2"
)

// A stroke is a line of joints with a half-width at each segment.
type stroke struct {
	x, y, r []float64
}

// bounds is the rectangle around s.
func (s stroke) bounds() (left, top, right, bottom float64) {
	left, top, right, bottom = math.Inf(1), math.Inf(1), math.Inf(-1), math.Inf(-1)
	for i, r := range s.r {
		for j := i; j <= i+1; j++ {
			left, top = min(left, s.x[j]-r), min(top, s.y[j]-r)
			right, bottom = max(right, s.x[j]+r), max(bottom, s.y[j]+r)
		}
	}
	return left, top, right, bottom
}

// stroke draws what may become a defect of class k.
func (b *Board) stroke(r *rand.Rand, k int, adds bool) stroke {
	at := b.spots[k][r.IntN(len(b.spots[k]))]
	if k >= 2 {
		if b.pen {
			return b.penned(r, at, k)
		}
		return scribble(r, at, k)
	}
	d := b.inside
	if adds {
		d = b.outside
	}
	half := func(s spot) float64 { return float64(d[s.y*b.size+s.x]) }
	if b.pen && r.IntN(5) < 3 { // wide areas have many spots: prefer the finer of two
		if other := b.spots[k][r.IntN(len(b.spots[k]))]; half(other) < half(at) {
			at = other
		}
	}
	angle := b.across(d, at) + r.NormFloat64()*0.3
	if b.pen && r.IntN(6) == 0 { // a long piece of it instead
		return wander(r, at, angle+math.Pi/2, 1+r.IntN(2), 6+50*r.Float64()*r.Float64(), half(at)+0.5+2*r.Float64(), 0.1, 1.3)
	}
	if b.pen {
		w := 1.4 * math.Exp(1.3*r.Float64())
		return bar(r, at, angle, half(at)+1+7*r.Float64()*r.Float64(), w, 0.12+0.25*r.Float64()*r.Float64())
	}
	return bar(r, at, angle, half(at)+1.5+4*r.Float64(), 2.2+3.2*r.Float64(), 0.12)
}

// across is the direction in which d falls fastest about a spot.
func (b *Board) across(d []float32, at spot) float64 {
	var xx, xy, yy float64 // structure tensor: the steepest direction of d leads across
	for j := -3; j <= 3; j++ {
		for i := -3; i <= 3; i++ {
			k := (at.y+j)*b.size + at.x + i
			gx, gy := float64(d[k+1]-d[k-1]), float64(d[k+b.size]-d[k-b.size])
			xx, xy, yy = xx+gx*gx, xy+gx*gy, yy+gy*gy
		}
	}
	return math.Atan2(2*xy, xx-yy) / 2
}

// bar crosses a trace or a gap at its middle, half to each side, bent a little.
func bar(r *rand.Rand, at spot, angle, half, w, bent float64) stroke {
	sin, cos := math.Sincos(angle)
	bend := r.NormFloat64() * half * bent
	x, y := float64(at.x), float64(at.y)
	return stroke{
		x: []float64{x - cos*half, x - sin*bend, x + cos*half},
		y: []float64{y - sin*half, y + cos*bend, y + sin*half},
		r: []float64{w, w * (0.8 + 0.4*r.Float64())},
	}
}

// scribble is a blot about a spot.
func scribble(r *rand.Rand, at spot, k int) stroke {
	n, length, width := 1+r.IntN(4), 2+20*r.Float64()*r.Float64(), 2.9+2.8*r.Float64()
	if k == 5 {
		width = 2.9 + 2*r.Float64()
	}
	if k == 2 || k == 3 {
		width += 1.2
	}
	return wander(r, at, 2*math.Pi*r.Float64(), n, length, width, 0.8, 2.9)
}

// penned is what a pen makes at a spot: a disk, a dash, a hook, a squiggle, or
// a finger that leads away from an edge.
func (b *Board) penned(r *rand.Rand, at spot, k int) stroke {
	if k == 2 && r.IntN(2) == 0 {
		return finger(r, at, b.uphill(b.inside, at))
	}
	if k == 3 && r.IntN(2) == 0 {
		return finger(r, at, b.uphill(b.outside, at))
	}
	edge := k == 2 || k == 3
	direction := 2 * math.Pi * r.Float64()
	switch kind := r.Float64(); {
	case kind < 0.15:
		return wander(r, at, direction, 1, 0.5, 3*math.Exp(1.3*r.Float64()), 0, 2)
	case kind < 0.22 && !edge:
		return wander(r, at, direction, 3+r.IntN(4), 20+40*r.Float64(), 1.5+2*r.Float64(), 0.9, 1.4)
	}
	turn := 0.6
	if r.IntN(4) == 0 {
		turn = 1.4
	}
	length, width := 4+34*r.Float64()*r.Float64(), 1.6*math.Exp(1.5*r.Float64())
	if edge {
		width = 1.4 * math.Exp(1.3*r.Float64())
	}
	return wander(r, at, direction, 1+r.IntN(5), length, width, turn, 1.3)
}

// finger is a stroke from a spot at an edge into what it spoils.
func finger(r *rand.Rand, at spot, inwards float64) stroke {
	return wander(r, at, inwards+0.7*r.NormFloat64(), 1+r.IntN(4), 5+28*r.Float64()*math.Sqrt(r.Float64()), 1.4*math.Exp(1.2*r.Float64()), 0.35, 1.3)
}

// uphill is the direction in which d grows at a spot.
func (b *Board) uphill(d []float32, at spot) float64 {
	i := at.y*b.size + at.x
	return math.Atan2(float64(d[i+2*b.size]-d[i-2*b.size]), float64(d[i+2]-d[i-2]))
}

// wander is a stroke of n segments from a spot in a direction that turns as it
// goes, nowhere thinner than least.
func wander(r *rand.Rand, at spot, direction float64, n int, length, width, turn, least float64) stroke {
	s := stroke{x: []float64{float64(at.x)}, y: []float64{float64(at.y)}}
	for i := range n {
		direction += r.NormFloat64() * turn
		sin, cos := math.Sincos(direction)
		s.x = append(s.x, s.x[i]+cos*length/float64(n))
		s.y = append(s.y, s.y[i]+sin*length/float64(n))
		s.r = append(s.r, max(width*(0.8+0.4*r.Float64()), least))
	}
	return s
}
