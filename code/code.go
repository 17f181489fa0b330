// Package code reads the codes that are printed on boards: QR, Data Matrix and
// Code 128. It is the door for gozxing.
package code

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/datamatrix"
	"github.com/makiuchi-d/gozxing/oned"
	"github.com/makiuchi-d/gozxing/qrcode"

	"inspector"
)

// A Format is a kind of code.
type Format string

// The formats.
const (
	QR         Format = "qr"
	DataMatrix Format = "datamatrix"
	Code128    Format = "code128"
)

// Formats are all that can be read.
func Formats() []Format { return []Format{QR, DataMatrix, Code128} }

// A Spot is where on the picture a code of which format is looked for.
type Spot struct {
	Format Format
	Region image.Rectangle // pixels of the picture; empty: all of it
}

func (s Spot) String() string {
	if s.Region.Empty() {
		return string(s.Format)
	}
	return fmt.Sprintf("%s in [%d, %d, %d, %d]", s.Format, s.Region.Min.X, s.Region.Min.Y, s.Region.Max.X, s.Region.Max.Y)
}

// An UnreadableError says why there is no text.
type UnreadableError struct {
	Spot Spot
	Err  error
}

func (e *UnreadableError) Error() string { return fmt.Sprintf("no %s: %v", e.Spot, e.Err) }
func (e *UnreadableError) Unwrap() error { return e.Err }

// What an UnreadableError may wrap.
var (
	ErrNotFound = errors.New("nothing that can be read")
	ErrOutside  = errors.New("it reaches beyond the picture")
	ErrLarge    = fmt.Errorf("at most %d x %d pixels are searched; name a region where the code is", MostSide, MostSide)
	ErrLong     = fmt.Errorf("its text is longer than %d bytes", MaxText)
	ErrStrange  = errors.New("its text has control characters, or is not UTF-8")
)

// MaxText is the longest text that is taken, in bytes: as long as a serial may
// be that a trigger gives.
const MaxText = 200

// desks are free ones.
var desks = sync.Pool{New: func() any { return newDesk() }}

// Read gives the text of the code in the spot: at most MaxText bytes of UTF-8
// without control characters, as of anybody who is not trusted. It tries dark modules on light
// ground and light on dark, and gives up after all that it knows, or between two
// tries when ctx has ended: the error then wraps its cause. Any goroutine may
// call it; it keeps nothing of the picture.
func Read(ctx context.Context, px inspector.Pixels, s Spot) (string, error) {
	if err := cmp.Or(px.Check(), context.Cause(ctx)); err != nil {
		return "", &UnreadableError{s, err}
	}
	whole := image.Rect(0, 0, px.Width, px.Height)
	region := s.Region
	if region.Empty() {
		region = whole
	}
	if !region.In(whole) {
		return "", &UnreadableError{s, ErrOutside}
	}
	if Large(region) {
		return "", &UnreadableError{s, ErrLarge}
	}
	d := desks.Get().(*desk)
	defer desks.Put(d)
	d.cut(px, region)
	text, ok := d.read(ctx, s.Format)
	if !ok {
		return "", &UnreadableError{s, cmp.Or(context.Cause(ctx), ErrNotFound)}
	}
	if err := plain(text); err != nil {
		return "", &UnreadableError{s, err}
	}
	return text, nil
}

// plain refuses a text that does not belong in a record.
func plain(text string) error {
	switch {
	case len(text) > MaxText:
		return ErrLong
	case strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar }):
		return fmt.Errorf("%w: %.80q", ErrStrange, text)
	}
	return nil
}

// A desk is the memory of one reading. It is used by one goroutine at a time.
type desk struct {
	readers map[Format]gozxing.Reader
	harder  map[gozxing.DecodeHintType]any
	centres int  // that the library has found in this try
	grey    view // of the region
	other   view // the same, enlarged, turned or a part of it
}

// A view is a grey picture without gaps.
type view struct {
	w, h int
	data []byte
}

func newDesk() *desk {
	d := &desk{readers: map[Format]gozxing.Reader{QR: qrcode.NewQRCodeReader(), DataMatrix: datamatrix.NewDataMatrixReader(), Code128: oned.NewCode128Reader()}}
	d.harder = map[gozxing.DecodeHintType]any{
		gozxing.DecodeHintType_TRY_HARDER:                 true,
		gozxing.DecodeHintType_NEED_RESULT_POINT_CALLBACK: gozxing.ResultPointCallback(d.found),
	}
	return d
}

// found ends a try with too many centres, of which the library would compare
// all triples. It returns to once only.
func (d *desk) found(gozxing.ResultPoint) {
	if d.centres++; d.centres > mostCentres {
		panic("no code has so many centres")
	}
}

// resize gives the view another form and any content.
func (v *view) resize(w, h int) {
	v.w, v.h, v.data = w, h, slices.Grow(v.data[:0], w*h)[:w*h]
}

// cut takes the region in grey.
func (d *desk) cut(px inspector.Pixels, r image.Rectangle) {
	d.grey.resize(r.Dx(), r.Dy())
	for y := range d.grey.h {
		to := d.grey.data[y*d.grey.w:][:d.grey.w]
		from := px.Data[(r.Min.Y+y)*px.Stride+r.Min.X*px.Channels:]
		if px.Channels == 1 {
			copy(to, from)
			continue
		}
		for x := range to {
			p := from[3*x : 3*x+3]
			to[x] = byte((int(p[0]) + 2*int(p[1]) + int(p[2])) / 4)
		}
	}
}

// read tries one way after the other, the likeliest first.
func (d *desk) read(ctx context.Context, f Format) (string, bool) {
	for _, try := range []func(context.Context, Format) (string, bool){d.asItIs, d.turned, d.larger, d.parts} {
		if text, ok := try(ctx, f); ok {
			return text, true
		}
	}
	return "", false
}

func (d *desk) asItIs(ctx context.Context, f Format) (string, bool) { return d.decode(ctx, f, &d.grey) }

// turned is for codes of bars that lie upright.
func (d *desk) turned(ctx context.Context, f Format) (string, bool) {
	if f != Code128 {
		return "", false
	}
	d.other.resize(d.grey.h, d.grey.w)
	for y := range d.grey.h {
		for x, v := range d.grey.data[y*d.grey.w:][:d.grey.w] {
			d.other.data[x*d.other.w+y] = v
		}
	}
	return d.decode(ctx, f, &d.other)
}

// decode tries both polarities.
func (d *desk) decode(ctx context.Context, f Format, v *view) (string, bool) {
	for range 2 {
		if text, ok := d.once(ctx, f, v); ok {
			return text, true
		}
		for i, b := range v.data {
			v.data[i] = 255 - b
		}
	}
	return "", false
}

// once asks the library, whose faults on strange pictures are no code.
func (d *desk) once(ctx context.Context, f Format, v *view) (text string, ok bool) {
	defer func() {
		if recover() != nil {
			text, ok = "", false
		}
	}()
	for _, binarizer := range []func(gozxing.LuminanceSource) gozxing.Binarizer{gozxing.NewHybridBinarizer, gozxing.NewGlobalHistgramBinarizer} {
		if ctx.Err() != nil {
			return "", false
		}
		d.centres = 0
		source, err := gozxing.NewPlanarYUVLuminanceSource(v.data, v.w, v.h, 0, 0, v.w, v.h, false)
		if err != nil {
			return "", false
		}
		bitmap, err := gozxing.NewBinaryBitmap(binarizer(source))
		if err != nil {
			return "", false
		}
		if r, err := d.readers[f].Decode(bitmap, d.harder); err == nil && r.GetText() != "" {
			return r.GetText(), true
		}
	}
	return "", false
}
