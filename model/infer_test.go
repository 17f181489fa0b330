package model

import (
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// Shapes and costs of what real exporters wrote, against what PyTorch gives.
func TestInferZoo(t *testing.T) {
	for ref, want := range map[string]struct {
		outputs string
		macs    int64
	}{
		"resnet18":   {"1x2", 1_142_848},
		"mobilenet":  {"1x3", 664_224},
		"multilabel": {"1x3", 811_104},
		"yolov8":     {"1x6x84", 809_056},
		"yolo11":     {"1x7x84", 0},
		"anomaly":    {"1 1 1x1x64x64 1x1x64x64", 1_581_056},
		"unet":       {"1x3x64x64", 11_943_936},
		"classifier": {"1x3", 0},
	} {
		p, err := Find(os.DirFS("testdata/models"), ref)
		if err != nil {
			t.Fatal(err)
		}
		shapes, cost := p.Graph.Infer(map[string][]int64{p.Inputs[0].Name: p.Input().Shape()})
		var outputs []string
		for _, v := range p.Graph.Outputs {
			outputs = append(outputs, shape(shapes[v.Name]))
		}
		slices.Sort(outputs)
		if have := strings.Join(outputs, " "); have != want.outputs || len(cost.Unknown) > 0 {
			t.Errorf("%s: %s, not known %q; want %s", ref, have, cost.Unknown, want.outputs)
		}
		if cost.MACs < 1000 || cost.Parameters < 500 || want.macs != 0 && cost.MACs != want.macs {
			t.Errorf("%s: %+v; want %d", ref, cost, want.macs)
		}
	}
}

func TestInferNode(t *testing.T) {
	ints := func(v ...int64) Attribute { return Attribute{Kind: 7, Ints: v} }
	number := func(v int64) Attribute { return Attribute{Kind: 2, Int: v} }
	type attributes = map[string]Attribute
	weights := []Tensor{
		{Name: "k", Type: Float32, Shape: []int64{8, 4, 3, 3}}, {Name: "depth", Type: Float32, Shape: []int64{4, 1, 3, 3}}, {Name: "m", Type: Float32, Shape: []int64{6, 5}},
		{Name: "two", Type: Int64, Shape: []int64{1}, ints: []int64{2}}, {Name: "rest", Type: Int64, Shape: []int64{2}, ints: []int64{0, -1}},
		{Name: "minus", Type: Int64, Shape: []int64{1}, ints: []int64{-1}}, {Name: "low", Type: Int64, Shape: []int64{1}, ints: []int64{-1 << 62}},
		{Name: "scales", Type: Float32, Shape: []int64{4}, floats: []float32{1, 1, 2, 2}}, {Name: "pads", Type: Int64, Shape: []int64{8}, ints: []int64{0, 0, 1, 1, 0, 0, 2, 2}},
	}
	for name, tt := range map[string]struct {
		op     string
		a      attributes
		inputs string
		want   string // shapes of the outputs
		macs   int64
	}{
		"conv":            {"Conv", attributes{"pads": ints(1, 1, 1, 1), "strides": ints(2, 2)}, "x k", "1x8x3x5", 8 * 3 * 5 * 4 * 9},
		"depthwise":       {"Conv", attributes{"group": number(4)}, "x depth", "1x4x4x8", 4 * 4 * 8 * 9},
		"conv too large":  {"Conv", attributes{"dilations": ints(9, 9)}, "x k", "", 0},
		"same":            {"Conv", attributes{"auto_pad": {Kind: 3, String: "SAME_UPPER"}, "strides": ints(2, 2)}, "x k", "1x8x3x5", 8 * 3 * 5 * 4 * 9},
		"transposed":      {"ConvTranspose", attributes{"strides": ints(2, 2)}, "eight k", "1x4x5x5", 8 * 4 * 4 * 9},
		"pool, ceiled":    {"MaxPool", attributes{"kernel_shape": ints(4, 4), "strides": ints(4, 4), "ceil_mode": number(1)}, "x", "1x4x2x3", 0},
		"matrices":        {"MatMul", nil, "row m", "2x5", 2 * 5 * 6},
		"gemm":            {"Gemm", attributes{"transB": number(1)}, "row row", "2x2", 2 * 2 * 6},
		"no fit":          {"MatMul", nil, "row row", "", 0},
		"broadcast":       {"Add", nil, "x m1", "1x4x6x10", 0},
		"no broadcast":    {"Add", nil, "x m", "", 0},
		"concat":          {"Concat", attributes{"axis": number(-1)}, "row row", "2x12", 0},
		"split":           {"Split", attributes{"axis": number(1), "split": ints(1, 3)}, "x", "1x1x6x10 1x3x6x10", 0},
		"reshape":         {"Reshape", nil, "row rest", "2x6", 0},
		"flatten":         {"Flatten", nil, "x", "1x240", 0},
		"transpose":       {"Transpose", attributes{"perm": ints(0, 2, 3, 1)}, "x", "1x6x10x4", 0},
		"unsqueeze":       {"Unsqueeze", attributes{"axes": ints(0, -1)}, "row", "1x2x6x1", 0},
		"squeeze":         {"Squeeze", nil, "x", "4x6x10", 0},
		"slice":           {"Slice", attributes{"starts": ints(1), "ends": ints(9), "axes": ints(2)}, "x", "1x4x5x10", 0},
		"slice backwards": {"Slice", nil, "row minus low two two", "", 0},
		"reversed":        {"Slice", nil, "row minus low minus minus", "2x6", 0},
		"resize":          {"Resize", nil, "x x scales", "1x4x12x20", 0},
		"pad":             {"Pad", nil, "x pads", "1x4x9x13", 0},
		"mean":            {"ReduceMean", attributes{"axes": ints(2, 3), "keepdims": number(0)}, "x", "1x4", 0},
		"all":             {"ReduceMax", nil, "x", "1x1x1x1", 0},
		"depth to space":  {"DepthToSpace", attributes{"blocksize": number(2)}, "x", "1x1x12x20", 0},
		"tile":            {"Tile", nil, "row rest", "", 0},
		"not known":       {"Einsum", nil, "x", "", 0},
		"other domain":    {"com.microsoft:Relu", nil, "x", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			domain, op, ok := strings.Cut(tt.op, ":")
			if !ok {
				domain, op = "", tt.op
			}
			n := Node{Op: op, Domain: domain, Attributes: tt.a, Inputs: strings.Fields(tt.inputs), Outputs: []string{"a", "b"}[:max(1, len(strings.Fields(tt.want)))]}
			given := map[string][]int64{"x": {1, 4, 6, 10}, "eight": {1, 8, 2, 2}, "row": {2, 6}, "m1": {4, 1, 1}}
			given["eight"] = []int64{1, 8, 2, 2}
			shapes, cost := Graph{Nodes: []Node{n}, Weights: weights}.Infer(maps.Clone(given))
			var have []string
			for _, o := range n.Outputs {
				if s, ok := shapes[o]; ok {
					have = append(have, shape(s))
				}
			}
			if strings.Join(have, " ") != tt.want || cost.MACs != tt.macs || (tt.want == "") != (len(cost.Unknown) == 1) {
				t.Errorf("have %q, %+v; want %q, %d", have, cost, tt.want, tt.macs)
			}
		})
	}
}

// Shape may give a part of a shape only.
func TestPartOfAShape(t *testing.T) {
	for _, tt := range []struct {
		attributes map[string]Attribute
		want       []int64
	}{
		{nil, []int64{1, 3, 8, 9}},
		{map[string]Attribute{"start": {Int: 2}}, []int64{8, 9}},
		{map[string]Attribute{"end": {Int: -2}}, []int64{1, 3}},
		{map[string]Attribute{"start": {Int: -3}, "end": {Int: 3}}, []int64{3, 8}},
		{map[string]Attribute{"start": {Int: 3}, "end": {Int: 1}}, []int64{}},
		{map[string]Attribute{"start": {Int: -9}, "end": {Int: 99}}, []int64{1, 3, 8, 9}},
	} {
		if have := part(Node{Attributes: tt.attributes}, []int64{1, 3, 8, 9}); !slices.Equal(have, tt.want) {
			t.Errorf("%v gives %v; want %v", tt.attributes, have, tt.want)
		}
	}
}
