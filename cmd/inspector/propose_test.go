package main

import (
	"math"
	"testing"
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

func TestExpect(t *testing.T) {
	e := expect(scores{append(many(.1, 18), .95, .1), append(many(.9, 19), .05)})
	if e.good != 20 || e.bad != 20 || e.falseCalls != 1 || e.escapes != 1 {
		t.Errorf("%+v; want 1 false call and 1 escape of 20 each", e)
	}
	if e := expect(scores{many(.1, 20), many(.9, 20)}); e.falseCalls+e.escapes+e.goodUnsure+e.badUnsure != 0 {
		t.Errorf("%+v; want no mistakes", e)
	}
	for _, c := range []struct {
		k, n int
		want float64
	}{{0, 0, 1}, {0, 100, .026}, {100, 100, 1}, {5, 100, .098}} {
		if have := atMost(c.k, c.n); math.Abs(have-c.want) > .002 {
			t.Errorf("%d of %d: at most %.4f; want %.3f", c.k, c.n, have, c.want)
		}
	}
}
