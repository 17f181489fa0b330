package classify

import (
	"errors"
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
	task   model.Task
	how    model.Decode
	input  model.Input
	labels []string
	good   string // classification and segmentation: the label that is no defect
	cells  bool   // a defect is somewhere on the board, and not the board itself
	sizes  []int  // numbers of each output
	size   int    // of all
}

func newDecoder(p *model.Package) decoder {
	d := decoder{task: p.Task, how: p.Decode, input: p.Input(), labels: p.Labels, good: p.Good, cells: p.Task != model.Classification, size: p.OutputSize()}
	for _, s := range p.OutputShapes() {
		n := 1
		for _, dim := range s {
			n *= int(dim)
		}
		d.sizes = append(d.sizes, n)
	}
	return d
}

// An OutputError says that a model's output cannot be judged.
type OutputError struct{ Reason string }

func (e *OutputError) Error() string { return "decode: " + e.Reason }

// decode gives every defect that does not pass and what looks most like one
// otherwise, worst first, with boxes in pixels of a picture of w x h. out holds
// the outputs for each of the views of such a picture, and is used up. A number
// that is not finite, or a score outside 0 to 1, is an *OutputError.
func (d *decoder) decode(out []float32, w, h int, l limits) ([]inspector.Defect, error) {
	views, err := viewsOf(d.input, d.how, w, h)
	if err != nil {
		return nil, err
	}
	if len(out) != d.size*len(views) {
		return nil, &OutputError{fmt.Sprintf("%d numbers; want %d", len(out), d.size*len(views))}
	}
	if i := broken(out); i >= 0 {
		return nil, &OutputError{fmt.Sprintf("number %d of the model's output is %v; the network or its input is broken: export the model again and check mean and scale in model.yaml", i, out[i])}
	}
	f := &finder{limits: l, best: inspector.Defect{Score: -1}}
	switch d.task {
	case model.Segmentation, model.Anomaly:
		err = d.maps(f, out, views, w, h)
	default:
		for i, v := range views {
			part := out[i*d.size : (i+1)*d.size]
			switch {
			case d.task == model.Classification:
				err = errors.Join(err, d.classify(f, part, v))
			case d.how.Form == model.YOLO:
				err = errors.Join(err, d.anchors(f, part, v))
			default:
				err = errors.Join(err, d.grid(f, part, v))
			}
		}
	}
	if err != nil {
		return nil, err
	}
	return d.settle(f, views), nil
}

// broken is the place of the first number that is NaN or infinite; -1 without.
func broken(out []float32) int {
	const exponent = 0xff << 23
	for i, v := range out {
		if math.Float32bits(v)&exponent == exponent {
			return i
		}
	}
	return -1
}

// settle orders what was found and makes one of what was found twice.
func (d *decoder) settle(f *finder, views []view) []inspector.Defect {
	if len(f.found) == 0 {
		return []inspector.Defect{f.best}
	}
	slices.SortStableFunc(f.found, f.limits.worse)
	if d.task == model.Detection {
		f.found = suppress(f.found, d.how.NMS, d.how.PerClass)
		if len(views) > 1 {
			f.found = d.join(f.found, views)
			slices.SortStableFunc(f.found, f.limits.worse)
		}
	}
	return f.found[:min(len(f.found), maxDefects)]
}

// A finder collects the defects of one board.
type finder struct {
	limits limits
	found  []inspector.Defect // that do not pass
	best   inspector.Defect   // what looked most like one of those that pass
}

// wants tells whether a defect of that class and score would change anything.
func (f *finder) wants(class string, score float32) bool {
	return score > f.best.Score || f.limits.rank(inspector.Defect{Class: class, Score: score}) > passes
}

func (f *finder) add(d inspector.Defect) {
	if f.limits.rank(d) > passes {
		f.found = append(f.found, d)
	} else if d.Score > f.best.Score {
		f.best = d
	}
}

func (d *decoder) classify(f *finder, out []float32, v view) error {
	if d.how.Activation == "softmax" {
		softmax(out, len(out), 1)
	}
	for i, label := range d.labels {
		s, err := d.score(label, out[i])
		if err != nil {
			return err
		}
		if label != d.good {
			f.add(inspector.Defect{Class: label, Score: s, Box: v.whole()})
		}
	}
	return nil
}

// score is the probability that a raw number stands for; softmax is done.
func (d *decoder) score(what string, raw float32) (float32, error) {
	v := raw
	if d.how.Activation == "sigmoid" {
		v = sigmoid(v)
	}
	if r := d.how.Range; len(r) == 2 {
		v = min(max((v-r[0])/(r[1]-r[0]), 0), 1)
	}
	s, ok := probability(v)
	if !ok {
		remedy := fmt.Sprintf("correct decode.activation (%s) in model.yaml", d.how.Activation)
		if d.task == model.Anomaly {
			remedy += ", or give decode.range"
		}
		return 0, &OutputError{fmt.Sprintf("the score of %s is %v, not from 0 to 1: %s", what, v, remedy)}
	}
	return s, nil
}

// softmax turns n numbers that lie step apart into probabilities.
func softmax(v []float32, n, step int) {
	highest := v[0]
	for i := range n {
		highest = max(highest, v[i*step])
	}
	var sum float64
	for i := range n {
		sum += math.Exp(float64(v[i*step] - highest))
	}
	for i := range n {
		v[i*step] = float32(math.Exp(float64(v[i*step]-highest)) / sum)
	}
}

func sigmoid(v float32) float32 { return float32(1 / (1 + math.Exp(-float64(v)))) }

// margin is how far beyond 0 to 1 the rounding of a runtime may take a probability.
const margin = 1e-3

// probability is v within 0 to 1, allowing for the rounding of a runtime.
func probability(v float32) (float32, bool) {
	return min(max(v, 0), 1), -margin <= v && v <= 1+margin
}
