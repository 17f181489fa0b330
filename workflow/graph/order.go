package graph

import (
	"cmp"
	"slices"
)

const sweeps = 25 // an odd number: the last one goes down

// order sorts the nodes of each layer so that few edges cross: each goes to
// the middle of its neighbours in the layer before, down and up in turn, and
// the best of all orders stays.
func order(layers [][]*node) {
	best, least := remembered(layers), crossings(layers)
	for sweep := range sweeps {
		if least == 0 {
			break
		}
		for n := range layers {
			layer := layers[n]
			if sweep%2 == 1 {
				layer = layers[len(layers)-1-n]
			}
			settle(layer, sweep%2 == 0)
		}
		if c := crossings(layers); c < least {
			best, least = remembered(layers), c
		}
	}
	copy(layers, best)
	for _, layer := range layers {
		for n := range layer {
			layer[n].place = n
		}
	}
}

func remembered(layers [][]*node) [][]*node {
	out := make([][]*node, len(layers))
	for n, layer := range layers {
		out[n] = slices.Clone(layer)
	}
	return out
}

// settle sorts a layer by the places of the neighbours on one side.
func settle(layer []*node, downwards bool) {
	for n, v := range layer {
		beside := v.down
		if downwards {
			beside = v.up
		}
		v.wish = float64(n)
		if len(beside) > 0 {
			sum := 0
			for _, o := range beside {
				sum += o.place
			}
			v.wish = float64(sum) / float64(len(beside))
		}
	}
	slices.SortStableFunc(layer, func(a, b *node) int { return cmp.Compare(a.wish, b.wish) })
	for n := range layer {
		layer[n].place = n
	}
}

// crossings counts them, between all layers.
func crossings(layers [][]*node) int {
	sum := 0
	for _, layer := range layers {
		var ends []int
		most := 0
		for _, upper := range layer {
			from := len(ends)
			for _, lower := range upper.down {
				ends = append(ends, lower.place)
				most = max(most, lower.place)
			}
			slices.Sort(ends[from:])
		}
		sum += inversions(ends, most+1)
	}
	return sum
}

// inversions counts the pairs that are out of order, with a Fenwick tree.
func inversions(ends []int, size int) int {
	tree := make([]int, size+1)
	sum := 0
	for seen, end := range ends {
		before := 0 // ends so far that are not to the right
		for k := end + 1; k > 0; k -= k & -k {
			before += tree[k]
		}
		sum += seen - before
		for k := end + 1; k <= size; k += k & -k {
			tree[k]++
		}
	}
	return sum
}
