package code

import (
	"context"
	"image"
)

// MostSide is the longest side of a region that is searched, in pixels: no try,
// after which reading can be ended, then takes long.
const MostSide = 2048

// mostCentres is how many centres of a QR code's corners may be seen at once.
const mostCentres = 300

// Large reports a region that is too large to be searched.
func Large(r image.Rectangle) bool { return r.Dx() > MostSide || r.Dy() > MostSide }

// mostEnlarged is the largest view that is looked at enlarged, in pixels: in it
// a code with modules of two pixels is read.
const mostEnlarged = 1 << 17

// mostSearched is the largest region that is looked at part by part.
const mostSearched = 1 << 20

// larger is for small modules.
func (d *desk) larger(ctx context.Context, f Format) (string, bool) {
	if d.grey.w*d.grey.h > mostEnlarged {
		return "", false
	}
	d.enlarge(image.Rect(0, 0, d.grey.w, d.grey.h))
	return d.decode(ctx, f, &d.other)
}

// parts is for a Data Matrix that does not lie in the region's middle, where
// the library begins to look for it.
func (d *desk) parts(ctx context.Context, f Format) (string, bool) {
	if f != DataMatrix || d.grey.w*d.grey.h > mostSearched {
		return "", false
	}
	for _, share := range []int{6, 4} { // eighths of the region's sides
		w, h := d.grey.w*share/8, d.grey.h*share/8
		for k := range 9 {
			x, y := (d.grey.w-w)*(k%3)/2, (d.grey.h-h)*(k/3)/2
			d.take(image.Rect(x, y, x+w, y+h))
			if text, ok := d.decode(ctx, f, &d.other); ok {
				return text, true
			}
		}
	}
	return "", false
}

// take makes other the part of grey, enlarged if it is small.
func (d *desk) take(part image.Rectangle) {
	if part.Dx()*part.Dy() <= mostEnlarged/8 {
		d.enlarge(part)
		return
	}
	d.other.resize(part.Dx(), part.Dy())
	for y := range d.other.h {
		copy(d.other.data[y*d.other.w:], d.grey.data[(part.Min.Y+y)*d.grey.w+part.Min.X:][:d.other.w])
	}
}

// enlarge makes other the part of grey, twice as large and smooth.
func (d *desk) enlarge(part image.Rectangle) {
	d.other.resize(2*part.Dx(), 2*part.Dy())
	g, w := d.grey.data, d.grey.w
	for y := range d.other.h {
		y0, y1 := neighbours(y, part.Min.Y, part.Max.Y)
		for x := range d.other.w {
			x0, x1 := neighbours(x, part.Min.X, part.Max.X)
			near, beside := int(g[y0*w+x0]), int(g[y0*w+x1])
			below, across := int(g[y1*w+x0]), int(g[y1*w+x1])
			d.other.data[y*d.other.w+x] = byte((9*near + 3*beside + 3*below + across + 8) / 16)
		}
	}
}

// neighbours are the pixel under the k-th of twice as many, and the next one.
func neighbours(k, first, end int) (near, next int) {
	near = first + k/2
	return near, min(max(near+2*(k%2)-1, first), end-1)
}
