package classify

import (
	"fmt"
	"image"
	"image/color"
	"time"

	"gocv.io/x/gocv"

	"inspector"
)

// A reference is one golden board as the model sees it.
type reference struct {
	px      inspector.Pixels
	aligner *aligner
	etched  []etched // narrowest first, px in the middle; none if copper's width is taken as it is
}

// A lie says how one board lay in its picture.
type lie struct {
	golden  int          // which of the references it was compared with
	etch    int          // by how many pixels copper is taken to be wider at each edge
	size    image.Point  // of the picture whose pixels these are
	beyond  *image.Point // where the difference is more than that explains; nil if nowhere
	place   place        // home if it was not moved
	quality float64
	aligned bool
	took    time.Duration
}

// registration is the lie for people, in pixels of a picture of w x h; nil if
// nobody looked.
func (l *lie) registration(w, h int) *inspector.Registration {
	if !l.aligned {
		return nil
	}
	r := l.place.registration(l.quality, w, h)
	r.Golden = l.golden
	r.Etch = float32(l.etch) * float32(w) / float32(l.size.X)
	return &r
}

// doubt says why a board that was etched does not pass, though the model sees
// nothing; empty if there is no reason. The picture is w x h pixels.
func (l *lie) doubt(w, h int) string {
	if l.beyond == nil {
		return ""
	}
	at := []inspector.Point{{X: float32(l.beyond.X*w) / float32(l.size.X), Y: float32(l.beyond.Y*h) / float32(l.size.Y)}}
	l.place.move(at, w, h)
	return fmt.Sprintf("the board is etched otherwise than the golden one, and differs at (%.0f,%.0f) by more than that: a person must look", at[0].X, at[0].Y)
}

// reference prepares the picture of a golden board, which is not kept.
func (p *preparer) reference(px inspector.Pixels, r Recipe) (g reference, err error) {
	var s scratch
	aspect := float64(px.Width) / float64(max(px.Height, 1))
	if g.px, err = p.view(&s, px); err != nil {
		return g, err
	}
	g.px.Data = append([]byte(nil), g.px.Data...)
	if !r.Align && len(r.Goldens) == 0 {
		return g, nil
	}
	single, err := s.single(g.px)
	if err != nil {
		return g, err
	}
	if g.aligner, err = newAligner(single, aspect, !p.model.Binarise, r.corners()); err != nil {
		return g, err
	}
	if r.Align && p.model.Binarise {
		g.etched, err = etchings(g.px, r.Etch)
	}
	return g, err
}

// single is px with one channel.
func (s *scratch) single(px inspector.Pixels) (inspector.Pixels, error) {
	if px.Channels == 1 {
		return px, nil
	}
	return s.toGrey(px)
}

// overlay chooses the golden board for px, puts it into the input, and gives
// px as it lies over it.
func (p *preparer) overlay(in *Input, px inspector.Pixels) (_ inspector.Pixels, err error) {
	begun := time.Now()
	shown := in.lie // what the input holds
	in.lie = lie{golden: shown.golden, etch: shown.etch, place: home}
	defer func() {
		if err != nil {
			in.lie.golden = -1 // the next board puts its golden one in anew
		}
	}()
	if p.goldens[0].aligner == nil {
		return px, nil
	}
	single, err := in.scratch.single(px)
	if err != nil {
		return px, err
	}
	if in.lie, err = p.choose(&in.scratch.layers, single); err != nil {
		return px, err
	}
	golden := &p.goldens[in.lie.golden]
	if px, in.lie.etch, err = golden.over(&in.scratch.layers, &in.lie.place, px, p.model.Binarise); err != nil {
		return px, err
	}
	if in.lie.golden != shown.golden || in.lie.etch != shown.etch {
		err = p.views(in, p.model.Colours(), golden.wider(in.lie.etch))
	}
	in.lie.took = time.Since(begun)
	return px, err
}

// choose finds the golden board that px, of one channel, is most like, and how
// px lies beside it. If it lies over none, the error is that of the nearest.
func (p *preparer) choose(s *layers, px inspector.Pixels) (best lie, err error) {
	best = lie{quality: -2, place: home}
	for i, g := range p.goldens {
		l := lie{golden: i, size: image.Pt(g.px.Width, g.px.Height), place: home, aligned: p.align}
		var fault error
		if p.align {
			l.place, l.quality, fault = g.aligner.register(s, px)
		} else if fault = g.aligner.fill(s, px); fault == nil {
			l.quality = g.aligner.likeness(s, &l.place, 1)
		}
		if first := best.quality == -2; first || err != nil && fault == nil || (err == nil) == (fault == nil) && l.quality > best.quality {
			best, err = l, fault
		}
	}
	return best, err
}

// fetch lays the picture's pixels where the golden board has them, in the
// layers' own memory; what the picture does not show is the golden board's. A
// plate stays one.
func (s *layers) fetch(p *place, px, golden inspector.Pixels, plate bool) (inspector.Pixels, error) {
	s.warped = room(s.warped, len(px.Data))
	to, pixels := px, p.pixels(px.Width, px.Height)
	to.Data = s.warped
	if plate { // no values between its two
		lay(to.Data, px.Data, golden.Data, px.Width, px.Height, pixels)
		return to, nil
	}
	border := gocv.BorderReplicate
	if golden.Channels == px.Channels {
		copy(s.warped, golden.Data)
		border = gocv.BorderTransparent
	}
	m := gocv.NewMatWithSize(2, 3, gocv.MatTypeCV64F)
	defer m.Close()
	for i, v := range pixels {
		m.SetDoubleAt(i/3, i%3, v)
	}
	return to, convert("align", px, to, func(src gocv.Mat, dst *gocv.Mat) error {
		return gocv.WarpAffineWithParams(src, dst, m, image.Pt(px.Width, px.Height), gocv.InterpolationLinear|gocv.WarpInverseMap, border, color.RGBA{})
	})
}

// An allowance says how much the good boards' samples at one place differ from
// the golden board's.
type allowance struct {
	at   int32
	most uint8
}

// allowances are those of the recipe, at the places where there is any.
func (p *preparer) allowances(r Recipe) (out []allowance, err error) {
	px := r.Tolerance
	if len(px.Data) == 0 {
		return nil, nil
	}
	if err := px.Check(); err != nil {
		return nil, fmt.Errorf("tolerance: %w", err)
	}
	var s scratch
	if px, err = s.single(s.pack(px)); err != nil {
		return nil, fmt.Errorf("tolerance: %w", err)
	}
	if g := p.goldens[0].px; px.Width != g.Width || px.Height != g.Height {
		if px, err = s.resize(px, g.Width, g.Height); err != nil {
			return nil, fmt.Errorf("tolerance: %w", err)
		}
	}
	for i, v := range px.Data {
		if v > 0 {
			out = append(out, allowance{int32(i), v})
		}
	}
	return out, nil
}

// forgive makes samples of px, which lies over the first golden board, equal to
// that board's where good boards differ as much. It writes to the input's own
// memory only.
func (p *preparer) forgive(in *Input, px inspector.Pixels) inspector.Pixels {
	if len(p.allowed) == 0 || in.lie.golden != 0 {
		return px
	}
	if !p.model.Binarise && in.lie.place == home { // it may be the camera's memory
		in.scratch.plate = append(in.scratch.plate[:0], px.Data...)
		px.Data = in.scratch.plate
	}
	golden := p.goldens[0].wider(in.lie.etch)
	if golden.Channels != px.Channels {
		return px
	}
	for _, a := range p.allowed {
		for c := range px.Channels {
			i := int(a.at)*px.Channels + c
			if have, want := int(px.Data[i]), int(golden.Data[i]); abs(have-want) <= int(a.most) {
				px.Data[i] = golden.Data[i]
			}
		}
	}
	return px
}
