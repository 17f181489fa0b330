package model

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"strings"
)

const (
	vectorsFolder = "vectors"
	maxVector     = 1 << 20   // bytes of one description
	maxPicture    = 64 << 20  // bytes of one picture, encoded
	maxTensor     = 256 << 20 // bytes of one tensor
)

// Material is what a model is proven with before it may judge.
type Material struct {
	Pictures []PictureVector
	Tensors  []TensorVector
	Stills   []Still // of goldens
}

// A PictureVector is what the model said about one picture when it was
// exported. Pictures are PNG or JPEG as they are in the package.
type PictureVector struct {
	Name    string
	Variant string // whose numbers they are: fp32 or int8
	Tested  []byte
	Golden  []byte // nil for a model that compares with none
	Copper  string // dark or bright
	Mean    []float32
	Defects []ExpectedDefect // with a score of at least ExpectedScore, worst first
}

// ExpectedScore is the least score of a defect that an expectation lists.
const ExpectedScore = 0.3

// An ExpectedDefect is one defect of a PictureVector; Box is left, top, right
// and bottom in pixels.
type ExpectedDefect struct {
	Class string     `json:"class"`
	Score float32    `json:"score"`
	Box   [4]float32 `json:"box"`
}

// A TensorVector is an input of the network with its output.
type TensorVector struct {
	Name, Variant string
	Input, Output []float32
}

// A Still is a golden still with its pictures, PNG or JPEG.
type Still struct {
	Sample
	Tested, Good []byte // Good is nil for a model that compares with none
}

// expected is a description below vectors/. It names either pictures, with
// what is said of them, or two files of little-endian float32.
type expected struct {
	Variant string            `json:"variant"` // empty: fp32
	Tested  string            `json:"tested"`
	Golden  string            `json:"golden"`
	Copper  string            `json:"copper"`
	Mean    []float32         `json:"output_mean"`
	Defects *[]ExpectedDefect `json:"defects"`

	Input  string `json:"input"`
	Output string `json:"output"`
}

// parseExpected reads a description. Keys that it does not know are for
// others; what it needs must be there.
func parseExpected(data []byte) (e expected, err error) {
	if err := json.Unmarshal(data, &e); err != nil {
		return e, fmt.Errorf("not a description of a vector: %w; see models/README.md", err)
	}
	if e.Variant == "" {
		e.Variant = FP32
	}
	pictures := e.Tested != "" && len(e.Mean) > 0 && e.Defects != nil
	tensors := e.Input != "" && e.Output != ""
	switch {
	case pictures == tensors:
		return e, errors.New("want tested, output_mean and defects (golden and copper if the model needs them), or input and output")
	case e.Variant != FP32 && e.Variant != INT8:
		return e, fmt.Errorf("variant is %q; want %s or %s", e.Variant, FP32, INT8)
	case e.Copper != "" && e.Copper != "dark" && e.Copper != "bright":
		return e, fmt.Errorf("copper is %q; want dark or bright", e.Copper)
	}
	for _, name := range []string{e.Tested, e.Golden, e.Input, e.Output} {
		if name != "" && !plainFile(name) {
			return e, fmt.Errorf("%q; want the name of a file beside the description", name)
		}
	}
	return e, nil
}

// material reads everything that the package brings for its own proof, and
// holds every file that the manifest lists to its hash.
func (m Manifest) material(fsys fs.FS, dir string) (out Material, err error) {
	if err := m.checkFiles(fsys, dir); err != nil {
		return out, err
	}
	entries, err := fs.ReadDir(fsys, path.Join(dir, vectorsFolder))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return out, fmt.Errorf("cannot look for vectors: %w", err)
	}
	for _, e := range entries {
		if e.IsDir() || !strings.HasSuffix(e.Name(), ".json") {
			continue
		}
		name := path.Join(vectorsFolder, e.Name())
		if err := m.vector(fsys, dir, name, &out); err != nil {
			return out, fmt.Errorf("%s: %w", path.Join(dir, name), err)
		}
	}
	for _, g := range m.Goldens {
		s := Still{Sample: g}
		if s.Tested, err = m.listed(fsys, dir, g.Still, maxPicture); err != nil {
			return out, err
		}
		if g.Golden != "" {
			if s.Good, err = m.listed(fsys, dir, g.Golden, maxPicture); err != nil {
				return out, err
			}
		}
		out.Stills = append(out.Stills, s)
	}
	return out, nil
}

// vector adds the vector that the file describes.
func (m Manifest) vector(fsys fs.FS, dir, name string, to *Material) error {
	data, err := m.listed(fsys, dir, name, maxVector)
	if err != nil {
		return err
	}
	e, err := parseExpected(data)
	if err != nil {
		return err
	}
	beside := func(file string, limit int64) (data []byte, err error) {
		if file != "" {
			data, err = m.listed(fsys, dir, path.Join(vectorsFolder, file), limit)
		}
		return data, err
	}
	if e.Tested != "" {
		tested, err := beside(e.Tested, maxPicture)
		golden, goldenErr := beside(e.Golden, maxPicture)
		to.Pictures = append(to.Pictures, PictureVector{Name: name, Variant: e.Variant, Tested: tested, Golden: golden, Copper: e.Copper, Mean: e.Mean, Defects: *e.Defects})
		return errors.Join(err, goldenErr)
	}
	input, err := beside(e.Input, maxTensor)
	output, outputErr := beside(e.Output, maxTensor)
	v := TensorVector{Name: name, Variant: e.Variant}
	var badInput, badOutput error
	v.Input, badInput = float32s(e.Input, input)
	v.Output, badOutput = float32s(e.Output, output)
	to.Tensors = append(to.Tensors, v)
	return errors.Join(err, outputErr, badInput, badOutput)
}

func float32s(name string, data []byte) ([]float32, error) {
	if len(data)%4 != 0 {
		return nil, fmt.Errorf("%s holds %d bytes; want little-endian float32, 4 bytes each", name, len(data))
	}
	out := make([]float32, len(data)/4)
	for i := range out {
		out[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
	}
	return out, nil
}
