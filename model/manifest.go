package model

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A Task is what the numbers of a model mean.
type Task string

// The tasks.
const (
	// Classification gives one number per label for the whole picture: [1, labels].
	// Several labels may be true at once if Decode.Activation is sigmoid.
	Classification Task = "classification"
	// Detection gives boxes, in one of the forms of Decode.Form.
	Detection Task = "detection"
	// Segmentation gives one number per label and pixel, or cell of
	// Decode.Stride pixels, as [1, labels, height/stride, width/stride].
	Segmentation Task = "segmentation"
	// Anomaly gives how odd each pixel, or cell of Decode.Stride pixels, is, as
	// [1, 1, height/stride, width/stride] or without the second 1. A second
	// output, if it is named, is how odd the whole picture is: [1] or [1, 1].
	Anomaly Task = "anomaly"
)

// A Manifest is model.yaml: what a model needs and what its numbers mean.
type Manifest struct {
	Name       string             `yaml:"name"`
	Version    string             `yaml:"version"` // MAJOR.MINOR.PATCH
	Task       Task               `yaml:"task"`
	File       string             `yaml:"file"`    // in the same folder
	SHA256     string             `yaml:"sha256"`  // of File, in hexadecimal
	Licence    string             `yaml:"licence"` // SPDX expression
	Inputs     []Input            `yaml:"inputs"`  // exactly one
	Outputs    []Output           `yaml:"outputs"` // exactly one; anomaly: the map, and the score if there is one
	Decode     Decode             `yaml:"decode"`
	Labels     []string           `yaml:"labels"`
	Good       string             `yaml:"good"` // classification and segmentation: the label that is no defect; may be empty
	Thresholds Thresholds         `yaml:"thresholds"`
	Metrics    map[string]float64 `yaml:"metrics"`
	Variants   map[string]Variant `yaml:"variants"`  // the same network in other numbers: int8
	Tolerance  float32            `yaml:"tolerance"` // of its vectors; 0 is ToleranceFP32
	Files      map[string]string  `yaml:"files"`     // sha256 of every other file of the package, by its path
	Goldens    []Sample           `yaml:"goldens"`   // stills that it must judge right before it may judge
}

// An Output names an output of the graph.
type Output struct {
	Name string `yaml:"name"`
}

// Thresholds are scores from 0 to 1: a board fails at or above Fail, passes
// below Pass, and is unsure between.
type Thresholds struct {
	Fail float32 `yaml:"fail"`
	Pass float32 `yaml:"pass"`
}

// ParseManifest reads model.yaml. Unknown keys are faults. Every fault is
// reported at once, in a *FaultsError that calls the file by the given name.
func ParseManifest(name string, data []byte) (Manifest, error) {
	var m Manifest
	var root yaml.Node
	e := &FaultsError{File: name}
	d := yaml.NewDecoder(bytes.NewReader(data))
	d.KnownFields(true)
	var types *yaml.TypeError
	switch err := d.Decode(&m); {
	case errors.As(err, &types):
		for _, text := range types.Errors {
			e.add(lineOf(text))
			e.Faults[len(e.Faults)-1].Text = inWords(e.Faults[len(e.Faults)-1].Text)
		}
	case errors.Is(err, io.EOF):
		e.add(1, "the file is empty; see models/README for what it must say")
		return m, e
	case err != nil:
		e.add(lineOf(strings.TrimPrefix(err.Error(), "yaml: ")))
		return m, e
	}
	if err := d.Decode(new(any)); !errors.Is(err, io.EOF) {
		e.add(1, "more than one document; keep only the first")
	}
	if err := yaml.Unmarshal(data, &root); err != nil || len(root.Content) == 0 {
		return m, fmt.Errorf("%s: cannot be read: %w", name, err)
	}
	typed := len(e.Faults) // a key of the wrong type needs no second fault
	m.check(func(ok bool, path, format string, args ...any) {
		line := lineAt(root.Content[0], path)
		if !ok && !slices.ContainsFunc(e.Faults[:typed], func(f Fault) bool { return f.Line == line }) {
			e.add(line, path+": "+fmt.Sprintf(format, args...))
		}
	})
	if len(e.Faults) > 0 {
		slices.SortStableFunc(e.Faults, func(a, b Fault) int { // an unknown key may be why another is missing
			return cmp.Or(b.unknown()-a.unknown(), a.Line-b.Line)
		})
		return m, e
	}
	return m, nil
}

var (
	validName    = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)
	validVersion = regexp.MustCompile(`^(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})$`)
	validHash    = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// check tells want about every rule. It takes a value: it cannot repair.
func (m Manifest) check(want func(ok bool, path, format string, args ...any)) {
	want(validName.MatchString(m.Name), "name", "%q; want lower-case letters, digits, '-' and '_'", m.Name)
	want(validVersion.MatchString(m.Version), "version", "%q; want MAJOR.MINOR.PATCH such as 1.0.0", m.Version)
	tasks := []Task{Classification, Detection, Segmentation, Anomaly}
	want(slices.Contains(tasks, m.Task), "task", "%q; want one of %q", m.Task, tasks)
	want(m.File != "" && !strings.ContainsAny(m.File, `/\`) && m.File != "." && m.File != "..", "file", "%q; want the name of a file in the same folder", m.File)
	want(validHash.MatchString(m.SHA256), "sha256", "%q; want 64 hexadecimal digits, as sha256sum prints them", m.SHA256)
	want(m.Licence != "", "licence", "missing; want an SPDX expression such as Apache-2.0")
	want(len(m.Inputs) == 1, "inputs", "%d of them; want exactly one", len(m.Inputs))
	if m.Task == Anomaly {
		want(len(m.Outputs) == 1 || len(m.Outputs) == 2, "outputs", "%d of them; want the map, or the map and the score", len(m.Outputs))
	} else {
		want(len(m.Outputs) == 1, "outputs", "%d of them; want exactly one", len(m.Outputs))
	}
	for i, in := range m.Inputs {
		in.check(fmt.Sprintf("inputs.%d.", i), want)
	}
	for i, out := range m.Outputs {
		at := fmt.Sprintf("outputs.%d.name", i)
		want(out.Name != "", at, "missing; want the name of an output of the graph")
		want(slices.Index(m.Outputs, out) == i, at, "%q comes twice", out.Name)
	}
	m.checkDecode(want)
	m.checkProof(want)
	want(len(m.Labels) > 0, "labels", "missing; want the classes in the order of the output")
	for i, l := range m.Labels {
		want(l != "" && slices.Index(m.Labels, l) == i, fmt.Sprintf("labels.%d", i), "%q is empty or comes twice", l)
	}
	want(m.Good == "" || slices.Contains(m.Labels, m.Good), "good", "%q is not one of the labels %q", m.Good, m.Labels)
	want(m.Good == "" || m.Task != Detection && m.Task != Anomaly, "good", "is for classification and segmentation; a %s without defects is good", m.Task)
	want(m.Good == "" || len(m.Labels) != 1, "good", "is the only label; nothing could be bad")
	t := m.Thresholds
	want(0 < t.Pass && t.Pass <= t.Fail && t.Fail < 1, "thresholds", "fail %v and pass %v; want 0 < pass <= fail < 1", t.Fail, t.Pass)
}
