package classify

import (
	"fmt"
	"image"
	"math/bits"
	"slices"

	"gocv.io/x/gocv"

	"inspector"
)

// MostEtch is the largest Etch of a Recipe.
const MostEtch = 2

// An etched plate is a golden board's whose copper is wider or narrower.
type etched struct {
	px     inspector.Pixels
	copper int // pixels of it
}

// breadth is what is left of a gap or a trace, at least, pixels: as much as a
// model is sure to see if it is not there.
const breadth = 3

// etchings are px, a plate, with copper narrower and wider by up to most pixels
// at each edge: the first is the narrowest, the middle one is px itself.
//
// Copper grows and shrinks pixel by pixel from its edge on, nearest first, and
// only where that neither joins nor parts anything (homotopic thickening and
// thinning). Gaps and traces of which less than breadth would be left stay as
// they are. So where a board has closed a gap or lost a trace, the difference is
// that of its golden board, or breadth.
func etchings(px inspector.Pixels, most int) ([]etched, error) {
	out := make([]etched, 2*most+1)
	out[most] = etched{px: px}
	for _, wider := range []bool{false, true} {
		for by := 1; by <= most; by++ {
			near, err := fromEdge(px, wider, by)
			if err != nil {
				return nil, fmt.Errorf("etch: %w", err)
			}
			next := px
			next.Data = slices.Clone(px.Data)
			for _, layer := range near {
				for _, at := range layer {
					if simple(neighbours(next, at)) {
						next.Data[at] ^= 255
					}
				}
			}
			if wider {
				out[most+by].px = next
			} else {
				out[most-by].px = next
			}
		}
	}
	for i := range out {
		out[i].copper = copperOf(out[i].px)
	}
	return out, nil
}

// shades of distance within one pixel.
const shades = 8

// fromEdge are the pixels that change if copper becomes wider, or narrower, by
// so many, in layers, nearest to the edge first. The outermost pixels of the
// picture are none of them.
func fromEdge(px inspector.Pixels, wider bool, by int) ([][]int, error) {
	side := px // what shrinks is 255
	side.Data = slices.Clone(px.Data)
	if !wider {
		for i := range side.Data {
			side.Data[i] ^= 255
		}
	}
	src, err := wrap(side)
	if err != nil {
		return nil, err
	}
	defer src.Close()
	far, labels, broad := gocv.NewMat(), gocv.NewMat(), gocv.NewMat()
	defer far.Close()
	defer labels.Close()
	defer broad.Close()
	if err := gocv.DistanceTransform(src, &far, &labels, gocv.DistL2, gocv.DistanceMask5, gocv.DistanceLabelCComp); err != nil {
		return nil, err
	}
	distances, err := far.DataPtrFloat32()
	if err != nil {
		return nil, err
	}
	kernel := gocv.GetStructuringElement(gocv.MorphRect, image.Pt(2*by+breadth, 2*by+breadth))
	defer kernel.Close()
	if err := gocv.MorphologyEx(src, &broad, gocv.MorphOpen, kernel); err != nil {
		return nil, err
	}
	spare, err := broad.DataPtrUint8()
	if err != nil {
		return nil, err
	}
	near := make([][]int, by*shades)
	for i, d := range distances {
		// A straight edge grows by a pixel at distance 1, a diagonal one at 0.7.
		step, x, y := int((d-0.25)*shades), i%px.Width, i/px.Width
		if d > 0 && step < len(near) && spare[i] != 0 && x > 0 && y > 0 && x < px.Width-1 && y < px.Height-1 {
			near[step] = append(near[step], i)
		}
	}
	return near, nil
}

// neighbours are the eight around a pixel inside the picture, clockwise from
// the right, a bit each: 1 is copper.
func neighbours(px inspector.Pixels, at int) (out uint8) {
	w := px.Width
	for i, j := range [8]int{at + 1, at + w + 1, at + w, at + w - 1, at - 1, at - w - 1, at - w, at - w + 1} {
		if px.Data[j] == 0 {
			out |= 1 << i
		}
	}
	return out
}

// simple reports whether the pixel amid these neighbours can change sides
// without joining or parting copper (8-connected) or laminate (4-connected):
// Yokoi's connectivity number is 1. (Yokoi, Toriwaki and Fukumura, An analysis
// of topological properties of digitized binary pictures, 1975.)
func simple(around uint8) bool {
	laminate := ^around
	corner, next := bits.RotateLeft8(laminate, -1), bits.RotateLeft8(laminate, -2)
	const sides = 0b01010101
	return bits.OnesCount8(laminate&^(corner&next)&sides) == 1
}

// copperOf counts the pixels of copper.
func copperOf(px inspector.Pixels) int {
	n := len(px.Data)
	if m, err := wrap(px); err == nil {
		n -= gocv.CountNonZero(m)
		m.Close()
	}
	return n
}

// etchOf is by how many pixels copper of px, which lies over g, is wider at
// each edge: what makes g most like it.
func (g *reference) etchOf(px inspector.Pixels) (int, error) {
	most := len(g.etched) / 2
	if most == 0 {
		return 0, nil
	}
	copper, nearest := copperOf(px), most
	for i, e := range g.etched {
		if abs(e.copper-copper) < abs(g.etched[nearest].copper-copper) {
			nearest = i
		}
	}
	if nearest == most {
		return 0, nil
	}
	m, err := wrap(px)
	if err != nil {
		return 0, err
	}
	defer m.Close()
	differ := func(i int) (float64, error) {
		golden, err := wrap(g.etched[i].px)
		if err != nil {
			return 0, err
		}
		defer golden.Close()
		return gocv.NormWithMats(m, golden, gocv.NormL1), nil
	}
	best, least := most, 0.0
	if least, err = differ(most); err != nil {
		return 0, err
	}
	least *= clearly
	for i := max(nearest-1, 0); i <= min(nearest+1, 2*most); i++ {
		if i == most {
			continue
		}
		off, err := differ(i)
		if err != nil {
			return 0, err
		}
		if off < least {
			best, least = i, off
		}
	}
	return best - most, nil
}

// wider is the golden board as it looks with copper wider by so many pixels.
func (g *reference) wider(by int) inspector.Pixels {
	if len(g.etched) == 0 {
		return g.px
	}
	return g.etched[len(g.etched)/2+by].px
}

// clearly is what share of the difference must remain, at most, for an etched
// golden board to be the better one.
const clearly = 0.8

func abs(v int) int { return max(v, -v) }
