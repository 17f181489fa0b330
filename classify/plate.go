package classify

import (
	"errors"
	"fmt"
	"image"
	"math"
	"slices"

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
	data, err := grey.DataPtrUint8()
	if err != nil {
		return fmt.Errorf("plate: read grey picture: %w", err)
	}
	s := sample(data, p.Width, p.Height)
	if s.twoValued() {
		kind := gocv.ThresholdBinary
		if copper == Bright {
			kind = gocv.ThresholdBinaryInv
		}
		gocv.Threshold(grey, &out, 127, 255, kind)
		return nil
	}
	return s.compare(grey, &out, copper)
}

// toGrey fills grey with p, smoothed not at all; grey owns its bytes.
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
const side = 48

// samples are side*side grey values, one from each cell of a grid.
type samples [side * side]byte

func sample(grey []byte, w, h int) (s samples) {
	for j := range side {
		for i := range side {
			// Off-centre by turns, so that a regular pattern on the board does not alias.
			y := (4*j + 1 + (i*7+j)%3) * h / (4 * side)
			x := (4*i + 1 + (i+j*5)%3) * w / (4 * side)
			s[j*side+i] = grey[y*w+x]
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
	limit, smooth := gocv.NewMat(), gocv.NewMat()
	defer limit.Close()
	defer smooth.Close()
	kind := gocv.CompareGT // laminate is the brighter
	if copper == Bright {
		kind = gocv.CompareLE
	}
	for _, err := range []error{
		gocv.Resize(coarse, &limit, image.Pt(grey.Cols(), grey.Rows()), 0, 0, gocv.InterpolationLinear),
		gocv.GaussianBlur(grey, &smooth, image.Pt(3, 3), 0, 0, gocv.BorderReplicate),
		gocv.Compare(smooth, limit, out, kind),
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
	var z [side * side]float64
	for i, v := range s {
		z[i] = math.Log(float64(v) + 4) // +4: black is not minus infinity
	}
	levels := 2
	if copper == Bright {
		levels = 3 // pads and legend are brighter still
	}
	var best light
	for _, start := range []light{{}, fitted(&z, nil, 1)} {
		for range 4 {
			var class [side * side]uint8
			rest := start.rest(&z)
			k := split(&rest, &class, levels)
			start = fitted(&z, &class, k)
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
		cells[i] = byte(min(max(middle*math.Exp(best.at(i))-4, 0), 254))
	}
	return nil
}

// light is what a fit found, in logarithms of grey: a surface of six terms
// without a constant, and the level of each material, rising.
type light struct {
	surface [6]float64
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

// terms of the surface at cell i; position runs from -1 to 1.
func terms(i int) [6]float64 {
	x, y := (float64(i%side)+.5)*2/side-1, (float64(i/side)+.5)*2/side-1
	r := x*x + y*y
	return [6]float64{x, y, x * x, x * y, y * y, r * r}
}

func (l *light) at(i int) (v float64) {
	for k, t := range terms(i) {
		v += l.surface[k] * t
	}
	return v
}

// rest is z without the surface.
func (l *light) rest(z *[side * side]float64) (r [side * side]float64) {
	for i := range r {
		r[i] = z[i] - l.at(i)
	}
	return r
}

// fitted is the least-squares light of z, given the material of each sample;
// nil means one material.
func fitted(z *[side * side]float64, class *[side * side]uint8, levels int) light {
	const most = 9
	n := levels + 6
	var a [most][most + 1]float64 // normal equations, right-hand side last
	for i, v := range z {
		var row [most + 1]float64
		c := 0
		if class != nil {
			c = int(class[i])
		}
		row[c] = 1
		t := terms(i)
		copy(row[levels:], t[:])
		row[most] = v
		for j := range n {
			if row[j] == 0 {
				continue
			}
			for k := j; k < n; k++ {
				a[j][k] += row[j] * row[k]
			}
			a[j][most] += row[j] * v
		}
	}
	for j := range n {
		a[j][j] += 1e-6 * float64(len(z)) // an empty level must not make it singular
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
			for m := j; m <= most; m++ {
				a[k][m] -= f * a[j][m]
			}
		}
	}
	l := light{levels: levels}
	for j := range n {
		if v := a[j][most] / a[j][j]; j < levels {
			l.level[j] = v
		} else {
			l.surface[j-levels] = v
		}
	}
	var sum, count float64
	for i, v := range z {
		if class == nil || class[i] < 2 {
			d := v - l.at(i)
			if class != nil {
				d -= l.level[class[i]]
			} else {
				d -= l.level[0]
			}
			sum, count = sum+d*d, count+1
		}
	}
	l.spread = math.Sqrt(sum / max(count, 1))
	return l
}

// bins of the histogram that split cuts.
const bins = 96

// split sorts the samples into materials by Otsu's method, rising, and returns
// how many: with levels 3 a third is taken only if it explains most of what
// two leave over.
func split(rest *[side * side]float64, class *[side * side]uint8, levels int) int {
	low, high := slices.Min(rest[:]), slices.Max(rest[:])
	width := (high - low + 1e-9) / bins
	var n, sum, square [bins + 1]float64 // running totals below each bin
	for _, v := range rest {
		b := min(int((v-low)/width), bins-1) + 1
		n[b]++
		sum[b] += v
		square[b] += v * v
	}
	for b := range bins {
		n[b+1] += n[b]
		sum[b+1] += sum[b]
		square[b+1] += square[b]
	}
	within := func(from, to int) float64 { // sum of squares about the mean of bins [from, to)
		c := n[to] - n[from]
		if c == 0 {
			return 0
		}
		m := sum[to] - sum[from]
		return square[to] - square[from] - m*m/c
	}
	two, cut := math.Inf(1), [2]int{bins, bins}
	for b := 1; b < bins; b++ {
		if w := within(0, b) + within(b, bins); w < two {
			two, cut[0] = w, b
		}
	}
	k := 2
	if levels == 3 {
		three, both := math.Inf(1), cut
		for b := 1; b < bins; b++ {
			for c := b + 1; c < bins; c++ {
				if w := within(0, b) + within(b, c) + within(c, bins); w < three {
					three, both = w, [2]int{b, c}
				}
			}
		}
		if three < 0.4*two {
			k, cut = 3, both
		}
	}
	for i, v := range rest {
		b := min(int((v-low)/width), bins-1)
		class[i] = 0
		for _, c := range cut {
			if b >= c {
				class[i]++
			}
		}
	}
	return k
}
