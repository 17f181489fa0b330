// Package model reads models: folders NAME/VERSION with a manifest, model.yaml,
// and a network in ONNX. What runs them is in the folders below it.
package model

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

const (
	manifestName = "model.yaml"
	maxManifest  = 64 << 10
	maxONNX      = 512 << 20
)

// A Package is a model that was read whole and found to fit its manifest.
// Nobody writes to it after Load.
type Package struct {
	Manifest
	ONNX    []byte
	Graph   Graph
	Variant string   // of the network: fp32 or int8
	Proof   Material // what it is proven with

	manifest []byte // the file, which a signature is of
}

// Load reads and checks the package in folder dir of fsys: the manifest, the
// hash of the network, that the shapes of both agree, and that no weights are in
// another file (*ExternalError). Its errors name the file; a *FaultsError holds
// every fault of the manifest.
func Load(fsys fs.FS, dir string) (*Package, error) {
	name := path.Join(dir, manifestName)
	data, err := read(fsys, name, maxManifest)
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	m, err := ParseManifest(name, data)
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	file := path.Join(dir, m.File)
	onnx, err := read(fsys, file, maxONNX)
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	if err := same(file, onnx, m.SHA256); err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	g, err := readWhole(onnx)
	if err != nil {
		return nil, fmt.Errorf("model: %s: %w", file, err)
	}
	p := &Package{Manifest: m, ONNX: onnx, Graph: g, Variant: FP32, manifest: data}
	if err := p.fits(); err != nil {
		return nil, fmt.Errorf("model: %s: %w", file, err)
	}
	if p.Proof, err = m.material(fsys, dir); err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	return p, nil
}

// Find loads the package that ref names, NAME or NAME/VERSION, from a folder of
// models. Without a version it takes the newest.
func Find(fsys fs.FS, ref string) (*Package, error) {
	name, version, _ := strings.Cut(ref, "/")
	if !validName.MatchString(name) || version != "" && !validVersion.MatchString(version) {
		return nil, fmt.Errorf("model: %q does not name a model; want NAME or NAME/MAJOR.MINOR.PATCH", ref)
	}
	if version == "" {
		entries, err := fs.ReadDir(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("model: cannot look for versions of %q: %w", name, err)
		}
		for _, e := range entries {
			if v := e.Name(); validVersion.MatchString(v) && (version == "" || compareVersions(v, version) > 0) {
				version = v
			}
		}
		if version == "" {
			return nil, fmt.Errorf("model: no version of %q is there; want a folder %s/MAJOR.MINOR.PATCH", name, name)
		}
	}
	p, err := Load(fsys, path.Join(name, version))
	if err == nil && (p.Name != name || p.Version != version) {
		return nil, fmt.Errorf("model: folder %s/%s holds %s/%s; rename the folder or correct the manifest", name, version, p.Name, p.Version)
	}
	return p, err
}

// ID names the model for ever: name/version@ and 12 hexadecimal digits of the
// network's sha256.
func (p *Package) ID() string { return fmt.Sprintf("%s/%s@%.12s", p.Name, p.Version, p.SHA256) }

// Input is the model's only input.
func (p *Package) Input() Input { return p.Inputs[0] }

// InputSize is the number of float32 of the input.
func (p *Package) InputSize() int { n, _ := elements(p.Input().Shape()); return n }

// fits reports every way in which the graph is not what the manifest says.
func (p *Package) fits() error {
	in := p.Input()
	inputRemedy := "correct width, height, layout, colour, golden or type in model.yaml, or export the model with that shape"
	outputRemedy := fmt.Sprintf("a %s of %d labels must give that: correct task, labels, stride or form in model.yaml, or export the model with that shape", p.Task, len(p.Labels))
	var faults []error
	if len(p.Graph.Inputs) != 1 {
		faults = append(faults, fmt.Errorf("the graph has %d inputs %q; want exactly one", len(p.Graph.Inputs), names(p.Graph.Inputs)))
	}
	faults = append(faults, fit("input", p.Graph.Inputs, in.Name, in.Element(), in.Shape(), inputRemedy))
	for i, shape := range p.OutputShapes() {
		faults = append(faults, fit("output", p.Graph.Outputs, p.Outputs[i].Name, Float32, shape, outputRemedy))
	}
	return errors.Join(faults...)
}

// A MismatchError says that the network is not what the manifest says.
type MismatchError struct {
	Kind, Name string // input or output, and its name in model.yaml
	Reason     string // with what to do
}

func (e *MismatchError) Error() string { return fmt.Sprintf("%s %q %s", e.Kind, e.Name, e.Reason) }

// Permanent tells whoever retries not to: a person must correct the manifest.
func (e *MismatchError) Permanent() bool { return true }

func fit(kind string, have []Value, name string, element ElementType, want []int64, remedy string) error {
	i := slices.IndexFunc(have, func(v Value) bool { return v.Name == name })
	if i < 0 {
		return &MismatchError{kind, name, fmt.Sprintf("is not in the graph, which has %q: correct the name in model.yaml", names(have))}
	}
	v := have[i]
	if v.Type != element {
		return &MismatchError{kind, name, fmt.Sprintf("has element type %s in the graph; want %s: correct type in model.yaml, or export the model with %s", v.Type, element, element)}
	}
	ok := len(v.Shape) == len(want) || kind == "output" && v.Shape == nil // some exporters leave it out
	for i := range v.Shape {
		ok = ok && (v.Shape[i] == want[i] || v.Shape[i] == -1)
	}
	if !ok {
		return &MismatchError{kind, name, fmt.Sprintf("has shape %s in the graph but model.yaml says %s: %s", shape(v.Shape), shape(want), remedy)}
	}
	return nil
}

func names(vs []Value) []string {
	out := make([]string, len(vs))
	for i, v := range vs {
		out[i] = v.Name
	}
	return out
}

// shape prints sizes as people write them, '?' for an open one.
func shape(s []int64) string {
	parts := make([]string, len(s))
	for i, d := range s {
		if parts[i] = strconv.FormatInt(d, 10); d < 0 {
			parts[i] = "?"
		}
	}
	return strings.Join(parts, "x")
}

// compareVersions orders valid versions as semantic versioning does.
func compareVersions(a, b string) int {
	return slices.CompareFunc(strings.Split(a, "."), strings.Split(b, "."), func(x, y string) int {
		m, _ := strconv.Atoi(x)
		n, _ := strconv.Atoi(y)
		return m - n
	})
}

// read gives a whole file of at most limit bytes.
func read(fsys fs.FS, name string, limit int64) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err // a PathError says what and which
	}
	defer f.Close() // read only: nothing can be lost
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot read %s: %w", name, err)
	case info.Size() > limit:
		return nil, &TooLargeError{name, info.Size(), limit}
	}
	data, err := io.ReadAll(io.LimitReader(f, limit+1)) // it may grow meanwhile
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot read %s: %w", name, err)
	case int64(len(data)) > limit:
		return nil, &TooLargeError{name, int64(len(data)), limit}
	}
	return data, nil
}

// A TooLargeError says that a file was not read because of its size.
type TooLargeError struct {
	File        string
	Size, Limit int64 // bytes
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("%s has %d bytes, larger than the %d that any model here needs; export the network without its training state, or take a smaller one", e.File, e.Size, e.Limit)
}

// Permanent tells whoever retries not to.
func (e *TooLargeError) Permanent() bool { return true }
