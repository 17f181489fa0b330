package model

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
)

// A Tensor is a constant of the graph.
type Tensor struct {
	Name     string
	Type     ElementType
	Shape    []int64
	raw      []byte // little-endian, if the file has it so
	floats   []float32
	ints     []int64
	external bool // the numbers are in another file
}

// FloatTensor gives a constant for Encode.
func FloatTensor(name string, shape []int64, values []float32) Tensor {
	return Tensor{Name: name, Type: Float32, Shape: shape, floats: values}
}

// IntTensor gives a list of whole numbers for Encode.
func IntTensor(name string, values []int64) Tensor {
	return Tensor{Name: name, Type: Int64, Shape: []int64{int64(len(values))}, ints: values}
}

func readTensor(b []byte) (t Tensor, err error) {
	err = eachField(b, func(f field) (err error) {
		switch f.num {
		case 1:
			t.Shape, err = f.varints(t.Shape)
		case 2:
			t.Type = ElementType(f.n)
		case 4:
			t.floats, err = f.float32s(t.floats)
		case 7:
			t.ints, err = f.varints(t.ints)
		case 8:
			t.Name = string(f.bytes)
		case 9:
			t.raw = f.bytes
		case 14:
			t.external = t.external || isExternal(f)
		}
		return err
	})
	return t, err
}

// Floats gives a copy of the numbers of a tensor of Float32.
func (t Tensor) Floats() ([]float32, error) {
	if err := t.check(Float32, "float32", 4, len(t.floats)); err != nil {
		return nil, err
	}
	if t.raw == nil {
		return slices.Clone(t.floats), nil
	}
	out := make([]float32, len(t.raw)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(t.raw[4*i:]))
	}
	return out, nil
}

// Int64s gives a copy of the numbers of a tensor of Int64.
func (t Tensor) Int64s() ([]int64, error) {
	if err := t.check(Int64, "int64", 8, len(t.ints)); err != nil {
		return nil, err
	}
	if t.raw == nil {
		return slices.Clone(t.ints), nil
	}
	out := make([]int64, len(t.raw)/8)
	for i := range out {
		out[i] = int64(binary.LittleEndian.Uint64(t.raw[8*i:]))
	}
	return out, nil
}

// check reports whether the tensor holds as many numbers of the type as its
// shape says.
func (t Tensor) check(want ElementType, name string, size, have int) error {
	if t.raw != nil {
		have = len(t.raw) / size
	}
	n, ok := elements(t.Shape)
	switch {
	case t.external:
		return &ExternalError{t.Name}
	case t.Type != want:
		return fmt.Errorf("onnx: weights %q have element type %d; want %s (%d)", t.Name, t.Type, name, want)
	case !ok || n != have || t.raw != nil && len(t.raw)%size != 0:
		return fmt.Errorf("onnx: weights %q hold %d numbers, which do not fill shape %v", t.Name, have, t.Shape)
	}
	return nil
}

// elements is the product of the sizes; not ok if one is negative or the
// product is beyond any tensor of this package.
func elements(shape []int64) (n int, ok bool) {
	n = 1
	for _, d := range shape {
		if d < 0 || d > maxElements || n > maxElements {
			return 0, false
		}
		n *= int(d)
	}
	return n, n <= maxElements
}

const maxElements = 1 << 28 // of one tensor: 1 GB of float32

func (t Tensor) encode() (message, error) {
	var m message
	for _, d := range t.Shape {
		m.number(1, d)
	}
	m.number(2, int64(t.Type))
	m.text(8, t.Name)
	var raw []byte
	if t.Type == Int64 {
		ints, err := t.Int64s()
		if err != nil {
			return nil, err
		}
		for _, i := range ints {
			raw = binary.LittleEndian.AppendUint64(raw, uint64(i))
		}
	} else {
		floats, err := t.Floats()
		if err != nil {
			return nil, err
		}
		for _, f := range floats {
			raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(f))
		}
	}
	m.message(9, raw)
	return m, nil
}
