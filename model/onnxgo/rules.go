package onnxgo

import (
	"errors"
	"fmt"
	"slices"

	"inspector/model"
)

// unsupported says that onnx-go cannot be trusted with n.
func unsupported(n model.Node, cause error) *model.UnsupportedError {
	return &model.UnsupportedError{Runtime: Name, Op: n.Op, Domain: n.Domain, Node: n.Name, Able: model.Able(n), Cause: cause}
}

// A rule gives the shape of a node's output, or says why onnx-go would get the
// node wrong. Measured on onnx-go v0.5.0 with gorgonia v0.9.18: many forms of
// these operators give wrong numbers without an error.
type rule func(g model.Graph, n model.Node, in [][]int64) ([]int64, error)

func ruleOf(op string) rule {
	switch op {
	case "Conv":
		return conv
	case "MaxPool":
		return maxPool
	case "BatchNormalization":
		return batchNorm
	case "Relu", "LeakyRelu", "Sigmoid", "Tanh", "Abs":
		return elementwise
	case "Add", "Sub":
		return sameShape
	case "Mul":
		return scaled
	case "MatMul":
		return matMul
	case "Concat":
		return concat
	case "GlobalAveragePool":
		return globalAverage
	case "Flatten":
		return flatten
	case "Softmax":
		return softmax
	case "Reshape":
		return reshape
	case "Transpose":
		return transpose
	}
	return nil
}

// check walks the nodes and gives the shape of every value, or the first
// *model.UnsupportedError.
func check(g model.Graph) (map[string][]int64, error) {
	shapes := map[string][]int64{}
	for _, v := range g.Inputs {
		shapes[v.Name] = v.Shape
	}
	for _, w := range g.Weights {
		shapes[w.Name] = append([]int64{}, w.Shape...) // nil is unknown, and a scalar is known
	}
	uses := map[string]int{}
	for _, n := range g.Nodes {
		for _, in := range n.Inputs {
			uses[in]++
		}
	}
	for _, n := range g.Nodes {
		out, err := checkNode(g, n, shapes, uses)
		if err != nil {
			return nil, unsupported(n, err)
		}
		shapes[n.Outputs[0]] = out
	}
	for _, v := range g.Outputs {
		if uses[v.Name] > 0 {
			return nil, fmt.Errorf("onnx-go: output %q is also read by another node, which gives stale numbers; choose runtime: onnxruntime, or export the model without that", v.Name)
		}
		if shapes[v.Name] == nil {
			return nil, fmt.Errorf("onnx-go: no node makes output %q; export the model again", v.Name)
		}
	}
	return shapes, nil
}

var errNotKnown = errors.New("not among those that onnx-go is known to get right")

func checkNode(g model.Graph, n model.Node, shapes map[string][]int64, uses map[string]int) ([]int64, error) {
	r := ruleOf(n.Op)
	switch {
	case n.Domain != "" && n.Domain != "ai.onnx", r == nil:
		return nil, errNotKnown
	case len(n.Outputs) != 1 || shapes[n.Outputs[0]] != nil:
		return nil, fmt.Errorf("has outputs %q; want one that no other node makes", n.Outputs)
	case len(n.Inputs) == 0:
		return nil, errors.New("has no inputs")
	case inPlace(n.Op) && uses[n.Inputs[0]] > 1:
		return nil, fmt.Errorf("overwrites %q, which another node reads too", n.Inputs[0])
	}
	if _, constant := g.Weight(n.Inputs[0]); constant {
		return nil, fmt.Errorf("works on constant %q, which it may overwrite", n.Inputs[0])
	}
	in := make([][]int64, len(n.Inputs))
	for i, name := range n.Inputs {
		if in[i] = shapes[name]; in[i] == nil {
			return nil, fmt.Errorf("reads %q, which no earlier node makes", name)
		}
		if slices.Index(n.Inputs, name) != i {
			return nil, fmt.Errorf("reads %q twice", name)
		}
	}
	if most, least := arity(n.Op); len(in) > most || len(in) < least {
		return nil, fmt.Errorf("has %d inputs", len(in))
	}
	return r(g, n, in)
}

// inPlace tells of operators that onnx-go computes in their input's memory.
func inPlace(op string) bool { return op == "LeakyRelu" || op == "BatchNormalization" }

func arity(op string) (most, least int) {
	switch op {
	case "Conv":
		return 3, 2
	case "BatchNormalization":
		return 5, 5
	case "Add", "Sub", "Mul", "MatMul", "Reshape":
		return 2, 2
	case "Concat":
		return 64, 2
	}
	return 1, 1
}

func elementwise(_ model.Graph, _ model.Node, in [][]int64) ([]int64, error) { return in[0], nil }

func sameShape(_ model.Graph, _ model.Node, in [][]int64) ([]int64, error) {
	if !slices.Equal(in[0], in[1]) {
		return nil, fmt.Errorf("has inputs of shapes %v and %v, which must be equal", in[0], in[1])
	}
	return in[0], nil
}

// scaled allows what was seen to be right: equal shapes, a scalar, or one
// number per channel.
func scaled(_ model.Graph, _ model.Node, in [][]int64) ([]int64, error) {
	a, b := in[0], in[1]
	perChannel := len(a) == 4 && slices.Equal(b, []int64{a[1], 1, 1})
	if slices.Equal(a, b) || len(b) == 0 || perChannel {
		return a, nil
	}
	return nil, fmt.Errorf("has inputs of shapes %v and %v; want equal ones, a scalar, or channels x 1 x 1 as the second", a, b)
}

func matMul(_ model.Graph, _ model.Node, in [][]int64) ([]int64, error) {
	a, b := in[0], in[1]
	if len(a) != 2 || len(b) != 2 || a[1] != b[0] {
		return nil, fmt.Errorf("has inputs of shapes %v and %v; want two matrices that fit", a, b)
	}
	return []int64{a[0], b[1]}, nil
}

func concat(_ model.Graph, n model.Node, in [][]int64) ([]int64, error) {
	if n.Attributes["axis"].Int != 1 {
		return nil, fmt.Errorf("axis is %d; want 1", n.Attributes["axis"].Int)
	}
	out := slices.Clone(in[0])
	for _, s := range in[1:] {
		if len(s) != len(out) || len(s) < 2 || s[0] != out[0] || !slices.Equal(s[2:], out[2:]) {
			return nil, fmt.Errorf("joins shapes %v and %v", in[0], s)
		}
		out[1] += s[1]
	}
	return out, nil
}

func globalAverage(_ model.Graph, _ model.Node, in [][]int64) ([]int64, error) {
	if len(in[0]) != 4 {
		return nil, fmt.Errorf("has input of shape %v; want four sizes", in[0])
	}
	return []int64{in[0][0], in[0][1], 1, 1}, nil
}

func flatten(_ model.Graph, n model.Node, in [][]int64) ([]int64, error) {
	if a, ok := n.Attributes["axis"]; ok && a.Int != 1 {
		return nil, fmt.Errorf("axis is %d; want 1", a.Int)
	}
	return []int64{in[0][0], product(in[0][1:])}, nil
}

func softmax(_ model.Graph, n model.Node, in [][]int64) ([]int64, error) {
	if a, ok := n.Attributes["axis"]; len(in[0]) != 2 || ok && a.Int != 1 && a.Int != -1 {
		return nil, fmt.Errorf("has input of shape %v, axis %d; want two sizes and the last axis", in[0], a.Int)
	}
	return in[0], nil
}

func reshape(g model.Graph, n model.Node, in [][]int64) ([]int64, error) {
	w, ok := g.Weight(n.Inputs[1])
	if !ok {
		return nil, errors.New("takes its shape from a computation; want a constant")
	}
	to, err := w.Int64s()
	if err != nil {
		return nil, err
	}
	if len(to) == 0 || slices.ContainsFunc(to, func(d int64) bool { return d < 1 }) || product(to) != product(in[0]) {
		return nil, fmt.Errorf("reshapes %v to %v; want explicit sizes that fit", in[0], to)
	}
	return to, nil
}

func transpose(_ model.Graph, n model.Node, in [][]int64) ([]int64, error) {
	perm := n.Attributes["perm"].Ints
	out := make([]int64, len(in[0]))
	for i := range out {
		if len(perm) != len(out) || perm[i] < 0 || perm[i] >= int64(len(out)) || slices.Index(perm, perm[i]) != i {
			return nil, fmt.Errorf("perm is %v for shape %v", perm, in[0])
		}
		out[i] = in[0][perm[i]]
	}
	return out, nil
}

func batchNorm(g model.Graph, n model.Node, in [][]int64) ([]int64, error) {
	if n.Attributes["training_mode"].Int != 0 {
		return nil, errors.New("is in training mode")
	}
	for i, s := range in[1:] {
		if _, constant := g.Weight(n.Inputs[i+1]); !constant || len(in[0]) != 4 || !slices.Equal(s, in[0][1:2]) {
			return nil, fmt.Errorf("has input of shape %v and parameters of shape %v; want four sizes and constants, one per channel", in[0], s)
		}
	}
	return in[0], nil
}

func product(s []int64) int64 {
	p := int64(1)
	for _, d := range s {
		p *= d
	}
	return p
}
