package notify

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"

	"inspector"
)

// HandshakeConfig says what is expected of the line's controller; zero is
// nothing.
type HandshakeConfig struct {
	Heartbeat   time.Duration // between signs of life
	Acknowledge time.Duration // from a verdict to its taking
}

// A Handshake is what the appliance and the line's controller owe each other,
// as docs/handshake.md says. It reads no clock: whoever drives it says when
// things happened. Every time-out makes it not ready, and a trigger that it
// refuses is answered with unsure and reject. It belongs to one goroutine.
type Handshake struct {
	config  HandshakeConfig
	unable  string    // why boards cannot be judged; empty: they can
	alive   time.Time // last sign of life of the controller
	open    []string  // requests without a verdict, in their order
	pending []handed  // verdicts that are not taken, in their order
	last    *LineVerdict
}

// handed is a verdict that was handed out.
type handed struct {
	request string
	at      time.Time
}

// LineVerdict is the newest one.
type LineVerdict struct {
	Request string            `json:"request"`
	ID      string            `json:"id,omitempty"` // of the inspection; empty: refused
	Verdict inspector.Verdict `json:"verdict"`
	Reject  bool              `json:"reject"` // all but pass
}

// A LineState is what the topic state/line says, retained. Its form is
// docs/messages/line.schema.json.
type LineState struct {
	Schema  string       `json:"schema"`
	At      time.Time    `json:"at"`    // of the change
	Ready   bool         `json:"ready"` // a trigger will be judged
	Reason  string       `json:"reason,omitempty"`
	Busy    bool         `json:"busy"`              // a trigger has no verdict yet
	Boards  int          `json:"boards"`            // so many
	Waiting int          `json:"waiting"`           // verdicts that the line has not taken, if it must
	Verdict *LineVerdict `json:"verdict,omitempty"` // the newest; none before the first
}

// Reject is what a line that knows only one bit must do: take the board out,
// unless the newest trigger has passed.
func (s LineState) Reject() bool { return s.Busy || s.Verdict == nil || s.Verdict.Reject }

// Same reports whether nothing has changed but the time.
func (s LineState) Same(other LineState) bool {
	a, b := s.Verdict, other.Verdict
	s.At, other.At, s.Verdict, other.Verdict = time.Time{}, time.Time{}, nil, nil
	return s == other && (a == nil) == (b == nil) && (a == nil || *a == *b)
}

// NewHandshake begins as not ready.
func NewHandshake(c HandshakeConfig) *Handshake {
	return &Handshake{config: c, unable: "starting"}
}

// Able notes whether boards can be judged: why not, empty if they can.
func (h *Handshake) Able(why string) { h.unable = why }

// Alive notes a sign of life of the controller.
func (h *Handshake) Alive(now time.Time) { h.alive = now }

// Refuse says why a trigger cannot be followed now; nil: it can. Who asks
// again for a verdict that was not taken may have it. Boards that cannot be
// judged for another reason are the line's to refuse, or unsure.
func (h *Handshake) Refuse(now time.Time, request string) error {
	late := h.overdue(now)
	if late == "" || slices.ContainsFunc(h.pending, func(p handed) bool { return p.request == request }) {
		return nil
	}
	return errors.New(late)
}

// Triggered notes a trigger that is followed; it is a sign of life, too.
func (h *Handshake) Triggered(now time.Time, request string) {
	h.alive = now
	h.take(request) // asked again, it is answered anew
	if !slices.Contains(h.open, request) {
		h.open = append(h.open, request)
	}
}

// Judged notes the answer to a trigger; one that was refused need not be taken.
func (h *Handshake) Judged(now time.Time, v LineVerdict) {
	v.Verdict, v.Reject = verdict(v.Verdict), reject(v.Verdict)
	h.open = slices.DeleteFunc(h.open, func(r string) bool { return r == v.Request })
	h.last = &v
	h.take(v.Request)
	if h.config.Acknowledge > 0 && v.ID != "" {
		h.pending = append(h.pending, handed{v.Request, now})
	}
}

// Taken notes that the line has taken a verdict; again, or for one that nobody
// waits for, is harmless.
func (h *Handshake) Taken(now time.Time, request string) {
	h.alive = now
	h.take(request)
}

func (h *Handshake) take(request string) {
	h.pending = slices.DeleteFunc(h.pending, func(p handed) bool { return p.request == request })
}

// State is how the line is now.
func (h *Handshake) State(now time.Time) LineState {
	s := LineState{Schema: Schema, At: now.UTC(), Busy: len(h.open) > 0, Boards: len(h.open), Waiting: len(h.pending), Verdict: h.last}
	s.Reason = words(cmp.Or(h.unable, h.silent(now), h.overdue(now)))
	s.Ready = s.Reason == ""
	return s
}

// Due is when State changes by itself; zero: never.
func (h *Handshake) Due(now time.Time) (due time.Time) {
	if h.config.Heartbeat > 0 && h.silent(now) == "" {
		due = h.alive.Add(h.config.Heartbeat)
	}
	if len(h.pending) > 0 && h.overdue(now) == "" {
		if d := h.pending[0].at.Add(h.config.Acknowledge); due.IsZero() || d.Before(due) {
			due = d
		}
	}
	return due
}

func (h *Handshake) silent(now time.Time) string {
	switch {
	case h.config.Heartbeat <= 0 || now.Sub(h.alive) < h.config.Heartbeat && !h.alive.IsZero():
		return ""
	case h.alive.IsZero():
		return "no heartbeat from the line's controller yet: it must publish to set/heartbeat"
	}
	return fmt.Sprintf("no heartbeat from the line's controller for %v: it must publish to set/heartbeat", h.config.Heartbeat)
}

func (h *Handshake) overdue(now time.Time) string {
	if len(h.pending) == 0 || now.Sub(h.pending[0].at) < h.config.Acknowledge {
		return ""
	}
	return fmt.Sprintf("the verdict about request %.128s was not taken within %v: publish its request to set/taken", h.pending[0].request, h.config.Acknowledge)
}
