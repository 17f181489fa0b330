package evaluate

import (
	"cmp"
	"image"
	"slices"

	"inspector"
)

// The kinds of mistakes, in the order of what they cost.
const (
	Missed    = "missed"      // a defect where nothing was called
	FalseCall = "false call"  // a call where no defect is
	Confused  = "wrong class" // a defect that was called something else
)

// A Mistake is one thing that was judged wrongly.
type Mistake struct {
	Kind   string
	Board  int              // its place among the boards
	Defect inspector.Defect // what was missed, or what was called
	As     string           // of a wrong class: what it is
	Whole  bool             // the whole board was judged wrongly: bad and passed, or good and called
}

// Worst gives at most limit mistakes of each kind, the worst first: boards that
// were wrong as a whole, then missed defects by size and calls by score. Calls
// are those that did not pass.
func Worst(boards []Board, limit int) (out []Mistake) {
	byKind := map[string][]Mistake{}
	for i, b := range boards {
		for _, m := range mistakes(b) {
			m.Board = i
			byKind[m.Kind] = append(byKind[m.Kind], m)
		}
	}
	for _, kind := range []string{Missed, FalseCall, Confused} {
		ms := byKind[kind]
		slices.SortStableFunc(ms, func(a, b Mistake) int {
			switch {
			case a.Whole != b.Whole && a.Whole:
				return -1
			case a.Whole != b.Whole:
				return 1
			case kind == Missed:
				return cmp.Compare(area(b.Defect.Box), area(a.Defect.Box))
			}
			return cmp.Compare(b.Defect.Score, a.Defect.Score)
		})
		out = append(out, ms[:min(limit, len(ms))]...)
	}
	return out
}

func mistakes(b Board) (out []Mistake) {
	calls := byScore(b.Called)
	near := func(d inspector.Defect, others []inspector.Defect) bool {
		return slices.ContainsFunc(others, func(o inspector.Defect) bool { return overlap(d.Box, o.Box) > nearby })
	}
	for _, t := range b.Truth {
		if !near(t, calls) {
			out = append(out, Mistake{Kind: Missed, Defect: t, Whole: b.Verdict == inspector.Pass})
		}
	}
	matched := match(calls, b.Truth, loose, false)
	for i, c := range calls {
		switch k := matched[i]; {
		case k >= 0 && b.Truth[k].Class != c.Class:
			out = append(out, Mistake{Kind: Confused, Defect: c, As: b.Truth[k].Class})
		case k < 0 && !near(c, b.Truth):
			out = append(out, Mistake{Kind: FalseCall, Defect: c, Whole: b.Good()})
		}
	}
	return out
}

// Around is the part of a picture of w x h that shows a box with its
// surroundings: a square where the picture allows it.
func Around(b inspector.Box, w, h int) image.Rectangle {
	const least, margin = 128, 32 // pixels
	side := max(int(b.Right-b.Left)+2*margin, int(b.Bottom-b.Top)+2*margin, least)
	span := func(middle float32, all int) (from, to int) {
		from = max(min(int(middle)-side/2, all-side), 0)
		return from, min(from+side, all)
	}
	var r image.Rectangle
	r.Min.X, r.Max.X = span((b.Left+b.Right)/2, w)
	r.Min.Y, r.Max.Y = span((b.Top+b.Bottom)/2, h)
	return r
}
