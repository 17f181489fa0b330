package board

import (
	"math"
	"math/rand/v2"
	"slices"

	"gocv.io/x/gocv"

	"inspector"
)

// A spot is a pixel where a class of defect may be tried.
type spot struct{ x, y int }

// rim is how far defects stay from the edge of the board, pixels.
const rim = 26

// measure finds nets, distances and the spots for each class. Nothing is
// spoilt near the legend or a drilled hole, where it could not be seen.
func (b *Board) measure(r *rand.Rand, l *layout) error {
	bare := newCanvas(b.size)
	for i, v := range b.copper {
		bare.px[i] = 255 - v
	}
	var err error
	if b.inside, err = distances(l.copper); err != nil {
		return err
	}
	if b.outside, err = distances(bare); err != nil {
		return err
	}
	b.nets = make([]int32, len(b.copper))
	seen := make([]bool, len(b.copper))
	net := int32(0)
	for i, v := range b.copper {
		if v != 0 && !seen[i] {
			net++
			b.nets[i] = net
			flood(i, seen, func(q int) bool {
				if b.copper[q] == 0 {
					return false
				}
				b.nets[q] = net
				return true
			}, b.around)
		}
	}
	legend, err := l.silk.grown(16)
	if err != nil {
		return err
	}
	drilled, err := l.hole.grown(8)
	if err != nil {
		return err
	}
	for i := range legend.px {
		legend.px[i] |= drilled.px[i]
	}
	b.find(r, legend)
	return nil
}

// find gathers up to 2000 spots of each class away from what hides.
func (b *Board) find(r *rand.Rand, hides canvas) {
	seen := [6]int{}
	for y := rim; y < b.size-rim; y++ {
		for x := rim; x < b.size-rim; x++ {
			i := y*b.size + x
			if hides.px[i] != 0 {
				continue
			}
			in, out := float64(b.inside[i]), float64(b.outside[i])
			for k, fits := range [6]bool{
				in > 2 && in < 26 && b.crest(b.inside, i),
				out > 2 && out < 22 && b.crest(b.outside, i),
				in > 0 && in < 4,
				out > 0 && out < 4,
				out > 7.5,
				in > 7,
			} {
				if !fits {
					continue
				}
				seen[k]++
				if len(b.spots[k]) < 2000 {
					b.spots[k] = append(b.spots[k], spot{x, y})
				} else if j := r.IntN(seen[k]); j < 2000 {
					b.spots[k][j] = spot{x, y}
				}
			}
		}
	}
}

// crest reports whether d is greatest at i among its neighbours: the middle of a trace or gap.
func (b *Board) crest(d []float32, i int) bool {
	for _, j := range [8]int{1, -1, b.size, -b.size, b.size + 1, b.size - 1, -b.size + 1, -b.size - 1} {
		if d[i+j] > d[i]+0.01 {
			return false
		}
	}
	return true
}

// distances of what is set in c to the nearest pixel that is not.
func distances(c canvas) ([]float32, error) {
	dist, labels := gocv.NewMat(), gocv.NewMat()
	defer dist.Close()
	defer labels.Close()
	if err := c.with(func(m *gocv.Mat) error {
		return gocv.DistanceTransform(*m, &dist, &labels, gocv.DistL2, gocv.DistanceMask5, gocv.DistanceLabelCComp)
	}); err != nil {
		return nil, err
	}
	px, err := dist.DataPtrFloat32()
	return slices.Clone(px), err
}

// damaged is the design with up to n defects.
func (b *Board) damaged(r *rand.Rand, n int) ([]byte, []inspector.Defect) {
	copper := slices.Clone(b.copper)
	var defects []inspector.Defect
	for range n {
		for range 6 { // another class if one finds no room
			if d, ok := b.spoil(r, copper, r.IntN(6), defects); ok {
				defects = append(defects, d)
				break
			}
		}
	}
	return copper, defects
}

// spoil tries to add one defect of class k, clear of those there are.
func (b *Board) spoil(r *rand.Rand, copper []byte, k int, others []inspector.Defect) (inspector.Defect, bool) {
	if len(b.spots[k]) == 0 {
		return inspector.Defect{}, false
	}
	adds := k == 1 || k == 3 || k == 4
	for range 10 {
		at := b.spots[k][r.IntN(len(b.spots[k]))]
		var p patch
		if k < 2 {
			p = b.patch(b.bar(r, at, adds), adds)
		} else {
			p = b.patch(scribble(r, at, k), adds)
		}
		box, ok := p.box()
		if !ok || slices.ContainsFunc(others, func(d inspector.Defect) bool { return overlap(d.Box, box) }) || p.class() != k {
			continue
		}
		p.apply(copper)
		return inspector.Defect{Class: Classes()[k], Score: 1, Box: box}, true
	}
	return inspector.Defect{}, false
}

func overlap(a, b inspector.Box) bool {
	const apart = 4
	return a.Left < b.Right+apart && b.Left < a.Right+apart && a.Top < b.Bottom+apart && b.Top < a.Bottom+apart
}

// A stroke is a line of joints with a half-width at each segment.
type stroke struct {
	x, y, r []float64
}

// bar crosses a trace or a gap at its middle.
func (b *Board) bar(r *rand.Rand, at spot, adds bool) stroke {
	d := b.inside
	if adds {
		d = b.outside
	}
	var xx, xy, yy float64 // structure tensor: the steepest direction of d leads across
	for j := -3; j <= 3; j++ {
		for i := -3; i <= 3; i++ {
			k := (at.y+j)*b.size + at.x + i
			gx, gy := float64(d[k+1]-d[k-1]), float64(d[k+b.size]-d[k-b.size])
			xx, xy, yy = xx+gx*gx, xy+gx*gy, yy+gy*gy
		}
	}
	angle := math.Atan2(2*xy, xx-yy)/2 + r.NormFloat64()*0.3
	half := float64(d[at.y*b.size+at.x]) + 1.5 + 4*r.Float64()
	sin, cos := math.Sincos(angle)
	bend := r.NormFloat64() * half * 0.12
	x, y := float64(at.x), float64(at.y)
	w := 2.2 + 3.2*r.Float64()
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
	s := stroke{x: []float64{float64(at.x)}, y: []float64{float64(at.y)}}
	angle := r.Float64() * 2 * math.Pi
	for i := range n {
		angle += r.NormFloat64() * 0.8
		sin, cos := math.Sincos(angle)
		s.x = append(s.x, s.x[i]+cos*length/float64(n))
		s.y = append(s.y, s.y[i]+sin*length/float64(n))
		s.r = append(s.r, max(width*(0.8+0.4*r.Float64()), 2.9))
	}
	return s
}
