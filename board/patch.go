package board

import (
	"math"
	"math/rand/v2"

	"inspector"
)

// A patch is a window of the board with a stroke over it that adds copper or
// takes it away. It knows how far each pixel is from the stroke's edge, so the
// same stroke can be judged a little wider and narrower: a class that would
// change with a ragged edge is not accepted.
type patch struct {
	b         *Board
	adds      bool
	left, top int
	w, h      int
	field     []float32 // distance outside the stroke, negative within
	stroke    [4]int    // left, top, right and bottom of the stroke in the window
	skip      []bool    // pixels of the stroke that the pen missed; nil for none
}

// reach is the width of the window around the stroke.
const reach = 12

// patch is the window of s; its class is -1 where it leaves the board.
func (b *Board) patch(s stroke, adds bool) patch {
	x0, y0, x1, y1 := s.bounds()
	p := patch{b: b, adds: adds, left: int(x0 - reach), top: int(y0 - reach)}
	p.w, p.h = int(x1+reach)-p.left+1, int(y1+reach)-p.top+1
	if p.left < 1 || p.top < 1 || p.left+p.w >= b.size || p.top+p.h >= b.size {
		return patch{}
	}
	p.stroke = [4]int{int(math.Ceil(x0)) - p.left, int(math.Ceil(y0)) - p.top, int(x1) + 1 - p.left, int(y1) + 1 - p.top}
	p.field = make([]float32, p.w*p.h)
	for i := range p.field {
		x, y := float64(p.left+i%p.w), float64(p.top+i/p.w)
		d := math.Inf(1)
		for k, r := range s.r {
			d = min(d, toSegment(x, y, s.x[k], s.y[k], s.x[k+1], s.y[k+1])-r)
		}
		p.field[i] = float32(d)
	}
	return p
}

// global is the index on the board of pixel i of the window.
func (p *patch) global(i int) int { return (p.top+i/p.w)*p.b.size + p.left + i%p.w }

// changes reports whether pixel i changes when the stroke is level wider.
func (p *patch) changes(i int, level float32) bool {
	return p.field[i] <= level && (p.b.copper[p.global(i)] == 0) == p.adds
}

// box is the stroke with its margin; false if too little changes, or if the
// stroke reaches more than over pixels past what changes.
func (p *patch) box(over float64) (inspector.Box, bool) {
	x0, y0, x1, y1, n := p.w, p.h, 0, 0, 0
	for i := range p.field {
		if p.changes(i, 0) {
			x, y := i%p.w, i/p.w
			x0, y0, x1, y1, n = min(x0, x), min(y0, y), max(x1, x+1), max(y1, y+1), n+1
		}
	}
	s, least := p.stroke, 24
	if p.b != nil && p.b.pen {
		least = 14
	}
	return inspector.Box{
		Left: float32(p.left + s[0] - Margin), Top: float32(p.top + s[1] - Margin),
		Right: float32(p.left + s[2] + Margin), Bottom: float32(p.top + s[3] + Margin),
	}, n >= least && float64(max(x0-s[0], y0-s[1], s[2]-x1, s[3]-y1)) <= over
}

// worn makes one pen in eight miss part of its stroke: the inside, or pixels
// here and there.
func (p *patch) worn(r *rand.Rand) {
	kind := r.IntN(16)
	if kind > 1 {
		return
	}
	p.skip = make([]bool, len(p.field))
	share := 0.2 + 0.3*r.Float64()
	for i, d := range p.field {
		if kind == 0 {
			p.skip[i] = d < -2.2
		} else {
			p.skip[i] = r.Float64() < share
		}
	}
}

// apply makes the change in copper.
func (p *patch) apply(copper []byte) {
	v := byte(0)
	if p.adds {
		v = 255
	}
	for i := range p.field {
		if p.changes(i, 0) && (p.skip == nil || !p.skip[i]) {
			copper[p.global(i)] = v
		}
	}
}

// limits are what a class must bear and still be itself, pixels: how much wider
// the stroke may be if it touches nothing and if it touches an edge, how much
// narrower if it touches an edge and if it cuts or joins, and how deep a bite
// or bump must go.
type limits struct{ alone, edge, mouth, narrower, depth float32 }

func (p *patch) limits() limits {
	if p.b.pen {
		return limits{2.4, 1.3, -1, -0.7, 3.2}
	}
	return limits{3.5, 3.5, 0, -1.2, 4.2}
}

// class is the number of the class that the topology gives, -1 if none surely.
func (p *patch) class() int {
	host, guest, _ := p.pieces(0)
	bear := p.limits()
	kinds := [3]int{5, 2, 0} // removed copper: pin-hole, mousebite, open
	if p.adds {
		kinds = [3]int{4, 3, 1} // added: copper, spur, short
	}
	switch {
	case host == 0 && guest == 1:
		if h, g, _ := p.pieces(bear.alone); h == 0 && g == 1 {
			return kinds[0]
		}
	case host == 1 && guest == 1:
		if p.depth() < bear.depth {
			return -1
		}
		if h, g, _ := p.pieces(bear.edge); h != 1 || g != 1 {
			return -1
		}
		if h, _, _ := p.pieces(bear.mouth); h == 1 {
			return kinds[1]
		}
	case host >= 2 && guest >= 2:
		if h, g, least := p.pieces(bear.narrower); h >= 2 && g >= 2 && (p.b.window && least >= splinter || !p.b.window && p.severs()) {
			return kinds[2]
		}
	}
	return -1
}

// splinter is what a piece of copper or laminate must at least measure to
// count as cut off, square pixels.
const splinter = 60

// depth is how far the change reaches from what it grows on, pixels.
func (p *patch) depth() (d float32) {
	from := p.b.inside
	if p.adds {
		from = p.b.outside
	}
	for i := range p.field {
		if p.changes(i, 0) {
			d = max(d, from[p.global(i)])
		}
	}
	return d
}

// pieces counts, within the window, the separate pieces that touch the change:
// of the host (what the change is made of: copper if it adds) and of the guest
// (what is left of what was there before). least is the size of the smallest
// piece of copper beside it.
func (p *patch) pieces(level float32) (host, guest, least int) {
	const changed, own, other = 1, 2, 3
	kind := make([]byte, len(p.field))
	for i := range kind {
		switch {
		case p.changes(i, level):
			kind[i] = changed
		case (p.b.copper[p.global(i)] != 0) == p.adds:
			kind[i] = own
		default:
			kind[i] = other
		}
	}
	seen := make([]bool, len(kind))
	least = len(kind)
	for i, k := range kind {
		if k != changed {
			continue
		}
		for _, j := range p.around(i) {
			if j < 0 || seen[j] || kind[j] == changed {
				continue
			}
			if kind[j] == own {
				host++
			} else {
				guest++
			}
			n := flood(j, seen, func(q int) bool { return kind[q] == kind[j] }, p.around)
			if (kind[j] == own) == p.adds {
				least = min(least, n)
			}
		}
	}
	return host, guest, least
}

// around are the eight neighbours of i in the window, -1 outside.
func (p *patch) around(i int) [8]int { return around(i, p.w, p.h) }

// severs reports whether the change joins two nets, or splits one: then it can
// no longer be walked round anywhere on the board.
func (p *patch) severs() bool {
	b := p.b
	touched := map[int32]bool{}
	var sides []int // pixels beside the change
	for i := range p.field {
		if !p.changes(i, 0) {
			continue
		}
		for _, j := range p.around(i) {
			if j >= 0 && !p.changes(j, 0) && b.copper[p.global(j)] != 0 {
				touched[b.nets[p.global(j)]] = true
				sides = append(sides, p.global(j))
			}
		}
	}
	if p.adds {
		return len(touched) > 1
	}
	gone := map[int]bool{}
	for i := range p.field {
		if p.changes(i, 0) {
			gone[p.global(i)] = true
		}
	}
	seen := make([]bool, len(b.copper))
	parts := 0
	for _, i := range sides {
		if !seen[i] {
			n := flood(i, seen, func(q int) bool { return b.copper[q] != 0 && !gone[q] }, b.around)
			if n < splinter {
				return false // a splinter, not a net
			}
			parts++
		}
	}
	return parts > 1
}

// around are the eight neighbours of i on the board, -1 outside.
func (b *Board) around(i int) [8]int { return around(i, b.size, b.size) }

// around are the eight neighbours of i in w x h pixels, -1 outside.
func around(i, w, h int) [8]int {
	x, y := i%w, i/w
	n := [8]int{i + 1, i + w + 1, i + w, i + w - 1, i - 1, i - w - 1, i - w, i - w + 1}
	if x > 0 && y > 0 && x < w-1 && y < h-1 {
		return n
	}
	for k, s := range steps {
		if u, v := x+s.x, y+s.y; u < 0 || v < 0 || u >= w || v >= h {
			n[k] = -1
		}
	}
	return n
}

// flood marks all that belongs and is connected to i, and counts it.
func flood(i int, seen []bool, belongs func(int) bool, around func(int) [8]int) int {
	stack, n := []int{i}, 0
	seen[i] = true
	for len(stack) > 0 {
		i = stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		n++
		for _, j := range around(i) {
			if j >= 0 && !seen[j] && belongs(j) {
				seen[j] = true
				stack = append(stack, j)
			}
		}
	}
	return n
}
