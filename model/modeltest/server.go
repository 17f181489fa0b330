package modeltest

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"inspector/model"
)

// A server judges requests by the protocol's text, whichever way they came.
type server struct {
	pkg *model.Package
	run Run
}

// A request is what came: the input, little-endian or as numbers.
type request struct {
	model, input, kind string
	shape              []int64
	raw                []byte
	numbers            []float32
	outputs            []string
}

// infer gives the outputs that were asked for.
func (s server) infer(ctx context.Context, r request) (map[string][]float32, error) {
	p := s.pkg
	switch {
	case r.model != p.Name:
		return nil, fmt.Errorf("no model %q", r.model)
	case r.input != p.Input().Name || r.kind != s.kind() || !slices.Equal(r.shape, p.Input().Shape()):
		return nil, fmt.Errorf("unexpected input %q, %s %v", r.input, r.kind, r.shape)
	}
	in := r.numbers
	if r.raw != nil {
		in = s.numbers(r.raw)
	}
	out := make([]float32, p.OutputSize())
	if err := s.run(ctx, in, out); err != nil {
		return nil, err
	}
	all, wanted := map[string][]float32{}, map[string][]float32{}
	for i, shape := range p.OutputShapes() {
		n := 1
		for _, d := range shape {
			n *= int(d)
		}
		all[p.Outputs[i].Name], out = out[:n], out[n:]
	}
	for _, name := range r.outputs {
		data, ok := all[name]
		if !ok {
			return nil, fmt.Errorf("unexpected output %q", name)
		}
		wanted[name] = data
	}
	return wanted, nil
}

func (s server) kind() string {
	if s.pkg.Input().Element() == model.Uint8 {
		return "UINT8"
	}
	return "FP32"
}

func (s server) numbers(raw []byte) (out []float32) {
	if s.kind() == "UINT8" {
		for _, b := range raw {
			out = append(out, float32(b))
		}
		return out
	}
	for i := 0; i+4 <= len(raw); i += 4 {
		out = append(out, math.Float32frombits(binary.LittleEndian.Uint32(raw[i:])))
	}
	return out
}

// shape is that of an output.
func (s server) shape(name string) []int64 {
	i := slices.IndexFunc(s.pkg.Outputs, func(o model.Output) bool { return o.Name == name })
	return s.pkg.OutputShapes()[i]
}

func bytesOf(numbers []float32) (raw []byte) {
	for _, v := range numbers {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(v))
	}
	return raw
}
