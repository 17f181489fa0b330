package onnxgo

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"inspector/model"
	"inspector/model/modeltest"
	"inspector/model/onnxruntime"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Both runtimes must give the same numbers, at every run and for every input.
func TestConformance(t *testing.T) {
	library, err := onnxruntime.Find()
	if err != nil {
		t.Skip("needs ONNX Runtime to compare with: ", err)
	}
	for _, ref := range []string{"difference", "detector", "classifier", "mixed"} {
		t.Run(ref, func(t *testing.T) { conform(t, library, modeltest.Find(t, "../testdata/models", ref), 5) })
	}
	t.Run("pcb", func(t *testing.T) {
		if _, err := os.Stat("../../models/pcb"); err != nil {
			t.Skip("the shipped model is not there")
		}
		conform(t, library, shrunk(t, modeltest.Find(t, "../../models", "pcb"), 160), 3)
	})
}

// shrunk is a detector with the same weights for a smaller picture, because
// pure Go under the race detector takes a minute for 640 x 640.
func shrunk(t *testing.T, p *model.Package, side int) *model.Package {
	small := *p
	small.Inputs = slices.Clone(p.Inputs)
	small.Inputs[0].Width, small.Inputs[0].Height = side, side
	small.Graph.Inputs, small.Graph.Outputs = slices.Clone(p.Graph.Inputs), slices.Clone(p.Graph.Outputs)
	small.Graph.Inputs[0].Shape, small.Graph.Outputs[0].Shape = small.Input().Shape(), small.OutputShapes()[0]
	var err error
	if small.ONNX, err = small.Graph.Encode(); err != nil {
		t.Fatal(err)
	}
	return &small
}

func conform(t *testing.T, library string, p *model.Package, runs int) {
	reference, err := onnxruntime.Open(library, p, onnxruntime.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer reference.Close()
	s, err := Open(p)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r := rand.New(rand.NewPCG(1, 2))
	first := make([]float32, p.InputSize())
	var again []float32
	for run := range runs {
		in := modeltest.Noise(r, p.InputSize())
		switch run {
		case 0:
			copy(first, in)
		case runs - 1:
			in = first // the same as in the first run
		}
		want, have := make([]float32, p.OutputSize()), make([]float32, p.OutputSize())
		if err := errors.Join(reference.Run(t.Context(), in, want), s.Run(t.Context(), in, have)); err != nil {
			t.Fatal(err)
		}
		if d := modeltest.Distance(want, have); !(d <= 1e-4) {
			t.Errorf("run %d differs by %v from ONNX Runtime", run, d)
		}
		if slices.Max(have)-slices.Min(have) < 1e-3 {
			t.Errorf("run %d: the output is flat, so the comparison proves nothing", run)
		}
		switch run {
		case 0:
			again = have
		case runs - 1:
			if !slices.Equal(again, have) {
				t.Error("the same input gave other numbers than in the first run")
			}
		}
	}
}

// A network that onnx-go would compute wrongly is refused by name of operator.
func TestRefuses(t *testing.T) {
	ints := func(v ...int64) model.Attribute { return model.Attribute{Kind: 7, Ints: v} }
	number := func(v int64) model.Attribute { return model.Attribute{Kind: 2, Int: v} }
	square := map[string]model.Attribute{"kernel_shape": ints(3, 3), "strides": ints(1, 1), "pads": ints(1, 1, 1, 1)}
	with := func(name string, a model.Attribute) map[string]model.Attribute {
		out := map[string]model.Attribute{name: a}
		for k, v := range square {
			if k != name {
				out[k] = v
			}
		}
		return out
	}
	one := func(op string, a map[string]model.Attribute, more ...string) []model.Node {
		return []model.Node{{Name: "n", Op: op, Inputs: append([]string{"x"}, more...), Outputs: []string{"y"}, Attributes: a}}
	}
	for name, tt := range map[string]struct {
		nodes []model.Node
		want  string
	}{
		"plain":               {one("Conv", square, "k"), ""},
		"asymmetric pads":     {one("Conv", with("pads", ints(0, 0, 1, 1)), "k"), "pads are [0 0 1 1]"},
		"unequal pads":        {one("Conv", with("pads", ints(1, 0, 1, 0)), "k"), "pads are"},
		"auto_pad":            {one("Conv", with("auto_pad", model.Attribute{Kind: 3, String: "SAME_UPPER"}), "k"), "auto_pad is SAME_UPPER"},
		"groups":              {one("Conv", with("group", number(2)), "k"), "for kernel [2 4 3 3]"},
		"no kernel_shape":     {one("Conv", with("kernel_shape", model.Attribute{}), "k"), "kernel_shape is []"},
		"no strides":          {one("Conv", with("strides", model.Attribute{}), "k"), "explicit"},
		"ceil_mode":           {one("MaxPool", with("ceil_mode", number(1))), "ceil_mode"},
		"pool dilations":      {one("MaxPool", with("dilations", ints(2, 2))), "dilations"},
		"4-D Softmax":         {one("Softmax", nil), "two sizes"},
		"unknown operator":    {one("Resize", nil), "not among those"},
		"other domain":        {[]model.Node{{Op: "Relu", Domain: "com.microsoft", Inputs: []string{"x"}, Outputs: []string{"y"}}}, "not among those"},
		"broadcast":           {one("Add", nil, "c"), "must be equal"},
		"twice the same":      {one("Add", nil, "x"), `reads "x" twice`},
		"concat other axis":   {one("Concat", map[string]model.Attribute{"axis": number(2)}, "k"), "axis is 2"},
		"order":               {append(one("Relu", nil), model.Node{Op: "Add", Inputs: []string{"y", "later"}, Outputs: []string{"z"}}), `reads "later"`},
		"in place":            {append(one("LeakyRelu", nil), model.Node{Op: "Add", Inputs: []string{"x", "y"}, Outputs: []string{"z"}}), "overwrites"},
		"Identity at the end": {one("Identity", nil), "not among those"},
		"Gemm of a picture":   {one("Gemm", nil, "m"), "two matrices that fit"},
		"Gemm of computation": {one("Gemm", nil, "x", "m"), "want constants"},
		"reshape to floats":   {one("Reshape", nil, "to"), "want int64"},
		"kernel too large":    {one("MaxPool", with("kernel_shape", ints(9, 9))), "does not fit"},
	} {
		t.Run(name, func(t *testing.T) {
			g := model.Graph{Opset: 11, Nodes: tt.nodes,
				Inputs:  []model.Value{{Name: "x", Type: model.Float32, Shape: []int64{1, 2, 4, 4}}},
				Outputs: []model.Value{{Name: "y", Type: model.Float32, Shape: []int64{1, 2, 4, 4}}},
				Weights: []model.Tensor{
					model.FloatTensor("k", []int64{2, 2, 3, 3}, make([]float32, 36)),
					model.FloatTensor("c", []int64{2}, make([]float32, 2)),
					model.FloatTensor("m", []int64{2, 2}, make([]float32, 4)),
					model.FloatTensor("to", []int64{1}, []float32{-1}), // not even whole numbers
				},
			}
			g.Outputs[0].Name = tt.nodes[len(tt.nodes)-1].Outputs[0]
			g, err := rewrite(g)
			if err == nil {
				_, err = check(g)
			}
			var unsupported *model.UnsupportedError
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error is %v; want one with %q", err, tt.want)
			case tt.want != "" && (!errors.As(err, &unsupported) || !slices.Equal(unsupported.Able, []string{"onnxruntime"}) || unsupported.Op == "" || !unsupported.Permanent()):
				t.Errorf("%v does not name the operator and the runtime that can", err)
			}
		})
	}
}

func TestRefusesReshapeThatDoesNotFit(t *testing.T) {
	g := modeltest.Find(t, "../testdata/models", "mixed").Graph
	g.Nodes = slices.DeleteFunc(slices.Clone(g.Nodes), func(n model.Node) bool { return n.Op == "MaxPool" })
	for i, n := range g.Nodes {
		if n.Op == "Reshape" {
			g.Nodes[i].Inputs = []string{g.Nodes[i-1].Outputs[0], n.Inputs[1]}
		}
	}
	if _, err := check(g); err == nil || !strings.Contains(err.Error(), "reshapes [1 4 16 16] to [1 256]") {
		t.Errorf("error is %v", err)
	}
}

// A run that is given up leaves the session usable, and never touches the
// caller's buffers afterwards.
func TestContextEnds(t *testing.T) {
	p := modeltest.Find(t, "../testdata/models", "detector")
	s, err := Open(p)
	if err != nil {
		t.Fatal(err)
	}
	in := modeltest.Noise(rand.New(rand.NewPCG(3, 4)), p.InputSize())
	want, out := make([]float32, p.OutputSize()), make([]float32, p.OutputSize())
	if err := s.Run(t.Context(), in, want); err != nil {
		t.Fatal(err)
	}
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		go cancel()
		given := slices.Clone(in)
		switch err := s.Run(ctx, given, out); {
		case err == nil && !slices.Equal(out, want):
			t.Error("wrong numbers beside a cancelled run")
		case err != nil && !errors.Is(err, context.Canceled):
			t.Error(err)
		}
		clear(given) // ours again
		if err := s.Run(t.Context(), in, out); err != nil || !slices.Equal(out, want) {
			t.Fatalf("the run after a cancelled one gave wrong numbers, %v", err)
		}
	}
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	if err := s.Run(t.Context(), in, out); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("run after close: %v", err)
	}
}

func TestManyGoroutinesAndSessions(t *testing.T) {
	p := modeltest.Find(t, "../testdata/models", "classifier")
	in, want := modeltest.Noise(rand.New(rand.NewPCG(5, 6)), p.InputSize()), make([]float32, p.OutputSize())
	errs := make(chan error)
	for i := range 4 {
		go func() {
			s, err := Open(p)
			if err != nil {
				errs <- err
				return
			}
			defer s.Close()
			inner := make(chan error)
			for range 3 {
				go func() {
					out := make([]float32, p.OutputSize())
					err := s.Run(t.Context(), in, out)
					if sum := out[0] + out[1] + out[2]; err == nil && math.Abs(float64(sum)-1) > 1e-5 {
						err = errors.New("scores do not add up to 1")
					}
					inner <- err
				}()
			}
			err = errors.Join(<-inner, <-inner, <-inner)
			if i == 0 {
				err = errors.Join(err, s.Run(t.Context(), in, want))
			}
			errs <- err
		}()
	}
	for range 4 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

func TestPanicBecomesError(t *testing.T) {
	p := modeltest.Find(t, "../testdata/models", "classifier")
	s, err := Open(p)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.run = func() error { panic("index out of range") }
	in, out := make([]float32, p.InputSize()), make([]float32, p.OutputSize())
	for range 2 { // and stays one
		if err := s.Run(t.Context(), in, out); err == nil || !strings.Contains(err.Error(), "index out of range") {
			t.Fatalf("error is %v", err)
		}
	}
}

func TestWrongSizes(t *testing.T) {
	p := modeltest.Find(t, "../testdata/models", "classifier")
	s, err := Open(p)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Run(t.Context(), make([]float32, 3), make([]float32, p.OutputSize())); err == nil {
		t.Error("a short input was taken")
	}
	if err := s.Run(t.Context(), make([]float32, p.InputSize()), nil); err == nil {
		t.Error("a short output was taken")
	}
}

// Check names every operator that is lacking, each once.
func TestCheck(t *testing.T) {
	g := modeltest.Find(t, "../testdata/models", "yolov8").Graph
	g.Inputs = slices.Clone(g.Inputs)
	g.Inputs[0].Shape = []int64{1, 3, 64, 64}
	text := fmt.Sprint(Check(g))
	for _, op := range []string{"Split", "Resize", "Shape", "Gather", "Unsqueeze", "Slice"} {
		if strings.Count(text, "operator "+op+" ") != 1 {
			t.Errorf("%q does not name %s once", text, op)
		}
	}
	if g = modeltest.Find(t, "../testdata/models", "classifier").Graph; Check(g) != nil {
		t.Error(Check(g))
	}
	if g.Opset = 8; Check(g) == nil {
		t.Error("opset 8 was let through")
	}
}

// What onnx-go lacks or gets wrong gives, rewritten, what ONNX Runtime gives: an
// output that another node reads, groups, clipping, and constants that
// broadcast, run after run.
func TestRewritten(t *testing.T) {
	library, err := onnxruntime.Find()
	if err != nil {
		t.Skip("needs ONNX Runtime to compare with: ", err)
	}
	ints := func(v ...int64) model.Attribute { return model.Attribute{Kind: 7, Ints: v} }
	r := rand.New(rand.NewPCG(7, 8))
	weights := []model.Tensor{
		model.FloatTensor("grouped", []int64{6, 2, 3, 3}, modeltest.Noise(r, 108)), model.FloatTensor("wide", []int64{1, 6, 1, 1}, modeltest.Noise(r, 6)),
		model.FloatTensor("low", []int64{}, []float32{0}), model.FloatTensor("high", []int64{}, []float32{3}), model.FloatTensor("divisor", []int64{}, []float32{3}),
	}
	conv := map[string]model.Attribute{"kernel_shape": ints(3, 3), "strides": ints(1, 1), "pads": ints(1, 1, 1, 1), "group": {Kind: 2, Int: 2}}
	nodes := []model.Node{
		{Name: "a", Op: "Conv", Inputs: []string{"input", "grouped"}, Outputs: []string{"a"}, Attributes: conv},
		{Name: "b", Op: "Clip", Inputs: []string{"a", "low", "high"}, Outputs: []string{"b"}},
		{Name: "c", Op: "Add", Inputs: []string{"wide", "b"}, Outputs: []string{"c"}},
		{Name: "d", Op: "Div", Inputs: []string{"c", "divisor"}, Outputs: []string{"map"}},
		{Name: "e", Op: "ReduceMean", Inputs: []string{"map"}, Outputs: []string{"e"}, Attributes: map[string]model.Attribute{"axes": ints(2, 3), "keepdims": {Kind: 2}}},
		{Name: "f", Op: "Abs", Inputs: []string{"e"}, Outputs: []string{"unused"}},
	}
	p := &model.Package{}
	p.Name, p.Version, p.SHA256, p.Task, p.Labels = "made", "1.0.0", strings.Repeat("0", 64), model.Segmentation, slices.Repeat([]string{"x"}, 6)
	p.Inputs = []model.Input{{Name: "input", Layout: "NCHW", Width: 8, Height: 8, Colour: "rgb", Fit: ""}}
	p.Outputs = []model.Output{{Name: "map"}}
	weights[0] = model.FloatTensor("grouped", []int64{6, 1, 3, 3}, modeltest.Noise(r, 54))
	conv["group"] = model.Attribute{Kind: 2, Int: 3}
	value := func(name string, shape ...int64) model.Value {
		return model.Value{Name: name, Type: model.Float32, Shape: shape}
	}
	p.Graph = model.Graph{Opset: 12, Nodes: nodes, Weights: weights, Inputs: []model.Value{value("input", 1, 3, 8, 8)},
		Outputs: []model.Value{value("map", 1, 6, 8, 8), value("e", 1, 6), value("unused", 1, 6)}}
	if p.ONNX, err = p.Graph.Encode(); err != nil {
		t.Fatal(err)
	}
	conform(t, library, p, 5)
	rewritten := p.Graph
	rewritten.Outputs = p.Graph.Outputs[:2]
	g, _, err := settled(rewritten)
	if err != nil {
		t.Fatal(err)
	}
	if i := slices.IndexFunc(g.Nodes, func(n model.Node) bool { return slices.Contains(n.Outputs, "map") }); g.Nodes[i].Op != "Mul" {
		t.Errorf("output map is made by %s, and read by another node", g.Nodes[i].Op)
	}
	two := *p
	two.Task, two.Labels = model.Anomaly, []string{"x"}
	two.Inputs = slices.Clone(p.Inputs)
	mean := map[string]model.Attribute{"axes": ints(2, 3), "keepdims": {Kind: 2}}
	one := model.FloatTensor("one", []int64{1, 3, 1, 1}, modeltest.Noise(r, 3))
	two.Outputs = []model.Output{{Name: "map"}, {Name: "score"}}
	two.Graph = model.Graph{Opset: 12, Weights: []model.Tensor{one}, Inputs: p.Graph.Inputs,
		Outputs: []model.Value{value("score", 1, 1), value("map", 1, 1, 8, 8)}, // not in the order of the manifest
		Nodes: []model.Node{
			{Name: "a", Op: "Conv", Inputs: []string{"input", "one"}, Outputs: []string{"map"}, Attributes: map[string]model.Attribute{"kernel_shape": ints(1, 1), "strides": ints(1, 1), "pads": ints(0, 0, 0, 0)}},
			{Name: "b", Op: "ReduceMean", Inputs: []string{"map"}, Outputs: []string{"score"}, Attributes: mean},
		}}
	if two.ONNX, err = two.Graph.Encode(); err != nil {
		t.Fatal(err)
	}
	conform(t, library, &two, 5)
}
