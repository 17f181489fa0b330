// Package evaluate measures how well boards are judged: it reads data sets of
// boards whose defects are known, and compares what was found with what is
// there. It decodes no picture and runs no model: others do, and give it boards.
package evaluate

import (
	"fmt"

	"inspector"
)

// A Sample is one board of a data set. Paths are those of files.
type Sample struct {
	Name    string // unique in the data set: the picture's path below it, without its extension
	Picture string
	Golden  string // picture of the golden board; empty: the data set has none
	Label   string // of the whole board, if the data set says that and no boxes

	defects   []inspector.Defect
	fractions bool // boxes are in widths and heights of the picture
}

// Truth gives the defects with boxes in pixels of the picture, which is w x h,
// and score 1; none for a good board. A label that is not the good one is a
// defect of the whole board. A box that is outside the picture is a *DataError.
func (s Sample) Truth(w, h int) ([]inspector.Defect, error) {
	sx, sy := float32(1), float32(1)
	if s.fractions {
		sx, sy = float32(w), float32(h)
	}
	out := make([]inspector.Defect, 0, len(s.defects))
	for _, d := range s.defects {
		b := inspector.Box{
			Left: max(d.Box.Left*sx, 0), Top: max(d.Box.Top*sy, 0),
			Right: min(d.Box.Right*sx, float32(w)), Bottom: min(d.Box.Bottom*sy, float32(h)),
		}
		if empty(b) {
			return nil, &DataError{s.Picture, 0, fmt.Sprintf("the box of %s from (%g,%g) to (%g,%g) is outside the picture of %d x %d: correct the annotation, or give the picture that it was made for",
				d.Class, d.Box.Left*sx, d.Box.Top*sy, d.Box.Right*sx, d.Box.Bottom*sy, w, h)}
		}
		out = append(out, inspector.Defect{Class: d.Class, Score: 1, Box: b})
	}
	return out, nil
}

// empty reports whether a box has no inside.
func empty(b inspector.Box) bool { return !(b.Left < b.Right && b.Top < b.Bottom) }

// Good reports whether the board has no defect.
func (s Sample) Good() bool { return len(s.defects) == 0 }

// AsGood is the sample's golden board as a board to judge, which should pass.
// Without a golden board there is none.
func (s Sample) AsGood() (Sample, bool) {
	return Sample{Name: "golden of " + s.Name, Picture: s.Golden, Golden: s.Golden}, s.Golden != ""
}

// A Dataset is what a folder holds, in order of the samples' names.
type Dataset struct {
	Format  Format
	Classes []string // of defects, in the data set's order; the good label is none
	Labels  bool     // samples have labels and no boxes
	Samples []Sample
}

// Spread gives n samples that lie evenly over the data set, the first among
// them; all of them if n is 0 or there are no more.
func (d Dataset) Spread(n int) []Sample {
	if n <= 0 || n >= len(d.Samples) {
		return d.Samples
	}
	out := make([]Sample, n)
	for i := range out {
		out[i] = d.Samples[i*len(d.Samples)/n]
	}
	return out
}

// A DataError is a fault of a data set: where it is, counted from line 1 (0: no
// line), what it is, and what to do about it.
type DataError struct {
	File string
	Line int
	Text string
}

func (e *DataError) Error() string {
	if e.Line == 0 {
		return e.File + ": " + e.Text
	}
	return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Text)
}

// Permanent tells whoever retries not to: a person must correct the data set.
func (e *DataError) Permanent() bool { return true }
