package notify

import (
	"slices"
	"strings"
	"testing"
	"time"

	"inspector"
)

// steps is a script: at so many seconds something happens.
type step struct {
	at int
	do func(h *Handshake, now time.Time)
}

func able(why string) func(*Handshake, time.Time) {
	return func(h *Handshake, _ time.Time) { h.Able(why) }
}
func alive(h *Handshake, now time.Time) { h.Alive(now) }
func triggered(request string) func(*Handshake, time.Time) {
	return func(h *Handshake, now time.Time) { h.Triggered(now, request) }
}
func judged(request, id string, v inspector.Verdict) func(*Handshake, time.Time) {
	return func(h *Handshake, now time.Time) { h.Judged(now, LineVerdict{Request: request, ID: id, Verdict: v}) }
}
func taken(request string) func(*Handshake, time.Time) {
	return func(h *Handshake, now time.Time) { h.Taken(now, request) }
}

func TestHandshake(t *testing.T) {
	const s = time.Second
	pass, fail := inspector.Pass, inspector.Fail
	for name, c := range map[string]struct {
		config HandshakeConfig
		steps  []step
		at     int    // then it is
		why    string // not ready; empty: ready
		busy   int
		wait   int
		reject bool
		due    int    // then it changes by itself; 0: never
		refuse string // a trigger of another request; empty: it is followed
	}{
		"at first":              {steps: nil, at: 1, why: "starting", reject: true},
		"able":                  {steps: []step{{0, able("")}}, at: 1, reject: true},
		"camera lost":           {steps: []step{{0, able("")}, {1, able("camera: lost")}}, at: 2, why: "camera: lost", reject: true},
		"camera back":           {steps: []step{{0, able("")}, {1, able("camera: lost")}, {2, able("")}}, at: 2, reject: true},
		"triggered":             {steps: []step{{0, able("")}, {1, triggered("a")}}, at: 2, busy: 1, reject: true},
		"passed":                {steps: []step{{0, able("")}, {1, triggered("a")}, {2, judged("a", "x", pass)}}, at: 3},
		"failed":                {steps: []step{{0, able("")}, {1, triggered("a")}, {2, judged("a", "x", fail)}}, at: 3, reject: true},
		"no verdict at all":     {steps: []step{{0, able("")}, {1, triggered("a")}, {2, judged("a", "x", "")}}, at: 3, reject: true},
		"the next is under way": {steps: []step{{0, able("")}, {1, triggered("a")}, {2, judged("a", "x", pass)}, {3, triggered("b")}}, at: 3, busy: 1, reject: true},
		"two at once":           {steps: []step{{0, able("")}, {1, triggered("a")}, {1, triggered("b")}, {2, judged("b", "x", pass)}}, at: 3, busy: 1, reject: true},
		"asked twice":           {steps: []step{{0, able("")}, {1, triggered("a")}, {1, triggered("a")}, {2, judged("a", "x", pass)}, {2, judged("a", "x", pass)}}, at: 3},

		"no heartbeat yet":   {config: HandshakeConfig{Heartbeat: 2 * s}, steps: []step{{0, able("")}}, at: 1, why: "no heartbeat from the line's controller yet", reject: true},
		"heartbeat":          {config: HandshakeConfig{Heartbeat: 2 * s}, steps: []step{{0, able("")}, {1, alive}}, at: 2, reject: true, due: 3},
		"heartbeat lost":     {config: HandshakeConfig{Heartbeat: 2 * s}, steps: []step{{0, able("")}, {1, alive}}, at: 3, why: "no heartbeat from the line's controller for 2s", reject: true},
		"heartbeat back":     {config: HandshakeConfig{Heartbeat: 2 * s}, steps: []step{{0, able("")}, {1, alive}, {9, alive}}, at: 10, reject: true, due: 11},
		"a trigger is alive": {config: HandshakeConfig{Heartbeat: 2 * s}, steps: []step{{0, able("")}, {9, triggered("a")}}, at: 10, busy: 1, reject: true, due: 11},
		"a taking is alive":  {config: HandshakeConfig{Heartbeat: 2 * s}, steps: []step{{0, able("")}, {9, taken("a")}}, at: 10, reject: true, due: 11},

		"not taken yet":         {config: HandshakeConfig{Acknowledge: 5 * s}, steps: []step{{0, able("")}, {1, triggered("a")}, {2, judged("a", "x", pass)}}, at: 3, wait: 1, due: 7},
		"taken":                 {config: HandshakeConfig{Acknowledge: 5 * s}, steps: []step{{0, able("")}, {1, triggered("a")}, {2, judged("a", "x", pass)}, {6, taken("a")}}, at: 9},
		"never taken":           {config: HandshakeConfig{Acknowledge: 5 * s}, steps: []step{{0, able("")}, {1, triggered("a")}, {2, judged("a", "x", pass)}}, at: 7, why: "request a was not taken within 5s", wait: 1, refuse: "request a was not taken"},
		"taken late":            {config: HandshakeConfig{Acknowledge: 5 * s}, steps: []step{{0, able("")}, {1, triggered("a")}, {2, judged("a", "x", pass)}, {9, taken("a")}}, at: 9},
		"another taken":         {config: HandshakeConfig{Acknowledge: 5 * s}, steps: []step{{0, able("")}, {1, triggered("a")}, {2, judged("a", "x", pass)}, {6, taken("b")}}, at: 7, why: "request a was not taken", wait: 1, refuse: "request a"},
		"asked again":           {config: HandshakeConfig{Acknowledge: 5 * s}, steps: []step{{0, able("")}, {1, triggered("a")}, {2, judged("a", "x", pass)}, {8, triggered("a")}}, at: 9, busy: 1, reject: true},
		"answered again":        {config: HandshakeConfig{Acknowledge: 5 * s}, steps: []step{{0, able("")}, {2, judged("a", "x", pass)}, {8, triggered("a")}, {9, judged("a", "x", pass)}, {9, judged("a", "x", pass)}}, at: 10, wait: 1, due: 14},
		"refused":               {config: HandshakeConfig{Acknowledge: 5 * s}, steps: []step{{0, able("")}, {2, judged("a", "", "")}}, at: 9, reject: true},
		"the sooner of the two": {config: HandshakeConfig{Heartbeat: 9 * s, Acknowledge: 5 * s}, steps: []step{{0, able("")}, {1, triggered("a")}, {2, judged("a", "x", pass)}}, at: 3, wait: 1, due: 7},
	} {
		start := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
		h := NewHandshake(c.config)
		for _, st := range c.steps {
			st.do(h, start.Add(time.Duration(st.at)*s))
		}
		now := start.Add(time.Duration(c.at) * s)
		got := h.State(now)
		if got.Ready != (c.why == "") || !strings.Contains(got.Reason, c.why) || got.Boards != c.busy || got.Busy != (c.busy > 0) || got.Waiting != c.wait || got.Reject() != c.reject {
			t.Errorf("%s: %+v, reject %v", name, got, got.Reject())
		}
		due := 0
		if d := h.Due(now); !d.IsZero() {
			due = int(d.Sub(start) / s)
		}
		if due != c.due {
			t.Errorf("%s: due %d; want %d", name, due, c.due)
		}
		err := h.Refuse(now, "other")
		if (err == nil) != (c.refuse == "") || err != nil && !strings.Contains(err.Error(), c.refuse) {
			t.Errorf("%s: refuses with %v; want %q", name, err, c.refuse)
		}
		if err := h.Refuse(now, "a"); err != nil && got.Waiting > 0 {
			t.Errorf("%s: who asks again for what was not taken is refused: %v", name, err)
		}
		if !got.Same(h.State(now.Add(time.Nanosecond))) {
			t.Errorf("%s: time alone is a change", name)
		}
	}
}

// Whatever comes in whatever order, a line that may let a board through has
// seen it pass, and due times lie ahead.
func FuzzHandshake(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9})
	f.Add([]byte{2, 12, 22, 250, 3, 13, 23, 4, 5})
	f.Fuzz(func(t *testing.T, script []byte) {
		h := NewHandshake(HandshakeConfig{Heartbeat: 3 * time.Second, Acknowledge: 2 * time.Second})
		now := time.Unix(1000, 0)
		newest := inspector.Unsure
		var open []string
		for _, b := range script {
			request := string(rune('a' + b/8%4))
			switch b % 8 {
			case 0:
				h.Able("")
			case 1:
				h.Able("why")
			case 2:
				h.Triggered(now, request)
				if !slices.Contains(open, request) {
					open = append(open, request)
				}
			case 3, 4:
				newest = map[bool]inspector.Verdict{true: inspector.Pass, false: inspector.Fail}[b%8 == 3]
				h.Judged(now, LineVerdict{Request: request, ID: "x", Verdict: newest})
				open = slices.DeleteFunc(open, func(r string) bool { return r == request })
			case 5:
				h.Taken(now, request)
			case 6:
				h.Alive(now)
			default:
				now = now.Add(time.Duration(b) * 20 * time.Millisecond)
			}
			s := h.State(now)
			if !s.Reject() && (newest != inspector.Pass || len(open) > 0) {
				t.Fatalf("%v: %+v lets a board through; newest %s, open %v", script, s, newest, open)
			}
			if d := h.Due(now); !d.IsZero() && !d.After(now) {
				t.Fatalf("%v: due %v, now %v", script, d, now)
			}
			if s.Ready && h.Refuse(now, "new") != nil {
				t.Fatalf("%v: ready, and refuses", script)
			}
		}
	})
}
