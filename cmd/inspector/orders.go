package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"inspector"
	"inspector/notify"
	"inspector/store"
	"inspector/web"
)

// orders takes what comes at set/NAME and answers at state/NAME.
type orders struct {
	line      *line
	desk      *backend
	shake     *handshake
	announce  func(web.Record) // to the pages
	client    *notify.Client
	topics    notify.Topics
	page      string
	log       *slog.Logger
	places    chan struct{}  // triggers under way
	answering sync.WaitGroup // waited for before the client stops
}

// mostTriggers is how many triggers of MQTT may be under way at once.
const mostTriggers = 64

// subscribe is called before the client runs.
func (o *orders) subscribe() {
	o.places = make(chan struct{}, mostTriggers)
	o.client.Subscribe(o.topics.Set(notify.OrderTrigger), o.trigger)
	o.client.Subscribe(o.topics.Set(notify.OrderHeartbeat), func(context.Context, string, []byte) { o.shake.heartbeat() })
	for name, do := range map[string]deed{
		notify.OrderRecipe: o.once(o.recipe), notify.OrderPause: o.once(o.pause), notify.OrderAcknowledge: o.acknowledge, notify.OrderTaken: o.taken,
	} {
		o.client.Subscribe(o.topics.Set(name), o.command(name, do))
	}
}

// trigger answers one trigger. A board takes its time, so each has a goroutine.
func (o *orders) trigger(ctx context.Context, _ string, payload []byte) {
	if len(payload) == 0 { // whoever removes a retained one sends that
		return
	}
	t, err := notify.ParseTrigger(payload, time.Now())
	leave := func() {}
	if err == nil {
		select {
		case o.places <- struct{}{}:
			leave = func() { <-o.places }
		default:
			err = fmt.Errorf("%d triggers are under way already", mostTriggers)
		}
	}
	o.answering.Go(func() {
		defer leave()
		answer := o.judge(ctx, t, err)
		text, err := answer.JSON()
		if err == nil {
			err = o.send(ctx, notify.OrderTrigger, text)
		}
		if err != nil {
			o.log.Warn("a trigger's answer did not get through; asked again, it is the same", "request", t.Request, "err", err)
		}
		if t.Request != "" {
			o.shake.judged(answer)
		}
	})
}

// judge gives the answer to a trigger; refused is why it cannot be followed.
func (o *orders) judge(ctx context.Context, t inspector.Trigger, refused error) notify.Answer {
	if refused != nil {
		return notify.Refused(t, refused)
	}
	var i inspector.Inspection
	err := o.shake.triggered(t.Request)
	if err != nil {
		i, err = o.line.recall(ctx, t, err)
	}
	if i.ID == "" && (err == nil || errors.Is(err, store.ErrInFlight)) {
		i, err = o.line.Trigger(ctx, t)
	}
	if err != nil {
		return notify.Refused(t, err)
	}
	return notify.NewAnswer(i, o.page)
}

// A deed carries out a command and gives the reply. After an error nothing is
// done.
type deed func(ctx context.Context, c notify.Command) (notify.Reply, error)

// command answers one kind of command.
func (o *orders) command(name string, do deed) notify.Handler {
	return func(ctx context.Context, _ string, payload []byte) {
		if len(payload) == 0 {
			return
		}
		c, err := notify.ParseCommand(name, payload)
		var reply notify.Reply
		if err == nil {
			reply, err = do(ctx, c)
		}
		if err != nil {
			reply = notify.NewReply(c, time.Now(), err)
			o.log.Warn("an order is refused", "order", name, "request", c.Request, "err", err)
		}
		text, err := reply.JSON()
		if err == nil {
			err = o.send(ctx, name, text)
		}
		if err != nil {
			o.log.Warn("a reply did not get through; asked again, it is the same", "order", name, "request", c.Request, "err", err)
		}
	}
}

func (o *orders) send(ctx context.Context, name string, text []byte) error {
	ctx, cancel := context.WithTimeout(ctx, deliverIn)
	defer cancel()
	return o.client.Publish(ctx, o.topics.State(name), false, text)
}

// A doneOrder is what the audit trail keeps of a command.
type doneOrder struct {
	Asked notify.Command `json:"asked"`
	Reply notify.Reply   `json:"reply"`
}

// once is do, but a command that was done is not done again when it is asked
// for again, after a restart or by a late repetition: it has the same reply.
func (o *orders) once(do deed) deed {
	return func(ctx context.Context, c notify.Command) (notify.Reply, error) {
		subject := "set/" + c.Name + " " + c.Request
		before, err := o.desk.store.Trail(ctx, subject, 1)
		if err != nil {
			return notify.Reply{}, err
		}
		if len(before) > 0 {
			var was doneOrder
			if err := json.Unmarshal(before[0].Detail, &was); err != nil {
				return notify.Reply{}, err
			}
			if was.Asked != c {
				return notify.Reply{}, errUsed
			}
			return was.Reply, nil
		}
		reply, err := do(ctx, c)
		if err != nil {
			return reply, err
		}
		detail, err := json.Marshal(doneOrder{c, reply})
		if err == nil {
			err = o.desk.store.Audit(context.WithoutCancel(ctx), store.Entry{At: reply.At, Who: reply.By, What: "order-" + c.Name, Subject: subject, Detail: bytes.Clone(detail)})
		}
		if err != nil {
			o.log.Error("the audit trail lacks an order, which would be done again if it were asked for again", "order", c.Name, "request", c.Request, "err", err)
		}
		return reply, nil
	}
}

var errUsed = errors.New("this request was used for another order: give every order a request of its own")

// orderedBy is who gives an order that has no name under it.
const orderedBy = "mqtt"

func (o *orders) recipe(ctx context.Context, c notify.Command) (notify.Reply, error) {
	reply := notify.NewReply(c, time.Now(), nil)
	reply.By, reply.Recipe = orderer(c), c.Recipe
	if o.line.judges.name("") == c.Recipe { // as it shall be
		return reply, o.line.judges.check(c.Recipe)
	}
	_, err := o.desk.UseRecipe(ctx, web.RecipeChange{To: c.Recipe, By: reply.By, Reason: c.Reason})
	return reply, err
}

func (o *orders) pause(ctx context.Context, c notify.Command) (notify.Reply, error) {
	p, err := o.desk.Pause(ctx, web.Pause{Paused: c.Paused, By: orderer(c), Reason: c.Reason})
	o.shake.look()
	reply := notify.NewReply(c, p.At, nil)
	reply.By, reply.Paused = p.By, &p.Paused
	return reply, err
}

func orderer(c notify.Command) string {
	if c.By == "" {
		return orderedBy
	}
	return c.By
}

// acknowledge is the same again by itself: the first one stays.
func (o *orders) acknowledge(ctx context.Context, c notify.Command) (notify.Reply, error) {
	r, err := o.desk.Acknowledge(ctx, c.Inspection, inspector.Acknowledgement{By: c.By, At: time.Now().UTC()})
	if err != nil {
		return notify.Reply{}, err
	}
	o.announce(r)
	reply := notify.NewReply(c, r.Acknowledged.At, nil)
	reply.By, reply.Inspection, reply.Verdict = r.Acknowledged.By, r.ID, r.Verdict
	return reply, nil
}

// taken is done in any case: a verdict that nobody waits for needs no taking.
func (o *orders) taken(_ context.Context, c notify.Command) (notify.Reply, error) {
	o.shake.taken(c.Request)
	return notify.NewReply(c, time.Now(), nil), nil
}
