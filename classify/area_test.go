package classify

import (
	"strings"
	"testing"

	"inspector"
)

func square(left, top, right, bottom float32) inspector.Box {
	return inspector.Box{Left: left, Top: top, Right: right, Bottom: bottom}
}

func TestWhatCounts(t *testing.T) {
	triangle := Polygon{{X: 0, Y: 0}, {X: 100, Y: 0}, {X: 0, Y: 100}}
	horseshoe := Polygon{{X: 0, Y: 0}, {X: 90, Y: 0}, {X: 90, Y: 90}, {X: 60, Y: 90}, {X: 60, Y: 30}, {X: 30, Y: 30}, {X: 30, Y: 90}, {X: 0, Y: 90}}
	middle := []Polygon{Rectangle(square(20, 20, 80, 80))}
	for _, c := range []struct {
		what            string
		inspect, ignore []Polygon
		smallest        float32
		box             inspector.Box
		elsewhere       int
		small           int
	}{
		{"no regions", nil, nil, 0, square(0, 0, 9, 9), 0, 0},
		{"inside what is inspected", middle, nil, 0, square(40, 40, 50, 50), 0, 0},
		{"partly inside", middle, nil, 0, square(10, 40, 21, 50), 0, 0},
		{"all around", middle, nil, 0, square(0, 0, 99, 99), 0, 0},
		{"outside", middle, nil, 0, square(2, 2, 12, 12), 1, 0},
		{"touching the edge from outside", middle, nil, 0, square(10, 40, 20, 50), 1, 0},
		{"in what is ignored", nil, middle, 0, square(40, 40, 50, 50), 1, 0},
		{"partly in what is ignored", nil, middle, 0, square(10, 40, 30, 50), 0, 0},
		{"larger than what is ignored", nil, middle, 0, square(0, 0, 99, 99), 0, 0},
		{"ignored within inspected", []Polygon{Rectangle(square(0, 0, 100, 100))}, middle, 0, square(40, 40, 50, 50), 1, 0},
		{"beside ignored within inspected", []Polygon{Rectangle(square(0, 0, 100, 100))}, middle, 0, square(2, 2, 12, 12), 0, 0},
		{"in a triangle", []Polygon{triangle}, nil, 0, square(10, 10, 20, 20), 0, 0},
		{"beyond a triangle's slope", []Polygon{triangle}, nil, 0, square(70, 70, 80, 80), 1, 0},
		{"across a triangle's slope", nil, []Polygon{triangle}, 0, square(40, 40, 60, 60), 0, 0},
		{"in the bay of a horseshoe", nil, []Polygon{horseshoe}, 0, square(40, 50, 50, 60), 0, 0},
		{"across the bay of a horseshoe", nil, []Polygon{horseshoe}, 0, square(20, 50, 70, 60), 0, 0},
		{"in an arm of a horseshoe", nil, []Polygon{horseshoe}, 0, square(65, 50, 75, 60), 1, 0},
		{"of the smallest size", nil, nil, 10, square(40, 40, 50, 42), 0, 0},
		{"too small", nil, nil, 10, square(40, 40, 49, 49), 0, 1},
		{"too small and elsewhere", middle, nil, 10, square(2, 2, 6, 6), 1, 0},
	} {
		// The golden picture is twice as large as the board's.
		a := newArea(Recipe{Golden: inspector.Pixels{Width: 200, Height: 200}, Inspect: c.inspect, Ignore: c.ignore, Smallest: c.smallest})
		l := limits{all: Limits{Fail: .6, Pass: .4}}
		half := square(c.box.Left/2, c.box.Top/2, c.box.Right/2, c.box.Bottom/2)
		d := inspector.Defect{Class: "open", Score: .9, Box: half}
		kept, gone := a.keep([]inspector.Defect{d}, l, 100, 100)
		if gone.elsewhere != c.elsewhere || gone.small != c.small || len(kept) != 1-c.elsewhere-c.small {
			t.Errorf("%s: %d kept, left out: %q", c.what, len(kept), gone)
		}
		verdict, reason, worst := l.decideWithout(kept, gone, true)
		want := inspector.Fail
		if len(kept) == 0 {
			want = inspector.Pass
		}
		if verdict != want || worst.Score != .9 || (gone.count() > 0) != strings.Contains(reason, "left out: 1 ") {
			t.Errorf("%s: %s: %s, score %v", c.what, verdict, reason, worst.Score)
		}
		d.Score = .1
		if kept, gone := a.keep([]inspector.Defect{d}, l, 100, 100); len(kept) != 1 || gone.count() != 0 {
			t.Errorf("%s: what passes anyway is left out", c.what)
		}
	}
}

func TestSomeAreLeftOut(t *testing.T) {
	a := newArea(Recipe{Golden: inspector.Pixels{Width: 100, Height: 100}, Ignore: []Polygon{Rectangle(square(0, 0, 50, 50))}, Smallest: 5})
	l := limits{all: Limits{Fail: .6, Pass: .4}}
	scored := []inspector.Defect{
		{Class: "open", Score: .9, Box: square(1, 1, 9, 9)}, {Class: "open", Score: .8, Box: square(11, 11, 19, 19)},
		{Class: "spur", Score: .7, Box: square(60, 60, 63, 63)}, {Class: "short", Score: .5, Box: square(60, 60, 80, 80)},
	}
	kept, gone := a.keep(scored, l, 100, 100)
	verdict, reason, worst := l.decideWithout(kept, gone, false)
	if want := "short 0.50 is between pass 0.4 and fail 0.6; left out: 2 outside the inspected regions, 1 smaller than 5 px"; verdict != inspector.Unsure || reason != want || worst.Class != "short" {
		t.Errorf("%s: %q; want unsure: %q", verdict, reason, want)
	}
}

func TestRegionFaults(t *testing.T) {
	golden := inspector.Pixels{Width: 100, Height: 80}
	for _, c := range []struct {
		what  string
		r     Recipe
		fault string
	}{
		{"nothing", Recipe{}, ""},
		{"the whole picture", Recipe{Golden: golden, Inspect: []Polygon{Rectangle(square(0, 0, 100, 80))}}, ""},
		{"two points", Recipe{Golden: golden, Inspect: []Polygon{{{X: 1, Y: 1}, {X: 2, Y: 2}}}}, "inspect: region 1: 2 points"},
		{"outside", Recipe{Golden: golden, Ignore: []Polygon{Rectangle(square(0, 0, 100, 80)), Rectangle(square(0, 0, 10, 81))}}, "ignore: region 2: (10,81) is outside"},
		{"negative size", Recipe{Golden: golden, Smallest: -1}, "smallest: -1"},
		{"no golden", Recipe{Smallest: 3}, "must give one"},
	} {
		err := c.r.checkArea()
		if (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s: %v; want %q", c.what, err, c.fault)
		}
	}
}
