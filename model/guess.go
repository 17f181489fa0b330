package model

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A Draft is a manifest that was guessed from a graph, with what a person has
// to check, by key.
type Draft struct {
	Manifest
	Check map[string]string
}

// A GuessError says why no manifest can be guessed.
type GuessError struct{ Reason string }

func (e *GuessError) Error() string { return "model: cannot guess a manifest: " + e.Reason }

// Permanent tells whoever retries not to.
func (e *GuessError) Permanent() bool { return true }

// Guess drafts a manifest from what a graph says: its shapes, its names, and
// what the exporter noted. labels and good may be empty. The draft is valid but
// for name, version, file, sha256 and licence.
func Guess(g Graph, labels []string, good string) (Draft, error) {
	d := Draft{Check: map[string]string{}}
	if err := d.input(g); err != nil {
		return d, err
	}
	in := &d.Inputs[0]
	shapes, _ := g.Infer(map[string][]int64{in.Name: in.Shape()})
	for _, v := range g.Outputs {
		if shapes[v.Name] == nil && len(v.Shape) > 0 && !slices.Contains(v.Shape[1:], -1) {
			shapes[v.Name] = append([]int64{1}, v.Shape[1:]...) // as the exporter says
		}
	}
	kinds, err := d.outputs(g, shapes)
	if err != nil {
		return d, err
	}
	if err := d.name(g, kinds, labels, good); err != nil {
		return d, err
	}
	d.settings(g)
	return d, nil
}

var numbers = regexp.MustCompile(`\d+`)

// input guesses layout, size and colours.
func (d *Draft) input(g Graph) error {
	if len(g.Inputs) != 1 {
		return &GuessError{fmt.Sprintf("the graph has %d inputs %q; want one picture", len(g.Inputs), names(g.Inputs))}
	}
	v := g.Inputs[0]
	in := Input{Name: v.Name, Layout: "NCHW", Colour: "rgb"}
	channels := []int64{1, 2, 3, 6}
	if len(v.Shape) == 4 && v.Shape[0] > 1 {
		return &GuessError{fmt.Sprintf("input %q takes %d pictures at once; want 1, or any number: export the model with a batch of 1", v.Name, v.Shape[0])}
	}
	if len(v.Shape) != 4 || v.Type != Float32 && v.Type != Uint8 {
		return &GuessError{fmt.Sprintf("input %q is %s of shape %s; want a picture of float32 or uint8 with four sizes", v.Name, v.Type, shape(v.Shape))}
	}
	c, h, w := v.Shape[1], v.Shape[2], v.Shape[3]
	switch {
	case slices.Contains(channels, c):
	case slices.Contains(channels, w):
		in.Layout, c, h, w = "NHWC", w, c, h
	default:
		return &GuessError{fmt.Sprintf("input %q has shape %s, in which nothing looks like 1 or 3 colours (2 or 6 with a golden board)", v.Name, shape(v.Shape))}
	}
	if in.Golden = c == 2 || c == 6; c < 3 {
		in.Colour = "grey"
	} else {
		d.Check["colour"] = "rgb or bgr, as in training"
	}
	if in.Golden {
		d.Check["golden"] = "the second half of the channels is taken for the golden board's"
	}
	if v.Type == Uint8 {
		in.Type = "uint8"
	}
	if h < 1 || w < 1 {
		h, w = 224, 224
		if size := numbers.FindAllString(g.Metadata["imgsz"], 2); len(size) == 2 {
			h, w = number(size[0]), number(size[1])
		}
		d.Check["width"] = "the graph takes any size; give that of training"
	}
	in.Height, in.Width = int(h), int(w)
	d.Inputs = []Input{in}
	return nil
}

func number(s string) int64 {
	n, _ := strconv.ParseInt(s, 10, 32) // digits; too many of them give the largest
	return n
}

// outputs guesses the task from the shapes, and gives the number of labels.
func (d *Draft) outputs(g Graph, shapes map[string][]int64) (kinds int64, err error) {
	d.Decode.Activation = "none"
	at := func(name string) []int64 {
		if slices.ContainsFunc(g.Outputs, func(v Value) bool { return v.Name == name && v.Type == Float32 }) {
			return shapes[name]
		}
		return nil
	}
	if m := at("anomaly_map"); m != nil && d.mapped(m[max(len(m)-2, 0):]) {
		d.Task, d.Outputs = Anomaly, []Output{{"anomaly_map"}}
		if s := at("pred_score"); s != nil {
			d.Outputs = append(d.Outputs, Output{"pred_score"})
		}
		return 1, nil
	}
	var seen []string
	for _, v := range g.Outputs {
		if s := at(v.Name); s != nil {
			d.Outputs = []Output{{v.Name}}
			if kinds, ok := d.task(s, g); ok {
				return kinds, nil
			}
		}
		seen = append(seen, fmt.Sprintf("%s %s %s", v.Name, v.Type, shape(shapes[v.Name])))
	}
	return 0, &GuessError{fmt.Sprintf("no output has a shape that a task gives; they are %q: write model.yaml by hand, as models/README.md says, or export the model without its last operators", seen)}
}

// task guesses what an output of a shape means.
func (d *Draft) task(s []int64, g Graph) (kinds int64, ok bool) {
	in := d.Inputs[0]
	switch {
	case len(s) == 2:
		d.Task = Classification
		return s[1], s[1] >= 1
	case len(s) == 3 && s[1] > 4 && s[2] == d.Decode.anchors(in.Width, in.Height):
		d.Task, d.Decode.Form = Detection, YOLO
		return s[1] - 4, true
	case len(s) == 3 && d.mapped(s[1:]):
		d.Task = Anomaly
		return 1, true
	case len(s) == 4 && s[1] == 1 && d.mapped(s[2:]):
		d.Task = Anomaly
		return 1, true
	case len(s) == 4 && s[1] > 5 && d.mapped(s[2:]) && d.Decode.Stride >= 4:
		d.Task, d.Decode.Form = Detection, Cells
		d.Check["task"] = "detection in cells is guessed; a map of classes would be task: segmentation"
		return s[1] - 5, true
	case len(s) == 4 && d.mapped(s[2:]):
		d.Task = Segmentation
		return s[1], true
	}
	return 0, false
}

// mapped tells whether a map of h x w divides the picture, and notes its stride.
func (d *Draft) mapped(s []int64) bool {
	in := d.Inputs[0]
	if len(s) != 2 || s[0] < 2 || s[1] < 2 || int64(in.Height)%s[0] != 0 || int64(in.Width)%s[1] != 0 || int64(in.Height)/s[0] != int64(in.Width)/s[1] {
		return false
	}
	d.Decode.Stride = in.Height / int(s[0])
	return true
}

var quoted = regexp.MustCompile(`'([^']*)'|"([^"]*)"`)

// name finds the labels, and the one that is no defect.
func (d *Draft) name(g Graph, kinds int64, labels []string, good string) error {
	if kinds > 10_000 {
		return &GuessError{fmt.Sprintf("output %q has %d labels", d.Outputs[0].Name, kinds)}
	}
	if len(labels) == 0 {
		for _, m := range quoted.FindAllStringSubmatch(g.Metadata["names"], -1) {
			labels = append(labels, m[1]+m[2])
		}
		if int64(len(labels)) == kinds {
			d.Check["labels"] = "as the exporter noted them"
		} else {
			labels = nil
		}
	}
	if len(labels) == 0 {
		d.Check["labels"] = "placeholders: give the names, in the order of training"
		for i := range kinds {
			labels = append(labels, fmt.Sprintf("label%d", i))
		}
		if d.Task == Anomaly {
			labels, d.Check["labels"] = []string{"anomaly"}, "any name"
		}
	}
	if int64(len(labels)) != kinds {
		return &GuessError{fmt.Sprintf("%d labels %q; output %q has %d", len(labels), labels, d.Outputs[0].Name, kinds)}
	}
	if good != "" && !slices.Contains(labels, good) {
		return &GuessError{fmt.Sprintf("%q is not one of the labels %q", good, labels)}
	}
	d.Labels, d.Good = labels, good
	return nil
}

// harmless names are those of labels that are no defect.
var harmless = []string{"good", "ok", "normal", "defect_free", "defect-free", "no_defect", "pass", "background"}

// settings guesses what the shapes do not say.
func (d *Draft) settings(g Graph) {
	last := d.maker(g)
	raw := last != "Softmax" && last != "Sigmoid"
	d.Thresholds = Thresholds{Fail: .7, Pass: .3}
	switch d.Task {
	case Detection:
		d.Decode.NMS, d.Thresholds = .45, Thresholds{Fail: .5, Pass: .25}
		if d.Decode.Form == YOLO {
			d.Inputs[0].Fit = Letterbox
			d.Check["fit"] = "letterbox, as YOLO is trained; stretch if yours was"
		}
		d.Check["nms"] = "boxes that overlap more are one defect"
	case Anomaly:
		d.Thresholds = Thresholds{Fail: .6, Pass: .5}
		if raw && d.Outputs[0].Name != "anomaly_map" {
			d.Check["activation"] = "none: scores must lie from 0 to 1; give range: [LOW, HIGH] if they do not"
		}
	default:
		if raw && len(d.Labels) == 1 {
			d.Decode.Activation = "sigmoid"
		} else if raw {
			d.Decode.Activation = "softmax"
			d.Check["activation"] = "softmax: one label is true; sigmoid: several may be"
		}
		d.harmless(last == "Sigmoid")
	}
	if d.Decode.Stride == 1 {
		d.Decode.Stride = 0
	}
	d.scale(g)
	d.Check["thresholds"] = "scores at which a board fails and passes; a recipe may have its own"
}

func (d *Draft) harmless(several bool) {
	if len(d.Labels) == 1 || several || d.Good != "" {
		return
	}
	for _, l := range d.Labels {
		if slices.Contains(harmless, strings.ToLower(strings.ReplaceAll(l, " ", "_"))) {
			d.Good = l
			d.Check["good"] = "the label that is no defect"
			return
		}
	}
	if d.Task == Segmentation {
		d.Good = d.Labels[0]
		d.Check["good"] = "the background; guessed to be the first label"
		return
	}
	d.Check["good"] = "missing, so that every board fails: name the label that is no defect"
}

// maker is the operator that makes the first output.
func (d *Draft) maker(g Graph) string {
	name := d.Outputs[0].Name
	for _, n := range slices.Backward(g.Nodes) {
		if slices.Contains(n.Outputs, name) {
			if n.Op != "Identity" && n.Op != "Reshape" && n.Op != "Flatten" && n.Op != "Cast" || len(n.Inputs) == 0 {
				return n.Op
			}
			name = n.Inputs[0]
		}
	}
	return ""
}

// scale guesses how samples become numbers: not at all for bytes or where the
// graph divides itself, as ImageNet for classifiers in colour, else 0 to 1.
func (d *Draft) scale(g Graph) {
	in := &d.Inputs[0]
	if in.Element() == Uint8 {
		return
	}
	d.Check["mean"] = "value = (sample - mean) * scale, as in training"
	n := in.Colours()
	in.Mean, in.Scale = make([]float32, n), slices.Repeat([]float32{1. / 255}, n)
	first := slices.IndexFunc(g.Nodes, func(n Node) bool { return slices.Contains(n.Inputs, in.Name) })
	switch {
	case first >= 0 && g.Nodes[first].Op == "Div":
		in.Scale = slices.Repeat([]float32{1}, n)
	case d.Task == Classification && n == 3:
		in.Mean, in.Scale = []float32{123.675, 116.28, 103.53}, []float32{1 / 58.395, 1 / 57.12, 1 / 57.375}
		d.Check["mean"] = "ImageNet's: value = (sample - mean) * scale, as in training"
	}
}
