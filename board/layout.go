package board

import (
	"fmt"
	"math"
	"math/rand/v2"

	"gocv.io/x/gocv"
)

// A node is a crossing of the routing grid.
type node struct{ x, y int }

// A layout is a board while it is drawn. Everything sits on a grid of nodes;
// a node belongs to one net, so no two nets can touch.
type layout struct {
	r      *rand.Rand
	size   int
	pitch  float64 // pixels between nodes
	width  float64 // of a trace
	n      int     // nodes along an edge
	owner  []int   // net of each node; 0 is free
	pad    []bool  // a pad or via, wider than a trace, is at the node
	cross  []bool  // a diagonal runs to the lower right of the node, or crosses there
	pins   []node
	netted int // nets so far
	parts  int

	copper, opening, silk, hole canvas
	err                         error // the first failure to write text
}

func newLayout(r *rand.Rand, size int) *layout {
	pitch := 18 * math.Exp(r.Float64()*math.Log(2.6))
	n := int(float64(size)/pitch) + 1
	return &layout{
		r: r, size: size, pitch: pitch, n: n,
		width: pitch * (0.3 + 0.12*r.Float64()),
		owner: make([]int, n*n), pad: make([]bool, n*n), cross: make([]bool, n*n),
		copper: newCanvas(size), opening: newCanvas(size), silk: newCanvas(size), hole: newCanvas(size),
	}
}

// draw places parts, then routes what they leave free, then pours.
func (l *layout) draw() {
	area := float64(l.n*l.n) / 400
	for range 1 + l.r.IntN(2) {
		l.mount()
	}
	for range int(area*(0.6+l.r.Float64())) + 1 {
		l.chip()
	}
	for range l.r.IntN(3) {
		l.header()
	}
	for range int(area * (2 + 4*l.r.Float64())) {
		l.passive()
	}
	for range l.r.IntN(4) {
		l.bus()
	}
	l.connect()
	for range int(area * 6 * l.r.Float64()) {
		l.stray()
	}
	if l.r.Float64() < 0.45 {
		l.pour()
	}
}

func (l *layout) at(p node) (x, y float64) {
	margin := (float64(l.size) - float64(l.n-1)*l.pitch) / 2
	return margin + float64(p.x)*l.pitch, margin + float64(p.y)*l.pitch
}

func (l *layout) in(p node) bool { return p.x >= 0 && p.y >= 0 && p.x < l.n && p.y < l.n }

func (l *layout) index(p node) int { return p.y*l.n + p.x }

// room reports whether w x h nodes from p are free, and one more on each side.
func (l *layout) room(p node, w, h int) bool {
	for y := p.y - 1; y <= p.y+h; y++ {
		for x := p.x - 1; x <= p.x+w; x++ {
			if q := (node{x, y}); !l.in(q) || l.owner[l.index(q)] != 0 {
				return false
			}
		}
	}
	return true
}

// place looks for room for w x h nodes.
func (l *layout) place(w, h int) (node, bool) {
	for range 12 {
		p := node{1 + l.r.IntN(max(1, l.n-w-1)), 1 + l.r.IntN(max(1, l.n-h-1))}
		if l.room(p, w, h) {
			return p, true
		}
	}
	return node{}, false
}

// pin gives p a net of its own, to be routed later.
func (l *layout) pin(p node) {
	l.netted++
	l.owner[l.index(p)], l.pad[l.index(p)] = l.netted, true
	l.pins = append(l.pins, p)
}

// label writes the part's reference beside x, y.
func (l *layout) label(kind string, x, y float64) {
	l.parts++
	if err := l.silk.text(fmt.Sprintf("%s%d", kind, l.parts), x, y, min(max(l.pitch*.55, 11), 20)); err != nil && l.err == nil {
		l.err = err
	}
}

// round draws a round pad, drilled if that leaves a ring that can be etched.
func (l *layout) round(x, y, r, hole float64) {
	hole = min(hole, r-5.5)
	l.copper.disk(x, y, r, 255)
	l.opening.disk(x, y, r+1.5, 255)
	if hole > 3 {
		l.copper.disk(x, y, hole, 0)
		l.hole.disk(x, y, hole, 255)
	}
}

// mount draws a mounting hole.
func (l *layout) mount() {
	p, ok := l.place(3, 3)
	if !ok {
		return
	}
	c := node{p.x + 1, p.y + 1}
	l.pin(c)
	l.pins = l.pins[:len(l.pins)-1] // nobody routes to it
	for y := range 3 {
		for x := range 3 {
			l.owner[l.index(node{p.x + x, p.y + y})] = l.netted
			l.pad[l.index(node{p.x + x, p.y + y})] = true
		}
	}
	x, y := l.at(c)
	l.round(x, y, l.pitch*1.3, l.pitch*.8)
}

// chip draws a part with legs on two or four sides.
func (l *layout) chip() {
	w, h := 5+l.r.IntN(5), 5+l.r.IntN(6)
	p, ok := l.place(w, h)
	if !ok {
		return
	}
	four := l.r.IntN(2) == 0
	across, along := l.pitch*(.22+.07*l.r.Float64()), l.pitch*.72
	leg := func(in, out node) {
		l.pin(in)
		l.pin(out)
		l.owner[l.index(in)] = l.netted
		l.pins = append(l.pins[:len(l.pins)-2], out)
		x0, y0 := l.at(in)
		x1, y1 := l.at(out)
		x, y := (x0+x1)/2, (y0+y1)/2
		rx, ry := along, across
		if in.x == out.x {
			rx, ry = across, along
		}
		l.copper.box(x, y, rx, ry, 255)
		l.opening.box(x, y, rx+1.5, ry+1.5, 255)
	}
	for j := 1; j < h-1; j++ {
		leg(node{p.x + 1, p.y + j}, node{p.x, p.y + j})
		leg(node{p.x + w - 2, p.y + j}, node{p.x + w - 1, p.y + j})
	}
	for i := 3; four && i < w-3; i++ {
		leg(node{p.x + i, p.y + 1}, node{p.x + i, p.y})
		leg(node{p.x + i, p.y + h - 2}, node{p.x + i, p.y + h - 1})
	}
	x0, y0 := l.at(node{p.x + 2, p.y + 2})
	x1, y1 := l.at(node{p.x + w - 3, p.y + h - 3})
	if w >= 7 && h >= 7 {
		l.silk.frame((x0+x1)/2, (y0+y1)/2, (x1-x0)/2+l.pitch*.2, (y1-y0)/2+l.pitch*.2, 1, 255)
		l.silk.disk(x0+l.pitch*.25, y0+l.pitch*.25, 3, 255)
	}
	l.label("U", x0+l.pitch*.3, (y0+y1)/2+6)
}

// passive draws two pads with a bracket of legend around them.
func (l *layout) passive() {
	w, h := 3, 1
	upright := l.r.IntN(2) == 0
	if upright {
		w, h = 1, 3
	}
	p, ok := l.place(w, h)
	if !ok {
		return
	}
	q := node{p.x + w - 1, p.y + h - 1}
	r := l.pitch * (.3 + .12*l.r.Float64())
	for _, e := range []node{p, q} {
		l.pin(e)
		x, y := l.at(e)
		l.copper.box(x, y, r, r, 255)
		l.opening.box(x, y, r+1.5, r+1.5, 255)
	}
	x0, y0 := l.at(p)
	x1, y1 := l.at(q)
	if l.r.IntN(3) == 0 {
		l.silk.frame((x0+x1)/2, (y0+y1)/2, (x1-x0)/2+l.pitch*.65, (y1-y0)/2+l.pitch*.65, .8, 255)
		l.label([]string{"R", "C"}[l.r.IntN(2)], x0-l.pitch*.4, y0-l.pitch*.8)
	}
}

// header draws a row of drilled pads.
func (l *layout) header() {
	n := 3 + l.r.IntN(6)
	w, h := n, 1+l.r.IntN(2)
	if l.r.IntN(2) == 0 {
		w, h = h, w
	}
	p, ok := l.place(w, h)
	if !ok {
		return
	}
	for y := range h {
		for x := range w {
			c := node{p.x + x, p.y + y}
			l.pin(c)
			cx, cy := l.at(c)
			if x+y == 0 { // pin 1 is square
				l.copper.box(cx, cy, l.pitch*.34, l.pitch*.34, 255)
				l.opening.box(cx, cy, l.pitch*.34+1.5, l.pitch*.34+1.5, 255)
			}
			l.round(cx, cy, l.pitch*.36, l.pitch*.16)
		}
	}
	x0, y0 := l.at(p)
	l.label("J", x0-l.pitch*.4, y0-l.pitch*.7)
}

// finish takes away what no process could etch and keeps the legend off metal.
func (l *layout) finish() error {
	if l.err != nil {
		return l.err
	}
	var err error
	for _, op := range []gocv.MorphType{gocv.MorphOpen, gocv.MorphClose} {
		if l.copper, err = l.copper.morphed(op, 2); err != nil {
			return err
		}
	}
	l.copper.drop(0, 80)
	l.copper.drop(255, 80)
	off, err := l.opening.grown(3)
	if err != nil {
		return err
	}
	for i, v := range off.px {
		if v != 0 {
			l.silk.px[i] = 0
		}
	}
	return nil
}
