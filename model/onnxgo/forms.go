package onnxgo

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"inspector/model"
)

// gemm is y = alpha*x*B' + beta*C as MatMul and Add, for one row x and
// constants B and C, with new constants in the shapes and scales they need.
// onnx-go's own Gemm overwrites its bias, so that from the second run on the
// result is wrong without an error; MatMul and Add of equal shapes are right.
func (r *rewriter) gemm(n model.Node) ([]model.Node, error) {
	if len(n.Inputs) < 2 || len(n.Inputs) > 3 || n.Attributes["transA"].Int != 0 {
		return nil, errors.New("has a transposed first matrix")
	}
	b, ok := r.g.Weight(n.Inputs[1])
	if !ok || len(b.Shape) != 2 {
		return nil, errors.New("computes its second matrix; want constants")
	}
	matrix, err := b.Floats()
	if err != nil {
		return nil, err
	}
	rows, cols := int(b.Shape[0]), int(b.Shape[1])
	if n.Attributes["transB"].Int != 0 {
		matrix, rows, cols = transposed(matrix, rows, cols), cols, rows
	}
	scale(matrix, n.Attributes, "alpha")
	y := n.Outputs[0]
	r.weight(model.FloatTensor(y+"/matrix", []int64{int64(rows), int64(cols)}, matrix))
	product := model.Node{Name: n.Name + "/matmul", Op: "MatMul", Inputs: []string{n.Inputs[0], y + "/matrix"}, Outputs: []string{y}}
	if len(n.Inputs) == 2 {
		return []model.Node{product}, nil
	}
	c, ok := r.g.Weight(n.Inputs[2])
	if !ok {
		return nil, errors.New("computes its bias; want constants")
	}
	bias, err := c.Floats()
	if err != nil {
		return nil, err
	}
	if len(bias) != cols {
		return nil, fmt.Errorf("has a bias of %d numbers for %d columns", len(bias), cols)
	}
	scale(bias, n.Attributes, "beta")
	r.weight(model.FloatTensor(y+"/bias", []int64{1, int64(cols)}, bias))
	product.Outputs = []string{y + "/product"}
	return []model.Node{product, {Name: n.Name + "/add", Op: "Add", Inputs: []string{y + "/product", y + "/bias"}, Outputs: []string{y}}}, nil
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

// maxDense is how many weights a convolution in groups may grow to: enough for
// the widest layer of MobileNetV2 (960 channels).
const maxDense = 1 << 23

// grouped is a convolution in groups, a depthwise one for instance, as one
// without, whose kernels are zero for channels of other groups: slower, but
// onnx-go has none of the other.
func (r *rewriter) grouped(n model.Node) ([]model.Node, error) {
	groups := n.Attributes["group"].Int
	if groups <= 1 || len(n.Inputs) < 2 {
		return []model.Node{n}, nil
	}
	w, ok := r.g.Weight(n.Inputs[1])
	if !ok || len(w.Shape) != 4 {
		return []model.Node{n}, nil
	}
	outs, ins, area := w.Shape[0], w.Shape[1], w.Shape[2]*w.Shape[3]
	numbers, err := w.Floats()
	if err != nil {
		return nil, err
	}
	if outs%groups != 0 || outs*ins*groups*area > maxDense {
		return nil, fmt.Errorf("has %d groups of %d channels, which would need %d numbers without groups; at most %d are rewritten", groups, ins, outs*ins*groups*area, maxDense)
	}
	dense := make([]float32, outs*ins*groups*area)
	for o := range outs {
		group := o / (outs / groups)
		copy(dense[(o*groups+group)*ins*area:], numbers[o*ins*area:(o+1)*ins*area])
	}
	name := n.Outputs[0] + "/dense"
	r.weight(model.FloatTensor(name, []int64{outs, ins * groups, w.Shape[2], w.Shape[3]}, dense))
	n.Inputs[1], n.Attributes = name, without(n.Attributes, "group")
	return []model.Node{n}, nil
}

// clip is min(max(x, low), high) as differences of Relu.
func (r *rewriter) clip(n model.Node) ([]model.Node, error) {
	low, high, ok := r.bounds(n)
	shape := r.shapes[n.Inputs[0]]
	if !ok || shape == nil || low != 0 {
		return []model.Node{n}, nil
	}
	y := n.Outputs[0]
	relu := model.Node{Name: n.Name + "/relu", Op: "Relu", Inputs: n.Inputs[:1], Outputs: []string{y}}
	if high == math.MaxFloat32 {
		return []model.Node{relu}, nil
	}
	r.weight(model.FloatTensor(y+"/high", shape, slices.Repeat([]float32{high}, int(product(shape)))))
	relu.Outputs = []string{y + "/low"}
	return []model.Node{relu,
		{Name: n.Name + "/over", Op: "Sub", Inputs: []string{n.Inputs[0], y + "/high"}, Outputs: []string{y + "/over"}},
		{Name: n.Name + "/excess", Op: "Relu", Inputs: []string{y + "/over"}, Outputs: []string{y + "/excess"}},
		{Name: n.Name + "/sub", Op: "Sub", Inputs: []string{y + "/low", y + "/excess"}, Outputs: []string{y}},
	}, nil
}

// bounds of a Clip, which older opsets have as attributes.
func (r *rewriter) bounds(n model.Node) (low, high float32, ok bool) {
	low, high = -math.MaxFloat32, math.MaxFloat32
	for i, bound := range []*float32{&low, &high} {
		if a, given := n.Attributes[[]string{"min", "max"}[i]]; given {
			*bound = a.Float
		}
		if len(n.Inputs) <= i+1 || n.Inputs[i+1] == "" {
			continue
		}
		w, constant := r.g.Weight(n.Inputs[i+1])
		numbers, err := w.Floats()
		if !constant || err != nil || len(numbers) != 1 {
			return 0, 0, false
		}
		*bound = numbers[0]
	}
	return low, high, len(n.Inputs) > 0
}

// quotient by a constant is the product with its reciprocal, within the last
// digit; onnx-go has no division.
func (r *rewriter) quotient(n model.Node) ([]model.Node, error) {
	if len(n.Inputs) != 2 {
		return []model.Node{n}, nil
	}
	w, ok := r.g.Weight(n.Inputs[1])
	if !ok {
		return []model.Node{n}, nil
	}
	numbers, err := w.Floats()
	if err != nil {
		return nil, err
	}
	for i, v := range numbers {
		if numbers[i] = 1 / v; v == 0 {
			return nil, errors.New("divides by 0")
		}
	}
	name := n.Outputs[0] + "/reciprocal"
	r.weight(model.FloatTensor(name, w.Shape, numbers))
	return r.spread(model.Node{Name: n.Name, Op: "Mul", Inputs: []string{n.Inputs[0], name}, Outputs: n.Outputs})
}

// spread gives a constant that is smaller than the other operand its size,
// because onnx-go knows only equal shapes.
func (r *rewriter) spread(n model.Node) ([]model.Node, error) {
	if len(n.Inputs) != 2 {
		return []model.Node{n}, nil
	}
	if _, first := r.g.Weight(n.Inputs[0]); first && n.Op != "Sub" {
		n.Inputs[0], n.Inputs[1] = n.Inputs[1], n.Inputs[0]
	}
	w, ok := r.g.Weight(n.Inputs[1])
	to := r.shapes[n.Inputs[0]]
	if !ok || to == nil || slices.Equal(to, w.Shape) || n.Op == "Mul" && len(w.Shape) == 0 {
		return []model.Node{n}, nil
	}
	numbers, err := w.Floats()
	if err != nil {
		return nil, err
	}
	wide, ok := broadcast(numbers, w.Shape, to)
	if !ok {
		return []model.Node{n}, nil
	}
	name := n.Outputs[0] + "/wide"
	r.weight(model.FloatTensor(name, to, wide))
	n.Inputs[1] = name
	return []model.Node{n}, nil
}

// broadcast repeats values of a shape until they have another, as NumPy does.
func broadcast(values []float32, from, to []int64) ([]float32, bool) {
	n := product(to)
	if len(from) > len(to) || n > maxDense {
		return nil, false
	}
	from = append(slices.Repeat([]int64{1}, len(to)-len(from)), from...)
	for i := range to {
		if from[i] != 1 && from[i] != to[i] {
			return nil, false
		}
	}
	out := make([]float32, n)
	for i := range out {
		at, rest, step := int64(0), int64(i), int64(1)
		for d := len(to) - 1; d >= 0; d-- {
			if from[d] != 1 {
				at += rest % to[d] * step
			}
			step *= from[d]
			rest /= to[d]
		}
		out[i] = values[at]
	}
	return out, true
}
