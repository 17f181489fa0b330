package main

import (
	"maps"
	"math"
	"slices"
	"testing"

	"inspector"
)

func TestPropose(t *testing.T) {
	for _, c := range []struct {
		what      string
		good, bad []float32
		want      limits
	}{
		{"a wide gap", []float32{.1, .2, .05}, []float32{.8, .9, .95}, limits{Fail: .6, Pass: .4}},
		{"no bad ones", []float32{.1, .05}, nil, limits{Fail: .7, Pass: .4}},
		{"no good ones", nil, []float32{.9, .6}, limits{Fail: .4, Pass: .2}},
		{"none at all", nil, nil, limits{Fail: .667, Pass: .333}},
		{"they overlap: unsure between", []float32{.1, .1, .5}, []float32{.4, .9, .9}, limits{Fail: .7, Pass: .25}},
		{"a good one like the bad: called", []float32{.1, .1, .9}, []float32{.8, .8, .8, .8, .8}, limits{Fail: .567, Pass: .333}},
		{"one that the model does not see escapes", append(many(.3, 30), .1), append(many(.9, 30), .02), limits{Fail: .7, Pass: .5}},
		{"all alike", []float32{.5}, []float32{.5}, limits{Fail: .75, Pass: .25}},
		{"certain", []float32{0, 0}, []float32{1, 1}, limits{Fail: .667, Pass: .333}},
	} {
		have := propose(scores{c.good, c.bad})
		if math.Abs(float64(have.Fail-c.want.Fail)) > .002 || math.Abs(float64(have.Pass-c.want.Pass)) > .002 {
			t.Errorf("%s: %+v; want %+v", c.what, have, c.want)
		}
		if have.Pass <= 0 || have.Pass > have.Fail || have.Fail >= 1 {
			t.Errorf("%s: %+v is no recipe's", c.what, have)
		}
	}
}

func many(v float32, n int) (out []float32) {
	for range n {
		out = append(out, v)
	}
	return out
}

// boards are examples with scores of one class.
func boards(class string, scores ...float32) (out []example) {
	for _, v := range scores {
		out = append(out, example{class: v})
	}
	return out
}

func TestExpect(t *testing.T) {
	x := examples{boards("open", append(many(.1, 18), .95, .1)...), boards("open", append(many(.9, 19), .05)...)}
	if e := expect(x, together); e.good != 20 || e.bad != 20 || e.falseCalls != 1 || e.escapes != 1 || e.cost() != 13 {
		t.Errorf("%+v; want 1 false call and 1 escape of 20 each", e)
	}
	x = examples{boards("open", many(.1, 20)...), boards("open", many(.9, 20)...)}
	if e := expect(x, together); e.cost() != 0 {
		t.Errorf("%+v; want no mistakes", e)
	}
}

// Classes get limits of their own where that costs less, and only there.
func TestLimitsOfClasses(t *testing.T) {
	noisy := func() (x examples) { // good boards look a little spurious, and what is open is seen weakly
		for i := range 20 {
			x.good = append(x.good, example{"spur": .5 + float32(i%5)*.01, "open": .05})
			x.bad = append(x.bad, example{"open": .3 + float32(i%5)*.01, "spur": .1}, example{"spur": .9, "open": .1})
		}
		return x
	}
	few := noisy()
	few.bad = few.bad[:2*ofClass-2]
	alike := examples{boards("open", many(.1, 20)...), boards("open", many(.9, 20)...)}
	for what, c := range map[string]struct {
		x       examples
		classes []string
	}{
		"apart": {noisy(), []string{"open", "spur"}}, "too few of each": {few, nil}, "one class, well apart": {alike, nil}, "none at all": {examples{}, nil},
		"a model without classes": {examples{boards("", many(.4, 20)...), boards("", many(.5, 20)...)}, nil},
	} {
		p, e := best(c.x)
		if have := slices.Sorted(maps.Keys(p.classes)); !slices.Equal(have, c.classes) {
			t.Errorf("%s: limits of %v; want %v", what, have, c.classes)
		}
		if simple := expect(c.x, together); e.cost() > simple.cost() {
			t.Errorf("%s: %+v costs more than without classes, %+v", what, e, simple)
		}
	}
	p, e := best(noisy())
	if e.cost() != 0 || p.classes["open"].Fail >= .3 || p.classes["spur"].Pass <= .54 {
		t.Errorf("%+v, %+v", p, e)
	}
}

func TestVerdictOfProposal(t *testing.T) {
	p := proposal{limits{Fail: .7, Pass: .5}, map[string]limits{"open": {Fail: .3, Pass: .2}}}
	for _, c := range []struct {
		e    example
		want inspector.Verdict
	}{
		{example{}, inspector.Pass}, {example{"spur": .49, "open": .19}, inspector.Pass}, {example{"spur": .5}, inspector.Unsure}, {example{"open": .2}, inspector.Unsure},
		{example{"open": .3, "spur": .1}, inspector.Fail}, {example{"spur": .7, "open": .2}, inspector.Fail}, {example{"": .7}, inspector.Fail},
	} {
		if have := p.verdict(c.e); have != c.want {
			t.Errorf("%v: %s; want %s", c.e, have, c.want)
		}
	}
}

func TestAtMost(t *testing.T) {
	for _, c := range []struct {
		k, n int
		want float64
	}{{0, 0, 1}, {0, 100, .026}, {100, 100, 1}, {5, 100, .098}} {
		if have := atMost(c.k, c.n); math.Abs(have-c.want) > .002 {
			t.Errorf("%d of %d: at most %.4f; want %.3f", c.k, c.n, have, c.want)
		}
	}
}
