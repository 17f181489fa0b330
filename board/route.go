package board

import (
	"container/heap"
	"slices"

	"gocv.io/x/gocv"
)

// steps are the eight directions, clockwise.
var steps = [8]node{{1, 0}, {1, 1}, {0, 1}, {-1, 1}, {-1, 0}, {-1, -1}, {0, -1}, {1, -1}}

// A visit is a way to reach a node in a direction.
type visit struct {
	cost, state int // state is node*8 + direction
}

type visits []visit

func (v visits) Len() int           { return len(v) }
func (v visits) Less(i, j int) bool { return v[i].cost < v[j].cost }
func (v visits) Swap(i, j int)      { v[i], v[j] = v[j], v[i] }
func (v *visits) Push(x any)        { *v = append(*v, x.(visit)) }
func (v *visits) Pop() any {
	old := *v
	x := old[len(old)-1]
	*v = old[:len(old)-1]
	return x
}

// route draws the cheapest trace from a to b over free nodes, with bends of 45
// degrees, and reports whether there is one. Both ends end up on one net.
func (l *layout) route(a, b node) bool {
	from, to := l.owner[l.index(a)], l.owner[l.index(b)]
	best := make([]int, l.n*l.n*8)
	came := make([]int, l.n*l.n*8)
	queue := &visits{}
	for d := range 8 {
		s := l.index(a)*8 + d
		best[s], came[s] = 1, -1
		*queue = append(*queue, visit{1, s})
	}
	for queue.Len() > 0 {
		v := heap.Pop(queue).(visit)
		if v.cost > best[v.state] {
			continue
		}
		p := node{v.state / 8 % l.n, v.state / 8 / l.n}
		if p == b {
			l.lay(v.state, came, from, to)
			return true
		}
		for turn := -1; turn <= 1; turn++ {
			d := (v.state + turn + 8) % 8
			q := node{p.x + steps[d].x, p.y + steps[d].y}
			if !l.in(q) || !l.passable(p, q, b, from) {
				continue
			}
			cost := v.cost + 10 + 4*(d%2) + 5*turn*turn
			if s := l.index(q)*8 + d; best[s] == 0 || cost < best[s] {
				best[s], came[s] = cost, v.state
				heap.Push(queue, visit{cost, s})
			}
		}
	}
	return false
}

// passable reports whether a trace of net may step from p to its neighbour q on its way to goal.
func (l *layout) passable(p, q, goal node, net int) bool {
	if q != goal && l.owner[l.index(q)] != 0 {
		return false
	}
	if p.x == q.x || p.y == q.y {
		return true
	}
	if l.cross[l.index(node{min(p.x, q.x), min(p.y, q.y)})] {
		return false
	}
	for _, beside := range []node{{p.x, q.y}, {q.x, p.y}} { // a pad reaches too near a diagonal
		if i := l.index(beside); l.pad[i] && l.owner[i] != net {
			return false
		}
	}
	return true
}

// lay draws the trace that ends in state and makes nets from and to one.
func (l *layout) lay(state int, came []int, from, to int) {
	for i, o := range l.owner {
		if o == to && to != 0 {
			l.owner[i] = from
		}
	}
	for came[state] >= 0 {
		p, q := node{state / 8 % l.n, state / 8 / l.n}, node{came[state] / 8 % l.n, came[state] / 8 / l.n}
		l.owner[l.index(p)], l.owner[l.index(q)] = from, from
		if p.x != q.x && p.y != q.y {
			l.cross[l.index(node{min(p.x, q.x), min(p.y, q.y)})] = true
		}
		x0, y0 := l.at(p)
		x1, y1 := l.at(q)
		l.copper.stroke(x0, y0, x1, y1, l.width/2, 255)
		state = came[state]
	}
}

// free finds a free node with free neighbours, within reach of near if it can.
func (l *layout) free(near node, reach int) (node, bool) {
	for range 20 {
		p := node{near.x + l.r.IntN(2*reach+1) - reach, near.y + l.r.IntN(2*reach+1) - reach}
		if l.in(p) && l.room(p, 1, 1) {
			return p, true
		}
	}
	return node{}, false
}

// via ends a trace at p.
func (l *layout) via(p node) {
	l.pad[l.index(p)] = true
	x, y := l.at(p)
	l.round(x, y, l.pitch*.3+1, l.pitch*.1+1)
}

// bus routes neighbours from one edge of the board to another, side by side.
func (l *layout) bus() {
	k, a, b := 2+l.r.IntN(6), l.r.IntN(l.n), l.r.IntN(l.n)
	turned, cornered := l.r.IntN(2) == 0, l.r.IntN(3) == 0
	for i := range k {
		p, q := node{0, a + i}, node{l.n - 1, b + i}
		if cornered {
			q = node{b + k - i, l.n - 1}
		}
		if turned {
			p, q = node{p.y, p.x}, node{q.y, q.x}
		}
		if !l.in(p) || !l.in(q) || l.owner[l.index(p)] != 0 || l.owner[l.index(q)] != 0 {
			continue
		}
		l.netted++
		l.owner[l.index(p)] = l.netted
		if !l.route(p, q) {
			l.owner[l.index(p)] = 0
		}
	}
}

// connect routes most pins, to another pin nearby or to a via.
func (l *layout) connect() {
	l.r.Shuffle(len(l.pins), func(i, j int) { l.pins[i], l.pins[j] = l.pins[j], l.pins[i] })
	for i, p := range l.pins {
		if l.r.Float64() < 0.15 {
			continue
		}
		rest := l.pins[i+1:]
		if len(rest) > 0 && l.r.Float64() < 0.55 {
			nearest := slices.MinFunc(rest[:min(len(rest), 6)], func(a, b node) int { return apart(a, p) - apart(b, p) })
			if l.owner[l.index(nearest)] != l.owner[l.index(p)] && l.route(p, nearest) {
				continue
			}
		}
		if q, ok := l.free(p, 7); ok && l.route(p, q) {
			l.via(q)
		}
	}
}

// stray draws a trace between two vias.
func (l *layout) stray() {
	p, ok := l.free(node{l.r.IntN(l.n), l.r.IntN(l.n)}, 3)
	if !ok {
		return
	}
	q, ok := l.free(p, 9)
	if !ok || apart(p, q) < 3 {
		return
	}
	l.netted++
	l.owner[l.index(p)] = l.netted
	if l.route(p, q) {
		l.via(q)
	}
	l.via(p)
}

func apart(a, b node) int { return max(a.x-b.x, b.x-a.x) + max(a.y-b.y, b.y-a.y) }

// pour fills part of the board with copper, apart from what is there.
func (l *layout) pour() {
	keep, err := l.copper.grown(int(l.pitch*.4) + 2)
	if err != nil {
		l.err = err
		return
	}
	fill := newCanvas(l.size)
	s := float64(l.size)
	for range 1 + l.r.IntN(3) {
		fill.box(s*l.r.Float64(), s*l.r.Float64(), s*(.1+.35*l.r.Float64()), s*(.1+.35*l.r.Float64()), 255)
	}
	for i, v := range keep.px {
		if v != 0 || l.hole.px[i] != 0 {
			fill.px[i] = 0
		}
	}
	if fill, err = fill.morphed(gocv.MorphOpen, 4); err != nil {
		l.err = err
		return
	}
	for i, v := range fill.px {
		l.copper.px[i] |= v
	}
}
