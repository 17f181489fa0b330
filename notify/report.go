package notify

import (
	"encoding/json"
	"fmt"
	"time"

	"inspector"
)

// Stats are what the topic stats says, every so often. Its form is
// docs/messages/stats.schema.json.
type Stats struct {
	Schema  string            `json:"schema"`
	Station inspector.Station `json:"station"`
	At      time.Time         `json:"at"`
	Started time.Time         `json:"started"` // of the appliance: since then is counted

	Triggers uint64   `json:"triggers"` // pass + fail + unsure + in_flight
	InFlight uint64   `json:"in_flight"`
	Pass     uint64   `json:"pass"`
	Fail     uint64   `json:"fail"`
	Unsure   uint64   `json:"unsure"`
	Yield    *float64 `json:"first_pass_yield"` // passed / judged, 0 to 1; nil before the first
	Window   Window   `json:"window"`
	Captured uint64   `json:"frames_captured"`
	Dropped  uint64   `json:"frames_dropped"`
	Waiting  int      `json:"waiting"` // pieces of work that are not delivered yet, for persons too
	Parked   int      `json:"parked"`  // of them wait for a person to mend something
}

// A Window is what happened since the Stats before.
type Window struct {
	Seconds float64  `json:"seconds"`
	Pass    uint64   `json:"pass"`
	Fail    uint64   `json:"fail"`
	Unsure  uint64   `json:"unsure"`
	Rate    float64  `json:"boards_per_minute"`
	Yield   *float64 `json:"first_pass_yield"`
}

// Since completes s with what follows from it and from the Stats before, whose
// zero value is that there are none: then the window begins at the start.
func (s Stats) Since(before Stats) Stats {
	if before.At.IsZero() {
		before.At = s.Started
	}
	less := func(a, b uint64) uint64 { return a - min(a, b) }
	w := Window{Pass: less(s.Pass, before.Pass), Fail: less(s.Fail, before.Fail), Unsure: less(s.Unsure, before.Unsure)}
	if d := s.At.Sub(before.At); d > 0 {
		w.Seconds = d.Seconds()
		w.Rate = float64(w.Pass+w.Fail+w.Unsure) / d.Minutes()
	}
	w.Yield = yield(w.Pass, w.Fail+w.Unsure)
	s.Schema, s.Yield, s.Window = Schema, yield(s.Pass, s.Fail+s.Unsure), w
	return s
}

func yield(pass, others uint64) *float64 {
	if pass+others == 0 {
		return nil
	}
	y := float64(pass) / float64(pass+others)
	return &y
}

// A HealthReport is what the topic health says: when something changes, and
// every minute. Its form is docs/messages/health.schema.json.
type HealthReport struct {
	Schema  string            `json:"schema"`
	Station inspector.Station `json:"station"`
	At      time.Time         `json:"at"`
	Ready   bool              `json:"ready"` // boards can be judged
	State   string            `json:"state"` // of the worst part
	Parts   []PartHealth      `json:"parts"`
}

// PartHealth is how one part does, and what to do about it.
type PartHealth struct {
	Name   string `json:"name"`
	State  string `json:"state"` // ok, degraded, down
	Detail string `json:"detail"`
	Remedy string `json:"remedy,omitempty"`
}

// NewHealthReport says how the parts are.
func NewHealthReport(s inspector.Station, at time.Time, ready bool, parts []PartHealth) HealthReport {
	r := HealthReport{Schema: Schema, Station: s, At: at.UTC(), Ready: ready, State: "ok", Parts: []PartHealth{}}
	rank := map[string]int{"ok": 0, "degraded": 1, "down": 2}
	for _, p := range parts {
		p.Detail, p.Remedy = words(p.Detail), words(p.Remedy)
		if rank[p.State] > rank[r.State] {
			r.State = p.State
		}
		r.Parts = append(r.Parts, p)
	}
	return r
}

// Same reports whether the two say the same to somebody who must act: other
// numbers in the words are no news.
func (r HealthReport) Same(other HealthReport) bool {
	if r.Ready != other.Ready || len(r.Parts) != len(other.Parts) {
		return false
	}
	for n, p := range r.Parts {
		if o := other.Parts[n]; p.Name != o.Name || p.State != o.State || p.Remedy != o.Remedy {
			return false
		}
	}
	return true
}

// An ExecutionChange is what the topic execution says when the workflow of a
// board changes its status. It is for looking on: it is told once, possibly
// just before the change is durable, and not at all while nobody can be
// reached. Its form is docs/messages/execution.schema.json.
type ExecutionChange struct {
	Schema   string    `json:"schema"`
	ID       string    `json:"id"` // of the inspection, and of its execution
	Machine  string    `json:"machine"`
	Status   string    `json:"status"` // RUNNING, SUCCEEDED, FAILED, TIMED_OUT, ABORTED
	At       time.Time `json:"at"`
	Started  time.Time `json:"started"`
	Redrives int       `json:"redrives"`
	Error    string    `json:"error,omitempty"`
	Cause    string    `json:"cause,omitempty"`
	Missed   uint64    `json:"missed"` // changes just before this one that were not told
}

// A Birth says at every connection who is there and where it speaks. Its form
// is docs/messages/birth.schema.json.
type Birth struct {
	Schema  string            `json:"schema"`
	Station inspector.Station `json:"station"`
	At      time.Time         `json:"at"`
	Version string            `json:"version"`
	Started time.Time         `json:"started"`
	Client  string            `json:"client"` // id at the broker
	Recipe  string            `json:"recipe"`
	Model   string            `json:"model"`
	Page    string            `json:"page,omitempty"`
	Topics  []string          `json:"topics"` // that it speaks on, below ROOT/SITE/LINE/DEVICE/
	Orders  []string          `json:"orders"` // that it takes at set/NAME
}

// NewBirth names the topics.
func NewBirth(b Birth) Birth {
	b.Schema, b.At, b.Started = Schema, b.At.UTC(), b.Started.UTC()
	b.Topics = []string{"alert", "availability", "birth", "execution", "health", "result", "state/line", "stats"}
	b.Orders = []string{OrderAcknowledge, OrderHeartbeat, OrderPause, OrderRecipe, OrderTaken, OrderTrigger}
	return b
}

// JSON gives the payload of whatever is sent.
func JSON(message any) ([]byte, error) {
	b, err := json.Marshal(message)
	if err != nil {
		return nil, fmt.Errorf("encode %T: %w", message, err)
	}
	return b, nil
}
