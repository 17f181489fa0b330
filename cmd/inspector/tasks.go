package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"inspector"
	"inspector/notify"
	"inspector/store"
	"inspector/upstream"
	"inspector/workflow"
)

// Resources of the shipped definition. Those that AWS has are named as there.
const (
	publishResult = "inspector:publish"
	publishAlert  = "inspector:alert"
	quarantine    = "inspector:quarantine"
	review        = "inspector:review"
	closeBoard    = "inspector:close"
	putObject     = "arn:aws:states:::aws-sdk:s3:putObject"
	putResults    = "arn:aws:states:::s3:putObject" // of a Map's ResultWriter
	sendMessage   = "arn:aws:states:::sqs:sendMessage"
)

// A keeper takes evidence and records upstream: S3 and SQS, or a folder.
type keeper interface {
	Put(ctx context.Context, o upstream.Object) (upstream.Receipt, error)
	Send(ctx context.Context, m upstream.Message) (string, error)
	Get(ctx context.Context, bucket, key string, limit int64) ([]byte, error)
	List(ctx context.Context, bucket, prefix, from string) (upstream.Listing, error)
	Check(ctx context.Context) error
}

// tasks are the deeds of the workflow. Each is harmless to repeat with the
// same key.
type tasks struct {
	store    *store.Store
	mqtt     *notify.Client
	upstream keeper
	page     string // address of the page, for people who read a message
	uploads  int    // objects that are sent at once; 0: 4

	drawing sync.Mutex // held by who draws an overlay
}

// register gives each resource its lane, so that none waits for another.
func (t *tasks) register(e registrar) {
	e.Handle(publishAlert, 8, t.publish(notify.KindAlert))
	e.Handle(publishResult, 8, t.publish(notify.KindResult))
	e.Handle(quarantine, 4, t.quarantine)
	e.Handle(review, 4, t.review)
	e.Handle(closeBoard, 4, t.close)
	e.Handle(putObject, cmp.Or(t.uploads, 4), t.put)
	e.Handle(putResults, 4, t.put)
	for _, integration := range []string{"arn:aws:states:::s3:", "arn:aws:states:::aws-sdk:s3:"} { // a Map's ItemReader, and a task
		e.Handle(integration+"getObject", 4, t.get)
		e.Handle(integration+"listObjectsV2", 4, t.list)
	}
	e.Handle(sendMessage, 128, t.send) // those that are under way together go in batches of ten
}

// arrange says which lanes go first: alerts, the newest of them before all,
// then results, then evidence, whose backlog goes at the rate.
func arrange(e *workflow.Engine, rate float64) {
	e.Arrange(publishAlert, workflow.Precedence{Rank: 1, Newest: true})
	e.Arrange(publishResult, workflow.Precedence{Rank: 2})
	e.Arrange(sendMessage, workflow.Precedence{Rank: 2, Rate: rate})
	e.Arrange(putObject, workflow.Precedence{Rank: 3, Rate: rate})
}

// A malformedError is an input that no retry makes right.
type malformedError struct {
	resource string
	err      error
}

func (e *malformedError) Error() string {
	return fmt.Sprintf("%s: its input does not fit: %v", e.resource, e.err)
}
func (e *malformedError) Unwrap() error   { return e.err }
func (e *malformedError) Permanent() bool { return true }

// input reads a task's input, strictly.
func input[T any](t workflow.Task) (in T, err error) {
	d := json.NewDecoder(bytes.NewReader(t.Input))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return in, &malformedError{t.Resource, err}
	}
	return in, nil
}

func output(v any, err error) (json.RawMessage, error) {
	if err != nil {
		return nil, err
	}
	return json.Marshal(v)
}

// publish sends one message about a board; done is the broker's PUBACK.
func (t *tasks) publish(kind string) workflow.Handler {
	return func(ctx context.Context, task workflow.Task) (json.RawMessage, error) {
		in, err := input[struct {
			Topic      string               `json:"topic"`
			Inspection inspector.Inspection `json:"inspection"`
		}](task)
		if err != nil {
			return nil, err
		}
		payload, err := notify.NewMessage(kind, in.Inspection, task.Key, t.page).JSON()
		if err != nil {
			return nil, err
		}
		ctx, cancel := context.WithTimeout(ctx, deliverIn)
		defer cancel()
		return output(map[string]string{"topic": in.Topic}, t.mqtt.Publish(ctx, in.Topic, false, payload))
	}
}

// deliverIn is how long a broker may take to acknowledge one message.
const deliverIn = 15 * time.Second

func (t *tasks) quarantine(ctx context.Context, task workflow.Task) (json.RawMessage, error) {
	in, err := input[struct {
		Inspection inspector.Inspection `json:"inspection"`
	}](task)
	if err != nil {
		return nil, err
	}
	return output(map[string]bool{"quarantined": true}, t.store.Quarantine(ctx, in.Inspection.ID))
}

// send puts a message into the queue that the input names. Its key is the
// effect's, which no input changes.
func (t *tasks) send(ctx context.Context, task workflow.Task) (json.RawMessage, error) {
	in, err := input[struct {
		QueueUrl, MessageGroupId, MessageDeduplicationId string //nolint:revive // as AWS writes them
		MessageBody                                      json.RawMessage
		MessageAttributes                                map[string]struct{ DataType, StringValue string }
	}](task)
	if err != nil {
		return nil, err
	}
	m := upstream.Message{Queue: in.QueueUrl, Body: string(in.MessageBody), Group: in.MessageGroupId, Dedup: task.Key, Attributes: map[string]string{}}
	var text string
	if json.Unmarshal(in.MessageBody, &text) == nil {
		m.Body = text
	}
	for name, a := range in.MessageAttributes {
		m.Attributes[name] = a.StringValue
	}
	id, err := t.upstream.Send(ctx, m)
	return output(map[string]string{"MessageId": id}, err)
}

// review has nothing to do but let the token wait: the page lists what waits.
func (t *tasks) review(context.Context, workflow.Task) (json.RawMessage, error) {
	return json.RawMessage("null"), nil
}

// close ends a board's story: what a person decided, if one had to, and that
// nothing more will come.
func (t *tasks) close(ctx context.Context, task workflow.Task) (json.RawMessage, error) {
	in, err := input[struct {
		Inspection  inspector.Inspection   `json:"inspection"`
		Disposition *inspector.Disposition `json:"disposition"`
	}](task)
	if err != nil {
		return nil, err
	}
	if in.Disposition != nil {
		// The journal took one decision only, so decided already means repeated.
		if err := t.store.Dispose(ctx, in.Inspection.ID, *in.Disposition); err != nil && !errors.Is(err, store.ErrDecided) {
			return nil, err
		}
	}
	return output(map[string]bool{"closed": true}, t.store.Closed(ctx, in.Inspection.ID))
}
