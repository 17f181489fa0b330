package web

import (
	"reflect"
	"testing"
)

func TestAssess(t *testing.T) {
	part := func(name string, s State) Part { return Part{Name: name, State: s, Detail: "x"} }
	for name, c := range map[string]struct {
		parts []Part
		want  []string // why not ready
	}{
		"all well":               {[]Part{part("camera", OK), part("model", OK), part("recipe", OK), part("disk", OK)}, nil},
		"degraded does its work": {[]Part{part("camera", Degraded), part("model", OK), part("recipe", OK), part("disk", Degraded)}, nil},
		"others do not matter":   {[]Part{part("camera", OK), part("model", OK), part("recipe", OK), part("disk", OK), part("broker", Down), part("upstream", Down)}, nil},
		"nothing reported":       {nil, []string{"camera", "model", "recipe", "disk"}},
		"one is missing":         {[]Part{part("camera", OK), part("recipe", OK), part("disk", OK)}, []string{"model"}},
		"one is down":            {[]Part{part("camera", OK), part("model", OK), part("recipe", OK), part("disk", Down)}, []string{"disk"}},
		"no recipe in force":     {[]Part{part("camera", OK), part("model", OK), part("recipe", Down), part("disk", OK)}, []string{"recipe"}},
		"a state nobody knows":   {[]Part{part("camera", "fine"), part("model", ""), part("recipe", OK), part("disk", OK)}, []string{"camera", "model"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := assess(Status{Parts: c.parts})
			var got []string
			for _, p := range r.Reasons {
				got = append(got, p.Name)
			}
			if !reflect.DeepEqual(got, c.want) || r.Ready != (len(c.want) == 0) {
				t.Errorf("ready %v because of %v, want %v", r.Ready, got, c.want)
			}
		})
	}
}

func TestFirstPassYield(t *testing.T) {
	if y := assess(Status{Counts: Counts{Triggers: 3, InFlight: 3}}).Yield; y != nil {
		t.Errorf("nothing judged, but a yield of %v", *y)
	}
	y := assess(Status{Counts: Counts{Triggers: 11, Pass: 6, Fail: 3, Unsure: 1, InFlight: 1}}).Yield
	if y == nil || *y != .6 {
		t.Errorf("want .6: unsure is no first pass, in flight is nothing yet; have %v", y)
	}
}
