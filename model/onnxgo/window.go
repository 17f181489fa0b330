package onnxgo

import (
	"errors"
	"fmt"
	"slices"

	"inspector/model"
)

func conv(g model.Graph, n model.Node, in [][]int64) ([]int64, error) {
	x, w := in[0], in[1]
	switch {
	case len(x) != 4 || len(w) != 4:
		return nil, fmt.Errorf("has input %v and kernel %v; want two dimensions", x, w)
	case n.Attributes["group"].Int > 1:
		return nil, fmt.Errorf("has %d groups; want 1", n.Attributes["group"].Int)
	case x[1] != w[1]:
		return nil, fmt.Errorf("has input %v for kernel %v", x, w)
	case len(in) == 3 && !slices.Equal(in[2], w[:1]):
		return nil, fmt.Errorf("has a bias of shape %v; want %d", in[2], w[0])
	case !slices.Equal(n.Attributes["kernel_shape"].Ints, w[2:]):
		return nil, fmt.Errorf("kernel_shape is %v for kernel %v", n.Attributes["kernel_shape"].Ints, w)
	case w[2] != w[3]:
		return nil, fmt.Errorf("has a kernel of %d x %d; want a square", w[2], w[3])
	}
	dilations := n.Attributes["dilations"].Ints
	if dilations == nil {
		dilations = []int64{1, 1}
	}
	h, wd, err := window(n, x, dilations)
	return []int64{x[0], w[0], h, wd}, err
}

func maxPool(_ model.Graph, n model.Node, in [][]int64) ([]int64, error) {
	if len(in[0]) != 4 {
		return nil, fmt.Errorf("has input of shape %v; want four sizes", in[0])
	}
	if d := n.Attributes["dilations"].Ints; slices.ContainsFunc(d, func(v int64) bool { return v != 1 }) {
		return nil, fmt.Errorf("dilations are %v; want none", d)
	}
	if n.Attributes["ceil_mode"].Int != 0 {
		return nil, errors.New("ceil_mode is set")
	}
	h, w, err := window(n, in[0], []int64{1, 1})
	return []int64{in[0][0], in[0][1], h, w}, err
}

// window gives the size of what a sliding window makes.
func window(n model.Node, x, dilations []int64) (h, w int64, err error) {
	kernel, strides, pads := n.Attributes["kernel_shape"].Ints, n.Attributes["strides"].Ints, n.Attributes["pads"].Ints
	if pads == nil {
		pads = []int64{0, 0, 0, 0}
	}
	if pad := n.Attributes["auto_pad"].String; pad != "" && pad != "NOTSET" {
		return 0, 0, fmt.Errorf("auto_pad is %s; want explicit pads", pad)
	}
	for _, list := range [][]int64{kernel, strides, dilations} {
		if len(list) != 2 || min(list[0], list[1]) < 1 || max(list[0], list[1]) > 1<<12 {
			return 0, 0, fmt.Errorf("kernel_shape %v, strides %v, dilations %v; want two explicit sizes each", kernel, strides, dilations)
		}
	}
	if len(pads) != 4 || slices.Min(pads) != slices.Max(pads) || pads[0] < 0 {
		return 0, 0, fmt.Errorf("pads are %v; want four equal ones", pads)
	}
	size := func(i int) int64 {
		room := x[2+i] + 2*pads[0] - dilations[i]*(kernel[i]-1) - 1
		return room/strides[i] + 1
	}
	for i := range 2 {
		if x[2+i]+2*pads[0] < dilations[i]*(kernel[i]-1)+1 {
			return 0, 0, fmt.Errorf("kernel %v does not fit in %v", kernel, x)
		}
	}
	return size(0), size(1), nil
}
