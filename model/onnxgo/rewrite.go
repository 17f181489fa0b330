package onnxgo

import (
	"errors"
	"fmt"
	"slices"

	"inspector/model"
)

// rewrite gives the graph in the form that onnx-go gets right. Its Gemm
// overwrites its bias, so that from the second run on the result is wrong
// without an error; MatMul and Add of equal shapes are right. It has no use
// for Identity either.
func rewrite(g model.Graph) (model.Graph, error) {
	nodes := make([]model.Node, 0, len(g.Nodes))
	same := map[string]string{} // by Identity, which exporters use to share constants
	g.Weights = slices.Clone(g.Weights)
	for _, n := range g.Nodes {
		n.Inputs = slices.Clone(n.Inputs)
		for i, in := range n.Inputs {
			if original, ok := same[in]; ok {
				n.Inputs[i] = original
			}
		}
		switch {
		case n.Op == "Identity" && len(n.Inputs) == 1 && len(n.Outputs) == 1 && !makes(g.Outputs, n.Outputs[0]):
			same[n.Outputs[0]] = n.Inputs[0]
		case n.Op == "Gemm":
			two, weights, err := splitGemm(g, n)
			if err != nil {
				return g, &UnsupportedError{n.Op, n.Name, err}
			}
			nodes = append(nodes, two...)
			g.Weights = append(g.Weights, weights...)
		default:
			nodes = append(nodes, withoutDefaults(n))
		}
	}
	g.Nodes = nodes
	g.Weights = slices.DeleteFunc(g.Weights, func(t model.Tensor) bool { // unused ones would be outputs to onnx-go
		return !slices.ContainsFunc(nodes, func(n model.Node) bool { return slices.Contains(n.Inputs, t.Name) })
	})
	return g, nil
}

func makes(outputs []model.Value, name string) bool {
	return slices.ContainsFunc(outputs, func(v model.Value) bool { return v.Name == name })
}

// withoutDefaults drops settings that say nothing new but that onnx-go refuses.
func withoutDefaults(n model.Node) model.Node {
	if d := n.Attributes["dilations"].Ints; n.Op == "MaxPool" && slices.Equal(d, []int64{1, 1}) {
		kept := map[string]model.Attribute{}
		for k, a := range n.Attributes {
			if k != "dilations" {
				kept[k] = a
			}
		}
		n.Attributes = kept
	}
	return n
}

// splitGemm is y = alpha*x*B' + beta*C as two nodes, for one row x and
// constants B and C, with new constants in the shapes and scales they need.
func splitGemm(g model.Graph, n model.Node) ([]model.Node, []model.Tensor, error) {
	if len(n.Inputs) != 3 || len(n.Outputs) != 1 || n.Attributes["transA"].Int != 0 {
		return nil, nil, errors.New("has no bias or a transposed first matrix")
	}
	b, okB := g.Weight(n.Inputs[1])
	c, okC := g.Weight(n.Inputs[2])
	if !okB || !okC || len(b.Shape) != 2 {
		return nil, nil, errors.New("computes its second matrix or its bias; want constants")
	}
	matrix, err := b.Floats()
	if err != nil {
		return nil, nil, err
	}
	bias, err := c.Floats()
	if err != nil {
		return nil, nil, err
	}
	rows, cols := int(b.Shape[0]), int(b.Shape[1])
	if n.Attributes["transB"].Int != 0 {
		matrix, rows, cols = transposed(matrix, rows, cols), cols, rows
	}
	if len(bias) != cols {
		return nil, nil, fmt.Errorf("has a bias of %d numbers for %d columns", len(bias), cols)
	}
	scale(matrix, n.Attributes, "alpha")
	scale(bias, n.Attributes, "beta")
	y := n.Outputs[0]
	return []model.Node{
			{Name: n.Name + "/matmul", Op: "MatMul", Inputs: []string{n.Inputs[0], y + "/matrix"}, Outputs: []string{y + "/product"}},
			{Name: n.Name + "/add", Op: "Add", Inputs: []string{y + "/product", y + "/bias"}, Outputs: []string{y}},
		}, []model.Tensor{
			model.FloatTensor(y+"/matrix", []int64{int64(rows), int64(cols)}, matrix),
			model.FloatTensor(y+"/bias", []int64{1, int64(cols)}, bias),
		}, nil
}

func transposed(m []float32, rows, cols int) []float32 {
	out := make([]float32, len(m))
	for r := range rows {
		for c := range cols {
			out[c*rows+r] = m[r*cols+c]
		}
	}
	return out
}

func scale(values []float32, attributes map[string]model.Attribute, name string) {
	if a, ok := attributes[name]; ok && a.Float != 1 {
		for i := range values {
			values[i] *= a.Float
		}
	}
}
