package model

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A Task is what the numbers of a model mean.
type Task string

// The tasks.
const (
	// Classification gives one number per label for the whole picture.
	Classification Task = "classification"
	// Detection gives, for every cell of Decode.Stride pixels, the objectness,
	// one number per label, and the distances from the cell's centre to the
	// left, top, right and bottom of the box in units of Stride, as
	// [1, 1 + labels + 4, height/stride, width/stride].
	Detection Task = "detection"
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
	Outputs    []Output           `yaml:"outputs"` // exactly one
	Decode     Decode             `yaml:"decode"`
	Labels     []string           `yaml:"labels"`
	Good       string             `yaml:"good"` // classification: the label that is no defect; may be empty
	Thresholds Thresholds         `yaml:"thresholds"`
	Metrics    map[string]float64 `yaml:"metrics"`
	Variants   map[string]Variant `yaml:"variants"` // the same network in other numbers: int8
	Files      map[string]string  `yaml:"files"`    // sha256 of every other file of the package, by its path
	Goldens    []Sample           `yaml:"goldens"`  // stills that it must judge right before it may judge
}

// An Input is how a picture becomes numbers: (sample - mean) * scale, where
// Mean and Scale hold one number per colour channel.
type Input struct {
	Name     string    `yaml:"name"`
	Layout   string    `yaml:"layout"` // NCHW or NHWC
	Width    int       `yaml:"width"`
	Height   int       `yaml:"height"`
	Colour   string    `yaml:"colour"`   // grey, rgb or bgr
	Binarise bool      `yaml:"binarise"` // grey only: copper 0, laminate 255
	Golden   bool      `yaml:"golden"`   // the golden board's channels follow the picture's
	Mean     []float32 `yaml:"mean"`
	Scale    []float32 `yaml:"scale"`
}

// Colours is the number of channels of one picture.
func (i Input) Colours() int {
	if i.Colour == "grey" {
		return 1
	}
	return 3
}

// Channels is the number of channels that the model sees.
func (i Input) Channels() int {
	if i.Golden {
		return 2 * i.Colours()
	}
	return i.Colours()
}

// Shape is that of the model's input, a batch of one.
func (i Input) Shape() []int64 {
	c, h, w := int64(i.Channels()), int64(i.Height), int64(i.Width)
	if i.Layout == "NHWC" {
		return []int64{1, h, w, c}
	}
	return []int64{1, c, h, w}
}

// An Output names an output of the graph.
type Output struct {
	Name string `yaml:"name"`
}

// Decode is how numbers become scores and boxes.
type Decode struct {
	// Activation is what is still to be done to the scores: none, sigmoid, or
	// softmax (classification only).
	Activation string  `yaml:"activation"`
	Stride     int     `yaml:"stride"` // detection: pixels of a cell
	NMS        float32 `yaml:"nms"`    // detection: boxes that overlap more (IoU) are one
	Grow       float32 `yaml:"grow"`   // detection: pixels added on each side, of the model's picture
}

// Thresholds are scores from 0 to 1: a board fails at or above Fail, passes
// below Pass, and is unsure between.
type Thresholds struct {
	Fail float32 `yaml:"fail"`
	Pass float32 `yaml:"pass"`
}

// A FaultsError is every fault of one file, in the order of its lines.
type FaultsError struct {
	File   string
	Faults []Fault
}

// A Fault is one thing that is wrong, at a line counted from 1.
type Fault struct {
	Line int
	Text string
}

func (e *FaultsError) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = fmt.Sprintf("%s:%d: %s", e.File, f.Line, f.Text)
	}
	return strings.Join(lines, "\n")
}

// Permanent tells whoever retries not to: a person must correct the file.
func (e *FaultsError) Permanent() bool { return true }

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
		slices.SortStableFunc(e.Faults, func(a, b Fault) int { return a.Line - b.Line })
		return m, e
	}
	return m, nil
}

func (e *FaultsError) add(line int, text string) {
	e.Faults = append(e.Faults, Fault{line, text})
}

var yamlLine = regexp.MustCompile(`^line (\d+): (?s)(.*)$`)

// lineOf splits what the YAML library says into line and text.
func lineOf(text string) (int, string) {
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		n, _ := strconv.Atoi(m[1])
		return n, m[2]
	}
	return 1, text
}

// lineAt finds the line of a path such as inputs.0.mean, or of the last part
// of it that exists.
func lineAt(n *yaml.Node, path string) int {
	line := n.Line
	for part := range strings.SplitSeq(path, ".") {
		var next *yaml.Node
		switch i, err := strconv.Atoi(part); {
		case n.Kind == yaml.SequenceNode && err == nil && i < len(n.Content):
			next = n.Content[i]
			line = next.Line
		case n.Kind == yaml.MappingNode:
			for k := 0; k+1 < len(n.Content); k += 2 {
				if n.Content[k].Value == part {
					line, next = n.Content[k].Line, n.Content[k+1]
				}
			}
		}
		if next == nil {
			return line
		}
		n = next
	}
	return line
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
	want(m.Task == Classification || m.Task == Detection, "task", "%q; want classification or detection", m.Task)
	want(m.File != "" && !strings.ContainsAny(m.File, `/\`) && m.File != "." && m.File != "..", "file", "%q; want the name of a file in the same folder", m.File)
	want(validHash.MatchString(m.SHA256), "sha256", "%q; want 64 hexadecimal digits, as sha256sum prints them", m.SHA256)
	want(m.Licence != "", "licence", "missing; want an SPDX expression such as Apache-2.0")
	want(len(m.Inputs) == 1, "inputs", "%d of them; want exactly one", len(m.Inputs))
	want(len(m.Outputs) == 1, "outputs", "%d of them; want exactly one", len(m.Outputs))
	for i, in := range m.Inputs {
		in.check(fmt.Sprintf("inputs.%d.", i), want)
	}
	for i, out := range m.Outputs {
		want(out.Name != "", fmt.Sprintf("outputs.%d.name", i), "missing; want the name of an output of the graph")
	}
	m.checkDecode(want)
	m.checkProof(want)
	want(len(m.Labels) > 0, "labels", "missing; want the classes in the order of the output")
	for i, l := range m.Labels {
		want(l != "" && slices.Index(m.Labels, l) == i, fmt.Sprintf("labels.%d", i), "%q is empty or comes twice", l)
	}
	want(m.Good == "" || slices.Contains(m.Labels, m.Good), "good", "%q is not one of the labels %q", m.Good, m.Labels)
	want(m.Good == "" || m.Task != Detection, "good", "is for classification; a detection without defects is good")
	want(m.Good == "" || len(m.Labels) != 1, "good", "is the only label; nothing could be bad")
	t := m.Thresholds
	want(0 < t.Pass && t.Pass <= t.Fail && t.Fail < 1, "thresholds", "fail %v and pass %v; want 0 < pass <= fail < 1", t.Fail, t.Pass)
}

func (i Input) check(at string, want func(ok bool, path, format string, args ...any)) {
	const largest = 8192
	want(i.Name != "", at+"name", "missing; want the name of an input of the graph")
	want(i.Layout == "NCHW" || i.Layout == "NHWC", at+"layout", "%q; want NCHW or NHWC", i.Layout)
	want(0 < i.Width && i.Width <= largest, at+"width", "%d; want 1 to %d pixels", i.Width, largest)
	want(0 < i.Height && i.Height <= largest, at+"height", "%d; want 1 to %d pixels", i.Height, largest)
	want(slices.Contains([]string{"grey", "rgb", "bgr"}, i.Colour), at+"colour", "%q; want grey, rgb or bgr", i.Colour)
	want(!i.Binarise || i.Colour == "grey", at+"binarise", "needs colour: grey, not %s", i.Colour)
	for k, list := range map[string][]float32{"mean": i.Mean, "scale": i.Scale} {
		want(len(list) == i.Colours(), at+k, "%d numbers; want one per colour channel, which is %d", len(list), i.Colours())
		bad := func(v float32) bool {
			return math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) || k == "scale" && v == 0
		}
		want(!slices.ContainsFunc(list, bad), at+k, "%v; want finite numbers, and no scale of 0", list)
	}
}

func (m Manifest) checkDecode(want func(ok bool, path, format string, args ...any)) {
	d := m.Decode
	activations := []string{"none", "sigmoid", "softmax"}
	if m.Task == Detection {
		activations = activations[:2]
	}
	want(slices.Contains(activations, d.Activation), "decode.activation", "%q; want one of %q", d.Activation, activations)
	if m.Task != Detection {
		want(d.Stride == 0 && d.NMS == 0 && d.Grow == 0, "decode", "stride, nms and grow are for detection; remove them")
		return
	}
	want(d.Stride > 0, "decode.stride", "%d; want the pixels of a cell, such as 8", d.Stride)
	want(0 < d.NMS && d.NMS <= 1, "decode.nms", "%v; want an overlap above 0 and at most 1, such as 0.3", d.NMS)
	want(-64 <= d.Grow && d.Grow <= 64, "decode.grow", "%v; want -64 to 64 pixels", d.Grow)
	if d.Stride > 0 && len(m.Inputs) == 1 {
		i := m.Inputs[0]
		want(i.Width%d.Stride == 0 && i.Height%d.Stride == 0, "decode.stride", "%d does not divide the input of %d x %d", d.Stride, i.Width, i.Height)
	}
}
