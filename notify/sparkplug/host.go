package sparkplug

import (
	"encoding/json"
)

// host is what is known of the primary host, by its STATE messages.
type host struct {
	topic  string // empty: none is waited for
	heard  bool
	latest uint64 // timestamp of the last that counted
	online bool
}

// hear takes a message and reports whether it told of the host. One that is
// older than what is known, of another host, or not understood is left out.
func (h *host) hear(topic string, payload []byte) bool {
	var s struct {
		Online    *bool   `json:"online"`
		Timestamp *uint64 `json:"timestamp"`
	}
	if h.topic == "" || topic != h.topic || json.Unmarshal(payload, &s) != nil || s.Online == nil || s.Timestamp == nil {
		return false
	}
	if h.heard && *s.Timestamp < h.latest {
		return false
	}
	h.heard, h.latest, h.online = true, *s.Timestamp, *s.Online
	return true
}

// absent reports whether births and data must wait for the host.
func (h *host) absent() bool { return h.topic != "" && !h.online }
