package classify

import (
	"errors"
	"fmt"
	"image"
	"math"

	"gocv.io/x/gocv"

	"inspector"
)

// A Tone says how copper looks beside laminate in the captured picture.
type Tone string

// The tones.
const (
	Dark   Tone = "dark"   // copper darker than laminate: light from behind, or a plate already
	Bright Tone = "bright" // copper brighter than laminate, as under green solder mask
)

var errContrast = errors.New("plate: copper and laminate cannot be told apart; check lens cap, light and exposure")

// Plate reduces a grey or BGR still to a binary plate in dst, which must hold
// Width*Height bytes: 0 is copper, 255 laminate, rows without padding.
//
// A picture that has two values already is cut at 127. In any other, a smooth
// surface of light is fitted together with the levels of its materials, and
// every pixel is compared with the middle between laminate and copper under
// the light at that place. A picture without contrast is an error. Nothing is
// kept of dst or p; Plate may be called from many goroutines.
func Plate(dst []byte, p inspector.Pixels, copper Tone) error {
	if err := p.Check(); err != nil {
		return fmt.Errorf("plate: %w", err)
	}
	switch {
	case len(dst) != p.Width*p.Height:
		return fmt.Errorf("plate: destination holds %d bytes; want %d for %d x %d", len(dst), p.Width*p.Height, p.Width, p.Height)
	case copper != Dark && copper != Bright:
		return fmt.Errorf("plate: copper %q; want %q or %q", copper, Dark, Bright)
	}
	s := scratch{plate: dst}
	p = s.pack(p)
	if p.Channels == 3 {
		var err error
		if p, err = s.toGrey(p); err != nil {
			return fmt.Errorf("plate: %w", err)
		}
	}
	_, err := s.toPlate(p, copper)
	return err
}

// toPlate is Plate in the scratch's memory, for grey pictures without gaps.
func (s *scratch) toPlate(grey inspector.Pixels, copper Tone) (inspector.Pixels, error) {
	out := grey
	s.plate = room(s.plate, len(grey.Data))
	out.Data = s.plate
	if taken := sample(grey); taken.twoValued() {
		kind := gocv.ThresholdBinary
		if copper == Bright {
			kind = gocv.ThresholdBinaryInv
		}
		return out, convert("plate: cut", grey, out, func(src gocv.Mat, dst *gocv.Mat) error {
			gocv.Threshold(src, dst, 127, 255, kind)
			return nil
		})
	}
	smooth := grey
	s.smooth = room(s.smooth, len(grey.Data))
	smooth.Data = s.smooth
	if err := convert("plate: smooth", grey, smooth, func(src gocv.Mat, dst *gocv.Mat) error {
		return gocv.GaussianBlur(src, dst, image.Pt(3, 3), 0, 0, gocv.BorderReplicate)
	}); err != nil {
		return out, err
	}
	taken := sample(smooth)
	return out, taken.compare(smooth, out, copper)
}

// side is the number of samples, and of light's cells, along each edge.
const side = 40

// samples are side*side grey values, one from each cell of a grid.
type samples [side * side]byte

func sample(grey inspector.Pixels) (s samples) {
	w, h := grey.Width, grey.Height
	for j := range side {
		for i := range side {
			// Off-centre by turns, so that a regular pattern on the board does not alias.
			y := (4*j + 1 + (i*7+j)%3) * h / (4 * side)
			x := (4*i + 1 + (i+j*5)%3) * w / (4 * side)
			s[j*side+i] = grey.Data[y*w+x]
		}
	}
	return s
}

// twoValued reports whether nearly all samples are black or white, and both occur.
func (s *samples) twoValued() bool {
	var black, white int
	for _, v := range s {
		switch {
		case v < 24:
			black++
		case v > 231:
			white++
		}
	}
	return black+white >= len(s)*9/10 && min(black, white) > 0
}

// compare fits the light and writes to out how every pixel of grey compares
// with its threshold.
func (s *samples) compare(grey, out inspector.Pixels, copper Tone) error {
	var cells [side * side]byte
	if err := s.thresholds(&cells, copper); err != nil {
		return err
	}
	kind := gocv.CompareGT // laminate is the brighter
	if copper == Bright {
		kind = gocv.CompareLE
	}
	coarse := inspector.Pixels{Width: side, Height: side, Channels: 1, Stride: side, Data: cells[:]}
	if err := convert("plate: spread the light", coarse, out, func(src gocv.Mat, limit *gocv.Mat) error {
		return gocv.Resize(src, limit, image.Pt(out.Width, out.Height), 0, 0, gocv.InterpolationLinear)
	}); err != nil {
		return err
	}
	return convert("plate: compare with light", grey, out, func(src gocv.Mat, limit *gocv.Mat) error {
		return gocv.Compare(src, *limit, limit, kind)
	})
}

// thresholds fills cells with the grey level between laminate and copper. It
// starts from flat light and from light that explains all it can, because each
// alone fails on some boards, and goes on with the fit that explains the samples
// best.
func (s *samples) thresholds(cells *[side * side]byte, copper Tone) error {
	var g grid // on the stack: 14 KB
	g.fill(s)
	var best light
	for _, start := range []light{{}, g.fitted(new([side * side]uint8), 1)} {
		if l := g.improved(start, 2, copper); best.levels == 0 || l.contrast() > best.contrast() {
			best = l
		}
	}
	best = g.improved(best, 2, copper)
	if best.contrast() < 4 || best.level[1]-best.level[0] < 0.1 { // a bell curve, cut in two, reaches 2.7
		return errContrast
	}
	middle := (math.Exp(best.level[0]) + math.Exp(best.level[1])) / 2
	for i := range cells {
		a, b, c, d := g.row(&best, i/side)
		col := i % side
		cells[i] = byte(min(max(middle*math.Exp(g.at[col]*a+g.square[col]*b+g.fourth[col]*c+d)-4, 0), 254))
	}
	return nil
}
