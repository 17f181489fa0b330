package graph

import (
	"cmp"
	"slices"
)

// arrange gives every node of the block its place, and the block its size: in
// layers from above to below, as Sugiyama, Tagawa and Toda (1981) do it.
func (b *block) arrange() {
	b.build()
	b.turn()
	b.rank()
	layers := b.bend()
	order(layers)
	b.spread(layers)
}

// turn finds the edges that close a cycle; they are drawn upwards.
func (b *block) turn() {
	out := map[*node][]*edge{}
	for _, e := range b.edges {
		out[e.from] = append(out[e.from], e)
	}
	const walking, done = 1, 2
	state := make(map[*node]int, len(b.nodes))
	var visit func(n *node)
	visit = func(n *node) {
		state[n] = walking
		for _, e := range out[n] {
			switch state[e.to] {
			case walking:
				e.back = true
			case 0:
				visit(e.to)
			}
		}
		state[n] = done
	}
	for _, n := range b.nodes {
		if state[n] == 0 {
			visit(n)
		}
	}
}

// ends are the edge's nodes, the upper one first.
func (e *edge) ends() (upper, lower *node) {
	if e.back {
		return e.to, e.from
	}
	return e.from, e.to
}

// span is how many layers the edge needs at least.
func (e *edge) span() int {
	if len(e.labels) > 0 {
		return 2 // one for its words
	}
	return 1
}

// rank puts each node into the first layer below all that lead to it.
func (b *block) rank() {
	waits := map[*node]int{}
	out := map[*node][]*edge{}
	for _, e := range b.edges {
		upper, lower := e.ends()
		waits[lower]++
		out[upper] = append(out[upper], e)
	}
	var ready []*node
	for _, n := range b.nodes {
		if waits[n] == 0 {
			ready = append(ready, n)
		}
	}
	for len(ready) > 0 {
		n := ready[0]
		ready = ready[1:]
		for _, e := range out[n] {
			_, lower := e.ends()
			lower.layer = max(lower.layer, n.layer+e.span())
			if waits[lower]--; waits[lower] == 0 {
				ready = append(ready, lower)
			}
		}
	}
}

const farthest = 30 // layers that a line passes: no eye follows it longer

// bend gives each edge a node in every layer that it passes, one of them for
// its words, and gives the layers. An edge that is too long, or one of too
// many, ends in words that name the state.
func (b *block) bend() [][]*node {
	left := 1000 + 20*min(len(b.nodes), 1500)
	byLength := slices.Clone(b.edges)
	length := func(e *edge) int {
		upper, lower := e.ends()
		return lower.layer - upper.layer
	}
	slices.SortStableFunc(byLength, func(x, y *edge) int { return cmp.Compare(length(x), length(y)) })
	cut := map[*edge]bool{}
	for _, e := range byLength {
		if left -= length(e) - 1; length(e) > farthest || left < 0 && length(e) > 2 {
			cut[e] = true
		}
	}
	for _, e := range b.edges {
		if cut[e] {
			b.jump(e)
			continue
		}
		upper, lower := e.ends()
		e.path = []*node{upper}
		words := (upper.layer + lower.layer) / 2
		if e.kind != byNext {
			words = upper.layer + 1 // a reason stands where the way parts
			if e.back {
				words = lower.layer - 1
			}
		}
		for layer := upper.layer + 1; layer < lower.layer; layer++ {
			n := &node{kind: bendNode, layer: layer}
			if layer == words && len(e.labels) > 0 {
				n.label(e.words())
			}
			e.path = append(e.path, b.add(n))
		}
		e.path = append(e.path, lower)
	}
	return b.link()
}

func (n *node) label(lines []string) {
	n.kind, n.lines = labelNode, lines
	n.width, n.height = widest(lines, labelSize)+8, float64(len(lines))*labelSize*leading+4
}

// jump ends the edge in words below the state it leaves.
func (b *block) jump(e *edge) {
	n := &node{layer: e.from.layer + 1}
	n.label(slices.Concat(e.words(), fold("→ "+e.to.state.name, labelSize, nameWidth, 3)))
	n.kind = jumpNode
	e.back = false
	e.to = b.add(n)
	e.path = []*node{e.from, n}
}

// link gives the layers, and tells all nodes their neighbours.
func (b *block) link() [][]*node {
	deep := 0
	for _, n := range b.nodes {
		deep = max(deep, n.layer+1)
	}
	for _, e := range b.edges {
		for n, upper := range e.path[:len(e.path)-1] {
			lower := e.path[n+1]
			upper.down, lower.up = append(upper.down, lower), append(lower.up, upper)
		}
	}
	layers := make([][]*node, deep)
	seen := make(map[*node]bool, len(b.nodes))
	var visit func(n *node)
	visit = func(n *node) {
		if seen[n] {
			return
		}
		seen[n] = true
		n.place = len(layers[n.layer])
		layers[n.layer] = append(layers[n.layer], n)
		for _, lower := range n.down {
			visit(lower)
		}
	}
	for _, n := range b.nodes {
		if len(n.up) == 0 {
			visit(n)
		}
	}
	return layers
}
