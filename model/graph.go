package model

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// ElementType is TensorProto.DataType of onnx.proto.
type ElementType int32

// The element types whose numbers are read.
const (
	Float32 ElementType = 1
	Uint8   ElementType = 2
	Int64   ElementType = 7
)

// String is the name that NumPy has for it.
func (t ElementType) String() string {
	names := []string{"undefined", "float32", "uint8", "int8", "uint16", "int16", "int32", "int64", "string", "bool", "float16", "float64", "uint32", "uint64", "complex64", "complex128", "bfloat16"}
	if t < 0 || int(t) >= len(names) {
		return fmt.Sprintf("element type %d", int32(t))
	}
	return names[t]
}

// A Graph is what an ONNX file says about its network. Slices of bytes in it
// belong to the file it was read from.
type Graph struct {
	Opset    int64             // of the default domain
	Producer string            // the exporter and its version
	Metadata map[string]string // what the exporter noted, such as the labels
	Inputs   []Value
	Outputs  []Value
	Nodes    []Node // in the order of the file
	Weights  []Tensor
}

// A Value is an input or an output of a graph.
type Value struct {
	Name  string
	Type  ElementType
	Shape []int64 // -1 where the file leaves the size open
}

// A Node is one operation.
type Node struct {
	Name, Op, Domain string
	Inputs, Outputs  []string
	Attributes       map[string]Attribute
}

// Attribute is one setting of a node. Kind is AttributeProto.AttributeType of
// onnx.proto; only floats (1), ints (2), strings (3), tensors (4) and lists of
// ints (7) are read, so a value of any other kind is empty.
type Attribute struct {
	Kind   int64
	Int    int64
	Float  float32
	String string
	Tensor Tensor
	Ints   []int64
}

// ReadGraph reads the network of an ONNX file (a ModelProto of onnx.proto). It
// checks the structure of the file and not the sense of the network. Inputs
// are those that have no weights of their own.
func ReadGraph(onnx []byte) (Graph, error) {
	var g Graph
	found := false
	var producer [2]string
	err := eachField(onnx, func(f field) error {
		switch f.num {
		case 2, 3: // producer_name, producer_version
			producer[f.num-2] = string(f.bytes)
		case 14: // metadata_props
			return g.readMetadata(f.bytes)
		case 7: // graph
			found = true
			return g.read(f.bytes)
		case 8: // opset_import
			return g.readOpset(f.bytes)
		}
		return nil
	})
	switch {
	case err != nil:
		return Graph{}, &DamagedError{err}
	case !found || len(g.Nodes) == 0:
		return Graph{}, &DamagedError{errors.New("it holds no network")}
	}
	g.Producer = strings.TrimSpace(producer[0] + " " + producer[1])
	g.Inputs = slices.DeleteFunc(g.Inputs, func(v Value) bool { _, ok := g.Weight(v.Name); return ok })
	return g, nil
}

// readWhole reads the network of a file that needs no other.
func readWhole(onnx []byte) (Graph, error) {
	g, err := ReadGraph(onnx)
	if err == nil {
		err = whole(onnx)
	}
	return g, err
}

// A DamagedError says that a file is no ONNX file, or not a whole one.
type DamagedError struct{ Cause error }

func (e *DamagedError) Error() string {
	return fmt.Sprintf("onnx: not a valid file: %v; copy it again, or export the model again", e.Cause)
}

func (e *DamagedError) Unwrap() error { return e.Cause }

// Permanent tells whoever retries not to.
func (e *DamagedError) Permanent() bool { return true }

// Weight gives the constant of that name.
func (g Graph) Weight(name string) (Tensor, bool) {
	i := slices.IndexFunc(g.Weights, func(t Tensor) bool { return t.Name == name })
	if i < 0 {
		return Tensor{}, false
	}
	return g.Weights[i], true
}

func (g *Graph) readOpset(b []byte) error {
	var domain string
	var version int64
	err := eachField(b, func(f field) error {
		switch f.num {
		case 1:
			domain = string(f.bytes)
		case 2:
			version = int64(f.n)
		}
		return nil
	})
	if domain == "" || domain == "ai.onnx" {
		g.Opset = version
	}
	return err
}

func (g *Graph) readMetadata(b []byte) error {
	key, value, err := readEntry(b)
	if g.Metadata == nil {
		g.Metadata = map[string]string{}
	}
	g.Metadata[key] = value
	return err
}

func (g *Graph) read(b []byte) error {
	return eachField(b, func(f field) (err error) {
		switch f.num {
		case 1:
			var n Node
			n, err = readNode(f.bytes)
			g.Nodes = append(g.Nodes, n)
		case 5:
			var t Tensor
			t, err = readTensor(f.bytes)
			g.Weights = append(g.Weights, t)
		case 11, 12:
			var v Value
			v, err = readValue(f.bytes)
			if f.num == 11 {
				g.Inputs = append(g.Inputs, v)
			} else {
				g.Outputs = append(g.Outputs, v)
			}
		}
		return err
	})
}

func readNode(b []byte) (Node, error) {
	n := Node{Attributes: map[string]Attribute{}}
	err := eachField(b, func(f field) error {
		switch f.num {
		case 1:
			n.Inputs = append(n.Inputs, string(f.bytes))
		case 2:
			n.Outputs = append(n.Outputs, string(f.bytes))
		case 3:
			n.Name = string(f.bytes)
		case 4:
			n.Op = string(f.bytes)
		case 5:
			name, a, err := readAttribute(f.bytes)
			n.Attributes[name] = a
			return err
		case 7:
			n.Domain = string(f.bytes)
		}
		return nil
	})
	return n, err
}

func readAttribute(b []byte) (name string, a Attribute, err error) {
	err = eachField(b, func(f field) error {
		switch f.num {
		case 1:
			name = string(f.bytes)
		case 2:
			a.Float = math.Float32frombits(uint32(f.n))
		case 3:
			a.Int = int64(f.n)
		case 4:
			a.String = string(f.bytes)
		case 5:
			var err error
			a.Tensor, err = readTensor(f.bytes)
			return err
		case 8:
			var err error
			a.Ints, err = f.varints(a.Ints)
			return err
		case 20:
			a.Kind = int64(f.n)
		}
		return nil
	})
	return name, a, err
}

func readValue(b []byte) (v Value, err error) {
	err = eachField(b, func(f field) error {
		switch f.num {
		case 1:
			v.Name = string(f.bytes)
		case 2: // TypeProto
			return eachField(f.bytes, func(f field) error {
				if f.num != 1 { // tensor_type
					return nil
				}
				return v.readTensorType(f.bytes)
			})
		}
		return nil
	})
	return v, err
}

func (v *Value) readTensorType(b []byte) error {
	return eachField(b, func(f field) error {
		switch f.num {
		case 1:
			v.Type = ElementType(f.n)
		case 2: // TensorShapeProto
			return eachField(f.bytes, func(f field) error {
				if f.num != 1 {
					return nil
				}
				size := int64(-1)
				err := eachField(f.bytes, func(f field) error {
					if f.num == 1 && int64(f.n) > 0 {
						size = int64(f.n)
					}
					return nil
				})
				v.Shape = append(v.Shape, size)
				return err
			})
		}
		return nil
	})
}
