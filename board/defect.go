package board

import (
	"math/rand/v2"
	"slices"

	"gocv.io/x/gocv"

	"inspector"
)

// A spot is a pixel where a class of defect may be tried.
type spot struct{ x, y int }

// rim is how far the middle of a defect stays from the edge of the board, pixels.
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

// find gathers up to 2000 spots of each class away from what hides, and how
// fine the board is.
func (b *Board) find(r *rand.Rand, hides canvas) {
	widest := [2]float64{26, 22} // half of the trace or gap that is cut or bridged
	if b.window {
		widest = [2]float64{50, 42}
	}
	seen := [6]int{}
	var widths [64]int // of traces and gaps, halved
	defer func() { b.fine = finest(widths) }()
	for y := rim; y < b.size-rim; y++ {
		for x := rim; x < b.size-rim; x++ {
			i := y*b.size + x
			if hides.px[i] != 0 {
				continue
			}
			in, out := float64(b.inside[i]), float64(b.outside[i])
			cut := in > 2 && in < widest[0] && b.crest(b.inside, i)
			bridge := out > 2 && out < widest[1] && b.crest(b.outside, i)
			if cut || bridge {
				widths[int(in+out)]++
			}
			for k, fits := range [6]bool{
				cut,
				bridge,
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

// finest is the width below which a fiftieth of widths lies.
func finest(widths [64]int) float64 {
	all, sum := 0, 0
	for _, n := range widths {
		all += n
	}
	for width, n := range widths {
		if sum += n; 50*sum > all {
			return float64(width)
		}
	}
	return float64(len(widths))
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
		p := b.patch(b.stroke(r, k, adds), adds)
		over := 2 + 16*r.Float64()*r.Float64()
		if k < 2 {
			over = 14
		}
		box, ok := p.box(over)
		if !ok || slices.ContainsFunc(others, func(d inspector.Defect) bool { return overlap(d.Box, box) }) || p.class() != k {
			continue
		}
		if b.pen {
			p.worn(r)
		}
		p.apply(copper)
		return inspector.Defect{Class: Classes()[k], Score: 1, Box: box}, true
	}
	return inspector.Defect{}, false
}

func overlap(a, b inspector.Box) bool {
	const apart = 4 - 2*(Margin-8) // boxes may touch, the strokes in them not
	return a.Left < b.Right+apart && b.Left < a.Right+apart && a.Top < b.Bottom+apart && b.Top < a.Bottom+apart
}
