package classify

import (
	"math"

	"inspector"
)

// A place says where a board lies in a picture: it takes each point of the
// golden board to that of the picture, as an affine map
//
//	x' = p[0] x + p[1] y + p[2],  y' = p[3] x + p[4] y + p[5]
//
// of coordinates that run from -1 to 1 across each picture, edge to edge,
// whatever its size.
type place [6]float64

// home is where a board lies that lies like the golden one.
var home = place{1, 0, 0, 0, 1, 0}

func (p *place) at(x, y float64) (float64, float64) {
	return p[0]*x + p[1]*y + p[2], p[3]*x + p[4]*y + p[5]
}

// after is q and then p.
func (p *place) after(q *place) place {
	return place{
		p[0]*q[0] + p[1]*q[3], p[0]*q[1] + p[1]*q[4], p[0]*q[2] + p[1]*q[5] + p[2],
		p[3]*q[0] + p[4]*q[3], p[3]*q[1] + p[4]*q[4], p[3]*q[2] + p[4]*q[5] + p[5],
	}
}

// inverse undoes p; false if p maps the board to a line.
func (p *place) inverse() (place, bool) {
	det := p[0]*p[4] - p[1]*p[3]
	if math.Abs(det) < 1e-9 {
		return home, false
	}
	a, b, c, d := p[4]/det, -p[1]/det, -p[3]/det, p[0]/det
	return place{a, b, -a*p[2] - b*p[5], c, d, -c*p[2] - d*p[5]}, true
}

// single is p in single precision.
func (p *place) single() (q [6]float32) {
	for k, v := range p {
		q[k] = float32(v)
	}
	return q
}

// reach is how far p moves the corner that it moves most, in pixels of a
// picture of w x h.
func (p *place) reach(w, h int) float64 {
	most := 0.
	for _, c := range [4][2]float64{{-1, -1}, {1, -1}, {-1, 1}, {1, 1}} {
		x, y := p.at(c[0], c[1])
		most = max(most, math.Hypot((x-c[0])*float64(w)/2, (y-c[1])*float64(h)/2))
	}
	return most
}

// outside is how far the furthest of the golden board's points lies outside a
// picture of w x h, in pixels; 0 if all are inside.
func (p *place) outside(points [][2]float64, w, h int) float64 {
	most := 0.
	for _, c := range points {
		x, y := p.at(c[0], c[1])
		most = max(most, (math.Abs(x)-1)*float64(w)/2, (math.Abs(y)-1)*float64(h)/2)
	}
	return most
}

// pixels is p as a map of the middles of pixels, both pictures being w x h.
func (p *place) pixels(w, h int) [6]float64 {
	fw, fh := float64(w), float64(h)
	return [6]float64{
		p[0], p[1] * fw / fh, fw/2*(p[0]*(1/fw-1)+p[1]*(1/fh-1)+p[2]+1) - .5,
		p[3] * fh / fw, p[4], fh/2*(p[3]*(1/fw-1)+p[4]*(1/fh-1)+p[5]+1) - .5,
	}
}

// move takes points of the golden board to where they lie in the picture, both
// being w x h pixels.
func (p *place) move(points []inspector.Point, w, h int) {
	if *p == home {
		return
	}
	fw, fh := float64(w), float64(h)
	for i, q := range points {
		x, y := p.at(2*float64(q.X)/fw-1, 2*float64(q.Y)/fh-1)
		points[i] = inspector.Point{X: float32(min(max((x+1)*fw/2, 0), fw)), Y: float32(min(max((y+1)*fh/2, 0), fh))}
	}
}

// box is where a box of the golden board lies in the picture, both being w x h
// pixels. A turned box keeps its sides, because defects are nearly round.
func (p *place) box(b inspector.Box, w, h int) inspector.Box {
	if *p == home {
		return b
	}
	fw, fh := float64(w), float64(h)
	x, y := p.at(float64(b.Left+b.Right)/fw-1, float64(b.Top+b.Bottom)/fh-1)
	x, y = (x+1)*fw/2, (y+1)*fh/2
	rx := float64(b.Right-b.Left) / 2 * math.Hypot(p[0], p[3]*fh/fw)
	ry := float64(b.Bottom-b.Top) / 2 * math.Hypot(p[1]*fw/fh, p[4])
	clip := func(v, limit float64) float32 { return float32(min(max(v, 0), limit)) }
	return inspector.Box{Left: clip(x-rx, fw), Top: clip(y-ry, fh), Right: clip(x+rx, fw), Bottom: clip(y+ry, fh)}
}

// registration is p in words for people; the picture is w x h pixels.
func (p *place) registration(quality float64, w, h int) inspector.Registration {
	aspect := float64(w) / float64(h)
	return inspector.Registration{
		Quality: float32(quality),
		Right:   float32(p[2] * float64(w) / 2), Down: float32(p[5] * float64(h) / 2),
		Turn:  float32(math.Atan2(p[3]/aspect-p[1]*aspect, p[0]+p[4]) * 180 / math.Pi),
		Scale: float32(math.Sqrt(math.Abs(p[0]*p[4] - p[1]*p[3]))),
	}
}
