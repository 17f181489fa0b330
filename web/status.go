package web

import (
	"cmp"
	"time"

	"inspector"
)

// Status is how the appliance is, once for all: the page, /api/v1/status,
// /readyz and /metrics are views of it.
type Status struct {
	Version string            `json:"version"`
	Started time.Time         `json:"started"`
	Station inspector.Station `json:"station"`
	Source  string            `json:"source"` // of the pictures, in words
	Recipe  string            `json:"recipe"` // in force
	Model   string            `json:"model"`  // name/version@sha256
	Runtime string            `json:"runtime"`
	Frames  Frames            `json:"frames"`
	Counts  Counts            `json:"counts"`
	Disk    Disk              `json:"disk"`
	Lanes   []Lane            `json:"lanes"`
	Targets []Target          `json:"targets"`
	Parts   []Part            `json:"parts"`
}

// Frames are the camera's, since the start.
type Frames struct {
	Captured uint64   `json:"captured"`
	Dropped  uint64   `json:"dropped"`
	Age      *float64 `json:"age_seconds"` // of the newest; nil before the first
}

// Counts are the ledger since the start:
// Triggers = Pass + Fail + Unsure + InFlight.
type Counts struct {
	Triggers uint64 `json:"triggers"`
	Pass     uint64 `json:"pass"`
	Fail     uint64 `json:"fail"`
	Unsure   uint64 `json:"unsure"`
	InFlight uint64 `json:"in_flight"`
}

// Disk is the one that holds the store, in bytes.
type Disk struct {
	Free         uint64 `json:"free_bytes"` // to this process
	Total        uint64 `json:"total_bytes"`
	Level        string `json:"level"`               // what is given up: ok (nothing), warn, stop-passes, stop-triggers
	Warn         uint64 `json:"warn_bytes"`          // less free is level warn
	StopPasses   uint64 `json:"stop_passes_bytes"`   // likewise
	StopTriggers uint64 `json:"stop_triggers_bytes"` // likewise
	Reserve      uint64 `json:"reserve_bytes"`       // held back now, and given free in need
	Refused      uint64 `json:"refused_triggers"`    // for want of room, since the start
}

// A Lane is the queue of one kind of work.
type Lane struct {
	Name   string  `json:"name"`
	Depth  int     `json:"depth"`
	Oldest float64 `json:"oldest_seconds"` // age of the longest waiting; 0 if none
	Parked int     `json:"parked"`         // executions that wait for a person to act
}

// A Target is where work goes: a broker, a bucket, a rule's webhook.
type Target struct {
	Name      string      `json:"name"`
	Lanes     []string    `json:"lanes"`           // that bring work to it
	Depth     int         `json:"depth"`           // waits, parked work aside
	Parked    int         `json:"parked"`          // refused for good: a person must act
	Oldest    float64     `json:"oldest_seconds"`  // age of the longest waiting, parked work included; 0 if none
	Rate      float64     `json:"rate_per_second"` // delivered, in the last minute
	Drain     *float64    `json:"drain_seconds"`   // until nothing waits, at the pace of the last minute and with what arrives; nil: it does not get shorter
	Delivered uint64      `json:"delivered"`       // since the start
	State     TargetState `json:"state"`
	Error     string      `json:"error,omitempty"`  // of the newest attempt, or why work is parked
	Remedy    string      `json:"remedy,omitempty"` // what to do, unless all is well
}

// A TargetState is how a target does.
type TargetState string

// The states of a target; of two that fit the later counts.
const (
	TargetOK       TargetState = "ok"
	TargetDraining TargetState = "draining" // a backlog goes out
	TargetParked   TargetState = "parked"   // it takes work, but refused some for good
	TargetFailing  TargetState = "failing"  // it takes none
)

// A State is how a part does.
type State string

// The states of a part.
const (
	OK       State = "ok"
	Degraded State = "degraded" // does its work, but somebody should look
	Down     State = "down"
)

// A Part is one thing that can break, with what to do about it. The parts
// named camera, model, recipe and disk decide whether the appliance is ready.
type Part struct {
	Name   string `json:"name"` // camera, model, runtime, disk, broker, upstream, ...
	State  State  `json:"state"`
	Detail string `json:"detail"`           // how it is, in words
	Remedy string `json:"remedy,omitempty"` // what to do, unless all is well
}

// report is a Status with what follows from it.
type report struct {
	Status
	Ready   bool     `json:"ready"`
	Reasons []Part   `json:"reasons"`          // why not ready
	Yield   *float64 `json:"first_pass_yield"` // passed / judged, 0 to 1; nil before the first
}

// Ready reports whether boards can be judged.
func (s Status) Ready() bool { return assess(s).Ready }

// assess draws the conclusions. A part that nobody reports is a part that
// nobody has seen working.
func assess(s Status) report {
	r := report{Status: s, Reasons: []Part{}}
	for _, name := range []string{"camera", "model", "recipe", "disk"} {
		p := Part{Name: name, State: Down, Detail: "not reported yet", Remedy: "wait for the appliance to start; if it stays so, read its log"}
		for _, have := range s.Parts {
			if have.Name == name {
				p = have
			}
		}
		if p.State != OK && p.State != Degraded {
			r.Reasons = append(r.Reasons, p)
		}
	}
	r.Ready = len(r.Reasons) == 0
	if judged := s.Counts.Pass + s.Counts.Fail + s.Counts.Unsure; judged > 0 {
		y := float64(s.Counts.Pass) / float64(judged)
		r.Yield = &y
	}
	r.Lanes, r.Targets, r.Parts = list(s.Lanes), list(s.Targets), list(s.Parts)
	return r
}

// list makes an absent list an empty one, as the API promises lists.
func list[T any](l []T) []T {
	if l == nil {
		return []T{}
	}
	return l
}

// complete fills in what the API promises to be there.
func complete(r Record) Record {
	r.Defects, r.Evidence = list(r.Defects), list(r.Evidence)
	r.Verdict = cmp.Or(r.Verdict, inspector.Unsure) // silence is not innocence
	return r
}
