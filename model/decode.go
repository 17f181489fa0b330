package model

import (
	"fmt"
	"math"
	"slices"
)

// How a detection model writes its boxes.
const (
	// Cells gives, for every cell of Decode.Stride pixels, the objectness, one
	// number per label, and the distances from the cell's centre to the left,
	// top, right and bottom of the box in units of Stride, as
	// [1, 1 + labels + 4, height/stride, width/stride].
	Cells = "cells"
	// YOLO gives, for every anchor, the centre, width and height of the box in
	// pixels of the input, and one number per label and no objectness, as
	// [1, 4 + labels, anchors]: YOLOv8 and YOLO11. There is an anchor for every
	// cell of each of Decode.Strides.
	YOLO = "yolo"
)

// Decode is how numbers become scores and boxes.
type Decode struct {
	// Activation is what is still to be done to the scores: none, sigmoid, or
	// softmax (over the labels; classification and segmentation).
	Activation string    `yaml:"activation"`
	Form       string    `yaml:"form"`      // detection: cells (default) or yolo
	Stride     int       `yaml:"stride"`    // cells: pixels of a cell; segmentation and anomaly: pixels of one number of the map, default 1
	Strides    []int     `yaml:"strides"`   // yolo: pixels of a cell of each scale, default 8, 16, 32
	NMS        float32   `yaml:"nms"`       // detection: boxes that overlap more (IoU) are one
	PerClass   bool      `yaml:"per_class"` // detection: boxes of different labels are never one
	Grow       float32   `yaml:"grow"`      // detection: pixels added on each side, of the model's picture
	Range      []float32 `yaml:"range"`     // anomaly: the numbers that become score 0 and score 1; default as they are
	MinArea    int       `yaml:"min_area"`  // segmentation and anomaly: smaller regions are none, in pixels of the model's picture
}

// Cell is the number of pixels that one number of a map, or one cell, spans.
func (d Decode) Cell() int { return max(d.Stride, 1) }

// Scales are the strides of a YOLO output.
func (d Decode) Scales() []int {
	if len(d.Strides) == 0 {
		return []int{8, 16, 32}
	}
	return d.Strides
}

// anchors of a YOLO output for a picture of w x h.
func (d Decode) anchors(w, h int) (n int64) {
	for _, s := range d.Scales() {
		n += int64(w/s) * int64(h/s)
	}
	return n
}

// OutputShapes are those of the outputs that the manifest names, in its order
// and with a batch of one. Where a task allows several shapes, it is the one
// with as many sizes as the graph's.
func (p *Package) OutputShapes() [][]int64 {
	shapes := make([][]int64, len(p.Outputs))
	for i, out := range p.Outputs {
		allowed := p.shapesOf(i)
		shapes[i] = allowed[0]
		at := slices.IndexFunc(p.Graph.Outputs, func(v Value) bool { return v.Name == out.Name })
		for _, s := range allowed {
			if at >= 0 && len(s) == len(p.Graph.Outputs[at].Shape) {
				shapes[i] = s
			}
		}
	}
	return shapes
}

// shapesOf gives the shapes that output i may have.
func (m Manifest) shapesOf(i int) [][]int64 {
	n, in := int64(len(m.Labels)), m.Inputs[0]
	cell := int64(m.Decode.Cell())
	h, w := int64(in.Height)/cell, int64(in.Width)/cell
	switch {
	case m.Task == Detection && m.Decode.Form == YOLO:
		return [][]int64{{1, 4 + n, m.Decode.anchors(in.Width, in.Height)}}
	case m.Task == Detection:
		return [][]int64{{1, 1 + n + 4, h, w}}
	case m.Task == Segmentation:
		return [][]int64{{1, n, h, w}}
	case m.Task == Anomaly && i == 0:
		return [][]int64{{1, 1, h, w}, {1, h, w}}
	case n == 1: // one score for the picture
		return [][]int64{{1, 1}, {1}}
	}
	return [][]int64{{1, n}}
}

// OutputSize is the number of float32 of all outputs, which follow each other.
func (p *Package) OutputSize() (n int) {
	for _, s := range p.OutputShapes() {
		one, _ := elements(s)
		n += one
	}
	return n
}

func (m Manifest) checkDecode(want func(ok bool, path, format string, args ...any)) {
	d := m.Decode
	activations := []string{"none", "sigmoid", "softmax"}
	if m.Task == Detection || m.Task == Anomaly {
		activations = activations[:2]
	}
	want(slices.Contains(activations, d.Activation), "decode.activation", "%q; want one of %q", d.Activation, activations)
	detects, maps := m.Task == Detection, m.Task == Segmentation || m.Task == Anomaly
	for key, given := range map[string]struct{ set, allowed bool }{
		"form":      {d.Form != "", detects},
		"strides":   {len(d.Strides) > 0, detects && d.Form == YOLO},
		"stride":    {d.Stride != 0, maps || detects && d.Form != YOLO},
		"nms":       {d.NMS != 0, detects},
		"per_class": {d.PerClass, detects},
		"grow":      {d.Grow != 0, detects},
		"range":     {len(d.Range) > 0, m.Task == Anomaly},
		"min_area":  {d.MinArea != 0, maps},
	} {
		want(given.allowed || !given.set, "decode."+key, "is not for this kind of %s; remove it", m.Task)
	}
	if detects {
		m.checkBoxes(want)
	}
	if maps {
		m.checkMaps(want)
	}
	if n, ok := int64(0), true; len(m.Inputs) == 1 && len(m.Labels) > 0 && d.Stride >= 0 && !slices.ContainsFunc(d.Strides, func(s int) bool { return s < 1 }) {
		for i := range m.Outputs {
			size, fits := elements(m.shapesOf(i)[0])
			n, ok = n+int64(size), ok && fits
		}
		want(ok && n <= maxElements, "labels", "%d of them give more numbers than any model's output", len(m.Labels))
	}
}

func (m Manifest) checkBoxes(want func(ok bool, path, format string, args ...any)) {
	d := m.Decode
	want(slices.Contains([]string{"", Cells, YOLO}, d.Form), "decode.form", "%q; want cells or yolo", d.Form)
	want(0 < d.NMS && d.NMS <= 1, "decode.nms", "%v; want an overlap above 0 and at most 1, such as 0.3", d.NMS)
	want(-64 <= d.Grow && d.Grow <= 64, "decode.grow", "%v; want -64 to 64 pixels", d.Grow)
	if d.Form != YOLO {
		want(d.Stride > 0, "decode.stride", "%d; want the pixels of a cell, such as 8", d.Stride)
		m.divides("decode.stride", d.Stride, want)
		return
	}
	want(len(d.Strides) <= 8, "decode.strides", "%d of them; want at most 8", len(d.Strides))
	for i, s := range d.Strides {
		want(s > 0, fmt.Sprintf("decode.strides.%d", i), "%d; want the pixels of a cell, such as 8", s)
	}
	for _, s := range d.Scales() {
		m.divides("decode.strides", s, want)
	}
}

func (m Manifest) checkMaps(want func(ok bool, path, format string, args ...any)) {
	d := m.Decode
	want(d.Stride >= 0, "decode.stride", "%d; want the pixels that one number of the map spans, such as 1", d.Stride)
	m.divides("decode.stride", d.Stride, want)
	want(0 <= d.MinArea && d.MinArea <= 1<<20, "decode.min_area", "%d; want 0 to %d pixels", d.MinArea, 1<<20)
	if len(d.Range) > 0 {
		ok := len(d.Range) == 2 && d.Range[0] < d.Range[1] && !math.IsInf(float64(d.Range[1]-d.Range[0]), 0)
		want(ok, "decode.range", "%v; want two numbers, the lower first", d.Range)
		want(d.Activation == "none", "decode.range", "needs activation: none, not %s", d.Activation)
	}
	if m.Task == Anomaly {
		want(len(m.Labels) <= 1, "labels", "%d of them; an anomaly has one name", len(m.Labels))
	}
	if m.Task == Segmentation && d.Activation == "softmax" {
		want(m.Good != "", "good", "missing; with activation: softmax one label must be the background")
	}
}

// divides wants whole cells in the input.
func (m Manifest) divides(path string, stride int, want func(ok bool, path, format string, args ...any)) {
	if stride > 0 && len(m.Inputs) == 1 {
		i := m.Inputs[0]
		want(i.Width%stride == 0 && i.Height%stride == 0, path, "%d does not divide the input of %d x %d", stride, i.Width, i.Height)
	}
}
