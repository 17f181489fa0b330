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
	out, err := gocv.NewMatFromBytes(p.Height, p.Width, gocv.MatTypeCV8UC1, dst)
	if err != nil {
		return fmt.Errorf("plate: wrap destination: %w", err)
	}
	defer out.Close()
	grey := gocv.NewMat()
	defer grey.Close()
	if err := toGrey(p, &grey); err != nil {
		return err
	}
	s, err := sample(grey)
	if err != nil {
		return err
	}
	if s.twoValued() {
		kind := gocv.ThresholdBinary
		if copper == Bright {
			kind = gocv.ThresholdBinaryInv
		}
		gocv.Threshold(grey, &out, 127, 255, kind)
		return nil
	}
	if err := gocv.GaussianBlur(grey, &grey, image.Pt(3, 3), 0, 0, gocv.BorderReplicate); err != nil {
		return fmt.Errorf("plate: smooth: %w", err)
	}
	if s, err = sample(grey); err != nil {
		return err
	}
	return s.compare(grey, &out, copper)
}

// toGrey fills grey with p; grey owns its bytes.
func toGrey(p inspector.Pixels, grey *gocv.Mat) error {
	kind, data := gocv.MatTypeCV8UC1, p.Data
	if p.Channels == 3 {
		kind = gocv.MatTypeCV8UC3
	}
	if row := p.Width * p.Channels; p.Stride != row { // OpenCV through GoCV takes no stride: close the gaps
		data = make([]byte, 0, row*p.Height)
		for y := range p.Height {
			data = append(data, p.Data[y*p.Stride:y*p.Stride+row]...)
		}
	}
	src, err := gocv.NewMatFromBytes(p.Height, p.Width, kind, data)
	if err != nil {
		return fmt.Errorf("plate: wrap picture: %w", err)
	}
	defer src.Close()
	if p.Channels == 1 {
		err = src.CopyTo(grey)
	} else {
		err = gocv.CvtColor(src, grey, gocv.ColorBGRToGray)
	}
	if err != nil {
		return fmt.Errorf("plate: to grey: %w", err)
	}
	return nil
}

// side is the number of samples, and of light's cells, along each edge.
const side = 40

// samples are side*side grey values, one from each cell of a grid.
type samples [side * side]byte

func sample(m gocv.Mat) (s samples, err error) {
	grey, err := m.DataPtrUint8()
	if err != nil {
		return s, fmt.Errorf("plate: read grey picture: %w", err)
	}
	w, h := m.Cols(), m.Rows()
	for j := range side {
		for i := range side {
			// Off-centre by turns, so that a regular pattern on the board does not alias.
			y := (4*j + 1 + (i*7+j)%3) * h / (4 * side)
			x := (4*i + 1 + (i+j*5)%3) * w / (4 * side)
			s[j*side+i] = grey[y*w+x]
		}
	}
	return s, nil
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

// compare fits the light and compares every pixel of grey with its threshold.
func (s *samples) compare(grey gocv.Mat, out *gocv.Mat, copper Tone) error {
	var cells [side * side]byte
	if err := s.thresholds(&cells, copper); err != nil {
		return err
	}
	coarse, err := gocv.NewMatFromBytes(side, side, gocv.MatTypeCV8UC1, cells[:])
	if err != nil {
		return fmt.Errorf("plate: wrap thresholds: %w", err)
	}
	defer coarse.Close()
	limit := gocv.NewMat()
	defer limit.Close()
	kind := gocv.CompareGT // laminate is the brighter
	if copper == Bright {
		kind = gocv.CompareLE
	}
	for _, err := range []error{
		gocv.Resize(coarse, &limit, image.Pt(grey.Cols(), grey.Rows()), 0, 0, gocv.InterpolationLinear),
		gocv.Compare(grey, limit, out, kind),
	} {
		if err != nil {
			return fmt.Errorf("plate: compare with light: %w", err)
		}
	}
	return nil
}

// thresholds fills cells with the grey level between laminate and copper. It
// starts from flat light and from light that explains all it can, because each
// alone fails on some boards, and keeps the fit that explains the samples best.
func (s *samples) thresholds(cells *[side * side]byte, copper Tone) error {
	var g grid // on the stack: 90 KB
	g.fill(s)
	levels := 2
	if copper == Bright {
		levels = 3 // pads and legend are brighter still
	}
	var best light
	var class, last [side * side]uint8
	for _, start := range []light{{}, g.fitted(&class, 1)} {
		for range 5 {
			rest := g.rest(&start)
			k := split(&rest, &class, levels, copper)
			start = g.fitted(&class, k)
			if class == last {
				break
			}
			last = class
		}
		if best.levels == 0 || start.contrast() > best.contrast() {
			best = start
		}
	}
	if best.contrast() < 4 || best.level[1]-best.level[0] < 0.1 { // a bell curve, cut in two, reaches 2.7
		return errContrast
	}
	middle := (math.Exp(best.level[0]) + math.Exp(best.level[1])) / 2
	for i := range cells {
		cells[i] = byte(min(max(middle*math.Exp(best.at(&g.terms[i]))-4, 0), 254))
	}
	return nil
}
