package sparkplug

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"inspector/notify"
)

// session is one connection: births, then data, then a death.
type session struct {
	node   *Node
	link   *notify.Link
	host   host
	number uint8 // bdSeq
	seq    int   // of the next message
	born   bool
}

// connection lives from connect to loss.
func (n *Node) connection(ctx context.Context) error {
	number, err := n.number()
	if err != nil {
		return fmt.Errorf("count the connection: %w", err)
	}
	s := &session{node: n, number: number}
	filters := []string{n.config.topic("NCMD")}
	if n.config.Host != "" {
		s.host.topic = namespace + "/STATE/" + n.config.Host
		filters = append(filters, s.host.topic)
	}
	s.link, err = notify.Connect(ctx, n.config.MQTT, notify.Will{Topic: n.config.topic("NDEATH"), Payload: s.death()}, filters...)
	if err != nil {
		return err
	}
	defer s.link.Close()
	var waiting sync.WaitGroup
	defer waiting.Wait()
	inner, stop := context.WithCancel(ctx)
	defer stop()
	lost := make(chan error, 1)
	waiting.Go(func() { lost <- s.link.Wait(inner) })
	if err = s.live(ctx, lost); ctx.Err() != nil || errors.Is(err, errHostAway) {
		s.die(context.WithoutCancel(ctx))
	}
	return err
}

var errHostAway = errors.New("the primary host went offline")

// live tells births and data until the connection is lost or the host goes.
func (s *session) live(ctx context.Context, lost <-chan error) error {
	if !s.host.absent() {
		if err := s.birth(ctx); err != nil {
			return err
		}
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-lost:
			return err
		case m := <-s.link.Messages:
			if err := s.hear(ctx, m); err != nil {
				return err
			}
		case <-s.node.news:
			if err := s.data(ctx); err != nil {
				return err
			}
		}
	}
}

// hear obeys the host.
func (s *session) hear(ctx context.Context, m notify.Received) error {
	if s.host.hear(m.Topic, m.Payload) {
		switch {
		case s.host.online && !s.born:
			return s.birth(ctx)
		case !s.host.online && s.born:
			return errHostAway
		}
		return nil
	}
	if m.Topic != s.node.config.topic("NCMD") || !s.born || !wantsRebirth(m.Payload) {
		return nil
	}
	for len(s.link.Messages) > 0 { // those who ask at once are answered at once
		next := <-s.link.Messages
		if s.host.topic == next.Topic {
			if err := s.hear(ctx, next); err != nil {
				return err
			}
		}
	}
	return s.birth(ctx)
}

// wantsRebirth reports whether a command asks for births anew; others are not
// obeyed, as nothing of the appliance can be set.
func wantsRebirth(command []byte) bool {
	p, err := parse(command)
	return err == nil && slices.ContainsFunc(p.metrics, func(m Metric) bool { return m.Name == rebirth && m.Value == true })
}

// birth tells everything: first the node's, then the device's if it is there.
// At the first, what waits is in it.
func (s *session) birth(ctx context.Context) error {
	n := s.node
	now := time.Now()
	n.mu.Lock()
	if !s.born {
		for _, c := range n.pending {
			n.apply(c)
		}
		n.pending = nil
	}
	node := append(s.own(now), dated(n.node, now)...)
	device, online := dated(n.device, now), n.online
	n.mu.Unlock()
	s.seq, s.born = 0, true
	if err := s.send(ctx, "NBIRTH", node, true); err != nil {
		return err
	}
	if online {
		if err := s.send(ctx, "DBIRTH", device, true); err != nil {
			return err
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.health = Health{Born: true, Since: now, Births: n.health.Births + 1}
	n.log.Info("sparkplug: born", "topic", n.config.topic("NBIRTH"), "bdSeq", s.number)
	return nil
}

// own are the metrics of Sparkplug itself.
func (s *session) own(now time.Time) []Metric {
	return []Metric{{deathNumber, Int64, int64(s.number), now}, {rebirth, Boolean, false, now}}
}

// dated is a copy in which values that never came have a time, too.
func dated(all []Metric, now time.Time) []Metric {
	all = slices.Clone(all)
	for i := range all {
		if all[i].At.IsZero() {
			all[i].At = now
		}
	}
	return all
}

// data tells all changes.
func (s *session) data(ctx context.Context) error {
	for s.born {
		c, ok := s.node.take()
		if !ok {
			return nil
		}
		if err := s.tell(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) tell(ctx context.Context, c change) error {
	s.node.mu.Lock()
	online, all := s.node.online, dated(s.node.device, time.Now())
	s.node.mu.Unlock()
	switch {
	case c.metrics == nil && c.online:
		return s.send(ctx, "DBIRTH", all, true)
	case c.metrics == nil:
		return s.send(ctx, "DDEATH", nil, false)
	case !c.device:
		return s.send(ctx, "NDATA", c.metrics, false)
	case online:
		return s.send(ctx, "DDATA", c.metrics, false)
	}
	return nil // the device's next birth tells it
}

// send sends the next message of the node.
func (s *session) send(ctx context.Context, kind string, metrics []Metric, birth bool) error {
	p := payload{at: time.Now(), metrics: metrics, seq: s.seq}
	s.seq = (s.seq + 1) % 256
	return s.link.Publish(ctx, s.node.config.topic(kind), 0, p.encode(birth))
}

// death is the message that the node is dead: the will, and the goodbye.
func (s *session) death() []byte {
	now := time.Now()
	return payload{at: now, metrics: s.own(now)[:1], seq: -1}.encode(true)
}

// die says so before the connection ends on purpose.
func (s *session) die(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_ = s.link.Publish(ctx, s.node.config.topic("NDEATH"), 1, s.death()) // if it fails, the connection is lost and the will speaks
}
