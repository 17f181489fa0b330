package evaluate

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"inspector"
)

// A tally is what boards say, counted so that they can be weighed again.
type tally struct {
	boxes              bool
	class33, class50   []ranking // in the order of the classes
	pooled33, pooled50 ranking
	atFail, atPass     []counts // of each board
}

// counts are those of one board at a limit.
type counts struct {
	calls, right, near, defects int
	good, called                bool
}

func newTally(boards []Board, classes []string, p Policy, boxes bool) (t tally) {
	t.boxes = boxes
	for _, class := range classes {
		t.class33, t.class50 = append(t.class33, rank(boards, class, loose)), append(t.class50, rank(boards, class, tight))
	}
	t.pooled33, t.pooled50 = rank(boards, "", loose), rank(boards, "", tight)
	for _, b := range boards {
		t.atFail = append(t.atFail, count(b, p.failing(b), b.Verdict == inspector.Fail))
		t.atPass = append(t.atPass, count(b, byScore(b.Called), b.Verdict != inspector.Pass))
	}
	return t
}

func count(b Board, calls []inspector.Defect, called bool) counts {
	return counts{
		calls: len(calls), defects: len(b.Truth), good: b.Good(), called: called,
		right: hits(match(calls, b.Truth, loose, true)), near: hits(match(calls, b.Truth, nearby, false)),
	}
}

// measures are those that can be weighed.
type measures struct {
	map33, map50, pooled33, pooled50 Number
	fail, pass                       Operating
}

// measure counts each board as often as weight says.
func (t tally) measure(weight []int) (m measures) {
	m.fail, m.pass = operating(t.atFail, weight), operating(t.atPass, weight)
	if t.boxes {
		m.map33, m.map50 = meanOf(t.class33, weight), meanOf(t.class50, weight)
		m.pooled33, m.pooled50 = Number(t.pooled33.meanPrecision(weight)), Number(t.pooled50.meanPrecision(weight))
		return m
	}
	none := Number(math.NaN())
	m.map33, m.map50, m.pooled33, m.pooled50 = none, none, none, none
	for _, o := range []*Operating{&m.fail, &m.pass} {
		o.Precision, o.Recall, o.FScore, o.DefectRecall, o.FalsePer, o.MissedPer = none, none, none, none, none, none
	}
	return m
}

// meanOf is the mean over the classes of which there is a defect.
func meanOf(rankings []ranking, weight []int) Number {
	sum, n := 0.0, 0
	for _, r := range rankings {
		if ap := r.averagePrecision(weight); !math.IsNaN(ap) {
			sum, n = sum+ap, n+1
		}
	}
	if n == 0 {
		return Number(math.NaN())
	}
	return Number(sum / float64(n))
}

func operating(boards []counts, weight []int) Operating {
	var calls, right, near, defects, all, good, bad, goodCalled, badMissed int
	for i, b := range boards {
		w := weight[i]
		all += w
		calls, right, near, defects = calls+w*b.calls, right+w*b.right, near+w*b.near, defects+w*b.defects
		switch {
		case b.good && b.called:
			goodCalled += w
		case !b.good && !b.called:
			badMissed += w
		}
		if b.good {
			good += w
		} else {
			bad += w
		}
	}
	return Operating{
		Precision: share(right, calls), Recall: share(right, defects), FScore: share(2*right, calls+defects),
		DefectRecall: share(near, defects), GoodCalled: share(goodCalled, good), BadMissed: share(badMissed, bad),
		FalsePer: share(calls-right, all), MissedPer: share(defects-right, all),
	}
}

func (t tally) class(i int, class string, boards []Board, p Policy, once []int) *ClassSummary {
	c := &ClassSummary{AP33: Number(math.NaN()), AP50: Number(math.NaN())}
	right := 0
	for _, b := range boards {
		calls, truth := ofClass(p.failing(b), class), ofClass(b.Truth, class)
		c.Called += len(calls)
		c.Defects += len(truth)
		right += hits(match(calls, truth, loose, true))
	}
	if !t.boxes {
		c.Precision, c.Recall, c.FScore = c.AP33, c.AP33, c.AP33
		return c
	}
	c.AP33, c.AP50 = Number(t.class33[i].averagePrecision(once)), Number(t.class50[i].averagePrecision(once))
	c.Precision, c.Recall, c.FScore = share(right, c.Called), share(right, c.Defects), share(2*right, c.Called+c.Defects)
	c.Curve33, c.Curve50 = t.class33[i].curve(curveStep), t.class50[i].curve(curveStep)
	return c
}

// resamples are drawn for an interval.
const resamples = 1000

// intervals are the same for the same boards: the seed is fixed.
func (t tally) intervals() map[string]Interval {
	r := rand.New(rand.NewPCG(1, 2))
	n := len(t.atFail)
	drawn := map[string][]float64{}
	weight := make([]int, n)
	for range resamples {
		clear(weight)
		for range n {
			weight[r.IntN(n)]++
		}
		m := t.measure(weight)
		for name, v := range map[string]Number{
			"map33": m.map33, "map50": m.map50, "pooled_ap33": m.pooled33, "precision": m.fail.Precision, "recall": m.fail.Recall, "f_score": m.fail.FScore,
			"defect_recall": m.fail.DefectRecall, "false_call_boards": m.fail.GoodCalled, "escape_boards": m.pass.BadMissed,
		} {
			if !math.IsNaN(float64(v)) {
				drawn[name] = append(drawn[name], float64(v))
			}
		}
	}
	out := map[string]Interval{}
	for name, values := range drawn {
		slices.Sort(values)
		out[name] = Interval{Number(quantile(values, 0.025)), Number(quantile(values, 0.975))}
	}
	t.widen(out)
	return out
}

// widen gives an interval to a share of boards that is 0 or 1, of which every
// resample is the same: the exact one (Clopper and Pearson).
func (t tally) widen(out map[string]Interval) {
	var good, bad, called, missed int
	for i, b := range t.atFail {
		switch {
		case b.good && b.called:
			good, called = good+1, called+1
		case b.good:
			good++
		case t.atPass[i].called:
			bad++
		default:
			bad, missed = bad+1, missed+1
		}
	}
	for name, part := range map[string][2]int{"false_call_boards": {called, good}, "escape_boards": {missed, bad}} {
		reach := Number(1 - math.Pow(0.025, 1/float64(part[1])))
		switch {
		case part[1] == 0:
		case part[0] == 0:
			out[name] = Interval{0, reach}
		case part[0] == part[1]:
			out[name] = Interval{1 - reach, 1}
		}
	}
}

// quantile of sorted values, with what lies between two in proportion.
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

func stages(boards []Board) Stages {
	median := func(of func(inspector.Timings) time.Duration) Number {
		var ms []float64
		for _, b := range boards {
			if v := of(b.Timings); v > 0 {
				ms = append(ms, float64(v.Microseconds())/1000)
			}
		}
		if len(ms) == 0 {
			return Number(math.NaN())
		}
		slices.Sort(ms)
		return Number(quantile(ms, 0.5))
	}
	return Stages{
		Prepare: median(func(t inspector.Timings) time.Duration { return t.Prepare }),
		Infer:   median(func(t inspector.Timings) time.Duration { return t.Infer }),
		Decode:  median(func(t inspector.Timings) time.Duration { return t.Decode }),
	}
}
