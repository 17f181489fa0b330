package classify

import (
	"errors"
	"fmt"
	"slices"

	"inspector"
)

// Stills to learn a golden board from, at least and at most.
const (
	FewestStills = 3
	MostStills   = 31
)

// Learned is what good boards have in common.
type Learned struct {
	Golden    inspector.Pixels // the median of the stills, laid over each other; sharpened for a model that binarises
	Tolerance inspector.Pixels // where they differ from it and by how much, grey levels, at the size of the model's picture
	Varies    float64          // the share of the places where they do
	Refused   []error          // by still; nil for those that were used
}

// Learn makes a golden board of stills of good boards. They are laid over the
// golden board of c, which must align and may be one of them; a still that
// cannot be is refused. The golden board comes to lie where the boards lie on
// average. All stills must be of the same camera.
func (c *Classifier) Learn(stills []inspector.Pixels) (Learned, error) {
	out := Learned{Refused: make([]error, len(stills))}
	if len(stills) < FewestStills || len(stills) > MostStills {
		return out, fmt.Errorf("learn: %d stills; want %d to %d", len(stills), FewestStills, MostStills)
	}
	places := map[int]place{}
	for i, px := range stills {
		p, err := c.prepare.locate(px, stills[0])
		if out.Refused[i] = err; err == nil {
			places[i] = p
		}
	}
	if len(places) < FewestStills {
		return out, fmt.Errorf("learn: only %d of %d stills can be laid over each other; want %d: %w", len(places), len(stills), FewestStills, errors.Join(out.Refused...))
	}
	middle, ok := average(places)
	if !ok {
		return out, errors.New("learn: the stills do not lie alike")
	}
	var laid []inspector.Pixels
	for i, px := range stills {
		if p, ok := places[i]; ok {
			p = p.after(&middle)
			var s scratch
			px, err := s.layers.fetch(&p, s.pack(px), inspector.Pixels{}, false)
			if err != nil {
				return out, fmt.Errorf("learn: %w", err)
			}
			laid = append(laid, px)
		}
	}
	out.Golden = median(laid)
	var err error
	if c.prepare.model.Binarise {
		if out.Golden, err = c.prepare.sharpened(out.Golden); err != nil {
			return out, fmt.Errorf("learn: %w", err)
		}
	}
	if out.Tolerance, err = c.prepare.spreadOf(stills, out); err != nil {
		return out, fmt.Errorf("learn: %w", err)
	}
	n := 0
	for _, v := range out.Tolerance.Data {
		n += int(min(v, 1))
	}
	out.Varies = float64(n) / float64(len(out.Tolerance.Data))
	return out, nil
}

// locate finds how the board in px, which must be of the form of like, lies
// beside the first golden board.
func (p *preparer) locate(px, like inspector.Pixels) (place, error) {
	if !p.align || len(p.goldens) == 0 {
		return home, errors.New("the model compares with no golden board, or the recipe does not align")
	}
	if px.Width != like.Width || px.Height != like.Height || px.Channels != like.Channels {
		return home, fmt.Errorf("a still of %d x %d with %d channels among others of %d x %d with %d", px.Width, px.Height, px.Channels, like.Width, like.Height, like.Channels)
	}
	var s scratch
	px, err := p.view(&s, px)
	if err != nil {
		return home, err
	}
	if px, err = s.single(px); err != nil {
		return home, err
	}
	at, _, err := p.goldens[0].aligner.register(&s.layers, px)
	return at, err
}

// average is the inverse of the middle of places: it takes a point of the
// picture to the golden board.
func average(places map[int]place) (place, bool) {
	var sum place
	for _, p := range places {
		for k, v := range p {
			sum[k] += v / float64(len(places))
		}
	}
	return sum.inverse()
}

// median of pictures of the same form, sample by sample.
func median(px []inspector.Pixels) inspector.Pixels {
	out := px[0]
	out.Data = make([]byte, len(px[0].Data))
	values := make([]byte, len(px))
	for i := range out.Data {
		for k := range px {
			values[k] = px[k].Data[i]
		}
		slices.Sort(values)
		out.Data[i] = values[len(values)/2]
	}
	return out
}
