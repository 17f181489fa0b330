package classify

import (
	"fmt"
	"math"
	"slices"

	"inspector"
	"inspector/model"
)

// maxDefects of one board are kept, the worst.
const maxDefects = 100

// A decoder makes defects of a model's output. It keeps nothing between calls.
type decoder struct {
	labels        []string
	good          string // classification: the label that is no defect
	activation    string
	cells         bool // detection
	rows, cols    int
	stride        float32 // in pixels of the model's picture
	nms, grow     float32
	width, height float32 // of the model's picture
	size          int     // numbers of the output
}

func newDecoder(p *model.Package) decoder {
	d := decoder{labels: p.Labels, good: p.Good, activation: p.Decode.Activation, size: p.OutputSize()}
	if p.Task == model.Detection {
		s := p.OutputShape()
		d.cells, d.rows, d.cols = true, int(s[2]), int(s[3])
		d.stride, d.nms, d.grow = float32(p.Decode.Stride), p.Decode.NMS, p.Decode.Grow
		d.width, d.height = float32(p.Input().Width), float32(p.Input().Height)
	}
	return d
}

// decode gives every defect that does not pass and what looks most like one
// otherwise, worst first, with boxes in pixels of a picture of w x h. A number
// that is not finite, or a score outside 0 to 1, is an error.
func (d decoder) decode(out []float32, w, h int, l limits) ([]inspector.Defect, error) {
	if len(out) != d.size {
		return nil, fmt.Errorf("decode: %d numbers; want %d", len(out), d.size)
	}
	for i, v := range out {
		if v-v != 0 { // NaN or infinite
			return nil, fmt.Errorf("decode: number %d of the model's output is %v", i, v)
		}
	}
	if d.cells {
		return d.detect(out, w, h, l)
	}
	return d.classify(out, w, h, l)
}

func (d decoder) classify(out []float32, w, h int, l limits) ([]inspector.Defect, error) {
	var sum float64
	highest := float64(slices.Max(out))
	for _, v := range out {
		sum += math.Exp(float64(v) - highest)
	}
	whole := inspector.Box{Right: float32(w), Bottom: float32(h)}
	var scored []inspector.Defect
	for i, label := range d.labels {
		v := out[i]
		switch d.activation {
		case "softmax":
			v = float32(math.Exp(float64(v)-highest) / sum)
		case "sigmoid":
			v = sigmoid(v)
		}
		s, ok := probability(v)
		if !ok {
			return nil, d.outside(label, v)
		}
		if label != d.good {
			scored = append(scored, inspector.Defect{Class: label, Score: s, Box: whole})
		}
	}
	slices.SortStableFunc(scored, l.worse)
	keep := 1
	for keep < len(scored) && l.rank(scored[keep]) > passes {
		keep++
	}
	return scored[:keep], nil
}

func (d decoder) detect(out []float32, w, h int, l limits) ([]inspector.Defect, error) {
	n := d.rows * d.cols
	boxes := out[(1+len(d.labels))*n:]
	sx, sy := float32(w)/d.width, float32(h)/d.height
	best, found := inspector.Defect{Score: -1}, []inspector.Defect(nil)
	for i := range n {
		class, score, err := d.score(out, i, n)
		if err != nil {
			return nil, err
		}
		c := inspector.Defect{Class: d.labels[class], Score: score}
		more := l.rank(c) > passes
		if !more && score <= best.Score {
			continue
		}
		c.Box = d.box(boxes, i, n, sx, sy)
		if more {
			found = append(found, c)
		} else {
			best = c
		}
	}
	if len(found) == 0 {
		return []inspector.Defect{best}, nil
	}
	slices.SortStableFunc(found, l.worse)
	return suppress(found, d.nms), nil
}

// score of cell i is its objectness times that of its likeliest class.
func (d decoder) score(out []float32, i, n int) (class int, score float32, err error) {
	object, likeliest := out[i], out[n+i]
	for k := 1; k < len(d.labels); k++ {
		if v := out[(1+k)*n+i]; v > likeliest {
			class, likeliest = k, v
		}
	}
	if d.activation == "sigmoid" {
		object, likeliest = sigmoid(object), sigmoid(likeliest)
	}
	a, okA := probability(object)
	b, okB := probability(likeliest)
	switch {
	case !okA:
		return 0, 0, d.outside("an object", object)
	case !okB:
		return 0, 0, d.outside(d.labels[class], likeliest)
	}
	return class, a * b, nil
}

func (d decoder) outside(what string, v float32) error {
	return fmt.Errorf("decode: the score of %s is %v, not from 0 to 1: correct decode.activation (%s) in model.yaml", what, v, d.activation)
}

// box of cell i: distances from the cell's centre, in units of the stride.
func (d decoder) box(ltrb []float32, i, n int, sx, sy float32) inspector.Box {
	reach := func(k int) float32 { return max(ltrb[k*n+i]*d.stride+d.grow, 0.05*d.stride) } // never inside out
	x, y := (float32(i%d.cols)+.5)*d.stride, (float32(i/d.cols)+.5)*d.stride
	return inspector.Box{
		Left:   max(x-reach(0), 0) * sx,
		Top:    max(y-reach(1), 0) * sy,
		Right:  min(x+reach(2), d.width) * sx,
		Bottom: min(y+reach(3), d.height) * sy,
	}
}

// suppress is greedy non-maximum suppression over all classes: of boxes that
// overlap by more than limit (intersection over union), the first stays.
func suppress(sorted []inspector.Defect, limit float32) []inspector.Defect {
	kept := sorted[:0]
	for _, d := range sorted {
		if len(kept) == maxDefects {
			break
		}
		if !slices.ContainsFunc(kept, func(k inspector.Defect) bool { return overlap(k.Box, d.Box) > limit }) {
			kept = append(kept, d)
		}
	}
	return kept
}

func overlap(a, b inspector.Box) float32 {
	w := min(a.Right, b.Right) - max(a.Left, b.Left)
	h := min(a.Bottom, b.Bottom) - max(a.Top, b.Top)
	if w <= 0 || h <= 0 {
		return 0
	}
	area := func(b inspector.Box) float32 { return (b.Right - b.Left) * (b.Bottom - b.Top) }
	return w * h / (area(a) + area(b) - w*h)
}

func sigmoid(v float32) float32 { return float32(1 / (1 + math.Exp(-float64(v)))) }

// probability is v within 0 to 1, allowing for the rounding of a runtime.
func probability(v float32) (float32, bool) {
	return min(max(v, 0), 1), -1e-3 <= v && v <= 1+1e-3
}
