package model

import (
	"math"
	"slices"
)

// windows gives the shape of what a sliding window makes: [N, C, ...].
func windows(n Node, in [][]int64) []int64 {
	x, kernel, channels := in[0], n.Attributes["kernel_shape"].Ints, int64(0)
	transposed := n.Op == "ConvTranspose"
	switch n.Op {
	case "Conv", "ConvTranspose":
		if len(in) < 2 || len(in[1]) != len(x) || len(x) < 3 {
			return nil
		}
		if kernel == nil {
			kernel = in[1][2:]
		}
		if channels = in[1][0]; transposed {
			channels = in[1][1] * max(n.Attributes["group"].Int, 1)
		}
	default:
		if len(x) < 3 {
			return nil
		}
		channels = x[1]
	}
	if len(kernel) != len(x)-2 {
		return nil
	}
	out := []int64{x[0], channels}
	for i := range kernel {
		list := func(name string, at int, missing int64) int64 {
			if l := n.Attributes[name].Ints; at < len(l) {
				return l[at]
			}
			return missing
		}
		size, stride, reach := x[2+i], max(list("strides", i, 1), 1), list("dilations", i, 1)*(kernel[i]-1)+1
		pads := list("pads", i, 0) + list("pads", i+len(kernel), 0)
		auto := n.Attributes["auto_pad"].String
		switch same := auto == "SAME_UPPER" || auto == "SAME_LOWER"; {
		case same && transposed:
			size *= stride
		case same:
			size = (size + stride - 1) / stride
		case transposed:
			size = (size-1)*stride + reach - pads + list("output_padding", i, 0)
		default:
			room := size + pads - reach
			if n.Attributes["ceil_mode"].Int != 0 {
				room += stride - 1
			}
			size = room/stride + 1
		}
		if size < 1 {
			return nil
		}
		out = append(out, size)
	}
	return out
}

func products(n Node, in [][]int64) []int64 {
	if len(in) < 2 || len(in[0]) < 2 || len(in[1]) < 2 {
		return nil
	}
	a, b := slices.Clone(in[0]), slices.Clone(in[1])
	for name, m := range map[string][]int64{"transA": a, "transB": b} {
		if n.Attributes[name].Int != 0 {
			slices.Reverse(m)
		}
	}
	if a[len(a)-1] != b[len(b)-2] {
		return nil
	}
	lead := broadcast(a[:len(a)-2], b[:len(b)-2])
	if lead == nil && len(a)+len(b) > 4 {
		return nil
	}
	return append(slices.Clone(lead), a[len(a)-2], b[len(b)-1])
}

// broadcast is the shape of two operands together, as NumPy has it; nil if they
// do not go together.
func broadcast(a, b []int64) []int64 {
	if a == nil || b == nil {
		return nil
	}
	if len(a) < len(b) {
		a, b = b, a
	}
	out := append([]int64{}, a...)
	for i, d := range b {
		at := len(a) - len(b) + i
		switch {
		case out[at] == d || d == 1:
		case out[at] == 1:
			out[at] = d
		default:
			return nil
		}
	}
	return out
}

func joined(n Node, in [][]int64) []int64 {
	axis, ok := within(n.Attributes["axis"].Int, len(in[0]))
	if !ok {
		return nil
	}
	out := slices.Clone(in[0])
	for _, s := range in[1:] {
		if len(s) != len(out) {
			return nil
		}
		out[axis] += s[axis]
	}
	return out
}

// within is an axis counted from the front.
func within(axis int64, rank int) (int, bool) {
	if axis < 0 {
		axis += int64(rank)
	}
	return int(axis), 0 <= axis && axis < int64(rank)
}

func (s *inferrer) split(n Node, x []int64) (out [][]int64) {
	axis, ok := within(n.Attributes["axis"].Int, len(x))
	sizes := s.list(n, "split", 1)
	if !ok || sizes != nil && len(sizes) != len(n.Outputs) {
		return nil
	}
	for i := range n.Outputs {
		part := slices.Clone(x)
		if part[axis] = (x[axis] + int64(len(n.Outputs)) - 1) / int64(len(n.Outputs)); sizes != nil {
			part[axis] = sizes[i]
		}
		out = append(out, part)
	}
	return out
}

// list is a setting that older opsets have as an attribute and newer ones as
// an input.
func (s *inferrer) list(n Node, name string, input int) []int64 {
	if a, ok := n.Attributes[name]; ok {
		return a.Ints
	}
	if input < len(n.Inputs) {
		return s.numbers[n.Inputs[input]]
	}
	return nil
}

// made is the shape of what is made of numbers alone.
func (s *inferrer) made(n Node) []int64 {
	if n.Op == "ConstantOfShape" {
		return s.list(n, "", 0)
	}
	var v [3]int64
	for i := range v {
		l := s.list(n, "", i)
		if len(l) != 1 {
			return nil
		}
		v[i] = l[0]
	}
	if v[2] == 0 {
		return nil
	}
	return []int64{max(int64(math.Ceil(float64(v[1]-v[0])/float64(v[2]))), 0)}
}

// reshaped gives the shape of what moves numbers about; not ok if it is no such
// operator.
func (s *inferrer) reshaped(n Node, in [][]int64) (shape []int64, ok bool) {
	x := in[0]
	switch n.Op {
	case "Reshape":
		return fitted(x, s.list(n, "shape", 1)), true
	case "Flatten":
		axis, ok := within(attribute(n, "axis", 1), len(x)+1)
		if !ok {
			return nil, true
		}
		a, _ := elements(x[:axis])
		b, _ := elements(x[axis:])
		return []int64{int64(a), int64(b)}, true
	case "Transpose":
		return transposed(x, n.Attributes["perm"].Ints), true
	case "Squeeze", "Unsqueeze":
		return s.squeezed(n, x), true
	case "Slice":
		return s.slicedShape(n, x), true
	case "Gather":
		axis, ok := within(n.Attributes["axis"].Int, len(x))
		if !ok || len(in) < 2 || in[1] == nil {
			return nil, true
		}
		out := append([]int64{}, x[:axis]...) // never nil: a scalar is known
		return append(append(out, in[1]...), x[axis+1:]...), true
	case "Expand":
		return broadcast(x, s.list(n, "", 1)), true
	case "Tile":
		return times(x, s.list(n, "", 1)), true
	case "Pad":
		return padded(x, s.list(n, "pads", 1)), true
	case "Resize", "Upsample":
		return s.resized(n, x), true
	case "DepthToSpace", "SpaceToDepth":
		return folded(n, x), true
	case "ReduceMean", "ReduceMax", "ReduceMin", "ReduceSum", "ReduceL1", "ReduceL2", "ReduceProd", "ReduceSumSquare", "ReduceLogSumExp", "ArgMax", "ArgMin":
		return s.reduced(n, x), true
	}
	return nil, false
}

func attribute(n Node, name string, missing int64) int64 {
	if a, ok := n.Attributes[name]; ok {
		return a.Int
	}
	return missing
}

// fitted is the shape that Reshape asks for, 0 being as it was and -1 the rest.
func fitted(x, to []int64) []int64 {
	if to == nil {
		return nil
	}
	out, rest := slices.Clone(to), -1
	all, _ := elements(x)
	known := int64(1)
	for i, d := range out {
		switch {
		case d == 0 && i < len(x):
			out[i] = x[i]
		case d == -1:
			rest = i
			continue
		}
		if known *= max(out[i], 1); known > maxElements || known < 1 {
			return nil
		}
	}
	if rest >= 0 {
		out[rest] = int64(all) / known
	}
	return out
}

func transposed(x, perm []int64) []int64 {
	out := slices.Clone(x)
	if perm == nil {
		slices.Reverse(out)
		return out
	}
	if len(perm) != len(x) {
		return nil
	}
	for i, p := range perm {
		if p < 0 || p >= int64(len(x)) {
			return nil
		}
		out[i] = x[p]
	}
	return out
}
