package model

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

// The variants of a network.
const (
	FP32 = "fp32" // the package's file
	INT8 = "int8" // a quantised one beside it
)

// A Variant is the same network in other numbers, with the same inputs and
// outputs.
type Variant struct {
	File   string `yaml:"file"`
	SHA256 string `yaml:"sha256"`
	// Tolerance is how far its numbers may be from what the package's vectors
	// say; 0 is ToleranceINT8.
	Tolerance float32 `yaml:"tolerance"`
}

// A Sample is a golden still, whose verdict is known. Paths are of the package.
type Sample struct {
	Still   string `yaml:"still"`
	Golden  string `yaml:"golden"`  // the known-good board, for a model that compares with one
	Copper  string `yaml:"copper"`  // dark (default) or bright
	Verdict string `yaml:"verdict"` // pass or fail
}

// How far a runtime may be from what a package expects: the greatest absolute
// difference of a number of the output (of one above 1, the part of it), of the
// mean of a channel, or of a score.
const (
	ToleranceFP32 = 1e-4
	ToleranceINT8 = 0.05 // of int8 from what fp32 said
	ToleranceOwn  = 0.02 // of int8 from what int8 said: two of its steps
)

// ToleranceFor is how far the package's variant may be from a vector of another
// or of its own; not ok if it need not reproduce it.
func (p *Package) ToleranceFor(vector string) (t float32, ok bool) {
	switch {
	case vector == FP32, vector == "":
		return p.Tolerance(), true
	case vector == p.Variant:
		return min(ToleranceOwn, p.Tolerance()), true
	}
	return 0, false
}

// Tolerance of the package's variant, from what fp32 said.
func (p *Package) Tolerance() float32 {
	if p.Variant == FP32 && p.Manifest.Tolerance > 0 {
		return p.Manifest.Tolerance
	}
	if p.Variant == FP32 {
		return ToleranceFP32
	}
	if t := p.Variants[p.Variant].Tolerance; t > 0 {
		return t
	}
	return ToleranceINT8
}

// A VariantError says that a package has no such variant.
type VariantError struct{ Model, Variant string }

func (e *VariantError) Error() string {
	return fmt.Sprintf("model: %s has no variant %q; choose model.variant: fp32, or add it to variants of model.yaml", e.Model, e.Variant)
}

// Permanent tells whoever retries not to.
func (e *VariantError) Permanent() bool { return true }

// A HashError says that a file is not the one that the manifest means.
type HashError struct {
	File       string
	Have, Want string // sha256; Want is empty if the manifest does not name the file
}

func (e *HashError) Error() string {
	if e.Want == "" {
		return fmt.Sprintf("%s is used but not listed: add it with its sha256 to files of model.yaml", e.File)
	}
	return fmt.Sprintf("%s has sha256 %s but model.yaml says %s: the file was changed or damaged; copy it again, or correct the manifest if you changed it", e.File, e.Have, e.Want)
}

// Permanent tells whoever retries not to.
func (e *HashError) Permanent() bool { return true }

// in gives the package with another of its networks, read from fsys, where its
// folder is dir. The error is a *VariantError if there is none.
func (p *Package) in(variant string, fsys fs.FS, dir string) (*Package, error) {
	if variant == p.Variant {
		return p, nil
	}
	v, ok := p.Variants[variant]
	if !ok {
		return nil, &VariantError{p.ID(), variant}
	}
	file := path.Join(dir, v.File)
	onnx, err := read(fsys, file, maxONNX)
	if err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	if err := same(file, onnx, v.SHA256); err != nil {
		return nil, fmt.Errorf("model: %w", err)
	}
	other := *p
	other.ONNX, other.Variant, other.File, other.SHA256 = onnx, variant, v.File, v.SHA256
	if other.Graph, err = readWhole(onnx); err != nil {
		return nil, fmt.Errorf("model: %s: %w", file, err)
	}
	if err := other.fits(); err != nil {
		return nil, fmt.Errorf("model: %s: %w", file, err)
	}
	return &other, nil
}

// same reports whether data has the hash.
func same(file string, data []byte, want string) error {
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != want {
		return &HashError{file, hex.EncodeToString(sum[:]), want}
	}
	return nil
}

// listed gives a file of the package that has the hash that the manifest says.
// A manifest without files vouches for none of them.
func (m Manifest) listed(fsys fs.FS, dir, name string, limit int64) ([]byte, error) {
	data, err := read(fsys, path.Join(dir, name), limit)
	if err != nil || len(m.Files) == 0 {
		return data, err
	}
	want, ok := m.Files[name]
	if !ok {
		return nil, &HashError{File: path.Join(dir, name)}
	}
	return data, same(path.Join(dir, name), data, want)
}

// checkFiles reads every file that the manifest lists and compares its hash.
func (m Manifest) checkFiles(fsys fs.FS, dir string) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(m.Files)) {
		_, err := m.listed(fsys, dir, name, maxONNX)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// checkProof tells want about variants, files and goldens.
func (m Manifest) checkProof(want func(ok bool, path, format string, args ...any)) {
	want(0 <= m.Tolerance && m.Tolerance <= 0.01, "tolerance", "%v; want at most 0.01; 0 is %v", m.Tolerance, ToleranceFP32)
	for _, name := range slices.Sorted(maps.Keys(m.Variants)) {
		v, at := m.Variants[name], "variants."+name
		want(name == INT8, at, "unknown; the variant that is known is %s", INT8)
		want(plainFile(v.File) && v.File != m.File, at+".file", "%q; want the name of another file in the same folder", v.File)
		want(validHash.MatchString(v.SHA256), at+".sha256", "%q; want 64 hexadecimal digits, as sha256sum prints them", v.SHA256)
		want(0 <= v.Tolerance && v.Tolerance <= 0.25, at+".tolerance", "%v; want at most 0.25; 0 is %v", v.Tolerance, ToleranceINT8)
	}
	for _, name := range slices.Sorted(maps.Keys(m.Files)) {
		want(inside(name), "files", "%q; want the path of a file inside the package", name)
		want(validHash.MatchString(m.Files[name]), "files."+name, "%q; want 64 hexadecimal digits, as sha256sum prints them", m.Files[name])
	}
	for i, g := range m.Goldens {
		at := fmt.Sprintf("goldens.%d", i)
		want(inside(g.Still), at+".still", "%q; want the path of a picture inside the package", g.Still)
		want(g.Golden == "" || inside(g.Golden), at+".golden", "%q; want the path of a picture inside the package", g.Golden)
		want(slices.Contains([]string{"", "dark", "bright"}, g.Copper), at+".copper", "%q; want dark or bright", g.Copper)
		want(g.Verdict == "pass" || g.Verdict == "fail", at+".verdict", "%q; want pass or fail", g.Verdict)
	}
}

// inside reports whether the path is one of a file below the package's folder.
func inside(name string) bool {
	return fs.ValidPath(name) && name != "." && !strings.ContainsRune(name, '\\')
}

func plainFile(name string) bool { return inside(name) && !strings.ContainsRune(name, '/') }
