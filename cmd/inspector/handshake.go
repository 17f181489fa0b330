package main

import (
	"context"
	"log/slog"
	"strconv"
	"sync"
	"time"

	"inspector/notify"
)

// A handshake tells the line's controller how the line is, and takes what it
// says. All methods may be called from any goroutine.
type handshake struct {
	config  HandshakeConfig
	topics  notify.Topics
	publish func(ctx context.Context, topic string, retained bool, payload []byte) error
	since   func() time.Time // the connection began then; zero: there is none
	unable  func() string    // why boards cannot be judged; empty: they can
	log     *slog.Logger
	changed chan struct{} // capacity 1

	mu    sync.Mutex
	state *notify.Handshake
}

func newHandshake(h *handshake) *handshake {
	h.changed = make(chan struct{}, 1)
	h.state = notify.NewHandshake(notify.HandshakeConfig{Heartbeat: h.config.Heartbeat, Acknowledge: h.config.Acknowledge})
	return h
}

// triggered reports why a trigger is refused, or notes that it is followed.
func (h *handshake) triggered(request string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	if err := h.state.Refuse(time.Now(), request); err != nil {
		return err
	}
	h.state.Triggered(time.Now(), request)
	h.news()
	return nil
}

func (h *handshake) judged(a notify.Answer) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.state.Judged(time.Now(), notify.LineVerdict{Request: a.Request, ID: a.ID, Verdict: a.Verdict})
	h.news()
}

func (h *handshake) taken(request string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.state.Taken(time.Now(), request)
	h.news()
}

func (h *handshake) heartbeat() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.state.Alive(time.Now())
	h.news()
}

// look asks at once whether boards can be judged.
func (h *handshake) look() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.news()
}

// news needs mu.
func (h *handshake) news() {
	select {
	case h.changed <- struct{}{}:
	default:
	}
}

// now is how the line is, and when that changes by itself; zero: never.
func (h *handshake) now() (notify.LineState, time.Time) {
	able := h.unable()
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	h.state.Able(able)
	return h.state.State(now), h.state.Due(now)
}

// lookAgain is how often it is asked whether boards can be judged.
const lookAgain = time.Second

// Run tells every change, and all of it at every connection, until ctx ends;
// then, that the line is not ready. What could not be told is told later, as
// it is then.
func (h *handshake) Run(ctx context.Context) error {
	look, beat := time.NewTicker(lookAgain), time.NewTicker(max(h.config.Beat, time.Millisecond))
	defer look.Stop()
	defer beat.Stop()
	if h.config.Beat == 0 {
		beat.Stop()
	}
	var told notify.LineState // the zero value: nothing
	var connected time.Time
	for beats := uint64(0); ; {
		state, due := h.now()
		if since := h.since(); !since.IsZero() && (!since.Equal(connected) || !state.Same(told)) {
			fresh := !since.Equal(connected)
			if err := h.tell(ctx, state, told, fresh); err == nil {
				told, connected = state, since
			} else if ctx.Err() == nil {
				told, connected = notify.LineState{}, time.Time{}
			}
		}
		var over <-chan time.Time
		if !due.IsZero() {
			over = time.After(max(time.Until(due), 0))
		}
		select {
		case <-ctx.Done():
			h.mu.Lock()
			h.state.Able("stopping")
			state := h.state.State(time.Now())
			h.mu.Unlock()
			bye, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			_ = h.tell(bye, state, told, false) // the availability says it, too
			return nil
		case <-h.changed:
		case <-over:
		case <-look.C:
		case <-beat.C:
			if beats++; !h.since().IsZero() {
				_ = h.send(ctx, h.topics.Line("heartbeat"), false, strconv.FormatUint(beats, 10)) // the next one follows
			}
		}
	}
}

// tell publishes what differs from before, everything if fresh. What a
// controller must heed first comes first: not ready and busy before the
// verdict, not busy and ready after it.
func (h *handshake) tell(ctx context.Context, s, before notify.LineState, fresh bool) error {
	if s.Ready != before.Ready {
		h.log.Info("the line", "ready", s.Ready, "reason", s.Reason)
	}
	text, err := notify.JSON(s)
	if err == nil {
		err = h.send(ctx, h.topics.State("line"), true, string(text))
	}
	if err != nil || !h.config.Plain {
		return err
	}
	type word struct{ name, text, before string }
	verdict := func(s notify.LineState) string {
		if s.Busy || s.Verdict == nil {
			return "none"
		}
		return string(s.Verdict.Verdict)
	}
	ready, busy := word{"ready", bit(s.Ready), bit(before.Ready)}, word{"busy", bit(s.Busy), bit(before.Busy)}
	words := []word{{"reject", bit(s.Reject()), bit(before.Reject())}, {"verdict", verdict(s), verdict(before)}}
	for _, w := range []struct {
		word
		first bool
	}{{busy, s.Busy}, {ready, !s.Ready}} {
		if w.first {
			words = append([]word{w.word}, words...)
		} else {
			words = append(words, w.word)
		}
	}
	for _, w := range words {
		if w.text == w.before && !fresh {
			continue
		}
		if err := h.send(ctx, h.topics.Line(w.name), true, w.text); err != nil {
			return err
		}
	}
	return nil
}

func bit(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

func (h *handshake) send(ctx context.Context, topic string, retained bool, text string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return h.publish(ctx, topic, retained, []byte(text))
}
