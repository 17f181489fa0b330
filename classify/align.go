package classify

import (
	"errors"
	"fmt"
	"image"
	"slices"

	"gocv.io/x/gocv"

	"inspector"
)

// Correlations of a picture with the golden board, and what they mean. Boards
// of one product have 0.8 to 1, also with defects; others at most 0.3.
const (
	found = 0.5  // at least: it is this product
	plain = 0.7  // at least: if one step does not move it, it lies in its place
	sure  = 0.85 // at least: it lies nowhere else, on a regular pattern, either
)

// Distances are in pixels of the model's picture.
const (
	placed   = 0.4  // a board that lies no further off is taken as it lies
	oneStep  = 2    // a longer first step, in pixels of the finest level, is not to be trusted
	settled  = 0.05 // a smaller step, in pixels of its level, is the last
	farthest = 0.12 // of the picture's side: a board that lies further off is not inspected
	cut      = 0.05 // of the picture's side: what may lie outside the picture and is not seen
)

// A RegistrationError says why a board could not be laid over its golden board.
type RegistrationError struct {
	Reason  string
	Quality float64 // the best correlation, 0 to 1
}

func (e *RegistrationError) Error() string { return e.Reason }

var errPlain = errors.New("too little can be seen on the golden board to align others with it; take a picture with contrast, or set align: false in the recipe")

// An aligner finds where boards lie beside one golden board. It is read-only
// once made.
type aligner struct {
	w, h   int     // of the model's picture
	aspect float64 // width by height of the captured picture
	grey   bool    // pictures are grey stills, not plates: even out their light
	levels []level // finest first
	seen   [][2]float64
}

// layers is the memory in which one picture is aligned: the picture at the
// resolution of each level, and room for what is seen of it.
type layers struct {
	px     [][]byte
	smooth []byte
	seen   []float32
	at     []int32
	v      []float32
	warped []byte
	differ []byte
}

// newAligner returns an aligner for pictures like golden, which has one
// channel and is not kept; aspect is its width by height before it was
// stretched for the model. What lies outside of seen, points from -1 to 1
// across the picture, need not be in the picture.
func newAligner(golden inspector.Pixels, aspect float64, grey bool, seen [][2]float64) (*aligner, error) {
	a := &aligner{w: golden.Width, h: golden.Height, aspect: aspect, grey: grey, seen: seen}
	w, h := a.w, a.h
	for max(w, h) > 512 {
		w, h = w/2, h/2
	}
	for {
		a.levels = append(a.levels, level{w: w, h: h, aspect: aspect})
		if min(w, h) < 120 {
			break
		}
		w, h = w/2, h/2
	}
	var s layers
	if err := a.fill(&s, golden); err != nil {
		return nil, err
	}
	for i := range a.levels {
		a.levels[i].measure(s.px[i])
		if len(a.levels[i].steers) < 4*mesh {
			return nil, errPlain
		}
	}
	return a, nil
}

// fill makes the layers of a picture, which has one channel.
func (a *aligner) fill(s *layers, px inspector.Pixels) error {
	if s.px == nil {
		s.px, s.seen = make([][]byte, len(a.levels)), make([]float32, mesh*mesh*enough)
	}
	for i, l := range a.levels {
		s.px[i] = room(s.px[i], l.w*l.h)
		to := inspector.Pixels{Width: l.w, Height: l.h, Channels: 1, Stride: l.w, Data: s.px[i]}
		if err := convert("shrink", px, to, func(src gocv.Mat, dst *gocv.Mat) error {
			return gocv.Resize(src, dst, image.Pt(l.w, l.h), 0, 0, gocv.InterpolationArea)
		}); err != nil {
			return err
		}
		px = to
		if a.grey && i == 0 {
			if err := s.flatten(px); err != nil {
				return err
			}
		}
	}
	return nil
}

// flatten takes the light out of a picture: what is left is how each pixel
// differs from those around it.
func (s *layers) flatten(px inspector.Pixels) error {
	s.smooth = room(s.smooth, len(px.Data))
	around := px
	around.Data = s.smooth
	k := max(px.Width, px.Height)/20*2 + 1
	return convert("flatten", px, around, func(src gocv.Mat, mean *gocv.Mat) error {
		if err := gocv.Blur(src, mean, image.Pt(k, k)); err != nil {
			return err
		}
		return gocv.AddWeighted(src, 1, *mean, -1, 128, &src)
	})
}

// register finds where the board in px, of one channel and the model's size,
// lies. A board that lies where the golden one lay is home, exactly. A board
// that is not found, or lies too far off, is a *RegistrationError.
func (a *aligner) register(s *layers, px inspector.Pixels) (place, float64, error) {
	if err := a.fill(s, px); err != nil {
		return home, 0, err
	}
	p, quality, ok := a.nearby(s)
	if !ok {
		p, quality = a.anywhere(s)
	}
	switch reach := p.reach(a.w, a.h); {
	case quality < found:
		return home, quality, a.lost(s, quality)
	case reach > farthest*float64(max(a.w, a.h)), p.outside(a.seen, a.w, a.h) > cut*float64(max(a.w, a.h)):
		r := p.registration(quality, a.w, a.h)
		return home, quality, &RegistrationError{fmt.Sprintf("the board lies too far off its place: %s; put it right, or make a new golden picture", where(r, a.w, a.h)), quality}
	case reach < placed:
		return home, quality, nil
	}
	return p, quality, nil
}

// nearby finds a board that lies about where it should, which most do, at
// little cost; false if it does not.
func (a *aligner) nearby(s *layers) (p place, quality float64, ok bool) {
	p = home
	if a.likeness(s, &p, thin) < found {
		return home, 0, false
	}
	fine := &a.levels[0]
	if _, ok := fine.step(&p, s.px[0], s.seen); !ok || p.reach(fine.w, fine.h) > oneStep {
		return home, 0, false
	}
	if p.reach(a.w, a.h) < placed {
		if quality = a.likeness(s, &home, 1); quality >= plain {
			return home, quality, true
		}
	}
	if !a.descend(s, 0, &p) {
		return home, 0, false
	}
	quality = a.likeness(s, &p, 1)
	return p, quality, quality >= sure
}

// anywhere finds a board that lies within reach.
func (a *aligner) anywhere(s *layers) (place, float64) {
	p, quality := a.settle(s, a.levels[len(a.levels)-1].search(s, &home))
	if quality < sure {
		if q, v := a.settle(s, home); v > quality {
			p, quality = q, v
		}
	}
	if quality < plain {
		p, quality = a.tryHarder(s, p, quality)
	}
	return p, quality
}

// where is r in words.
func where(r inspector.Registration, w, h int) string {
	side := func(v float32, size int, more, less string) string {
		if v < 0 {
			v, more = -v, less
		}
		return fmt.Sprintf("%.1f %% %s", v*100/float32(size), more)
	}
	return fmt.Sprintf("%s, %s, turned by %.1f degrees, size %.1f %%", side(r.Right, w, "to the right", "to the left"), side(r.Down, h, "down", "up"), r.Turn, r.Scale*100)
}

// likeness compares, at one steer of every, at a resolution where ragged edges
// do not count.
func (a *aligner) likeness(s *layers, p *place, every int) float64 {
	i := min(1, len(a.levels)-1)
	return a.levels[i].likeness(p, s.px[i], every)
}

// settle improves p from level to level, and says how alike the boards are then.
func (a *aligner) settle(s *layers, p place) (place, float64) {
	for i := range slices.Backward(a.levels) {
		if !a.descend(s, i, &p) {
			return home, 0
		}
	}
	return p, a.likeness(s, &p, 1)
}

// descend improves p at one level until it settles; false if the board leaves
// the picture.
func (a *aligner) descend(s *layers, i int, p *place) bool {
	l := &a.levels[i]
	for range 12 {
		move, ok := l.step(p, s.px[i], s.seen)
		if !ok {
			return false
		}
		if move.reach(l.w, l.h) < settled {
			break
		}
	}
	return true
}
