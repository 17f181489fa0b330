package board

import (
	"image"
	"image/color"
	"math"
	"slices"

	"gocv.io/x/gocv"
)

// A canvas is a square of bytes to draw on. The shapes are drawn here and not
// by OpenCV, so that a seed gives one board whatever OpenCV is installed.
type canvas struct {
	size int
	px   []byte
}

func newCanvas(size int) canvas { return canvas{size, make([]byte, size*size)} }

// stroke draws a line with round ends, r to each side.
func (c canvas) stroke(x0, y0, x1, y1, r float64, v byte) {
	for y := c.clip(min(y0, y1) - r); y < c.clip(max(y0, y1)+r+1); y++ {
		from, to := 0.0, 1.0 // the part of the line that is near this row
		if dy := y1 - y0; dy != 0 {
			s, t := (float64(y)-r-y0)/dy, (float64(y)+r-y0)/dy
			from, to = max(min(s, t), 0), min(max(s, t), 1)
		}
		a, b := x0+from*(x1-x0), x0+to*(x1-x0)
		for x := c.clip(min(a, b) - r - 1); x < c.clip(max(a, b)+r+2); x++ {
			if toSegment(float64(x), float64(y), x0, y0, x1, y1) <= r {
				c.px[y*c.size+x] = v
			}
		}
	}
}

// polygon fills the outline through the points of xy.
func (c canvas) polygon(xy [][2]float64, v byte) {
	low, high := xy[0][1], xy[0][1]
	for _, p := range xy {
		low, high = min(low, p[1]), max(high, p[1])
	}
	var at []float64
	for y := c.clip(low); y < c.clip(high+1); y++ {
		at = at[:0] // where the outline crosses this row
		for i, p := range xy {
			q := xy[(i+1)%len(xy)]
			if (p[1] <= float64(y)) != (q[1] <= float64(y)) {
				at = append(at, p[0]+(float64(y)-p[1])*(q[0]-p[0])/(q[1]-p[1]))
			}
		}
		slices.Sort(at)
		for i := 0; i+1 < len(at); i += 2 {
			for x := c.clip(at[i]); x < c.clip(at[i+1]); x++ {
				c.px[y*c.size+x] = v
			}
		}
	}
}

func (c canvas) disk(x, y, r float64, v byte) { c.stroke(x, y, x, y, r, v) }

// box fills a rectangle given by its middle and half its sides.
func (c canvas) box(x, y, rx, ry float64, v byte) {
	for j := c.clip(y - ry); j < c.clip(y+ry+1); j++ {
		for i := c.clip(x - rx); i < c.clip(x+rx+1); i++ {
			c.px[j*c.size+i] = v
		}
	}
}

// frame draws the outline of such a rectangle.
func (c canvas) frame(x, y, rx, ry, r float64, v byte) {
	c.stroke(x-rx, y-ry, x+rx, y-ry, r, v)
	c.stroke(x+rx, y-ry, x+rx, y+ry, r, v)
	c.stroke(x+rx, y+ry, x-rx, y+ry, r, v)
	c.stroke(x-rx, y+ry, x-rx, y-ry, r, v)
}

func (c canvas) clip(v float64) int { return int(min(max(math.Round(v), 0), float64(c.size))) }

// text writes s with its lower left at x, y; height in pixels.
func (c canvas) text(s string, x, y, height float64) error {
	return c.with(func(m *gocv.Mat) error {
		thick := max(1, int(height/9))
		return gocv.PutText(m, s, image.Pt(int(x), int(y)), gocv.FontHersheySimplex, height/21, color.RGBA{255, 255, 255, 255}, thick)
	})
}

// with lends the canvas to f as a Mat over the same bytes.
func (c canvas) with(f func(*gocv.Mat) error) error { return lend(c.px, c.size, gocv.MatTypeCV8UC1, f) }

// grown is a copy in which everything set reaches r pixels further.
func (c canvas) grown(r int) (canvas, error) {
	return c.morphed(gocv.MorphDilate, r)
}

// morphed is a copy after a morphological operation with a disk of radius r.
func (c canvas) morphed(op gocv.MorphType, r int) (canvas, error) {
	out := newCanvas(c.size)
	kernel := gocv.GetStructuringElement(gocv.MorphEllipse, image.Pt(2*r+1, 2*r+1))
	defer kernel.Close()
	return out, c.with(func(src *gocv.Mat) error {
		return out.with(func(dst *gocv.Mat) error { return gocv.MorphologyEx(*src, dst, op, kernel) })
	})
}

// drop turns over every connected piece of value v that is smaller than least pixels.
func (c canvas) drop(v byte, least int) {
	seen := make([]bool, len(c.px))
	for i := range c.px {
		if c.px[i] != v || seen[i] {
			continue
		}
		var piece []int
		flood(i, seen, func(q int) bool {
			if c.px[q] != v {
				return false
			}
			if len(piece) < least {
				piece = append(piece, q)
			}
			return true
		}, func(q int) [8]int { return around(q, c.size, c.size) })
		if len(piece) < least-1 {
			c.px[i] = 255 - v
			for _, q := range piece {
				c.px[q] = 255 - v
			}
		}
	}
}

// lend wraps square px as a Mat for the time of f; f must not resize it.
func lend(px []byte, size int, kind gocv.MatType, f func(*gocv.Mat) error) error {
	m, err := gocv.NewMatFromBytes(size, size, kind, px)
	if err != nil {
		return err
	}
	defer m.Close()
	return f(&m)
}

// toSegment is the distance of a point from a segment.
func toSegment(x, y, x0, y0, x1, y1 float64) float64 {
	dx, dy := x1-x0, y1-y0
	t := 0.0
	if d := dx*dx + dy*dy; d > 0 {
		t = min(max(((x-x0)*dx+(y-y0)*dy)/d, 0), 1)
	}
	return math.Hypot(x-x0-t*dx, y-y0-t*dy)
}
