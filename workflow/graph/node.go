package graph

type nodeKind uint8

const (
	stateNode nodeKind = iota
	startNode
	endNode
	labelNode // words on an edge
	bendNode  // an edge passes
	jumpNode  // names the state where an edge goes that is too long to draw
)

// A node has a place in its block: x is its middle, y its upper edge.
type node struct {
	kind          nodeKind
	state         *state
	lines         []string // of a label or a jump
	width, height float64  // as drawn
	side          float64  // room to the left and the right of it, for loops
	loop          []string // words on a transition to itself; nil: none
	loops         bool

	x, y      float64
	roof      float64 // where its layer begins
	floor     float64 // and ends
	layer     int
	place     int     // in its layer
	wish      float64 // where its neighbours want it
	up, down  []*node // neighbours in the layers beside
	name, cap []string
	slots     []slot // of the blocks in it
}

// A slot is where a block is drawn in its state, from the upper left corner.
type slot struct{ x, y float64 }

// An edge is what is drawn for one or more transitions of a kind between two
// states.
type edge struct {
	from, to *node
	kind     exitKind
	labels   []string
	back     bool    // against the direction of the picture
	path     []*node // from above to below, both ends included
}

const (
	pad       = 12.0
	boxGap    = 16.0   // between blocks in a state
	rowWidth  = 1800.0 // blocks of a Parallel go on below
	markSize  = 16.0
	nameWidth = 200.0
)

// measure makes the node of a state, and arranges what is in it.
func (s *state) measure() *node {
	n := &node{state: s, name: fold(s.name, nameSize, nameWidth, 3)}
	for _, line := range s.captions {
		n.cap = append(n.cap, fold(line, captionSize, nameWidth, 2)...)
	}
	for k, line := range s.retries {
		if k == 2 && len(s.retries) > 3 {
			n.cap = append(n.cap, "… and more retries")
			break
		}
		n.cap = append(n.cap, fold("↻ "+line, captionSize, nameWidth, 2)...)
	}
	n.width = max(widest(n.name, nameSize), widest(n.cap, captionSize), 80) + 2*pad
	if s.kind == "Choice" || s.kind == "Fail" {
		n.width += 2 * pad
	}
	n.height = n.title() + pad/2
	if len(s.blocks) > 0 {
		n.fill()
	}
	return n
}

// title is the height of the words of the state.
func (n *node) title() float64 {
	return pad*0.75 + float64(len(n.name))*nameSize*leading + float64(len(n.cap))*captionSize*leading
}

// fill puts the state's blocks beside one another below its words, in rows.
func (n *node) fill() {
	x, y, row, right := pad, n.title()+pad, 0.0, n.width-pad
	for _, b := range n.state.blocks {
		b.arrange()
		if x > pad && x+b.width > rowWidth {
			x, y, row = pad, y+row+boxGap, 0
		}
		n.slots = append(n.slots, slot{x, y})
		right = max(right, x+b.width)
		row = max(row, b.height)
		x += b.width + boxGap
	}
	n.width, n.height = right+pad, y+row+pad
	if len(n.state.blocks) == 1 {
		n.slots[0].x = (n.width - n.state.blocks[0].width) / 2
	}
}

// build makes the nodes and edges of the block. Transitions of a kind to the
// same state are one edge; what leads nowhere is left out.
func (b *block) build() {
	byName := make(map[string]*node, len(b.states))
	for _, s := range b.states {
		byName[s.name] = s.measure()
	}
	if first := byName[b.start]; first != nil {
		mark := b.add(&node{kind: startNode, width: markSize, height: markSize})
		b.edges = append(b.edges, &edge{from: mark, to: first})
	}
	for _, s := range b.states {
		n := b.add(byName[s.name])
		b.leave(n, byName)
		if s.ends {
			end := b.add(&node{kind: endNode, width: markSize, height: markSize})
			b.edges = append(b.edges, &edge{from: n, to: end})
		}
	}
}

func (b *block) add(n *node) *node {
	b.nodes = append(b.nodes, n)
	return n
}

func (b *block) leave(n *node, byName map[string]*node) {
	type key struct {
		to   string
		kind exitKind
	}
	made := map[key]*edge{}
	for _, x := range n.state.exits {
		to := byName[x.to]
		switch {
		case to == nil:
		case to == n:
			n.loops = true
			if x.label != "" {
				n.loop = append(n.loop, fold(x.label, labelSize, nameWidth, 2)...)
			}
			n.side = max(n.side, widest(n.loop, labelSize)+40)
		default:
			e := made[key{x.to, x.kind}]
			if e == nil {
				e = &edge{from: n, to: to, kind: x.kind}
				made[key{x.to, x.kind}] = e
				b.edges = append(b.edges, e)
			}
			if x.label != "" {
				e.labels = append(e.labels, x.label)
			}
		}
	}
}

// words are the lines of the edge's label.
func (e *edge) words() []string {
	var lines []string
	for n, label := range e.labels {
		if n == 4 && len(e.labels) > 5 {
			return append(lines, "or …")
		}
		if n > 0 {
			label = "or " + label
		}
		lines = append(lines, fold(label, labelSize, nameWidth, 3)...)
	}
	return lines
}
