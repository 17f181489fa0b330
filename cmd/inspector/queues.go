package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"inspector"
	"inspector/notify"
	"inspector/upstream"
)

// amazon is S3 and SQS together, or an S3 whose messages lie in a folder: most
// that are not Amazon's have no queue beside them.
type amazon struct {
	*upstream.S3
	queues *queues
	folder *upstream.Folder // nil: the configured queue is one
}

// Send sends to the queue that the message names, or to the configured one if
// what it names is no address, as of a message that was meant for a folder.
func (a amazon) Send(ctx context.Context, m upstream.Message) (string, error) {
	if a.folder != nil && !isQueueURL(m.Queue) {
		return a.folder.Send(ctx, m)
	}
	q, err := a.queues.at(m.Queue)
	if err != nil {
		return "", err
	}
	return q.Send(ctx, m)
}

func (a amazon) Check(ctx context.Context) error {
	if a.folder != nil {
		return errors.Join(a.S3.Check(ctx), a.folder.Check(ctx))
	}
	q, err := a.queues.at("")
	if err != nil {
		return err
	}
	return errors.Join(a.S3.Check(ctx), q.Check(ctx))
}

// queues opens each queue when it is first needed, once: messages to it from
// anywhere in the program go together.
type queues struct {
	config upstream.SQSConfig // its queue is the configured one

	mu   sync.Mutex
	open map[string]*upstream.SQS // by URL
}

// openQueues checks the configured queue, if it is one.
func openQueues(c upstream.SQSConfig) (*queues, error) {
	q := &queues{config: c, open: map[string]*upstream.SQS{}}
	if !isQueueURL(c.QueueURL) {
		return q, nil
	}
	_, err := q.at("")
	return q, err
}

// at gives the queue of the URL; of what is none, the configured one.
func (q *queues) at(url string) (*upstream.SQS, error) {
	if !isQueueURL(url) {
		url = q.config.QueueURL
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.open[url] == nil {
		c := q.config
		c.QueueURL = url
		opened, err := upstream.NewSQS(c)
		if err != nil {
			return nil, &malformedError{sendMessage, fmt.Errorf("queue %q: %w", url, err)}
		}
		q.open[url] = opened
	}
	return q.open[url], nil
}

func (q *queues) close() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, one := range q.open {
		one.Close()
	}
}

func isQueueURL(s string) bool {
	return strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://")
}

// filters are what receivers of a queue choose by, without reading a body:
// attributes, none of them empty.
func filters(i inspector.Inspection) map[string]string {
	const none = "none"
	worst, class := float32(-1), ""
	for _, d := range i.Defects {
		if d.Score > worst {
			worst, class = d.Score, d.Class
		}
	}
	return map[string]string{
		"schema": notify.Schema, "verdict": string(i.Verdict), "line": cmp.Or(i.Station.Line, none),
		"recipe": cmp.Or(i.Recipe, none), "class": cmp.Or(class, none),
	}
}
