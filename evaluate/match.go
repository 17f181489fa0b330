package evaluate

import (
	"cmp"
	"slices"

	"inspector"
)

// The least overlaps (intersection over union) that count, exclusively.
const (
	loose  = 0.33 // a defect was found where it is, as the authors of DeepPCB count
	tight  = 0.5  // the same with a box that fits, as PASCAL VOC counts
	nearby = 0.1  // something was called there
)

// Floor is the least score of what a Board has in Found: precision and recall
// are those of scores from here on.
const Floor = 0.05

// A Board is one judged sample.
type Board struct {
	Name    string
	Truth   []inspector.Defect // what is there; none on a good board
	Found   []inspector.Defect // all with a score of at least Floor
	Called  []inspector.Defect // those that did not pass, as judged
	Verdict inspector.Verdict
	Reason  string
	Timings inspector.Timings
}

// Good reports whether there is no defect on the board.
func (b Board) Good() bool { return len(b.Truth) == 0 }

// Unjudged reports whether nothing could be said about the board.
func (b Board) Unjudged() bool { return b.Verdict == inspector.Unsure && len(b.Called) == 0 }

// Limits are the scores at and above which a board fails, and below which it
// passes.
type Limits struct {
	Fail float32 `json:"fail"`
	Pass float32 `json:"pass"`
}

// A Policy is the limits of a recipe, with those of single classes.
type Policy struct {
	Limits
	Classes map[string]Limits `json:"classes,omitempty"`
}

func (p Policy) of(class string) Limits {
	if own, ok := p.Classes[class]; ok {
		return own
	}
	return p.Limits
}

// failing are the calls of a board that fail it, highest score first.
func (p Policy) failing(b Board) (out []inspector.Defect) {
	for _, d := range b.Called {
		if d.Score >= p.of(d.Class).Fail {
			out = append(out, d)
		}
	}
	return byScore(out)
}

// byScore is a copy in falling order of score.
func byScore(ds []inspector.Defect) []inspector.Defect {
	out := slices.Clone(ds)
	slices.SortStableFunc(out, func(a, b inspector.Defect) int { return cmp.Compare(b.Score, a.Score) })
	return out
}

// ofClass are those of one class; all for none.
func ofClass(ds []inspector.Defect, class string) (out []inspector.Defect) {
	for _, d := range ds {
		if class == "" || d.Class == class {
			out = append(out, d)
		}
	}
	return out
}

// match gives, for each of found in its order, the place in truth of the defect
// that it hits, or -1: the one of those nothing hit before that it overlaps
// most, and by more than over. With same the classes must be equal.
func match(found, truth []inspector.Defect, over float64, same bool) []int {
	out, used := make([]int, len(found)), make([]bool, len(truth))
	for i, f := range found {
		out[i] = -1
		most := over
		for k, t := range truth {
			if used[k] || same && f.Class != t.Class {
				continue
			}
			if o := overlap(f.Box, t.Box); o > most {
				out[i], most = k, o
			}
		}
		if out[i] >= 0 {
			used[out[i]] = true
		}
	}
	return out
}

// hits counts those that hit.
func hits(matched []int) (n int) {
	for _, k := range matched {
		if k >= 0 {
			n++
		}
	}
	return n
}

// overlap is intersection over union.
func overlap(a, b inspector.Box) float64 {
	w := float64(min(a.Right, b.Right)) - float64(max(a.Left, b.Left))
	h := float64(min(a.Bottom, b.Bottom)) - float64(max(a.Top, b.Top))
	if w <= 0 || h <= 0 {
		return 0
	}
	return w * h / (area(a) + area(b) - w*h)
}

func area(b inspector.Box) float64 {
	return (float64(b.Right) - float64(b.Left)) * (float64(b.Bottom) - float64(b.Top))
}
