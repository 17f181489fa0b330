package onnxgo

import (
	"errors"
	"slices"

	"inspector/model"
)

// A rewriter brings a graph into the form that onnx-go gets right, node by
// node. What it cannot help it leaves to check, which refuses it.
type rewriter struct {
	g      model.Graph
	nodes  []model.Node
	same   map[string]string  // by Identity, which exporters use to share constants
	shapes map[string][]int64 // of what was made so far, where known
	bytes  map[string]bool    // the picture of a network that takes uint8, and what only moves its numbers
}

// rewrite gives the graph in the form that onnx-go gets right, without what
// the outputs do not need: onnx-go would take the rest for outputs.
func rewrite(g model.Graph) (model.Graph, error) {
	g.Nodes = needed(g)
	g.Weights = slices.Clone(g.Weights)
	g.Inputs = slices.Clone(g.Inputs)
	r := &rewriter{g: g, same: map[string]string{}, shapes: map[string][]int64{}, bytes: map[string]bool{}}
	for i, v := range g.Inputs {
		r.shapes[v.Name] = v.Shape
		r.bytes[v.Name] = v.Type == model.Uint8
		r.g.Inputs[i].Type = model.Float32 // what sessions give
	}
	for _, w := range g.Weights {
		r.shapes[w.Name] = append([]int64{}, w.Shape...)
	}
	for _, n := range g.Nodes {
		nodes, err := r.form(r.resolved(n))
		if err == nil && slices.ContainsFunc(n.Inputs, func(in string) bool { return r.bytes[in] }) {
			nodes, err = r.move(r.resolved(n))
		}
		if err != nil {
			return g, unsupported(n, err)
		}
		for _, n := range nodes {
			r.keep(n)
		}
	}
	r.g.Nodes = r.nodes
	r.partOutputs()
	r.g.Weights = slices.DeleteFunc(r.g.Weights, func(t model.Tensor) bool { // unused ones would be outputs to onnx-go
		return !slices.ContainsFunc(r.g.Nodes, func(n model.Node) bool { return slices.Contains(n.Inputs, t.Name) })
	})
	return r.g, nil
}

// resolved is n with inputs of its own, which are what Identity stood for.
func (r *rewriter) resolved(n model.Node) model.Node {
	n.Inputs = slices.Clone(n.Inputs)
	for i, in := range n.Inputs {
		if original, ok := r.same[in]; ok {
			n.Inputs[i] = original
		}
	}
	return n
}

// needed are the nodes that the outputs depend on.
func needed(g model.Graph) []model.Node {
	want := map[string]bool{}
	for _, v := range g.Outputs {
		want[v.Name] = true
	}
	var nodes []model.Node
	for _, n := range slices.Backward(g.Nodes) {
		if slices.ContainsFunc(n.Outputs, func(o string) bool { return want[o] }) {
			nodes = append(nodes, n)
			for _, in := range n.Inputs {
				want[in] = true
			}
		}
	}
	slices.Reverse(nodes)
	return nodes
}

// keep adds a node and notes the shape of what it makes.
func (r *rewriter) keep(n model.Node) {
	r.nodes = append(r.nodes, n)
	in := make([][]int64, len(n.Inputs))
	for i, name := range n.Inputs {
		if in[i] = r.shapes[name]; in[i] == nil {
			return
		}
	}
	most, least := arity(n.Op)
	if rule := ruleOf(n.Op); rule != nil && len(n.Outputs) == 1 && least <= len(in) && len(in) <= most {
		if out, err := rule(r.g, n, in); err == nil {
			r.shapes[n.Outputs[0]] = out
		}
	}
}

// rewritten tells of operators that onnx-go lacks or gets wrong, but that others
// may take the place of.
func rewritten(op string) bool {
	return slices.Contains([]string{"Identity", "Constant", "Cast", "Gemm", "Clip", "ReduceMean", "Div"}, op)
}

// form is what takes the place of n.
func (r *rewriter) form(n model.Node) ([]model.Node, error) {
	if n.Domain != "" && n.Domain != "ai.onnx" || len(n.Outputs) != 1 {
		return []model.Node{n}, nil
	}
	switch n.Op {
	case "Identity":
		return r.identity(n), nil
	case "Constant":
		return r.constant(n)
	case "Gemm":
		return r.gemm(n)
	case "Conv":
		return r.grouped(n)
	case "Clip":
		return r.clip(n)
	case "ReduceMean":
		return r.mean(n), nil
	case "Div":
		return r.quotient(n)
	case "Add", "Sub", "Mul":
		return r.spread(n)
	case "MaxPool":
		return []model.Node{withoutDefaults(n)}, nil
	case "Reshape":
		return []model.Node{r.explicit(n)}, nil
	}
	return []model.Node{n}, nil
}

func (r *rewriter) identity(n model.Node) []model.Node {
	if len(n.Inputs) != 1 || makes(r.g.Outputs, n.Outputs[0]) {
		return []model.Node{n}
	}
	r.same[n.Outputs[0]] = n.Inputs[0]
	return nil
}

// constant makes a weight of a node.
func (r *rewriter) constant(n model.Node) ([]model.Node, error) {
	a, ok := n.Attributes["value"]
	if !ok || makes(r.g.Outputs, n.Outputs[0]) {
		return []model.Node{n}, nil
	}
	t := a.Tensor
	t.Name = n.Outputs[0]
	r.weight(t)
	return nil, nil
}

// move is what takes the place of n, which works on a picture of bytes: only
// conversion to float32, which sessions give already, and what moves numbers.
func (r *rewriter) move(n model.Node) ([]model.Node, error) {
	switch {
	case n.Op == "Cast" && n.Attributes["to"].Int == int64(model.Float32) && !makes(r.g.Outputs, n.Outputs[0]):
		r.same[n.Outputs[0]] = n.Inputs[0]
		return nil, nil
	case n.Op == "Transpose" || n.Op == "Reshape":
		r.bytes[n.Outputs[0]] = true
		return r.form(n)
	}
	return nil, errors.New("computes with bytes; want float32")
}

// mean over height and width is what onnx-go calls by another name.
func (r *rewriter) mean(n model.Node) []model.Node {
	axes := n.Attributes["axes"].Ints
	if len(n.Inputs) == 2 { // as of opset 18
		w, _ := r.g.Weight(n.Inputs[1])
		axes, _ = w.Int64s() // none fit
		n.Inputs = n.Inputs[:1]
	}
	axes = slices.Clone(axes)
	for i, a := range axes {
		axes[i] = (a + 4) % 4
	}
	slices.Sort(axes)
	keep, given := n.Attributes["keepdims"]
	if len(n.Inputs) != 1 || !slices.Equal(axes, []int64{2, 3}) || len(r.shapes[n.Inputs[0]]) != 4 {
		return []model.Node{n}
	}
	pool := model.Node{Name: n.Name, Op: "GlobalAveragePool", Inputs: n.Inputs, Outputs: n.Outputs}
	if !given || keep.Int != 0 {
		return []model.Node{pool}
	}
	pool.Outputs = []string{n.Outputs[0] + "/pooled"}
	return []model.Node{pool, {Name: n.Name + "/flatten", Op: "Flatten", Inputs: pool.Outputs, Outputs: n.Outputs}}
}

// explicit is a Reshape whose sizes say nothing but sizes: 0 stands for the
// input's, -1 for what is left.
func (r *rewriter) explicit(n model.Node) model.Node {
	if len(n.Inputs) != 2 || r.shapes[n.Inputs[0]] == nil {
		return n
	}
	from := r.shapes[n.Inputs[0]]
	w, _ := r.g.Weight(n.Inputs[1])
	to, err := w.Int64s()
	if err != nil {
		return n // check refuses it
	}
	rest, left := product(from), -1
	for i, d := range to {
		if d == 0 && i < len(from) && n.Attributes["allowzero"].Int == 0 {
			to[i] = from[i]
		}
		if d == -1 && left < 0 {
			left = i
		} else if to[i] > 0 && rest%to[i] == 0 {
			rest /= to[i]
		}
	}
	if left >= 0 {
		to[left] = rest
	}
	name := n.Outputs[0] + "/sizes"
	r.weight(model.IntTensor(name, to))
	n.Inputs[1] = name
	return n
}

// partOutputs gives outputs that other nodes read too a node of their own,
// because onnx-go would give stale numbers for them.
func (r *rewriter) partOutputs() {
	for _, v := range r.g.Outputs {
		name, inner := v.Name, v.Name+"/inner"
		read := slices.ContainsFunc(r.g.Nodes, func(n model.Node) bool { return slices.Contains(n.Inputs, name) })
		made := slices.ContainsFunc(r.g.Nodes, func(n model.Node) bool { return slices.Equal(n.Outputs, []string{name}) })
		if !read || !made {
			continue
		}
		for i, n := range r.g.Nodes {
			n.Inputs, n.Outputs = renamed(n.Inputs, name, inner), renamed(n.Outputs, name, inner)
			r.g.Nodes[i] = n
		}
		r.weight(model.FloatTensor(name+"/one", []int64{}, []float32{1}))
		r.g.Nodes = append(r.g.Nodes, model.Node{Name: name + "/part", Op: "Mul", Inputs: []string{inner, name + "/one"}, Outputs: []string{name}})
	}
}

func renamed(names []string, old, to string) []string {
	out := slices.Clone(names)
	for i, n := range out {
		if n == old {
			out[i] = to
		}
	}
	return out
}

func (r *rewriter) weight(t model.Tensor) {
	r.g.Weights = append(r.g.Weights, t)
	r.shapes[t.Name] = append([]int64{}, t.Shape...)
}

func makes(outputs []model.Value, name string) bool {
	return slices.ContainsFunc(outputs, func(v model.Value) bool { return v.Name == name })
}

// withoutDefaults drops settings that say nothing new but that onnx-go refuses.
func withoutDefaults(n model.Node) model.Node {
	if d := n.Attributes["dilations"].Ints; slices.Equal(d, []int64{1, 1}) {
		n.Attributes = without(n.Attributes, "dilations")
	}
	return n
}

func without(attributes map[string]model.Attribute, name string) map[string]model.Attribute {
	kept := map[string]model.Attribute{}
	for k, a := range attributes {
		if k != name {
			kept[k] = a
		}
	}
	return kept
}
