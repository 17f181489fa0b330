package model

import "slices"

// A Cost is what one inference of a network takes.
type Cost struct {
	Parameters int64    // numbers of all weights
	MACs       int64    // multiplications with an addition, of convolutions and products of matrices
	Unknown    []string // operators whose output's shape could not be told, so that MACs is too low
}

// Infer tells the shape of every value that it can, by name, with the inputs'
// shapes as given, and what one inference costs. A shape that cannot be told
// is missing.
func (g Graph) Infer(inputs map[string][]int64) (map[string][]int64, Cost) {
	s := &inferrer{shapes: map[string][]int64{}, numbers: map[string][]int64{}, scales: map[string][]float32{}}
	for name, shape := range inputs {
		s.shapes[name] = shape
	}
	for _, w := range g.Weights {
		s.weight(w.Name, w)
	}
	for _, n := range g.Nodes {
		s.node(n)
	}
	slices.Sort(s.cost.Unknown)
	s.cost.Unknown = slices.Compact(s.cost.Unknown)
	return s.shapes, s.cost
}

// maxNumbers of a value are followed; shapes have few.
const maxNumbers = 64

// An inferrer walks a graph. Exporters compute shapes with nodes, so the
// numbers of small int64 values are followed too.
type inferrer struct {
	shapes  map[string][]int64
	numbers map[string][]int64
	scales  map[string][]float32 // of Resize: short lists of floats
	cost    Cost
}

func (s *inferrer) weight(name string, t Tensor) {
	n, ok := elements(t.Shape)
	if !ok {
		return
	}
	s.shapes[name] = append([]int64{}, t.Shape...)
	if t.Type == Int64 {
		if ints, err := t.Int64s(); err == nil && n <= maxNumbers {
			s.numbers[name] = ints
		}
		return // a shape, an axis or an index, and no parameter
	}
	if t.Type == Float32 && n <= 8 && len(t.Shape) == 1 {
		if floats, err := t.Floats(); err == nil {
			s.scales[name] = floats
		}
	}
	s.cost.Parameters += int64(n)
}

func (s *inferrer) node(n Node) {
	if n.Domain != "" && n.Domain != "ai.onnx" {
		s.cost.Unknown = append(s.cost.Unknown, n.Domain+":"+n.Op)
		return
	}
	if n.Op == "Constant" {
		if a, ok := n.Attributes["value"]; ok && len(n.Outputs) == 1 {
			s.weight(n.Outputs[0], a.Tensor)
			return
		}
	}
	in := make([][]int64, len(n.Inputs))
	for i, name := range n.Inputs {
		in[i] = s.shapes[name]
	}
	s.follow(n)
	out := s.outputs(n, in)
	known := len(out) > 0
	for i, shape := range out {
		if _, ok := elements(shape); shape == nil || !ok {
			known = false
			continue
		}
		if i < len(n.Outputs) {
			s.shapes[n.Outputs[i]] = shape
		}
	}
	if !known {
		s.cost.Unknown = append(s.cost.Unknown, n.Op)
		return
	}
	s.count(n, in, out[0])
}

// count adds what the node multiplies.
func (s *inferrer) count(n Node, in [][]int64, out []int64) {
	size, _ := elements(out)
	switch {
	case n.Op == "Conv" && len(in) > 1 && len(in[1]) > 2:
		kernel, _ := elements(in[1][1:])
		s.cost.MACs += int64(size) * int64(kernel)
	case n.Op == "ConvTranspose" && len(in) > 1 && len(in[1]) > 2:
		from, _ := elements(in[0])
		kernel, _ := elements(in[1][1:])
		s.cost.MACs += int64(from) * int64(kernel)
	case n.Op == "Gemm" || n.Op == "MatMul":
		k := in[0][len(in[0])-1]
		if n.Attributes["transA"].Int != 0 {
			k = in[0][0]
		}
		s.cost.MACs += int64(size) * k
	}
}

// outputs gives the shapes of what a node makes; nil where they are not known.
func (s *inferrer) outputs(n Node, in [][]int64) [][]int64 {
	one := func(shape []int64) [][]int64 { return [][]int64{shape} }
	if len(in) == 0 || in[0] == nil {
		if n.Op == "Range" || n.Op == "ConstantOfShape" {
			return one(s.made(n))
		}
		return nil
	}
	x := in[0]
	switch n.Op {
	case "Conv", "ConvTranspose", "MaxPool", "AveragePool":
		return one(windows(n, in))
	case "GlobalAveragePool", "GlobalMaxPool":
		if len(x) < 2 {
			return nil
		}
		return one(append(slices.Clone(x[:2]), slices.Repeat([]int64{1}, len(x)-2)...))
	case "Gemm", "MatMul":
		return one(products(n, in))
	case "Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Mod", "PRelu", "Where", "And", "Or", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual":
		out := x
		for _, y := range in[1:] {
			out = broadcast(out, y)
		}
		return one(out)
	case "Concat":
		return one(joined(n, in))
	case "Split":
		return s.split(n, x)
	case "ConstantOfShape", "Range":
		return one(s.made(n))
	case "Shape":
		return one([]int64{int64(len(part(n, x)))})
	}
	if shape, ok := s.reshaped(n, in); ok {
		return one(shape)
	}
	if slices.Contains(elementwise, n.Op) {
		return slices.Repeat(one(x), max(len(n.Outputs), 1))
	}
	return nil
}

// elementwise operators give what has the shape of their first input.
var elementwise = []string{
	"Abs", "BatchNormalization", "Cast", "Ceil", "Celu", "Clip", "Cos", "CumSum", "DequantizeLinear", "Dropout", "Elu", "Erf", "Exp", "Floor", "Gelu",
	"GroupNormalization", "HardSigmoid", "HardSwish", "Identity", "InstanceNormalization", "LRN", "LayerNormalization", "LeakyRelu", "Log", "LogSoftmax",
	"LpNormalization", "Mish", "Neg", "Not", "QuantizeLinear", "Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Sign", "Sin", "Softmax", "Softplus",
	"Softsign", "Sqrt", "Tanh", "ThresholdedRelu",
}

// follow computes the numbers of small int64 values; nil is not known.
func (s *inferrer) follow(n Node) {
	if len(n.Outputs) != 1 || len(n.Inputs) == 0 {
		return
	}
	values := make([][]int64, len(n.Inputs))
	for i, name := range n.Inputs {
		values[i] = s.numbers[name]
	}
	if out := s.compute(n, values); out != nil && len(out) <= maxNumbers {
		s.numbers[n.Outputs[0]] = out
	}
}

func (s *inferrer) compute(n Node, v [][]int64) []int64 {
	if n.Op == "Shape" {
		return part(n, s.shapes[n.Inputs[0]])
	}
	known := v
	if n.Op == "Squeeze" || n.Op == "Unsqueeze" || n.Op == "Reshape" || n.Op == "Slice" {
		known = v[:1] // the others say where
	}
	if slices.ContainsFunc(known, func(v []int64) bool { return v == nil }) {
		return nil
	}
	switch n.Op {
	case "Cast", "Identity", "Unsqueeze", "Squeeze", "Reshape", "Floor", "Ceil":
		return v[0]
	case "Concat":
		return append([]int64{}, slices.Concat(v...)...)
	case "Gather":
		return gathered(v)
	case "Slice":
		return s.sliced(n, v[0])
	case "Add", "Sub", "Mul", "Div":
		return calculated(n.Op, v)
	}
	return nil
}

// part of a shape that Shape gives: all of it, or from start to end.
func part(n Node, shape []int64) []int64 {
	rank := int64(len(shape))
	bound := func(name string, otherwise int64) int64 {
		d := attribute(n, name, otherwise)
		if d < 0 {
			d += rank
		}
		return min(max(d, 0), rank)
	}
	from, to := bound("start", 0), bound("end", rank)
	return shape[from:max(from, to)]
}

func gathered(v [][]int64) []int64 {
	out := []int64{}
	if len(v) < 2 {
		return nil
	}
	for _, i := range v[1] {
		if i < 0 {
			i += int64(len(v[0]))
		}
		if i < 0 || i >= int64(len(v[0])) {
			return nil
		}
		out = append(out, v[0][i])
	}
	return out
}

func calculated(op string, v [][]int64) []int64 {
	if len(v) != 2 || min(len(v[0]), len(v[1])) == 0 || len(v[0]) != len(v[1]) && len(v[1]) != 1 && len(v[0]) != 1 {
		return nil
	}
	out := make([]int64, max(len(v[0]), len(v[1])))
	for i := range out {
		a, b := v[0][i%len(v[0])], v[1][i%len(v[1])]
		switch op {
		case "Add":
			out[i] = a + b
		case "Sub":
			out[i] = a - b
		case "Mul":
			out[i] = a * b
		case "Div":
			if b == 0 {
				return nil
			}
			out[i] = a / b
		}
	}
	return out
}
