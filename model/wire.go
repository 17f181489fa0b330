package model

import (
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// A field is one field of a protobuf message: bytes if it is length-delimited,
// n if it is a number.
type field struct {
	num   protowire.Number
	typ   protowire.Type
	bytes []byte
	n     uint64
}

// eachField calls do for every field of message b, in order.
func eachField(b []byte, do func(field) error) error {
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 {
			return protowire.ParseError(n)
		}
		b = b[n:]
		f := field{num: num, typ: typ}
		switch typ {
		case protowire.VarintType:
			f.n, n = protowire.ConsumeVarint(b)
		case protowire.Fixed32Type:
			var v uint32
			v, n = protowire.ConsumeFixed32(b)
			f.n = uint64(v)
		case protowire.Fixed64Type:
			f.n, n = protowire.ConsumeFixed64(b)
		case protowire.BytesType:
			f.bytes, n = protowire.ConsumeBytes(b)
		default:
			n = protowire.ConsumeFieldValue(num, typ, b)
		}
		if n < 0 {
			return protowire.ParseError(n)
		}
		if err := do(f); err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

// varints appends the numbers of a repeated field, packed or not.
func (f field) varints(to []int64) ([]int64, error) {
	if f.typ != protowire.BytesType {
		return append(to, int64(f.n)), nil
	}
	for b := f.bytes; len(b) > 0; {
		v, n := protowire.ConsumeVarint(b)
		if n < 0 {
			return to, protowire.ParseError(n)
		}
		to, b = append(to, int64(v)), b[n:]
	}
	return to, nil
}

// float32s appends the numbers of a repeated field, packed or not.
func (f field) float32s(to []float32) ([]float32, error) {
	if f.typ != protowire.BytesType {
		return append(to, math.Float32frombits(uint32(f.n))), nil
	}
	if len(f.bytes)%4 != 0 {
		return to, errors.New("a list of floats is cut off")
	}
	for i := 0; i < len(f.bytes); i += 4 {
		to = append(to, math.Float32frombits(binary.LittleEndian.Uint32(f.bytes[i:])))
	}
	return to, nil
}

// Encode writes the graph as an ONNX file that holds exactly what the graph
// says and nothing else, for a runtime that needs it rewritten. Producer and
// Metadata are left out.
func (g Graph) Encode() ([]byte, error) {
	var graph, opset, file message
	for _, n := range g.Nodes {
		m, err := n.encode()
		if err != nil {
			return nil, fmt.Errorf("node %q: %w", n.Name, err)
		}
		graph.message(1, m)
	}
	graph.text(2, "graph")
	for _, t := range g.Weights {
		m, err := t.encode()
		if err != nil {
			return nil, err
		}
		graph.message(5, m)
	}
	for _, v := range g.Inputs {
		graph.message(11, v.encode())
	}
	for _, v := range g.Outputs {
		graph.message(12, v.encode())
	}
	opset.number(2, g.Opset)
	file.number(1, 6) // ir_version of opset 11; both runtimes read it with opsets up to 13
	file.message(7, graph)
	file.message(8, opset)
	return file, nil
}

func (n Node) encode() (message, error) {
	var m message
	for _, s := range n.Inputs {
		m.text(1, s)
	}
	for _, s := range n.Outputs {
		m.text(2, s)
	}
	m.text(3, n.Name)
	m.text(4, n.Op)
	for _, name := range slices.Sorted(maps.Keys(n.Attributes)) {
		a := n.Attributes[name]
		var b message
		b.text(1, name)
		switch a.Kind {
		case 1:
			b = protowire.AppendFixed32(protowire.AppendTag(b, 2, protowire.Fixed32Type), math.Float32bits(a.Float))
		case 2:
			b.number(3, a.Int)
		case 3:
			b.text(4, a.String)
		case 4:
			t, err := a.Tensor.encode()
			if err != nil {
				return nil, err
			}
			b.message(5, t)
		case 7:
			for _, i := range a.Ints {
				b.number(8, i)
			}
		}
		b.number(20, a.Kind)
		m.message(5, b)
	}
	return m, nil
}

func (v Value) encode() message {
	var shape, tensor, typ, m message
	for _, d := range v.Shape {
		var dim message
		if d > 0 {
			dim.number(1, d)
		}
		shape.message(1, dim)
	}
	tensor.number(1, int64(v.Type))
	tensor.message(2, shape)
	typ.message(1, tensor)
	m.text(1, v.Name)
	m.message(2, typ)
	return m
}

// A message is a protobuf message being written.
type message []byte

func (m *message) number(num protowire.Number, v int64) {
	*m = protowire.AppendVarint(protowire.AppendTag(*m, num, protowire.VarintType), uint64(v))
}

func (m *message) text(num protowire.Number, s string) {
	*m = protowire.AppendString(protowire.AppendTag(*m, num, protowire.BytesType), s)
}

func (m *message) message(num protowire.Number, b []byte) {
	*m = protowire.AppendBytes(protowire.AppendTag(*m, num, protowire.BytesType), b)
}
