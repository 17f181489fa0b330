package classify

import (
	"math"
	"strings"
	"testing"

	"inspector"
)

func TestDecide(t *testing.T) {
	nan := float32(math.NaN())
	box := inspector.Box{Left: 110, Top: 40, Right: 130, Bottom: 48}
	l := limits{all: Limits{Fail: .5, Pass: .3}, class: map[string]Limits{"copper": {Fail: .9, Pass: .6}, "open": {Fail: .2, Pass: .1}}}
	type d = inspector.Defect
	for name, tt := range map[string]struct {
		scored []d
		want   inspector.Verdict
		reason string
		score  float32
	}{
		"silence":                    {nil, inspector.Unsure, "no scores", 0},
		"far above":                  {[]d{{Class: "short", Score: .93, Box: box}}, inspector.Fail, "short 0.93 at (120,44) is at or above fail 0.5", .93},
		"just at fail":               {[]d{{Class: "short", Score: .5}}, inspector.Fail, "short 0.50", .5},
		"just below fail":            {[]d{{Class: "short", Score: .4999}}, inspector.Unsure, "short 0.49 at (0,0) is between pass 0.3 and fail 0.5", .4999},
		"just at pass":               {[]d{{Class: "short", Score: .3}}, inspector.Unsure, "between", .3},
		"just below pass":            {[]d{{Class: "short", Score: .29999}}, inspector.Pass, "nothing above short 0.29 at (0,0), below pass 0.3", .29999},
		"worst of several":           {[]d{{Class: "spur", Score: .1}, {Class: "short", Score: .6}, {Class: "spur", Score: .4}}, inspector.Fail, "short", .6},
		"lenient class":              {[]d{{Class: "copper", Score: .59}}, inspector.Pass, "below pass 0.6", .59},
		"lenient class doubts":       {[]d{{Class: "copper", Score: .89}}, inspector.Unsure, "fail 0.9", .89},
		"strict class decides":       {[]d{{Class: "copper", Score: .89}, {Class: "open", Score: .21}}, inspector.Fail, "open 0.21", .21},
		"not a number":               {[]d{{Class: "short", Score: nan}}, inspector.Unsure, "not a number", 0},
		"not a number among failing": {[]d{{Class: "short", Score: .9}, {Class: "spur", Score: nan}}, inspector.Unsure, "spur is not a number", 0},
		"not a number among passing": {[]d{{Class: "spur", Score: nan}, {Class: "short", Score: 0}}, inspector.Unsure, "not a number", 0},
		"infinite":                   {[]d{{Class: "short", Score: float32(math.Inf(1))}}, inspector.Fail, "+Inf", float32(math.Inf(1))},
	} {
		t.Run(name, func(t *testing.T) {
			have, reason, worst := l.decide(tt.scored, true)
			if have != tt.want || !strings.Contains(reason, tt.reason) || worst.Score != tt.score {
				t.Errorf("%s, %q, %v; want %s, %q, %v", have, reason, worst.Score, tt.want, tt.reason, tt.score)
			}
		})
	}
}

func TestReasonHasNoPlaceWithoutBoxes(t *testing.T) {
	l := limits{all: Limits{Fail: .5, Pass: .3}}
	if _, reason, _ := l.decide([]inspector.Defect{{Class: "stain", Score: .7}}, false); reason != "stain 0.70 is at or above fail 0.5" {
		t.Errorf("reason is %q", reason)
	}
}
