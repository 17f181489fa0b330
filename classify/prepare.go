package classify

import (
	"errors"
	"fmt"
	"image"
	"slices"

	"gocv.io/x/gocv"

	"inspector"
	"inspector/model"
)

// A preparer turns pictures into a model's input. It is read-only once made.
type preparer struct {
	model   model.Input
	copper  Tone
	decode  model.Decode
	numbers [3][256]float32 // of each sample, by colour channel of the model
	line    *line           // that the numbers lie on; nil if it does not give them exactly
	blank   []float32       // an input without its picture: the golden board alone
	size    int             // numbers of one view
	golden  image.Point     // size of the golden board's picture; zero without one
	goldens []reference     // none if the model needs none
	allowed []allowance     // of the first golden board
	align   bool
	area    area
}

// scratch is the memory of one input on its way; it grows to the largest
// picture and is then reused.
type scratch struct {
	packed, grey, resized, smooth, plate, padded, tile []byte

	layers layers
}

func newPreparer(p *model.Package, r Recipe) (*preparer, error) {
	in := p.Input()
	pr := &preparer{model: in, copper: r.Copper, align: r.Align, area: newArea(r), decode: p.Decode, size: p.InputSize(), blank: make([]float32, p.InputSize())}
	for c := range in.Colours() {
		for v := range 256 {
			pr.numbers[c][v] = in.Number(c, uint8(v))
		}
	}
	pr.line = lineOf(&pr.numbers[0], in)
	if in.Binarise && r.Copper != Dark && r.Copper != Bright {
		return nil, fmt.Errorf("%s binarises: the recipe must say whether copper is %q or %q, not %q", p.ID(), Dark, Bright, r.Copper)
	}
	if !in.Golden {
		return pr, nil
	}
	if len(r.Golden.Data) == 0 {
		return nil, fmt.Errorf("%s compares with a golden board: the recipe must give the picture of a good one", p.ID())
	}
	pr.golden = image.Pt(r.Golden.Width, r.Golden.Height)
	for i, px := range append([]inspector.Pixels{r.Golden}, r.Goldens...) {
		g, err := pr.reference(px, r)
		if err != nil {
			return nil, fmt.Errorf("golden board %d: %w", i+1, err)
		}
		pr.goldens = append(pr.goldens, g)
	}
	blank := &Input{data: pr.blank}
	if err := pr.views(blank, in.Colours(), pr.goldens[0].px); err != nil {
		return nil, fmt.Errorf("golden board: %w", err)
	}
	pr.blank = blank.data
	var err error
	pr.allowed, err = pr.allowances(r)
	return pr, err
}

func (p *preparer) newInput() *Input {
	return &Input{data: slices.Clone(p.blank), lie: lie{place: home}}
}

// fill writes the picture, laid over the golden board, beside it.
func (p *preparer) fill(in *Input, px inspector.Pixels) error {
	px, err := p.view(&in.scratch, px)
	if err != nil {
		return err
	}
	if len(p.goldens) > 0 {
		if px, err = p.overlay(in, px); err != nil {
			return err
		}
		px = p.forgive(in, px)
		if in.lie.etch != 0 {
			at, beyond, err := p.goldens[in.lie.golden].unexplained(&in.scratch.layers, px, p.area)
			if err != nil {
				return err
			}
			if beyond {
				in.lie.beyond = &at
			}
		}
	}
	return p.views(in, 0, px)
}

// view is the picture as the model sees it, but for numbers, borders and tiles.
func (p *preparer) view(s *scratch, px inspector.Pixels) (_ inspector.Pixels, err error) {
	if err := px.Check(); err != nil {
		return px, err
	}
	if size := image.Pt(px.Width, px.Height); p.golden != (image.Point{}) && p.golden != size {
		return px, &GoldenSizeError{Golden: p.golden, Picture: size}
	}
	px = s.pack(px)
	if p.model.Colour == "grey" && px.Channels == 3 {
		if px, err = s.toGrey(px); err != nil {
			return px, err
		}
	}
	if w, h := scaled(p.model, px.Width, px.Height); px.Width != w || px.Height != h {
		if px, err = s.resize(px, w, h); err != nil {
			return px, err
		}
	}
	if p.model.Binarise {
		return s.toPlate(px, p.copper)
	}
	return px, nil
}

// pack closes the gaps between rows, because GoCV takes no stride.
func (s *scratch) pack(px inspector.Pixels) inspector.Pixels {
	row := px.Width * px.Channels
	if px.Stride == row {
		return px
	}
	s.packed = room(s.packed, row*px.Height)
	for y := range px.Height {
		copy(s.packed[y*row:(y+1)*row], px.Data[y*px.Stride:])
	}
	px.Data, px.Stride = s.packed, row
	return px
}

func (s *scratch) toGrey(px inspector.Pixels) (inspector.Pixels, error) {
	s.grey = room(s.grey, px.Width*px.Height)
	to := inspector.Pixels{Width: px.Width, Height: px.Height, Channels: 1, Stride: px.Width, Data: s.grey}
	return to, convert("to grey", px, to, func(src gocv.Mat, dst *gocv.Mat) error {
		return gocv.CvtColor(src, dst, gocv.ColorBGRToGray)
	})
}

// resize stretches. Averaging areas keeps thin traces when shrinking.
func (s *scratch) resize(px inspector.Pixels, w, h int) (inspector.Pixels, error) {
	s.resized = room(s.resized, w*h*px.Channels)
	to := inspector.Pixels{Width: w, Height: h, Channels: px.Channels, Stride: w * px.Channels, Data: s.resized}
	how := gocv.InterpolationLinear
	if w < px.Width || h < px.Height {
		how = gocv.InterpolationArea
	}
	return to, convert("resize", px, to, func(src gocv.Mat, dst *gocv.Mat) error {
		return gocv.Resize(src, dst, image.Pt(w, h), 0, 0, how)
	})
}

// convert runs an operation of OpenCV from one picture's bytes into another's,
// which must have just the size that the operation gives.
func convert(what string, from, to inspector.Pixels, do func(gocv.Mat, *gocv.Mat) error) error {
	src, err := wrap(from)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	defer src.Close()
	dst, err := wrap(to)
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	defer dst.Close()
	if err := do(src, &dst); err != nil {
		return fmt.Errorf("%s %d x %d: %w", what, from.Width, from.Height, err)
	}
	return nil
}

var errPadded = errors.New("rows have gaps")

// wrap is a picture as a Mat over the same bytes. The caller closes it.
func wrap(px inspector.Pixels) (gocv.Mat, error) {
	if px.Stride != px.Width*px.Channels {
		return gocv.Mat{}, errPadded
	}
	kind := gocv.MatTypeCV8UC1
	if px.Channels == 3 {
		kind = gocv.MatTypeCV8UC3
	}
	return gocv.NewMatFromBytes(px.Height, px.Width, kind, px.Data)
}

// room is b with length n and any content.
func room(b []byte, n int) []byte {
	return slices.Grow(b[:0], n)[:n]
}
