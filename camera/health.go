package camera

import (
	"time"
)

// State is what a camera is doing.
type State string

// The states of a camera.
const (
	Opening    State = "opening"    // no frame yet since Run
	Delivering State = "delivering" // frames come, or a watched folder waits for one
	Lost       State = "lost"       // will be opened again after a pause
	Ended      State = "ended"      // no more frames will come
)

// Health is a snapshot of a camera.
type Health struct {
	Source   string        `json:"source"` // without credentials
	State    State         `json:"state"`
	Since    time.Time     `json:"since"`            // of the state
	Last     time.Time     `json:"last,omitzero"`    // capture of the last frame
	Age      time.Duration `json:"age_ns,omitempty"` // of the last frame now
	Captured uint64        `json:"captured"`         // frames and unreadable stills: the last Seq
	Dropped  uint64        `json:"dropped"`          // frames that no consumer took, or took too late
	Error    string        `json:"error,omitempty"`  // why the camera was last lost or ended
}

// Health may be called at any time from any goroutine.
func (c *Camera) Health() Health {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := c.health
	if !h.Last.IsZero() {
		h.Age = time.Since(h.Last)
	}
	if c.err != nil {
		h.Error = c.err.Error()
	}
	return h
}

// enter changes the state, wakes whoever waits for that, and returns the state
// before.
func (c *Camera) enter(s State, err error) (before State) {
	c.mu.Lock()
	defer c.mu.Unlock()
	before = c.health.State
	if err != nil {
		c.err = err
	}
	if s != before {
		c.health.State, c.health.Since = s, time.Now()
		close(c.changed)
		c.changed = make(chan struct{})
	}
	return before
}

// watch returns the state, why it was entered, and a channel that closes when
// it changes.
func (c *Camera) watch() (State, <-chan struct{}, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.health.State, c.changed, c.err
}

func (c *Camera) drop(f interface{ Release() }) {
	f.Release()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.health.Dropped++
}
