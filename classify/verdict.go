package classify

import (
	"errors"
	"fmt"
	"math"

	"inspector"
)

// Limits are the scores at and above which a board fails, and below which it
// passes; between them it is unsure.
type Limits struct{ Fail, Pass float32 }

func (l Limits) check(what string) error {
	if 0 < l.Pass && l.Pass <= l.Fail && l.Fail < 1 {
		return nil
	}
	return fmt.Errorf("%s: fail %v and pass %v; want 0 < pass <= fail < 1", what, l.Fail, l.Pass)
}

// limits are those of a recipe.
type limits struct {
	all   Limits
	class map[string]Limits
}

func (l limits) of(class string) Limits {
	if own, ok := l.class[class]; ok {
		return own
	}
	return l.all
}

// lowest is the score below which a defect of any class passes.
func (l limits) lowest() float32 {
	lowest := l.all.Pass
	for _, own := range l.class {
		lowest = min(lowest, own.Pass)
	}
	return lowest
}

// rank is what one defect does to its board.
type rank int

const (
	passes rank = iota
	doubts
	fails
)

// rank of a score that is not a number is doubt.
func (l limits) rank(d inspector.Defect) rank {
	switch own := l.of(d.Class); {
	case d.Score >= own.Fail:
		return fails
	case d.Score < own.Pass:
		return passes
	}
	return doubts
}

// worse orders defects: those that fail the board first, then by score.
func (l limits) worse(a, b inspector.Defect) int {
	if ra, rb := l.rank(a), l.rank(b); ra != rb {
		return int(rb - ra)
	}
	switch {
	case a.Score > b.Score:
		return -1
	case a.Score < b.Score:
		return 1
	}
	return 0
}

var errSilent = errors.New("the model gave no scores; silence is not innocence")

// decide is the whole policy: the verdict, its reason in words, and the defect
// that decided. scored holds at least what looked most like a defect, below
// its limit or not, so an empty list is a fault. at adds places to the reason.
func (l limits) decide(scored []inspector.Defect, at bool) (inspector.Verdict, string, inspector.Defect) {
	if len(scored) == 0 {
		r := Unsure(errSilent)
		return r.Verdict, r.Reason, inspector.Defect{}
	}
	worst := scored[0]
	for _, d := range scored {
		if math.IsNaN(float64(d.Score)) {
			r := Unsure(fmt.Errorf("the score of %s is not a number", d.Class))
			return r.Verdict, r.Reason, inspector.Defect{Class: d.Class, Box: d.Box}
		}
		if l.worse(d, worst) < 0 {
			worst = d
		}
	}
	own := l.of(worst.Class)
	what := fmt.Sprintf("%s %.2f", worst.Class, math.Floor(float64(worst.Score)*100+1e-4)/100) // never rounded up over a limit
	if at {
		what += fmt.Sprintf(" at (%.0f,%.0f)", (worst.Box.Left+worst.Box.Right)/2, (worst.Box.Top+worst.Box.Bottom)/2)
	}
	switch l.rank(worst) {
	case fails:
		return inspector.Fail, fmt.Sprintf("%s is at or above fail %v", what, own.Fail), worst
	case passes:
		return inspector.Pass, fmt.Sprintf("nothing above %s, below pass %v", what, own.Pass), worst
	}
	return inspector.Unsure, fmt.Sprintf("%s is between pass %v and fail %v", what, own.Pass, own.Fail), worst
}

// decideWithout is decide once the recipe has left out some defects, which the
// reason counts. If nothing else is left, the board passes.
func (l limits) decideWithout(scored []inspector.Defect, gone leftOut, at bool) (inspector.Verdict, string, inspector.Defect) {
	if gone.count() == 0 {
		return l.decide(scored, at)
	}
	if len(scored) == 0 {
		return inspector.Pass, "nothing that counts; left out: " + gone.String(), gone.worst
	}
	verdict, reason, worst := l.decide(scored, at)
	return verdict, reason + "; left out: " + gone.String(), worst
}
