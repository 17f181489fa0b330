package remote

import (
	"encoding/binary"
	"math"
	"slices"
)

// A tensor is one of the protocol: FP32 or UINT8.
type tensor struct {
	Name  string  `json:"name"`
	Type  string  `json:"datatype,omitempty"`
	Shape []int64 `json:"shape,omitempty"` // in metadata: -1 is any
}

// allows reports whether numbers of the shape may be the tensor's.
func (t tensor) allows(shape []int64) bool {
	return slices.EqualFunc(t.Shape, shape, func(have, want int64) bool { return have == want || have == -1 })
}

// size in bytes of n numbers.
func (t tensor) size(n int) int {
	if t.Type == "UINT8" {
		return n
	}
	return 4 * n
}

// appendTo appends the numbers to b, little-endian. Bytes are held within 0 to 255.
func (t tensor) appendTo(b []byte, numbers []float32) []byte {
	b = slices.Grow(b, t.size(len(numbers)))
	if t.Type == "UINT8" {
		for _, v := range numbers {
			b = append(b, uint8(min(max(v, 0), 255)))
		}
		return b
	}
	for _, v := range numbers {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

// An answer is one output as a server gives it: little-endian, or as numbers.
type answer struct {
	tensor
	raw     []byte
	numbers []float32
}

// gather writes the outputs that were asked for to out, one after the other.
// Whatever is not as the package says is a *ServerError.
func (n *network) gather(answers []answer, out []float32) error {
	for _, want := range n.outputs {
		i := slices.IndexFunc(answers, func(a answer) bool { return a.Name == want.Name })
		if i < 0 {
			return n.wrong("no output %q", want.Name)
		}
		a := answers[i]
		if a.Type != want.Type || !slices.Equal(a.Shape, want.Shape) {
			return n.wrong("output %q is %s %v; want %s %v", a.Name, a.Type, a.Shape, want.Type, want.Shape)
		}
		size := 1
		for _, d := range want.Shape {
			size *= int(d)
		}
		have := len(a.numbers)
		if a.raw != nil {
			have = len(a.raw) / 4
		}
		if have != size || len(a.raw)%4 != 0 {
			return n.wrong("output %q has %d numbers; want %d", a.Name, have, size)
		}
		if a.raw == nil {
			copy(out, a.numbers)
		}
		for k := range len(a.raw) / 4 {
			out[k] = math.Float32frombits(binary.LittleEndian.Uint32(a.raw[4*k:]))
		}
		out = out[size:]
	}
	return nil
}
