package sqstest

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
)

type queue struct {
	attributes map[string]string
	messages   []*message
	seen       map[string]sent // of a FIFO queue, by deduplication ID
}

type sent struct {
	at     time.Time
	answer sendOutput
}

type message struct {
	id, body   string
	attributes map[string]Attribute
	system     map[string]string
	receipt    string
	hidden     time.Time // from other receivers, until then
	received   int
}

// An Attribute is a typed value beside the body.
type Attribute struct {
	DataType    string
	StringValue *string `json:",omitempty"`
	BinaryValue []byte  `json:",omitempty"`
}

type nameInput struct {
	QueueName              string
	QueueOwnerAWSAccountId string
	Attributes             map[string]string
	Tags                   map[string]string `json:"tags"`
}

type urlOutput struct{ QueueUrl string }

type attributesInput struct {
	QueueUrl       string
	AttributeNames []string
}

type receiveInput struct {
	QueueUrl                    string
	AttributeNames              []string
	MessageSystemAttributeNames []string
	MessageAttributeNames       []string
	MaxNumberOfMessages         int
	VisibilityTimeout           *int
	WaitTimeSeconds             int
	ReceiveRequestAttemptId     string
}

type received struct {
	MessageId, ReceiptHandle, MD5OfBody, Body string
	MD5OfMessageAttributes                    string               `json:",omitempty"`
	Attributes                                map[string]string    `json:",omitempty"`
	MessageAttributes                         map[string]Attribute `json:",omitempty"`
}

type deleteInput struct{ QueueUrl, ReceiptHandle string }

var queueName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,75}(\.fifo)?$`)

func (s *Server) create(r *http.Request, in nameInput) (any, error) {
	if !queueName.MatchString(in.QueueName) {
		return nil, invalid("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
	}
	if fifo := strings.HasSuffix(in.QueueName, ".fifo"); fifo != (in.Attributes["FifoQueue"] == "true") {
		return nil, invalid("The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, must end with .fifo suffix and be 1 to 80 in length.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	all := map[string]string{"VisibilityTimeout": "30", "MaximumMessageSize": "1048576",
		"QueueArn": "arn:aws:sqs:us-east-1:" + Account + ":" + in.QueueName}
	maps.Copy(all, in.Attributes)
	if q := s.queues[in.QueueName]; q == nil {
		s.queues[in.QueueName] = &queue{attributes: all, seen: map[string]sent{}}
	} else if !maps.Equal(q.attributes, all) {
		return nil, &Refusal{http.StatusBadRequest, "QueueNameExists", "QueueAlreadyExists;Sender",
			"A queue already exists with the same name and a different value for an attribute."}
	}
	return urlOutput{urlOf(r, in.QueueName)}, nil
}

// Create makes a queue with the attributes that it has of itself; one whose
// name ends in .fifo is a FIFO queue.
func (s *Server) Create(name string) error {
	in := nameInput{QueueName: name}
	if strings.HasSuffix(name, ".fifo") {
		in.Attributes = map[string]string{"FifoQueue": "true"}
	}
	_, err := s.create(&http.Request{}, in)
	return err
}

func (s *Server) url(r *http.Request, in nameInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.queues[in.QueueName] == nil {
		return nil, errNoQueue
	}
	return urlOutput{urlOf(r, in.QueueName)}, nil
}

func urlOf(r *http.Request, name string) string {
	return "http://" + r.Host + "/" + Account + "/" + name
}

// find gives the queue of a URL. The caller holds the lock.
func (s *Server) find(address string) (*queue, error) {
	if address == "" {
		return nil, missing("QueueUrl")
	}
	if q := s.queues[address[strings.LastIndex(address, "/")+1:]]; q != nil {
		return q, nil
	}
	return nil, errNoQueue
}

func (q *queue) fifo() bool { return q.attributes["FifoQueue"] == "true" }

func (s *Server) attributes(in attributesInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	all := maps.Clone(q.attributes)
	visible := 0
	for _, m := range q.messages {
		if m.hidden.Before(time.Now()) {
			visible++
		}
	}
	all["ApproximateNumberOfMessages"] = strconv.Itoa(visible)
	all["ApproximateNumberOfMessagesNotVisible"] = strconv.Itoa(len(q.messages) - visible)
	chosen := map[string]string{}
	for _, name := range in.AttributeNames {
		if name == "All" {
			chosen = all
			break
		}
		value, ok := all[name]
		if !ok {
			return nil, &Refusal{http.StatusBadRequest, "InvalidAttributeName", "InvalidAttributeName;Sender", "Unknown Attribute " + name + "."}
		}
		chosen[name] = value
	}
	return map[string]any{"Attributes": chosen}, nil
}

// receive waits up to WaitTimeSeconds for a message.
func (s *Server) receive(ctx context.Context, in receiveInput) (any, error) {
	if in.MaxNumberOfMessages < 0 || in.MaxNumberOfMessages > 10 {
		return nil, invalid("Value %d for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and 10, if provided.", in.MaxNumberOfMessages)
	}
	wait := time.NewTimer(time.Duration(in.WaitTimeSeconds) * time.Second)
	defer wait.Stop()
	for {
		messages, changed, err := s.take(in)
		if err != nil {
			return nil, err
		}
		if len(messages) > 0 || in.WaitTimeSeconds == 0 {
			return map[string]any{"Messages": messages}, nil
		}
		select {
		case <-changed:
		case <-time.After(100 * time.Millisecond): // a message may become visible again
		case <-wait.C:
			return map[string]any{}, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// take hides the first visible messages and gives them. In a FIFO queue, no
// message overtakes one of its group that is in flight.
func (s *Server) take(in receiveInput) ([]received, <-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return nil, nil, err
	}
	seconds, _ := strconv.Atoi(q.attributes["VisibilityTimeout"])
	if in.VisibilityTimeout != nil {
		seconds = *in.VisibilityTimeout
	}
	now, busy := time.Now(), map[string]bool{}
	var out []received
	for _, m := range q.messages {
		group := m.system["MessageGroupId"]
		if m.hidden.After(now) {
			busy[group] = true
			continue
		}
		if q.fifo() && busy[group] || len(out) == max(1, in.MaxNumberOfMessages) {
			continue
		}
		s.serial++
		m.received++
		m.receipt, m.hidden = fmt.Sprintf("%s#%d", m.id, s.serial), now.Add(time.Duration(seconds)*time.Second)
		m.system["ApproximateReceiveCount"] = strconv.Itoa(m.received)
		chosen := choose(m.attributes, in.MessageAttributeNames)
		out = append(out, received{MessageId: m.id, ReceiptHandle: m.receipt, MD5OfBody: md5Hex([]byte(m.body)), Body: m.body,
			MD5OfMessageAttributes: md5Attributes(chosen), MessageAttributes: chosen,
			Attributes: choose(m.system, append(in.AttributeNames, in.MessageSystemAttributeNames...))})
	}
	return out, s.changed, nil
}

// choose picks by name, All, or PREFIX.*.
func choose[T any](all map[string]T, names []string) map[string]T {
	chosen := map[string]T{}
	for name, value := range all {
		for _, want := range names {
			prefix, ok := strings.CutSuffix(want, ".*")
			if want == "All" || want == name || ok && strings.HasPrefix(name, cmp.Or(prefix, name)) {
				chosen[name] = value
			}
		}
	}
	return chosen
}

func (s *Server) remove(in deleteInput) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, err := s.find(in.QueueUrl)
	if err != nil {
		return nil, err
	}
	id, _, ok := strings.Cut(in.ReceiptHandle, "#")
	if !ok {
		return nil, &Refusal{http.StatusNotFound, "ReceiptHandleIsInvalid", "ReceiptHandleIsInvalid;Sender",
			fmt.Sprintf("The input receipt handle %q is not a valid receipt handle.", in.ReceiptHandle)}
	}
	for i, m := range q.messages {
		if m.id == id && (!q.fifo() || m.receipt == in.ReceiptHandle) {
			q.messages = append(q.messages[:i], q.messages[i+1:]...)
			s.announce()
			break
		}
	}
	return struct{}{}, nil
}

// announce wakes those who wait for messages. The caller holds the lock.
func (s *Server) announce() {
	close(s.changed)
	s.changed = make(chan struct{})
}
