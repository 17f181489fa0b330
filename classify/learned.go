package classify

import (
	"image"

	"gocv.io/x/gocv"

	"inspector"
)

// How the golden board of stills is sharpened: what it has more than a Gaussian
// of this width, in pixels of the model's picture, counts so many times more.
const (
	softness  = 1.5
	sharpness = 2
)

// sharpened undoes what lens and laying the stills over each other did to the
// edges of px: where a gap is as narrow as the blur is wide, it is closed on the
// plate of a blurred golden board, and a board on which it is open would have a
// defect there. Without the noise, which the median took away, this can be undone.
func (p *preparer) sharpened(px inspector.Pixels) (inspector.Pixels, error) {
	w, _ := scaled(p.model, px.Width, px.Height)
	sigma := softness * float64(px.Width) / float64(max(w, 1))
	out := px
	out.Data = make([]byte, len(px.Data))
	return out, convert("sharpen", px, out, func(src gocv.Mat, dst *gocv.Mat) error {
		if err := gocv.GaussianBlur(src, dst, image.Point{}, sigma, sigma, gocv.BorderReplicate); err != nil {
			return err
		}
		return gocv.AddWeighted(src, 1+sharpness, *dst, -sharpness, 0, dst)
	})
}

// What counts as a place where good boards differ, in pixels of the model's
// picture: edges are ragged by less than speck, and parts of one field, such as
// a date code, lie no farther apart than apart. A field is wider than what was
// seen of it by rim at each side.
const (
	speck = 2
	apart = 7
	rim   = 1
)

// spreadOf is how far the stills that were used differ from the learned golden
// board when they are inspected with it: the largest difference at each place, or
// the second largest of five stills or more, so that a defect on one of them is
// not taken for granted.
func (p *preparer) spreadOf(stills []inspector.Pixels, l Learned) (inspector.Pixels, error) {
	q := *p
	q.allowed = nil
	g, err := q.reference(l.Golden, Recipe{Align: true, Etch: len(p.goldens[0].etched) / 2})
	if err != nil {
		return g.px, err
	}
	q.goldens = []reference{g}
	n := g.px.Width * g.px.Height
	out := inspector.Pixels{Width: g.px.Width, Height: g.px.Height, Channels: 1, Stride: g.px.Width, Data: make([]byte, n)}
	second, one := make([]byte, n), out
	one.Data = make([]byte, n)
	used := 0
	for i, px := range stills {
		if l.Refused[i] != nil {
			continue
		}
		in := q.newInput()
		if px, err = q.view(&in.scratch, px); err == nil {
			px, err = q.overlay(in, px)
		}
		if err != nil {
			return out, err
		}
		differences(one.Data, px, q.goldens[0].wider(in.lie.etch))
		if err := morph(one, gocv.MorphOpen, speck); err != nil {
			return out, err
		}
		for i, d := range one.Data {
			second[i] = max(second[i], min(d, out.Data[i]))
			out.Data[i] = max(out.Data[i], d)
		}
		used++
	}
	if used >= 5 {
		out.Data = second
	}
	if err := morph(out, gocv.MorphClose, apart); err != nil {
		return out, err
	}
	return out, morph(out, gocv.MorphDilate, 1+2*rim)
}

// differences of two pictures of one form, in any channel.
func differences(out []byte, have, want inspector.Pixels) {
	for i := range out {
		d := byte(0)
		for c := i * want.Channels; c < (i+1)*want.Channels; c++ {
			d = max(d, max(have.Data[c], want.Data[c])-min(have.Data[c], want.Data[c]))
		}
		out[i] = d
	}
}

// morph changes px by a square of so many pixels.
func morph(px inspector.Pixels, how gocv.MorphType, pixels int) error {
	return convert("spread", px, px, func(m gocv.Mat, dst *gocv.Mat) error {
		kernel := gocv.GetStructuringElement(gocv.MorphRect, image.Pt(pixels, pixels))
		defer kernel.Close()
		return gocv.MorphologyEx(m, dst, how, kernel)
	})
}
