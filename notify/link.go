package notify

import (
	"context"
	"fmt"

	mqtt "github.com/eclipse/paho.mqtt.golang"
)

// A Will is what the broker says, with QoS 1 and not retained, when a
// connection ends without a goodbye.
type Will struct {
	Topic   string
	Payload []byte
}

// A Received is a message that came over a Link.
type Received struct {
	Topic   string
	Payload []byte // its own
}

// A Link is one connection to a broker that its owner keeps: for protocols that
// must know when it begins and ends. Its methods may be called from any
// goroutine at the same time.
type Link struct {
	Messages <-chan Received // at most 64 wait; more are dropped

	session *session
}

// Connect connects, with a clean session, and subscribes with QoS 1. The
// availability of c is left out. If it fails, nothing is left running; else
// Close must be called.
func Connect(ctx context.Context, c Config, will Will, filters ...string) (*Link, error) {
	if err := c.Validate(); err != nil {
		return nil, &configError{err}
	}
	c.Availability = ""
	messages := make(chan Received, 64)
	s, err := dial(ctx, c, nil, func(o *mqtt.ClientOptions) {
		o.SetBinaryWill(will.Topic, will.Payload, 1, false)
		o.SetDefaultPublishHandler(func(_ mqtt.Client, m mqtt.Message) {
			select {
			case messages <- Received{m.Topic(), m.Payload()}:
			default:
			}
		})
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	for _, f := range filters {
		if err := s.await(ctx, s.paho.Subscribe(f, 1, nil)); err != nil {
			s.close()
			return nil, fmt.Errorf("subscribe to %s: %w", f, err)
		}
	}
	return &Link{Messages: messages, session: s}, nil
}

// Publish sends a message that is not retained. With QoS 0 nil means that it
// left, with QoS 1 that the broker has it.
func (l *Link) Publish(ctx context.Context, topic string, qos byte, payload []byte) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	if err := l.session.await(ctx, l.session.paho.Publish(topic, qos, false, payload)); err != nil {
		return fmt.Errorf("publish to %s: %w", topic, err)
	}
	return nil
}

// Wait returns when the connection is lost, with why, or when ctx ends.
func (l *Link) Wait(ctx context.Context) error { return l.session.wait(ctx) }

// Close says goodbye, so that the will is not spoken, and returns when
// everything has ended.
func (l *Link) Close() { l.session.close() }
