package main

import (
	"fmt"
	"math"
	"slices"
)

// scores are the highest scores of example boards.
type scores struct{ good, bad []float32 }

// What mistakes cost, in boards that a person has to look at.
const (
	escapeCost    = 10
	falseCallCost = 3
)

// propose chooses limits for the examples: pass so that hardly any bad board
// is below it, fail so that hardly any good one is at or above it, and both
// apart where there is room. Without bad examples the room ends at 1.
func propose(s scores) limits {
	pass, low, high := cheapest(s, func(goodAbove, badBelow int) int { return escapeCost*badBelow + goodAbove })
	fail, failLow, failHigh := cheapest(s, func(goodAbove, badBelow int) int { return falseCallCost*goodAbove + badBelow })
	if low == failLow && high == failHigh { // one gap between good and bad: unsure in its middle third
		pass, fail = low+(high-low)/3, high-(high-low)/3
	}
	round := func(v float32) float32 { return float32(math.Round(float64(min(max(v, .02), .98))*1000) / 1000) }
	return limits{Fail: round(max(pass, fail)), Pass: round(min(pass, fail))}
}

// cheapest finds the cut of least cost, in the middle of the widest of the
// gaps between neighbouring scores that cost the same, and the gap's ends.
func cheapest(s scores, cost func(goodAbove, badBelow int) int) (cut, low, high float32) {
	all := append(append([]float32{0, 1}, s.good...), s.bad...)
	slices.Sort(all)
	least := math.MaxInt
	for i := range len(all) - 1 {
		a, b := all[i], all[i+1]
		if a == b {
			continue
		}
		c := a + (b-a)/2
		price := cost(from(s.good, c), len(s.bad)-from(s.bad, c))
		if price < least || price == least && b-a > high-low {
			least, cut, low, high = price, c, a, b
		}
	}
	return cut, low, high
}

// from counts the scores at or above a limit.
func from(v []float32, limit float32) (n int) {
	for _, x := range v {
		if x >= limit {
			n++
		}
	}
	return n
}

// fold gives v without every n-th from the k-th on, and those.
func fold[T any](v []T, k, n int) (in, out []T) {
	for i, x := range v {
		if i%n == k {
			out = append(out, x)
		} else {
			in = append(in, x)
		}
	}
	return in, out
}

// atMost is the share that is not exceeded with 95 % confidence if k of n were
// seen (Wilson's upper bound).
func atMost(k, n int) float64 {
	if n == 0 {
		return 1
	}
	const z = 1.645
	p, m := float64(k)/float64(n), float64(n)
	return (p + z*z/(2*m) + z*math.Sqrt(p*(1-p)/m+z*z/(4*m*m))) / (1 + z*z/m)
}

func share(k, n int) string {
	return fmt.Sprintf("%d of %d (95 %%: at most %.1f %%)", k, n, 100*atMost(k, n))
}
