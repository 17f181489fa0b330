package notify

import (
	"slices"
	"time"
)

// Health is what the client believes about its connection.
type Health struct {
	Connected  bool      `json:"connected"`
	Since      time.Time `json:"since,omitzero"`       // of the connection, or of its loss
	LastError  string    `json:"last_error,omitempty"` // the newest trouble, in words
	Reconnects uint64    `json:"reconnects"`           // connections after the first
	Dropped    uint64    `json:"dropped"`              // received messages that nobody had time for
	Rival      bool      `json:"rival"`                // another client uses our ID: last_error says so, connected or not
	Retained   []string  `json:"retained,omitempty"`   // topics of orders that the broker retains, which are ignored; of this connection
}

// found notes a connection that is ready, and reports whether it needs a
// witness.
func (c *Client) found(s *session) (suspected bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.current = s
	c.hasTried()
	if c.health.Reconnects++; c.health.Since.IsZero() {
		c.health.Reconnects = 0
	}
	c.health.Connected, c.health.Since, c.health.LastError = true, time.Now(), ""
	switch {
	case c.health.Rival: // until this connection has lived
		c.health.LastError = c.rivalry.words(c.config.ClientID)
	case s.refused != nil:
		c.health.LastError = s.refused.Error()
		c.log.Warn("mqtt: connected, but not all is well", "broker", c.config.URL, "err", s.refused)
	default:
		c.log.Info("mqtt: connected", "broker", c.config.URL, "client", c.config.ClientID)
	}
	return c.rivalry.suspected()
}

// alone notes that the connection has lived long enough to have no rival.
func (c *Client) alone() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rivalry = (rivalry{}); c.health.Rival && c.health.Connected {
		c.health.Rival, c.health.LastError = false, ""
		c.log.Info("mqtt: no other client uses our id any more", "client", c.config.ClientID)
	}
}

// lost notes a connection that ended or never was, and says how long to wait;
// the same trouble is logged once.
func (c *Client) lost(up bool, lived time.Duration, witnessed bool, failures int, err error) (pause time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.hasTried()
	if c.rivalry.ended(up, lived, err, witnessed); c.rivalry.exists() {
		words := c.rivalry.words(c.config.ClientID)
		if !c.health.Rival {
			c.log.Error("mqtt: thrown out", "err", words)
		}
		c.health.Connected, c.health.Rival, c.health.LastError = false, true, words
		return c.rivalry.pause(failures)
	}
	c.health.Rival = false
	if c.health.Connected {
		c.health.Connected, c.health.Since = false, time.Now()
	}
	if words := err.Error(); up || words != c.health.LastError {
		c.health.LastError = words
		c.log.Warn("mqtt: not connected; will retry", "err", err)
	}
	return c.rivalry.pause(failures)
}

// hasTried is called under mu.
func (c *Client) hasTried() {
	select {
	case <-c.tried:
	default:
		close(c.tried)
	}
}

func (c *Client) countDrop(filter string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.health.Dropped++; c.health.Dropped == 1 {
		c.log.Error("mqtt: dropped a message: the handler is too slow; from now on only counted", "filter", filter)
	}
}

// forgetRetained is called before a connection is made.
func (c *Client) forgetRetained() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.health.Retained = nil
}

// noteRetained names an order that the broker retains.
func (c *Client) noteRetained(topic string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.health.Retained) == mostRetained || slices.Contains(c.health.Retained, topic) {
		return
	}
	c.health.Retained = append(slices.Clone(c.health.Retained), topic)
	if !c.warned[topic] {
		c.warned[topic] = true
		c.log.Warn("mqtt: ignored a retained order, which would come again with every connection; remove it: mosquitto_pub -r -n -t TOPIC", "topic", topic)
	}
}

// mostRetained is how many topics of retained orders are named.
const mostRetained = 16

// Since is when the connection of now began; zero without one.
func (c *Client) Since() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current == nil {
		return time.Time{}
	}
	return c.health.Since
}

// Health tells how the connection is.
func (c *Client) Health() Health {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.health
}
