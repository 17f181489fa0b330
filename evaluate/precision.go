package evaluate

import (
	"cmp"
	"math"
	"slices"
)

// A ranking is everything that was found on all boards, highest score first.
type ranking struct {
	calls []call
	truth []int // true defects of each board
}

type call struct {
	score float32
	board int
	hit   bool
}

// rank takes one class, or with none all of them; what hits must be of the
// defect's class and overlap it by more than over.
func rank(boards []Board, class string, over float64) (r ranking) {
	for i, b := range boards {
		found, truth := byScore(ofClass(b.Found, class)), ofClass(b.Truth, class)
		for k, m := range match(found, truth, over, true) {
			r.calls = append(r.calls, call{found[k].Score, i, m >= 0})
		}
		r.truth = append(r.truth, len(truth))
	}
	slices.SortStableFunc(r.calls, func(a, b call) int { return cmp.Compare(b.score, a.score) })
	return r
}

// defects is their number if each board counts as often as weight says.
func (r ranking) defects(weight []int) (n int) {
	for i, t := range r.truth {
		n += weight[i] * t
	}
	return n
}

// totals are the calls that hit and those that do not.
func (r ranking) totals(weight []int) (right, wrong int) {
	for _, c := range r.calls {
		if c.hit {
			right += weight[c.board]
		} else {
			wrong += weight[c.board]
		}
	}
	return right, wrong
}

// averagePrecision is the area below precision over recall, where precision at
// a recall is the best at that or any greater one (PASCAL VOC from 2010 on).
// Without a defect it is not a number.
func (r ranking) averagePrecision(weight []int) float64 {
	n := r.defects(weight)
	if n == 0 {
		return math.NaN()
	}
	right, wrong := r.totals(weight)
	var sum, best float64
	for i := len(r.calls) - 1; i >= 0; i-- {
		c := r.calls[i]
		w := weight[c.board]
		if w == 0 {
			continue
		}
		best = max(best, float64(right)/float64(right+wrong))
		if c.hit {
			sum += best * float64(w)
			right -= w
		} else {
			wrong -= w
		}
	}
	return sum / float64(n)
}

// meanPrecision is the mean, over the defects, of the precision down to the
// score of what found each; 0 for one that nothing found. With all classes in
// one ranking this is how the authors of DeepPCB count.
func (r ranking) meanPrecision(weight []int) float64 {
	n := r.defects(weight)
	if n == 0 {
		return math.NaN()
	}
	var sum float64
	right, all := 0, 0
	for _, c := range r.calls {
		w := weight[c.board]
		all += w
		if c.hit && w > 0 {
			right += w
			sum += float64(w) * float64(right) / float64(all)
		}
	}
	return sum / float64(n)
}

// A Point is precision and recall of all that has at least a score.
type Point struct {
	Recall    Number `json:"recall"`
	Precision Number `json:"precision"`
	Score     Number `json:"score"`
}

// curve goes from the highest score down to the last, in steps of at least step
// along recall and precision.
func (r ranking) curve(step float64) (out []Point) {
	n := 0
	for _, t := range r.truth {
		n += t
	}
	if n == 0 {
		return nil
	}
	right := 0
	for i, c := range r.calls {
		if c.hit {
			right++
		}
		if i+1 < len(r.calls) && r.calls[i+1].score == c.score {
			continue // no limit lies between them
		}
		p := Point{Number(float64(right) / float64(n)), Number(float64(right) / float64(i+1)), Number(c.score)}
		if k := len(out) - 1; k < 0 || i+1 == len(r.calls) || math.Abs(float64(p.Recall-out[k].Recall))+math.Abs(float64(p.Precision-out[k].Precision)) >= step {
			out = append(out, p)
		}
	}
	return out
}
