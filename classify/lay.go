package classify

import (
	"math"

	"inspector"
	"inspector/model"
)

// Seen is a picture as a model of w x h pixels that binarises sees it: a plate.
func Seen(px inspector.Pixels, w, h int, copper Tone) (inspector.Pixels, error) {
	p := preparer{model: model.Input{Width: w, Height: h, Colour: "grey", Fit: model.Stretch, Binarise: true}, copper: copper}
	return p.view(&scratch{}, px)
}

// Laid is a plate as a model sees it beside its golden board.
type Laid struct {
	Tested inspector.Pixels // laid over the golden board
	Golden inspector.Pixels // with its copper as wide as the tested board's
	place  place
}

// Lay lays a plate over its golden board, which is a plate of the same size, as
// the classifier of a recipe with this Etch does before the model: to train on
// what is left, and to measure it. A plate that cannot be laid is a
// *RegistrationError. The pixels may be those that were given.
func Lay(tested, golden inspector.Pixels, etch int) (l Laid, err error) {
	aligner, err := newAligner(golden, float64(golden.Width)/float64(golden.Height), false, Recipe{}.corners())
	if err != nil {
		return l, err
	}
	g := reference{px: golden, aligner: aligner}
	if g.etched, err = etchings(golden, etch); err != nil {
		return l, err
	}
	var s layers
	if l.place, _, err = g.aligner.register(&s, tested); err != nil {
		return l, err
	}
	if l.place != home {
		if tested, err = s.fetch(&l.place, tested, golden, true); err != nil {
			return l, err
		}
	}
	wider, err := g.etchOf(tested)
	l.Tested, l.Golden = tested, g.wider(wider)
	return l, err
}

// Box is where a box of the tested picture lies once it is laid; it may reach
// beyond the picture.
func (l Laid) Box(b inspector.Box) inspector.Box {
	back, ok := l.place.inverse()
	if !ok || l.place == home {
		return b
	}
	w, h := float64(l.Golden.Width), float64(l.Golden.Height)
	x, y := back.at(float64(b.Left+b.Right)/w-1, float64(b.Top+b.Bottom)/h-1)
	rx := float64(b.Right-b.Left) / 2 * math.Hypot(back[0], back[3]*h/w)
	ry := float64(b.Bottom-b.Top) / 2 * math.Hypot(back[1]*w/h, back[4])
	x, y = (x+1)*w/2, (y+1)*h/2
	return inspector.Box{Left: float32(x - rx), Top: float32(y - ry), Right: float32(x + rx), Bottom: float32(y + ry)}
}
