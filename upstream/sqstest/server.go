// Package sqstest is a queue service in memory that speaks the JSON protocol
// of Amazon SQS exactly as far as it goes, for tests: what SQS refuses, it
// refuses with the same words, and faults can be asked of it.
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference
package sqstest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Account is the number in queue URLs and names.
const Account = "123456789012"

// A Refusal is the answer to a call that fails.
type Refusal struct {
	Status  int    // HTTP
	Type    string // shape, such as QueueDoesNotExist
	Query   string // the older code, in x-amzn-query-error; empty: none
	Message string
}

func (r *Refusal) Error() string { return r.Type + ": " + r.Message }

// Server is an http.Handler. Its methods may be called from any goroutine.
type Server struct {
	keyID, secret string

	mu      sync.Mutex
	queues  map[string]*queue
	refuse  map[string][]*Refusal
	entries func(body string) *Refusal
	corrupt []Digest
	mishaps []Mishap
	ahead   time.Duration
	calls   map[string]int
	serial  uint64
	changed chan struct{} // closed at every new or returned message
}

// New returns a service with no queues that knows one pair of credentials.
func New(keyID, secret string) *Server {
	return &Server{keyID: keyID, secret: secret, queues: map[string]*queue{},
		refuse: map[string][]*Refusal{}, calls: map[string]int{}, changed: make(chan struct{})}
}

// Refuse makes the next n calls of the action fail with r.
func (s *Server) Refuse(action string, n int, r Refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		s.refuse[action] = append(s.refuse[action], &r)
	}
}

// RefuseEntries decides which entries of a batch fail; nil refuses none.
func (s *Server) RefuseEntries(f func(body string) *Refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries = f
}

// A Digest is one of those that confirm a message.
type Digest int

// The digests.
const (
	OfBody Digest = iota
	OfAttributes
)

// CorruptMD5 makes the next n stored messages be confirmed with a wrong MD5.
func (s *Server) CorruptMD5(n int, of Digest) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		s.corrupt = append(s.corrupt, of)
	}
}

// Clock sets the service's clock ahead of this machine's, for ever. Calls that
// were signed more than 15 minutes earlier or later are refused.
func (s *Server) Clock(ahead time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead = ahead
}

// A Stored is a message that the service took.
type Stored struct {
	Body         string
	Attributes   map[string]string // those that are texts
	Group, Dedup string            // of a FIFO queue
}

// Take removes all messages of the queue, hidden ones included, in the order
// in which they came.
func (s *Server) Take(name string) []Stored {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.queues[name]
	if q == nil {
		return nil
	}
	var out []Stored
	for _, m := range q.messages {
		one := Stored{Body: m.body, Attributes: map[string]string{}, Group: m.system["MessageGroupId"], Dedup: m.system["MessageDeduplicationId"]}
		for name, a := range m.attributes {
			if a.StringValue != nil {
				one.Attributes[name] = *a.StringValue
			}
		}
		out = append(out, one)
	}
	q.messages = nil
	return out
}

// Calls is how often the action was called, refusals included.
func (s *Server) Calls(action string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.calls[action]
}

// Throttled is what SQS says when it is asked too often.
var Throttled = Refusal{http.StatusBadRequest, "RequestThrottled", "RequestThrottled;Sender", "Request is throttled."}

var errNoQueue = &Refusal{http.StatusBadRequest, "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue;Sender",
	"The specified queue does not exist."}

func invalid(format string, args ...any) *Refusal {
	return &Refusal{http.StatusBadRequest, "InvalidParameterValueException", "InvalidParameterValue;Sender", fmt.Sprintf(format, args...)}
}

func missing(name string) *Refusal {
	return &Refusal{http.StatusBadRequest, "MissingRequiredParameterException", "MissingParameter;Sender",
		"The request must contain the parameter " + name + "."}
}

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 4<<20))
	if err != nil {
		return // the caller has gone
	}
	mishap, befallen := s.mishap()
	if befallen && mishap.before(w, r) {
		return
	}
	action, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "AmazonSQS.")
	answer, refusal := any(nil), error(nil)
	switch {
	case r.Method != http.MethodPost || !ok || r.Header.Get("Content-Type") != "application/x-amz-json-1.0":
		refusal = &Refusal{http.StatusNotFound, "UnknownOperationException", "", "This is not a call of the JSON protocol 1.0."}
	default:
		if refusal = s.admit(action, r, body); refusal == nil {
			answer, refusal = s.call(r, action, body)
		}
	}
	if befallen {
		mishap.after(w, r)
		return
	}
	s.reply(w, answer, refusal)
}

func (s *Server) reply(w http.ResponseWriter, answer any, refusal error) {
	status := http.StatusOK
	if refusal != nil {
		r, ok := refusal.(*Refusal) //nolint:errorlint // made above, never wrapped
		if !ok {
			r = &Refusal{http.StatusBadRequest, "SerializationException", "", refusal.Error()}
		}
		status = r.Status
		if r.Query != "" {
			w.Header().Set("X-Amzn-Query-Error", r.Query)
		}
		answer = map[string]string{"__type": "com.amazonaws.sqs#" + r.Type, "message": r.Message}
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.Header().Set("X-Amzn-Requestid", "00000000-0000-0000-0000-000000000000")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // the caller may have gone
}

// admit counts the call, injects faults, and checks the signature.
func (s *Server) admit(action string, r *http.Request, body []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[action]++
	if next := s.refuse[action]; len(next) > 0 {
		s.refuse[action] = next[1:]
		return next[0]
	}
	return s.authentic(r, body)
}

func (s *Server) call(r *http.Request, action string, body []byte) (any, error) {
	switch action {
	case "SendMessage":
		return with(body, s.send)
	case "SendMessageBatch":
		return with(body, s.sendBatch)
	case "ReceiveMessage":
		return with(body, func(in receiveInput) (any, error) { return s.receive(r.Context(), in) })
	case "DeleteMessage":
		return with(body, s.remove)
	case "GetQueueAttributes":
		return with(body, s.attributes)
	case "GetQueueUrl":
		return with(body, func(in nameInput) (any, error) { return s.url(r, in) })
	case "CreateQueue":
		return with(body, func(in nameInput) (any, error) { return s.create(r, in) })
	}
	return nil, &Refusal{http.StatusBadRequest, "UnknownOperationException", "", "sqstest has no " + action + "."}
}

// with calls f with the decoded body, refusing fields that SQS does not know.
func with[T any](body []byte, f func(T) (any, error)) (any, error) {
	var in T
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&in); err != nil {
		return nil, err
	}
	return f(in)
}
