package classify

import (
	"math"
	"slices"

	"inspector"
)

// grid finds boxes in cells: objectness, one number per label, and the
// distances to the four sides of the box.
func (d *decoder) grid(f *finder, out []float32, v view) error {
	stride := float32(d.how.Stride)
	cols, n := d.input.Width/d.how.Stride, d.size/(1+len(d.labels)+4)
	scores, boxes := out[n:(1+len(d.labels))*n], out[(1+len(d.labels))*n:]
	lowest := f.limits.lowest()
	if !d.probable(scores) {
		lowest = -1 // look at every cell, and say what is wrong
	}
	for i := range n {
		object, err := d.score("an object", out[i])
		if err != nil {
			return err
		}
		if object < lowest && object <= f.best.Score {
			continue // its score is no more than that: it would change nothing
		}
		class, likeliest := likeliest(scores, i, n, len(d.labels))
		score, err := d.score(d.labels[class], likeliest)
		if err != nil {
			return err
		}
		if score *= object; !f.wants(d.labels[class], score) {
			continue
		}
		reach := func(k int) float32 { return max(boxes[k*n+i]*stride+d.how.Grow, 0.05*stride) } // never inside out
		x, y := (float32(i%cols)+.5)*stride, (float32(i/cols)+.5)*stride
		f.add(inspector.Defect{Class: d.labels[class], Score: score, Box: v.box(x-reach(0), y-reach(1), x+reach(2), y+reach(3))})
	}
	return nil
}

// probable tells whether score takes all of these numbers. It may say no where
// score would round.
func (d *decoder) probable(scores []float32) bool {
	if d.how.Activation == "sigmoid" || len(d.how.Range) == 2 {
		return true
	}
	most := math.Float32bits(1 + margin)
	for _, v := range scores {
		if math.Float32bits(v) > most { // below zero, too: the sign is the first bit
			return false
		}
	}
	return true
}

// anchors finds boxes in a YOLO output: centre, width and height in pixels of
// the model's picture, and one number per label.
func (d *decoder) anchors(f *finder, out []float32, v view) error {
	n := d.size / (4 + len(d.labels))
	for i := range n {
		class, likeliest := likeliest(out[4*n:], i, n, len(d.labels))
		score, err := d.score(d.labels[class], likeliest)
		if err != nil {
			return err
		}
		if !f.wants(d.labels[class], score) {
			continue
		}
		x, y := out[i], out[n+i]
		w, h := max(out[2*n+i]/2+d.how.Grow, .4), max(out[3*n+i]/2+d.how.Grow, .4) // never inside out
		f.add(inspector.Defect{Class: d.labels[class], Score: score, Box: v.box(x-w, y-h, x+w, y+h)})
	}
	return nil
}

// likeliest is the class with the highest number at place i of n.
func likeliest(scores []float32, i, n, classes int) (class int, v float32) {
	v = scores[i]
	for k := 1; k < classes; k++ {
		if s := scores[k*n+i]; s > v {
			class, v = k, s
		}
	}
	return class, v
}

// suppress is greedy non-maximum suppression: of boxes that overlap by more
// than limit (intersection over union), the first stays. With perClass only
// boxes of one class are rivals.
func suppress(sorted []inspector.Defect, limit float32, perClass bool) []inspector.Defect {
	kept := sorted[:0]
	for _, d := range sorted {
		if len(kept) == maxDefects {
			break
		}
		if !slices.ContainsFunc(kept, func(k inspector.Defect) bool {
			return (!perClass || k.Class == d.Class) && overlap(k.Box, d.Box) > limit
		}) {
			kept = append(kept, d)
		}
	}
	return kept
}

func overlap(a, b inspector.Box) float32 {
	both := shared(a, b)
	if both <= 0 {
		return 0
	}
	return both / (extent(a) + extent(b) - both)
}

// shared is the number of pixels that two boxes have in common.
func shared(a, b inspector.Box) float32 {
	w := min(a.Right, b.Right) - max(a.Left, b.Left)
	h := min(a.Bottom, b.Bottom) - max(a.Top, b.Top)
	if w <= 0 || h <= 0 {
		return 0
	}
	return w * h
}

// extent is the number of pixels in a box.
func extent(b inspector.Box) float32 { return (b.Right - b.Left) * (b.Bottom - b.Top) }
