package model

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"strconv"

	"google.golang.org/protobuf/encoding/protowire"
)

// ReadFile gives an ONNX file of at most 512 MB. Weights that its exporter put
// into files beside it are put into it: a package has its network in one file.
func ReadFile(fsys fs.FS, name string) ([]byte, error) {
	onnx, err := read(fsys, name, maxONNX)
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	j := joiner{fsys: fsys, name: name, files: map[string][]byte{}, left: maxONNX, room: maxONNX - int64(len(onnx))}
	whole, err := j.message(onnx, inModel, 0)
	var damaged wireError
	switch {
	case errors.As(err, &damaged):
		return onnx, nil // whoever reads the graph says so
	case err != nil:
		return nil, fmt.Errorf("model: %s: %w", name, err)
	case len(whole) > maxONNX:
		return nil, fmt.Errorf("model: %w", &TooLargeError{name, int64(len(whole)), maxONNX})
	case len(j.files) == 0:
		return onnx, nil
	}
	return whole, nil
}

// A joiner brings the weights of other files into a network's.
type joiner struct {
	fsys  fs.FS             // nil: there may be no other files
	name  string            // the network's
	files map[string][]byte // that were read
	left  int64             // bytes that may still be read
	room  int64             // bytes that may still be put in: tensors may share a file
}

// A wireError says that bytes are no protobuf.
type wireError struct{ error }

// An ExternalError says that weights are not in the network's own file, where
// they must be.
type ExternalError struct{ Tensor string }

func (e *ExternalError) Error() string {
	return fmt.Sprintf("onnx: weights %q are in another file; 'inspector model add' makes one file of both, or export the network in one file", e.Tensor)
}

// Permanent tells whoever retries not to.
func (e *ExternalError) Permanent() bool { return true }

// whole refuses a network of which any tensor, wherever it is, has its numbers
// in another file: a runtime would look for that by itself.
func whole(onnx []byte) error {
	j := joiner{}
	_, err := j.message(onnx, inModel, 0)
	var damaged wireError
	if errors.As(err, &damaged) {
		return &DamagedError{err}
	}
	return err
}

// Messages of onnx.proto that hold a tensor somewhere, and where.
type tensorFields map[protowire.Number]string

const (
	inModel, inTraining, inFunction, inGraph, inNode = "model", "training", "function", "graph", "node"
	inAttribute, inSparse, inTensor                  = "attribute", "sparse", "tensor"
	deepest                                          = 100 // messages inside each other
)

var tensorsWithin = map[string]tensorFields{
	inModel:     {7: inGraph, 20: inTraining, 25: inFunction},
	inTraining:  {1: inGraph, 2: inGraph},
	inFunction:  {7: inNode, 11: inAttribute},
	inGraph:     {1: inNode, 5: inTensor, 15: inSparse},
	inNode:      {5: inAttribute},
	inAttribute: {5: inTensor, 6: inGraph, 10: inTensor, 11: inGraph, 22: inSparse, 23: inSparse},
	inSparse:    {1: inTensor, 2: inTensor},
}

// message is b with the weights of other files in it; b itself if it has none
// such. Other fields stay as they are.
func (j *joiner) message(b []byte, kind string, depth int) ([]byte, error) {
	if kind == inTensor {
		return j.tensor(b)
	}
	if depth > deepest {
		return nil, wireError{errors.New("too deep")}
	}
	var out []byte // from the first change on
	for at := 0; at < len(b); {
		num, typ, n := protowire.ConsumeField(b[at:])
		if n < 0 {
			return nil, wireError{protowire.ParseError(n)}
		}
		field := b[at : at+n]
		inner, ok := tensorsWithin[kind][num]
		if ok && typ == protowire.BytesType {
			_, _, tag := protowire.ConsumeTag(field)
			old, _ := protowire.ConsumeBytes(field[tag:])
			changed, err := j.message(old, inner, depth+1)
			if err != nil {
				return nil, err
			}
			if len(changed) != len(old) || len(old) > 0 && &changed[0] != &old[0] {
				if out == nil {
					out = append([]byte{}, b[:at]...)
				}
				field = protowire.AppendBytes(protowire.AppendTag(nil, num, typ), changed)
			}
		}
		if at += n; out != nil {
			out = append(out, field...)
		}
	}
	if out == nil {
		return b, nil
	}
	return out, nil
}

// tensor is b with its numbers in it.
func (j *joiner) tensor(b []byte) ([]byte, error) {
	var name string
	var kept []byte
	said := map[string]string{}
	external := false
	err := eachField(b, func(f field) error {
		switch f.num {
		case 8:
			name = string(f.bytes)
		case 13: // external_data: what is said of it
			key, value, err := readEntry(f.bytes)
			said[key] = value
			return err
		case 14: // data_location
			external = external || isExternal(f)
		}
		return nil
	})
	if err != nil {
		return nil, wireError{err}
	}
	if !external {
		return b, nil
	}
	if j.fsys == nil {
		return nil, &ExternalError{name}
	}
	numbers, err := j.numbers(said)
	if err != nil {
		return nil, &DamagedError{fmt.Errorf("weights %q are in another file: %w", name, err)}
	}
	if j.room -= int64(len(numbers)); j.room < 0 {
		return nil, &TooLargeError{j.name + " with its weights", maxONNX - j.room, maxONNX}
	}
	for at := 0; at < len(b); {
		num, _, n := protowire.ConsumeField(b[at:])
		if num != 9 && num != 13 && num != 14 {
			kept = append(kept, b[at:at+n]...)
		}
		at += n
	}
	return protowire.AppendBytes(protowire.AppendTag(kept, 9, protowire.BytesType), numbers), nil
}

// isExternal reports whether a data_location says so. Whoever reads it as an
// enumeration sees 32 bits, and passes over a later value that is not known.
func isExternal(f field) bool { return int32(f.n) == 1 }

func readEntry(b []byte) (key, value string, err error) {
	err = eachField(b, func(f field) error {
		switch f.num {
		case 1:
			key = string(f.bytes)
		case 2:
			value = string(f.bytes)
		}
		return nil
	})
	return key, value, err
}

// numbers are the bytes that a tensor says are in another file.
func (j *joiner) numbers(said map[string]string) ([]byte, error) {
	file := said["location"]
	if !inside(file) {
		return nil, fmt.Errorf("%q, which is not beside the network's", file)
	}
	data, ok := j.files[file]
	if !ok {
		var err error
		if data, err = read(j.fsys, path.Join(path.Dir(j.name), file), j.left); err != nil {
			return nil, err
		}
		j.files[file] = data
		j.left -= int64(len(data))
	}
	number := func(key string, otherwise int64) int64 {
		if said[key] == "" {
			return otherwise
		}
		n, err := strconv.ParseInt(said[key], 10, 64)
		if err != nil {
			return math.MinInt64
		}
		return n
	}
	size := int64(len(data))
	from := number("offset", 0)
	if from < 0 || from > size {
		return nil, fmt.Errorf("they begin at %q of %s, which has %d bytes", said["offset"], file, size)
	}
	n := number("length", size-from)
	if n < 0 || n > size-from {
		return nil, fmt.Errorf("they are %q bytes from %q of %s, which has %d", said["length"], said["offset"], file, size)
	}
	return data[from : from+n], nil
}
