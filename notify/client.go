// Package notify speaks MQTT: a client that calls nothing delivered before the
// broker's PUBACK, a broker inside the program for lines that have none, and
// the messages that both carry. It holds no queue: what could not be delivered
// is an error, and whoever called tries again.
package notify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// MaxPayload is the longest payload that Publish accepts, in bytes: what the
// strictest of the common brokers (AWS IoT Core) takes.
const MaxPayload = 128 << 10

// A RejectedError is a message that no retry will get through.
type RejectedError struct {
	Topic  string
	Reason string
}

func (e *RejectedError) Error() string {
	return fmt.Sprintf("mqtt message to %.80q cannot be sent: %s", e.Topic, e.Reason)
}

// Permanent tells whoever retries not to.
func (e *RejectedError) Permanent() bool { return true }

// A configError is a fault of the configuration: only a person can help.
type configError struct{ error }

func (e *configError) Unwrap() error   { return e.error }
func (e *configError) Permanent() bool { return true }

// A Handler is given what arrived. ctx ends when Run is asked to stop. It may
// take its time: messages wait for it, at most 64, and then they are dropped
// and counted. payload is its own; what was longer than MaxPayload has one byte
// more than that, and the rest is cut off.
type Handler func(ctx context.Context, topic string, payload []byte)

// Client keeps one connection to a broker. Its methods may be called from any
// goroutine at the same time.
type Client struct {
	config Config
	log    *slog.Logger
	subs   []*subscription
	tried  chan struct{} // closed once health says how the first attempt ended

	mu      sync.Mutex
	current *session       // nil without a connection
	calls   sync.WaitGroup // publishing goroutines; added to only under mu with a session
	health  Health
	rivalry rivalry
	warned  map[string]bool // topics of retained orders that the log names
}

// NewClient returns a client at rest: nothing happens until Run.
func NewClient(c Config, log *slog.Logger) *Client {
	return &Client{config: c, log: log, tried: make(chan struct{}), warned: map[string]bool{}}
}

// Tried is closed when the first attempt to connect has ended, well or not:
// before that, a message could only fail.
func (c *Client) Tried() <-chan struct{} { return c.tried }

// Subscribe asks for all messages that match the filter, on every connection,
// with QoS 1. Messages that the broker retains are left out and named in
// Health: they are a state of the past, not an order. To be called before Run.
func (c *Client) Subscribe(filter string, h Handler) {
	c.subs = append(c.subs, &subscription{filter: filter, handler: h, queue: make(chan message, 64), dropped: c.countDrop, retained: c.noteRetained})
}

// Run keeps the client connected until ctx ends, then says goodbye to the
// broker and returns nil. A broker that is down or refuses us is no error: it
// is tried again, at most 10 s apart. A faulty config is a permanent error.
func (c *Client) Run(ctx context.Context) error {
	if err := c.config.Validate(); err != nil {
		return &configError{err}
	}
	var workers sync.WaitGroup
	defer workers.Wait()
	for _, s := range c.subs {
		workers.Go(func() { s.run(ctx) })
	}
	defer c.calls.Wait()
	for failures := 0; ctx.Err() == nil; failures++ {
		began := time.Now()
		up, witnessed, err := c.connection(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if up && time.Since(began) > backoffMax {
			failures = 0
		}
		select {
		case <-ctx.Done():
		case <-time.After(c.lost(up, time.Since(began), witnessed, failures, err)):
		}
	}
	return nil
}

const backoffMax = 10 * time.Second

// backoff is the pause after so many failures in a row; random is in [0,1).
func backoff(failures int, random float64) time.Duration {
	d := min(250*time.Millisecond<<min(failures, 10), backoffMax)
	return d - time.Duration(random*float64(d)/2)
}

// connection lives from connect to loss; up says whether the broker let us in,
// and witnessed that another connection outlived it.
func (c *Client) connection(ctx context.Context) (up, witnessed bool, err error) {
	c.forgetRetained()
	s, err := dial(ctx, c.config, c.subs, nil)
	if err != nil {
		return false, false, err
	}
	defer s.close()
	if err := s.greet(ctx, c.config, c.subs); err != nil {
		return true, false, err
	}
	var w *session
	if c.found(s) {
		w = s.witness(ctx, c.config)
	}
	calm := time.AfterFunc(settled, func() { c.alone(); w.close() })
	defer calm.Stop()
	err = s.wait(ctx)
	c.mu.Lock()
	c.current = nil
	c.mu.Unlock()
	if ctx.Err() != nil {
		s.goodbye(context.WithoutCancel(ctx), c.config)
	}
	return true, w.testify(ctx), err
}

// ErrNotConnected is given by Publish while there is no connection.
var ErrNotConnected = errors.New("not connected to the mqtt broker")

// Publish sends a message with QoS 1 and returns nil only if the broker
// acknowledged it (PUBACK) on the very connection that carried it. Every other
// outcome is an error: nobody knows then whether the broker has the message,
// and it must be sent again with the same key. Unless the error is a
// RejectedError it is transient. It waits no longer than ctx, and not at all
// without a connection. Nobody may write to payload afterwards.
//
// A broker of MQTT 3.1.1 cannot refuse one message: mosquitto acknowledges and
// drops what its access rules deny, others close the connection. So after a
// change of access rules, look with a subscriber.
func (c *Client) Publish(ctx context.Context, topic string, retained bool, payload []byte) error {
	if err := checkTopic(topic); err != nil {
		return err
	}
	if len(payload) > MaxPayload {
		return &RejectedError{Topic: topic, Reason: fmt.Sprintf("payload of %d bytes; at most %d", len(payload), MaxPayload)}
	}
	if err := c.begin(topic, retained, payload).await(ctx); err != nil {
		return fmt.Errorf("publish to %s: %w", topic, err)
	}
	return nil
}

// begin hands the message to the connection of now. paho's Publish may block
// for writeTimeout on a link that swallows bytes, hence the goroutine.
func (c *Client) begin(topic string, retained bool, payload []byte) *delivery {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.current
	if s == nil {
		return &delivery{err: fmt.Errorf("%w: %s", ErrNotConnected, cmp.Or(c.health.LastError, "not yet"))}
	}
	d := &delivery{session: s, token: make(chan mqtt.Token, 1)}
	c.calls.Go(func() { d.token <- s.paho.Publish(topic, 1, retained, payload) })
	return d
}

// checkTopic refuses what MQTT does not allow as the name of a topic.
func checkTopic(topic string) error {
	switch {
	case topic == "" || len(topic) > 1024:
		return &RejectedError{topic, fmt.Sprintf("topic of %d bytes; want 1 to 1024", len(topic))}
	case strings.HasPrefix(topic, "$"):
		return &RejectedError{topic, "topics beginning with $ are the broker's own"}
	case strings.ContainsAny(topic, "+#"):
		return &RejectedError{topic, "wildcards + and # are for subscribers only"}
	case !utf8.ValidString(topic) || strings.ContainsFunc(topic, unicode.IsControl):
		return &RejectedError{topic, "topic with control characters or broken UTF-8"}
	}
	return nil
}
