package classify

import (
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
	tested, etch, err = g.over(&s, &l.place, tested, true)
	l.Tested, l.Golden = tested, g.wider(etch)
	return l, err
}

// Box is where a box of the tested picture lies once it is laid, as far as it is
// in the picture.
func (l Laid) Box(b inspector.Box) inspector.Box {
	back, _ := l.place.inverse() // which a place that was found has
	return back.box(b, l.Golden.Width, l.Golden.Height)
}
