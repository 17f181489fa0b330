package graph

import "math"

const (
	between  = 30.0 // states in a layer
	abreast  = 14.0 // lines in a layer
	layerGap = 30.0
	edgeRoom = 14.0 // around a block
)

// spread gives all nodes of the layers their places, and the block its size.
func (b *block) spread(layers [][]*node) {
	for _, layer := range layers {
		x := 0.0
		for n, v := range layer {
			if n > 0 {
				x += distance(layer[n-1], v)
			}
			v.x = x
		}
	}
	for sweep := range sweeps {
		for n := range layers {
			layer := layers[n]
			if sweep%2 == 1 {
				layer = layers[len(layers)-1-n]
			}
			straighten(layer, sweep%2 == 0)
		}
	}
	left, right := math.Inf(1), math.Inf(-1)
	for _, v := range b.nodes {
		left, right = min(left, v.x-v.width/2-v.side), max(right, v.x+v.width/2+v.side)
	}
	if len(b.nodes) == 0 {
		left, right = 0, 0
	}
	for _, v := range b.nodes {
		v.x = math.Round(v.x - left + edgeRoom)
	}
	b.width = math.Round(right-left) + 2*edgeRoom
	y := edgeRoom
	for _, layer := range layers {
		high := 0.0
		for _, v := range layer {
			high = max(high, v.height)
		}
		for _, v := range layer {
			if v.y = y; v.kind == labelNode || v.kind == jumpNode {
				v.y = y + math.Round((high-v.height)/2)
			}
			if v.kind == bendNode {
				v.height = high
			}
			v.roof, v.floor = y, y+high
		}
		y += math.Ceil(high) + layerGap
	}
	b.height = max(y-layerGap+edgeRoom, 2*edgeRoom)
}

// distance of the middles of two neighbours in a layer.
func distance(a, b *node) float64 {
	gap := between
	if a.kind > endNode || b.kind > endNode {
		gap = abreast
	}
	return a.width/2 + a.side + gap + b.side + b.width/2
}

// pull is how strongly two neighbours want to be above one another: lines
// should be straight.
func pull(a, b *node) float64 {
	if a.kind == jumpNode || b.kind == jumpNode {
		return 0.01 // it hangs on its state, and moves it not
	}
	switch passing(a) + passing(b) {
	case 2:
		return 8
	case 1:
		return 2
	}
	return 1
}

func passing(n *node) int {
	if n.kind == labelNode || n.kind == bendNode {
		return 1
	}
	return 0
}

// straighten moves the nodes of a layer to where their neighbours on one side
// want them, as near as their order allows: least squares, by pooling
// neighbours that would overlap.
func straighten(layer []*node, downwards bool) {
	type pool struct {
		sum, weight float64
		size        int
	}
	pools := make([]pool, 0, len(layer))
	offset := 0.0
	for n, v := range layer {
		if n > 0 {
			offset += distance(layer[n-1], v)
		}
		wish, weight := wished(v, downwards)
		pools = append(pools, pool{(wish - offset) * weight, weight, 1})
		for k := len(pools) - 1; k > 0 && pools[k-1].sum/pools[k-1].weight > pools[k].sum/pools[k].weight; k-- {
			pools[k-1] = pool{pools[k-1].sum + pools[k].sum, pools[k-1].weight + pools[k].weight, pools[k-1].size + pools[k].size}
			pools = pools[:k]
		}
	}
	n, offset := 0, 0.0
	for _, p := range pools {
		for range p.size {
			if n > 0 {
				offset += distance(layer[n-1], layer[n])
			}
			layer[n].x = p.sum/p.weight + offset
			n++
		}
	}
}

// wished is where the neighbours want the node, and how strongly.
func wished(v *node, downwards bool) (at, weight float64) {
	beside := v.down
	if downwards {
		beside = v.up
	}
	for _, o := range beside {
		p := pull(v, o)
		at, weight = at+p*o.x, weight+p
	}
	if weight == 0 {
		return v.x, 0.01 // it goes where there is room
	}
	return at / weight, weight
}
