package rule

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// A Function is a handler or a machine that is invoked without anybody waiting
// for it: tried a few times, and then its invocation record goes to the
// destination of its result, as with AWS Lambda.
type Function struct {
	Name        string          `yaml:"name"` // empty: the file's
	Description string          `yaml:"description"`
	Handler     string          `yaml:"handler"` // a task resource, or
	Machine     string          `yaml:"machine"` // NAME, NAME:VERSION or NAME:ALIAS
	Retries     *int            `yaml:"retries"` // 0 to 2; nil: 2
	Pauses      []time.Duration `yaml:"pauses"`  // before each retry; empty: 1 and 2 minutes
	MaxAge      time.Duration   `yaml:"max_age"` // of the invocation; 0: 6 h
	OnSuccess   *Sink           `yaml:"on_success"`
	OnFailure   *Sink           `yaml:"on_failure"`
	DeadLetter  *Sink           `yaml:"dead_letter"` // gets the bare event of a failure
}

const (
	maxRetries    = 2
	maxInvocation = 6 * time.Hour
)

func (f Function) retries() int {
	if f.Retries == nil {
		return maxRetries
	}
	return *f.Retries
}

// pause is the wait before the retry with that number, from 1.
func (f Function) pause(retry int) time.Duration {
	if len(f.Pauses) == 0 {
		return time.Duration(retry) * time.Minute
	}
	return f.Pauses[min(retry, len(f.Pauses))-1]
}

// Faults says everything that is wrong with the function.
func (f Function) Faults() []Fault {
	var l list
	l.want(nameForm.MatchString(f.Name), "name", "%q: want 1 to 64 letters, digits, _ or -", f.Name)
	l.want((f.Handler == "") != (f.Machine == ""), "handler", "want a handler or a machine, and not both")
	l.want(f.retries() >= 0 && f.retries() <= maxRetries, "retries", "%d is not within 0 to %d", f.retries(), maxRetries)
	for _, p := range f.Pauses {
		l.want(p >= time.Second && p <= time.Hour, "pauses", "%v is not within 1s to 1h", p)
	}
	age := cmp.Or(f.MaxAge, maxInvocation)
	l.want(minAge <= age && age <= maxInvocation, "max_age", "%v is not within %v to %v", age, minAge, maxInvocation)
	for key, s := range map[string]*Sink{"on_success": f.OnSuccess, "on_failure": f.OnFailure, "dead_letter": f.DeadLetter} {
		if s != nil {
			s.faults(&l, key, key == "dead_letter")
			l.want(s.Channel == "", key, "a channel tells people of boards and events: have a rule want the execution's status change")
			l.want(s.Function != f.Name, key, "a function cannot be its own destination")
		}
	}
	return l
}

// The conditions of an invocation's end.
const (
	Success          = "Success"
	RetriesExhausted = "RetriesExhausted"
	EventAgeExceeded = "EventAgeExceeded"
)

// An Invocation is where an invocation is: the input of its execution, and
// what its states add.
type Invocation struct {
	RequestID string          `json:"requestId"`
	At        time.Time       `json:"-"` // when it began: the execution knows
	Payload   json.RawMessage `json:"payload"`
	Response  json.RawMessage `json:"response,omitempty"`
	Failure   *Failure        `json:"failure,omitempty"`
	Reckoning *Reckoning      `json:"reckoning,omitempty"`
}

// RequestIDOf is the name of what the delivery with that ID begins: always the
// same, and not its own. From the second generation on it says which it is.
func RequestIDOf(id string, generation int) string {
	name := uuid("begun by", id)
	if generation > 1 {
		name += "." + strconv.Itoa(generation)
	}
	return name
}

// MaxGenerations is how often an event may begin what tells an event that
// begins something: more is a rule that feeds itself.
const MaxGenerations = 5

var begunForm = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}(?:\.(\d{1,2}))?$`)

// Generation is how many deliveries led to the execution of that name, one
// after the other; 0: somebody else began it.
func Generation(name string) int {
	m := begunForm.FindStringSubmatch(name)
	if m == nil {
		return 0
	}
	n, _ := strconv.Atoi(m[1]) // digits, or nothing
	return max(n, 1)
}

// NewRequestID draws the name of an invocation.
func NewRequestID() string { return uuid(rand.Text()) }

// A Failure is AWS's Error Output.
type Failure struct {
	Error string `json:"Error"`
	Cause string `json:"Cause"`
}

// A Reckoning says what comes after a failed attempt.
type Reckoning struct {
	Count     int    `json:"count"`     // attempts so far
	Condition string `json:"condition"` // again, RetriesExhausted, EventAgeExceeded
	Wait      int    `json:"wait"`      // seconds, before the next attempt
}

// Again is the condition of an invocation that is tried once more.
const Again = "again"

// Reckon says what comes after another failed attempt.
func (f Function) Reckon(i Invocation, now time.Time) Reckoning {
	r := Reckoning{Count: 1, Condition: Again}
	if i.Reckoning != nil {
		r.Count = i.Reckoning.Count + 1
	}
	if r.Count > f.retries() {
		r.Condition = RetriesExhausted
		return r
	}
	pause := f.pause(r.Count)
	if now.Sub(i.At)+pause > cmp.Or(f.MaxAge, maxInvocation) {
		r.Condition = EventAgeExceeded
		return r
	}
	r.Wait = int(pause / time.Second)
	return r
}

// A Record is what a destination is told of an invocation, as AWS Lambda's.
type Record struct {
	Version         string          `json:"version"`
	Timestamp       string          `json:"timestamp"`
	RequestContext  RequestContext  `json:"requestContext"`
	RequestPayload  json.RawMessage `json:"requestPayload"`
	ResponseContext ResponseContext `json:"responseContext"`
	ResponsePayload json.RawMessage `json:"responsePayload"`
}

// RequestContext says what was invoked, how often, and how it ended.
type RequestContext struct {
	RequestID string `json:"requestId"`
	Function  string `json:"functionArn"`
	Condition string `json:"condition"`
	Count     int    `json:"approximateInvokeCount"`
}

// ResponseContext says how the last attempt ended.
type ResponseContext struct {
	Status  int    `json:"statusCode"`
	Version string `json:"executedVersion"`
	Error   string `json:"functionError,omitempty"`
}

// Record is the record of an invocation that has ended.
func (f Function) Record(o Origin, i Invocation, now time.Time) (Record, error) {
	r := Record{
		Version: "1.0", Timestamp: now.UTC().Format("2006-01-02T15:04:05.000Z"), RequestPayload: i.Payload,
		RequestContext:  RequestContext{i.RequestID, fmt.Sprintf("arn:aws:lambda:%s:%s:function:%s:$LATEST", o.Region, o.Account, f.Name), Success, 1},
		ResponseContext: ResponseContext{Status: 200, Version: "$LATEST"}, ResponsePayload: f.answer(i),
	}
	failed := i.Reckoning != nil && i.Reckoning.Condition != Again
	if i.Reckoning != nil {
		r.RequestContext.Count = i.Reckoning.Count
	}
	if !failed {
		if i.Reckoning != nil {
			r.RequestContext.Count++ // the attempt that succeeded was not reckoned
		}
		return r, nil
	}
	r.RequestContext.Condition, r.ResponseContext.Error = i.Reckoning.Condition, "Unhandled"
	what := Failure{}
	if i.Failure != nil {
		what = *i.Failure
	}
	var err error
	r.ResponsePayload, err = encode(struct {
		Message string   `json:"errorMessage"`
		Type    string   `json:"errorType"`
		Request string   `json:"requestId"`
		Stack   []string `json:"stackTrace"`
	}{what.Cause, what.Error, i.RequestID, []string{}})
	return r, err
}

// Destination is where the record goes; nil: nowhere.
func (f Function) Destination(r Record) *Sink {
	if r.RequestContext.Condition == Success {
		return f.OnSuccess
	}
	return f.OnFailure
}

// Resource is the lane of one of the states of the function's machine: reckon,
// record, destination or dead-letter.
func (f Function) Resource(what string) string { return "inspector:" + what + ":" + f.Name }

// Definition is the machine of an invocation.
func (f Function) Definition() (json.RawMessage, error) {
	invoke := object{"Type": "Task", "Resource": f.Handler, "InputPath": "$.payload", "ResultPath": "$.response", "Next": "Record", "Catch": []any{
		object{"ErrorEquals": []string{"States.TaskFailed", Refused}, "ResultPath": "$.failure", "Next": "Reckon"}, // literally, so that a refusal does not park it
		object{"ErrorEquals": []string{"States.ALL"}, "ResultPath": "$.failure", "Next": "Reckon"},
	}}
	if f.Machine != "" {
		invoke["Resource"] = "arn:aws:states:::states:startExecution.sync:2"
		delete(invoke, "InputPath")
		invoke["Parameters"] = object{"StateMachineArn": f.Machine, "Input.$": "$.payload"}
		invoke["ResultSelector"] = object{"Output.$": "$.Output"}
	}
	tell := object{"Type": "Task", "Resource": f.Resource("destination"), "ResultPath": nil, "Retry": forever, "End": true}
	states := object{
		"Invoke": invoke,
		"Reckon": object{"Type": "Task", "Resource": f.Resource("reckon"), "ResultPath": "$.reckoning", "Retry": forever, "Next": "Enough"},
		"Enough": object{"Type": "Choice", "Choices": []any{object{"Variable": "$.reckoning.condition", "StringEquals": Again, "Next": "Pause"}}, "Default": "Record"},
		"Pause":  object{"Type": "Wait", "SecondsPath": "$.reckoning.wait", "Next": "Invoke"},
		"Record": object{"Type": "Task", "Resource": f.Resource("record"), "Retry": forever, "Next": "Tell"},
		"Tell":   tell,
	}
	if f.DeadLetter != nil {
		delete(tell, "End")
		tell["Next"] = "Well"
		states["Well"] = object{"Type": "Choice", "Choices": []any{object{"Variable": "$.requestContext.condition", "StringEquals": Success, "Next": "Done"}}, "Default": "DeadLetter"}
		states["Done"] = object{"Type": "Succeed"}
		states["DeadLetter"] = object{"Type": "Task", "Resource": f.Resource("dead-letter"), "ResultPath": nil, "Retry": forever, "End": true}
	}
	return encode(object{"Comment": strings.TrimSpace("Invokes function " + f.Name + ". " + f.Description), "StartAt": "Invoke", "States": states})
}

// answer is what the function gave: of a machine, the output of its execution.
func (f Function) answer(i Invocation) json.RawMessage {
	var nested struct{ Output json.RawMessage }
	if f.Machine != "" && json.Unmarshal(i.Response, &nested) == nil {
		return nested.Output
	}
	return i.Response
}
