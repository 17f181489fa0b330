package classify

import (
	"fmt"
	"math"

	"inspector"
	"inspector/model"
)

// maxTiles of one picture are judged.
const maxTiles = 256

// A view is one model's picture: where it lies in the captured one. The model's
// pixel (x, y) is the captured one's (left + x*sx, top + y*sy).
type view struct {
	left, top, sx, sy float32
	width, height     float32 // of the model's picture
	w, h              float32 // of the captured one
}

// viewsOf gives the views that make up a picture of w x h: one, or one for each
// tile, in rows.
func viewsOf(in model.Input, d model.Decode, w, h int) ([]view, error) {
	v := view{width: float32(in.Width), height: float32(in.Height), w: float32(w), h: float32(h), sx: 1, sy: 1}
	switch in.Fit {
	case model.Letterbox:
		inner := letterbox(in, w, h)
		v.sx, v.sy = v.w/float32(inner.w), v.h/float32(inner.h)
		v.left, v.top = -float32(inner.x)*v.sx, -float32(inner.y)*v.sy
		return []view{v}, nil
	case model.Tiles:
		columns, rows := origins(w, in.Width, in.Overlap, d.Cell()), origins(h, in.Height, in.Overlap, d.Cell())
		if n := len(columns) * len(rows); n > maxTiles {
			return nil, fmt.Errorf("a picture of %d x %d needs %d tiles of %d x %d; at most %d are judged: use a model with a larger input, or a camera with fewer pixels", w, h, n, in.Width, in.Height, maxTiles)
		}
		var views []view
		for _, y := range rows {
			for _, x := range columns {
				v.left, v.top = float32(x), float32(y)
				views = append(views, v)
			}
		}
		return views, nil
	}
	v.sx, v.sy = v.w/v.width, v.h/v.height
	return []view{v}, nil
}

// origins are where pieces of the given size begin, multiples of step, so that
// they cover length and neighbours share at least overlap.
func origins(length, size, overlap, step int) []int {
	at := []int{0}
	stride := max((size-overlap)/step*step, step)
	for last := 0; last+size < length; {
		last = min(last+stride, (length-size+step-1)/step*step)
		at = append(at, last)
	}
	return at
}

// A frame is a rectangle of whole pixels.
type frame struct{ x, y, w, h int }

// letterbox is where a picture of w x h lies in the model's.
func letterbox(in model.Input, w, h int) frame {
	scale := math.Min(float64(in.Width)/float64(w), float64(in.Height)/float64(h))
	f := frame{w: max(int(math.Round(float64(w)*scale)), 1), h: max(int(math.Round(float64(h)*scale)), 1)}
	f.x, f.y = (in.Width-f.w)/2, (in.Height-f.h)/2
	return f
}

// box is a box of the model's picture in the captured one, where they overlap.
func (v view) box(left, top, right, bottom float32) inspector.Box {
	left, top, right, bottom = max(left, 0), max(top, 0), min(right, v.width), min(bottom, v.height)
	x := func(x float32) float32 { return min(max(v.left+x*v.sx, 0), v.w) }
	y := func(y float32) float32 { return min(max(v.top+y*v.sy, 0), v.h) }
	b := inspector.Box{Left: x(left), Top: y(top), Right: x(right), Bottom: y(bottom)}
	b.Right, b.Bottom = max(b.Right, b.Left), max(b.Bottom, b.Top)
	return b
}

// whole is all that the view shows of the captured picture.
func (v view) whole() inspector.Box { return v.box(0, 0, v.width, v.height) }
