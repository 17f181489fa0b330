package onnxgo

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"inspector/model"
	"inspector/model/modeltest"
	"inspector/model/onnxruntime"
)

// What today's exporters write instead of plain pooling and flattening: axes as
// an input, in any order, and sizes that say "as before" and "the rest".
func TestAxesAndSizes(t *testing.T) {
	library, err := onnxruntime.Find()
	if err != nil {
		t.Skip("needs ONNX Runtime to compare with: ", err)
	}
	r := rand.New(rand.NewPCG(9, 10))
	number := func(v int64) model.Attribute { return model.Attribute{Kind: 2, Int: v} }
	ints := func(v ...int64) model.Attribute { return model.Attribute{Kind: 7, Ints: v} }
	p := &model.Package{}
	p.Name, p.Version, p.SHA256, p.Task, p.Labels = "made", "1.0.0", strings.Repeat("0", 64), model.Classification, []string{"a", "b", "c"}
	p.Inputs, p.Outputs = []model.Input{{Name: "input", Layout: "NCHW", Width: 8, Height: 8, Colour: "rgb"}}, []model.Output{{Name: "out"}}
	conv := map[string]model.Attribute{"kernel_shape": ints(3, 3), "strides": ints(1, 1), "pads": ints(1, 1, 1, 1)}
	for name, to := range map[string][]int64{"the rest": {-1, 3}, "as before": {0, -1}, "plain": {1, 3}} {
		for _, axes := range [][]int64{{-1, -2}, {2, 3}, {3, 2}} {
			p.Graph = model.Graph{
				Opset: 18, Inputs: []model.Value{{Name: "input", Type: model.Float32, Shape: []int64{-1, 3, 8, 8}}},
				Outputs: []model.Value{{Name: "out", Type: model.Float32, Shape: []int64{-1, 3}}},
				Weights: []model.Tensor{model.FloatTensor("kernel", []int64{3, 3, 3, 3}, modeltest.Noise(r, 81)), model.IntTensor("axes", axes), model.IntTensor("to", to)},
				Nodes: []model.Node{
					{Name: "a", Op: "Conv", Inputs: []string{"input", "kernel"}, Outputs: []string{"a"}, Attributes: conv},
					{Name: "b", Op: "ReduceMean", Inputs: []string{"a", "axes"}, Outputs: []string{"b"}, Attributes: map[string]model.Attribute{"keepdims": number(1)}},
					{Name: "c", Op: "Reshape", Inputs: []string{"b", "to"}, Outputs: []string{"out"}},
				},
			}
			if p.ONNX, err = p.Graph.Encode(); err != nil {
				t.Fatal(err)
			}
			t.Run(name, func(t *testing.T) { conform(t, library, p, 3) })
		}
	}
	p.Graph.Weights = slices.Clone(p.Graph.Weights)
	for _, to := range [][]int64{{-1, -1}, {-1, 2}, {7}, {}} {
		p.Graph.Weights[2] = model.IntTensor("to", to)
		if _, err := Open(p); err == nil {
			t.Errorf("3 numbers were reshaped to %v", to)
		}
	}
}
