package main

import (
	"maps"
	"slices"

	"inspector"
)

// An example is a board that was judged: the highest score of each class.
type example map[string]float32

// worst is the class that decides about the board, and its score.
func (e example) worst() (class string, score float32) {
	for _, c := range slices.Sorted(maps.Keys(e)) {
		if e[c] > score {
			class, score = c, e[c]
		}
	}
	return class, score
}

// examples are boards that are known to be good, and to be bad.
type examples struct{ good, bad []example }

// scores of the boards, whatever their class.
func (x examples) scores() (s scores) {
	for _, e := range x.good {
		_, v := e.worst()
		s.good = append(s.good, v)
	}
	for _, e := range x.bad {
		_, v := e.worst()
		s.bad = append(s.bad, v)
	}
	return s
}

// of gives the scores of one class: on every good board, and on the bad boards
// about which it decides.
func (x examples) of(class string) (s scores) {
	for _, e := range x.good {
		s.good = append(s.good, e[class])
	}
	for _, e := range x.bad {
		if c, v := e.worst(); c == class {
			s.bad = append(s.bad, v)
		}
	}
	return s
}

// fold gives the examples without every n-th from the k-th on, and those.
func (x examples) fold(k, n int) (in, out examples) {
	in.good, out.good = fold(x.good, k, n)
	in.bad, out.bad = fold(x.bad, k, n)
	return in, out
}

// A proposal is the limits of a recipe.
type proposal struct {
	all     limits
	classes map[string]limits // where they differ; nil: nowhere
}

// ofClass is how many bad boards a class must decide about, at least, to have
// limits of its own.
const ofClass = 10

// together proposes limits for all classes at once.
func together(x examples) proposal { return proposal{all: propose(x.scores())} }

// apart proposes limits for each class that has enough examples, and those for
// all others.
func apart(x examples) proposal {
	p := together(x)
	for _, e := range x.bad {
		class, _ := e.worst()
		if _, done := p.classes[class]; done || class == "" {
			continue
		}
		if s := x.of(class); len(s.bad) >= ofClass {
			if p.classes == nil {
				p.classes = map[string]limits{}
			}
			p.classes[class] = propose(s)
		}
	}
	return p
}

// best proposes limits for single classes only if they fare better with examples
// that did not choose them.
func best(x examples) (proposal, expectation) {
	simple, single := expect(x, together), expect(x, apart)
	if p := apart(x); p.classes != nil && single.cost() < simple.cost() {
		return p, single
	}
	return together(x), simple
}

// verdict is what the limits make of a board.
func (p proposal) verdict(e example) inspector.Verdict {
	v := inspector.Pass
	for class, score := range e {
		l, ok := p.classes[class]
		if !ok {
			l = p.all
		}
		switch {
		case score >= l.Fail:
			return inspector.Fail
		case score >= l.Pass:
			v = inspector.Unsure
		}
	}
	return v
}

// verdicts counts what the limits make of boards.
func (p proposal) verdicts(boards []example) map[inspector.Verdict]int {
	n := map[inspector.Verdict]int{}
	for _, e := range boards {
		n[p.verdict(e)]++
	}
	return n
}

// An expectation is how limits fare with examples that did not choose them.
type expectation struct {
	good, falseCalls, goodUnsure int
	bad, escapes, badUnsure      int
}

// expect judges each tenth of the examples by the limits that the others propose.
func expect(x examples, propose func(examples) proposal) (e expectation) {
	const folds = 10
	for k := range folds {
		in, out := x.fold(k, folds)
		p := propose(in)
		good, bad := p.verdicts(out.good), p.verdicts(out.bad)
		e.falseCalls, e.goodUnsure = e.falseCalls+good[inspector.Fail], e.goodUnsure+good[inspector.Unsure]
		e.escapes, e.badUnsure = e.escapes+bad[inspector.Pass], e.badUnsure+bad[inspector.Unsure]
	}
	e.good, e.bad = len(x.good), len(x.bad)
	return e
}

// cost of the mistakes, in boards that a person has to look at.
func (e expectation) cost() int {
	return escapeCost*e.escapes + falseCallCost*e.falseCalls + e.goodUnsure + e.badUnsure
}
