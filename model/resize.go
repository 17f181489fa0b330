package model

import (
	"math"
	"slices"
)

// squeezed is the shape without axes of 1, or with more of them.
func (s *inferrer) squeezed(n Node, x []int64) []int64 {
	axes := s.list(n, "axes", 1)
	if n.Op == "Squeeze" {
		drop := make([]bool, len(x))
		for i, d := range x {
			drop[i] = axes == nil && d == 1
		}
		for _, a := range axes {
			if i, ok := within(a, len(x)); ok {
				drop[i] = true
			}
		}
		out := []int64{}
		for i, d := range x {
			if !drop[i] {
				out = append(out, d)
			}
		}
		return out
	}
	rank := len(x) + len(axes)
	at := make([]int, 0, len(axes))
	for _, a := range axes {
		i, ok := within(a, rank)
		if !ok {
			return nil
		}
		at = append(at, i)
	}
	slices.Sort(at)
	out := append([]int64{}, x...)
	for _, i := range at {
		if i > len(out) {
			return nil
		}
		out = slices.Insert(out, i, 1)
	}
	return out
}

// slicedShape is the shape of a Slice.
func (s *inferrer) slicedShape(n Node, x []int64) []int64 {
	out := append([]int64{}, x...)
	ok := s.spans(n, len(x), func(axis int, start, end, step int64) {
		first, last := bounds(x[axis], start, end, step)
		out[axis] = max((last-first+step-sign(step))/step, 0)
	})
	if !ok {
		return nil
	}
	return out
}

// sliced is a Slice of the numbers of a list.
func (s *inferrer) sliced(n Node, v []int64) []int64 {
	out := []int64{}
	ok := s.spans(n, 1, func(_ int, start, end, step int64) {
		first, last := bounds(int64(len(v)), start, end, step)
		for i := first; (step > 0 && i < last || step < 0 && i > last) && i >= 0 && i < int64(len(v)); i += step {
			out = append(out, v[i])
		}
	})
	if !ok {
		return nil
	}
	return out
}

// spans visits every axis that a Slice cuts; not ok if its numbers are not known.
func (s *inferrer) spans(n Node, rank int, visit func(axis int, start, end, step int64)) bool {
	starts, ends := s.list(n, "starts", 1), s.list(n, "ends", 2)
	axes, steps := s.list(n, "axes", 3), s.list(n, "steps", 4)
	if len(starts) == 0 || len(starts) != len(ends) || len(n.Inputs) > 3 && axes == nil || len(n.Inputs) > 4 && steps == nil {
		return false
	}
	for i := range starts {
		axis, step := int64(i), int64(1)
		if i < len(axes) {
			axis = axes[i]
		}
		if i < len(steps) {
			step = steps[i]
		}
		at, ok := within(axis, rank)
		if !ok || step == 0 {
			return false
		}
		visit(at, starts[i], ends[i], step)
	}
	return true
}

// bounds of a span of a list of n, counted from the front and clipped.
func bounds(n, start, end, step int64) (first, last int64) {
	at := func(i, low, high int64) int64 {
		if i < 0 {
			i += n
		}
		return min(max(i, low), high)
	}
	if step > 0 {
		return at(start, 0, n), at(end, 0, n)
	}
	return at(start, 0, n-1), at(end, -1, n-1)
}

func sign(v int64) int64 {
	if v < 0 {
		return -1
	}
	return 1
}

func times(x, by []int64) []int64 {
	if len(by) != len(x) {
		return nil
	}
	out := slices.Clone(x)
	for i := range out {
		out[i] *= by[i]
	}
	return out
}

func padded(x, pads []int64) []int64 {
	if len(pads) != 2*len(x) {
		return nil
	}
	out := slices.Clone(x)
	for i := range out {
		out[i] += pads[i] + pads[i+len(x)]
	}
	return out
}

// resized is the shape of a Resize, which is told by scales or by sizes.
func (s *inferrer) resized(n Node, x []int64) []int64 {
	if sizes := s.list(n, "", 3); len(sizes) == len(x) {
		return sizes
	}
	at := 2
	if n.Op == "Upsample" {
		at = 1
	}
	if at >= len(n.Inputs) {
		return nil
	}
	scales := s.scales[n.Inputs[at]]
	if len(scales) != len(x) {
		return nil
	}
	out := slices.Clone(x)
	for i, f := range scales {
		out[i] = int64(math.Floor(float64(x[i]) * float64(f)))
	}
	return out
}

func folded(n Node, x []int64) []int64 {
	b := n.Attributes["blocksize"].Int
	if len(x) != 4 || b < 1 || b > 64 {
		return nil
	}
	if n.Op == "SpaceToDepth" {
		return []int64{x[0], x[1] * b * b, x[2] / b, x[3] / b}
	}
	return []int64{x[0], x[1] / b / b, x[2] * b, x[3] * b}
}

func (s *inferrer) reduced(n Node, x []int64) []int64 {
	axes := s.list(n, "axes", 1)
	if n.Op == "ArgMax" || n.Op == "ArgMin" {
		axes = []int64{n.Attributes["axis"].Int}
	} else if axes == nil && len(n.Inputs) > 1 {
		return nil
	}
	keep := attribute(n, "keepdims", 1) != 0
	drop := make([]bool, len(x))
	for i := range drop {
		drop[i] = len(axes) == 0
	}
	for _, a := range axes {
		if i, ok := within(a, len(x)); ok {
			drop[i] = true
		}
	}
	out := []int64{}
	for i, d := range x {
		switch {
		case !drop[i]:
			out = append(out, d)
		case keep:
			out = append(out, 1)
		}
	}
	return out
}
