package classify

import (
	"bytes"
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

// etchings are px, a plate, with copper narrower and wider by up to most pixels
// at each edge: the first is the narrowest, the middle one is px itself.
//
// Copper grows and shrinks pixel by pixel from its edge on, nearest first, and
// only where that neither joins nor parts anything (homotopic thickening and
// thinning): of a gap or a trace that would vanish a pixel is left.
func etchings(px inspector.Pixels, most int) ([]etched, error) {
	out := make([]etched, 2*most+1)
	out[most] = etched{px: px}
	for _, sign := range []int{-1, 1} {
		near, err := fromEdge(px, sign > 0, most)
		if err != nil {
			return nil, fmt.Errorf("etch: %w", err)
		}
		next := px
		for by := 1; by <= most; by++ {
			next.Data = slices.Clone(next.Data)
			for _, at := range slices.Concat(near[(by-1)*shades : by*shades]...) {
				if simple(neighbours(next, at)) {
					next.Data[at] ^= 255
				}
			}
			out[most+sign*by].px = next
		}
	}
	for i := range out {
		out[i].copper = copperOf(out[i].px)
	}
	return out, nil
}

// shades of distance within one pixel.
const shades = 8

// fromEdge are the pixels that may change if copper becomes wider, or narrower,
// by up to most, in layers, nearest to the edge first. The outermost pixels of the
// picture are none of them.
func fromEdge(px inspector.Pixels, wider bool, most int) ([][]int, error) {
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
	far, labels := gocv.NewMat(), gocv.NewMat()
	defer far.Close()
	defer labels.Close()
	if err := gocv.DistanceTransform(src, &far, &labels, gocv.DistL2, gocv.DistanceMask5, gocv.DistanceLabelCComp); err != nil {
		return nil, err
	}
	distances, err := far.DataPtrFloat32()
	if err != nil {
		return nil, err
	}
	near := make([][]int, most*shades)
	for i, d := range distances {
		// A straight edge grows by a pixel at distance 1, a diagonal one at 0.7.
		step, x, y := int((d-0.25)*shades), i%px.Width, i/px.Width
		if d > 0 && step < len(near) && x > 0 && y > 0 && x < px.Width-1 && y < px.Height-1 {
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

// over gives px, which lies at p in its picture, as it lies over g, and by how
// many pixels its copper is wider there.
func (g *reference) over(s *layers, p *place, px inspector.Pixels, plate bool) (_ inspector.Pixels, etch int, err error) {
	if *p != home {
		if px, err = s.fetch(p, px, g.px, plate); err != nil {
			return px, 0, err
		}
	}
	etch, err = g.etchOf(px)
	return px, etch, err
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

// thick is how wide, at least, a difference from the golden board as it is must
// be for etching not to explain it, pixels: a closed gap, say.
const thick = 5

// unexplained gives a place that counts where px, which lies over g, differs by
// so much from g as it is that etching does not explain it.
func (g *reference) unexplained(s *layers, px inspector.Pixels, a area) (at image.Point, ok bool, err error) {
	s.differ = room(s.differ, len(px.Data))
	differ := px
	differ.Data = s.differ
	if err := convert("etch", px, differ, func(src gocv.Mat, dst *gocv.Mat) error {
		golden, err := wrap(g.px)
		if err != nil {
			return err
		}
		defer golden.Close()
		kernel := gocv.GetStructuringElement(gocv.MorphRect, image.Pt(thick, thick))
		defer kernel.Close()
		if err := gocv.BitwiseXor(src, golden, dst); err != nil {
			return err
		}
		return gocv.Erode(*dst, dst, kernel)
	}); err != nil {
		return at, false, err
	}
	sx, sy := a.width/float32(px.Width), a.height/float32(px.Height)
	for from := 0; ; from++ {
		i := bytes.IndexByte(differ.Data[from:], 255)
		if i < 0 {
			return at, false, nil
		}
		from += i
		at = image.Pt(from%px.Width, from/px.Width)
		x, y := float32(at.X)*sx, float32(at.Y)*sy
		if !a.elsewhere(inspector.Box{Left: x - thick*sx, Top: y - thick*sy, Right: x + thick*sx, Bottom: y + thick*sy}) {
			return at, true, nil
		}
	}
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
