package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"inspector/notify"
	"inspector/notify/rule"
	"inspector/upstream"
	"inspector/workflow"
)

// A parcel is what a sink is to take.
type parcel struct {
	id         string // the same on every attempt, different for every delivery
	generation int    // of what it begins, if it begins something
	body       json.RawMessage
	attributes map[string]string // beside the body, where the sink has a place for them
}

// A sender hands a parcel over: nil says that the other side has it.
type sender func(ctx context.Context, p parcel) error

// sinks makes senders of the places that rules and functions name.
type sinks struct {
	config  Config
	mqtt    *notify.Client
	keeper  keeper
	engine  *workflow.Engine
	invoked map[string]string // hash of the definition by function
	closers []func() error
}

func (s *sinks) close() (err error) {
	for _, end := range s.closers {
		err = errors.Join(err, end())
	}
	return err
}

// open gives the sender of a place. Nothing is connected before it is used.
func (s *sinks) open(to rule.Sink) (sender, error) {
	switch {
	case to.MQTT != nil:
		return s.topic(*to.MQTT), nil
	case to.SQS != nil:
		return s.queue(*to.SQS)
	case to.Object != nil:
		return s.object(*to.Object), nil
	case to.Folder != "":
		dir := filepath.Clean(to.Folder)
		return s.folder(filepath.Dir(dir), filepath.Base(dir))
	case to.Webhook != nil:
		w := notify.NewWebhook(notify.WebhookConfig{URL: to.Webhook.URL, Headers: to.Webhook.Headers, HeaderFiles: to.Webhook.HeaderFiles})
		s.closers = append(s.closers, func() error { w.Close(); return nil })
		return func(ctx context.Context, p parcel) error { return w.Send(ctx, p.id, p.body) }, nil
	case to.Slack != nil:
		c := notify.NewSlack(to.Slack.URLFile)
		s.closers = append(s.closers, func() error { c.Close(); return nil })
		return func(ctx context.Context, p parcel) error { return c.Send(ctx, p.id, p.body) }, nil
	case to.Execution != nil:
		return func(ctx context.Context, p parcel) error {
			id, err := begunBy(p)
			if err != nil {
				return err
			}
			return s.engine.Start(ctx, to.Execution.Machine, id, p.body)
		}, nil
	}
	return func(ctx context.Context, p parcel) error {
		id, err := begunBy(p)
		if err != nil {
			return err
		}
		return invoke(ctx, s.engine, to.Function, s.invoked[to.Function], id, p.body)
	}, nil
}

// begunBy names what the parcel begins, unless events feed themselves.
func begunBy(p parcel) (string, error) {
	if p.generation > rule.MaxGenerations {
		return "", &deliveryError{rule.Refused, fmt.Errorf("the event comes of an execution that an event began, %d times over: let the rule's pattern leave out what its target begins", rule.MaxGenerations)}
	}
	return rule.RequestIDOf(p.id, p.generation), nil
}

func (s *sinks) topic(to rule.MQTT) sender {
	return func(ctx context.Context, p parcel) error {
		body := p.body
		if len(p.attributes) > 0 {
			var err error
			if body, err = json.Marshal(map[string]any{"key": p.id, "attributes": p.attributes, "body": p.body}); err != nil {
				return err
			}
		}
		ctx, cancel := context.WithTimeout(ctx, deliverIn)
		defer cancel()
		return s.mqtt.Publish(ctx, to.Topic, to.Retained, body)
	}
}

func (s *sinks) queue(to rule.SQS) (sender, error) {
	if !isQueueURL(to.Queue) {
		return s.folder(s.config.upstreamFolder(), to.Queue)
	}
	if a, ok := s.keeper.(amazon); ok {
		q, err := a.queues.at(to.Queue)
		if err != nil {
			return nil, err
		}
		return messages(q.Send, to.Group), nil
	}
	q, err := upstream.NewSQS(upstream.SQSConfig{QueueURL: to.Queue, Region: s.config.Upstream.Region, Limit: s.config.Upstream.QueueLimit})
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, func() error { q.Close(); return nil })
	return messages(q.Send, to.Group), nil
}

func (s *sinks) folder(dir, name string) (sender, error) {
	f, err := upstream.NewFolder(upstream.FolderConfig{Dir: dir, Bucket: name, Queue: name})
	if err != nil {
		return nil, err
	}
	return messages(f.Send, ""), nil
}

func messages(send func(context.Context, upstream.Message) (string, error), group string) sender {
	return func(ctx context.Context, p parcel) error {
		_, err := send(ctx, upstream.Message{Body: string(p.body), Attributes: p.attributes, Group: group, Dedup: p.id})
		return err
	}
}

func (s *sinks) object(to rule.Object) sender {
	return func(ctx context.Context, p parcel) error {
		body := string(p.body)
		_, err := s.keeper.Put(ctx, upstream.Object{
			Bucket: to.Bucket, Key: strings.TrimSuffix(to.Prefix, "/") + "/" + p.id + ".json", ContentType: "application/json",
			Body: strings.NewReader(body), Size: int64(len(body)),
		})
		return err
	}
}

// deliveryNote are the attributes of a dead letter, named as AWS names them.
func deliveryNote(d rule.Delivery, f rule.Failure) map[string]string {
	out := map[string]string{"RULE": d.Rule, "TARGET": d.Target, "ERROR_CODE": cutText(f.Error), "ERROR_MESSAGE": cutText(f.Cause)}
	switch f.Error {
	case rule.TooOld:
		out["EXHAUSTED_RETRY_CONDITION"] = "MaximumEventAgeInSeconds"
	case rule.Refused:
	default:
		out["EXHAUSTED_RETRY_CONDITION"] = "MaximumRetryAttempts"
	}
	for name, value := range out {
		if value == "" {
			out[name] = "-" // queues take no empty attribute
		}
	}
	return out
}

// maxReason bounds what an error tells in an execution and in a dead letter.
const maxReason = 1024

func cutText(s string) string {
	if len(s) <= maxReason {
		return s
	}
	return strings.ToValidUTF8(s[:maxReason], "") + "…"
}

// invoke begins an asynchronous invocation of a function; again is harmless.
func invoke(ctx context.Context, e *workflow.Engine, function, machine, requestID string, payload json.RawMessage) error {
	input, err := json.Marshal(rule.Invocation{RequestID: requestID, Payload: payload})
	if err != nil {
		return fmt.Errorf("invoke with %s: %w", requestID, err)
	}
	return e.Begin(ctx, workflow.Begin{Machine: machine, Called: rule.Called(function), ID: requestID, Input: input})
}
