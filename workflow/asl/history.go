package asl

import (
	"encoding/json"
	"strings"
	"time"
)

// A HistoryEvent is one event of the history as Step Functions shows it. IDs
// count from 1. It is encoded as AWS does: the details in an object named
// after the type, input and output as JSON in a string.
type HistoryEvent struct {
	ID           int64
	PreviousID   int64
	Type         string
	At           time.Time
	Name         string // of the state
	Index        *int   // of a Map's item
	Length       *int   // of a Map
	Redrives     *int   // of ExecutionRedriven
	Resource     string
	Timeout      time.Duration // of TaskScheduled and LambdaFunctionScheduled; 0: none
	Heartbeat    time.Duration // of TaskScheduled; 0: none
	Error, Cause string
	State        string // of EvaluationFailed
	Location     string // of EvaluationFailed: the field in the state
	MapRun       string // name of the run, of MapRunStarted
	By           string // of TaskAmended, which AWS does not have: who replaced the input

	// Values are shared with the execution and encoded only when asked for:
	// most drivers never look.
	input, output, parameters *any
	assigned                  map[string]any
}

// Assigned gives the variables that leaving the state made, as JSON.
func (h HistoryEvent) Assigned() map[string]json.RawMessage {
	if len(h.assigned) == 0 {
		return nil
	}
	out := make(map[string]json.RawMessage, len(h.assigned))
	for name, v := range h.assigned {
		out[name] = encode(v)
	}
	return out
}

// Input is the JSON of the event's input; nil if it has none.
func (h HistoryEvent) Input() json.RawMessage { return encodeOptional(h.input) }

// Output is the JSON of the event's output; nil if it has none.
func (h HistoryEvent) Output() json.RawMessage { return encodeOptional(h.output) }

// Parameters is the JSON of what a task was asked for; nil if the event has none.
func (h HistoryEvent) Parameters() json.RawMessage { return encodeOptional(h.parameters) }

func encodeOptional(v *any) json.RawMessage {
	if v == nil {
		return nil
	}
	return encode(*v)
}

// MarshalJSON gives the form of AWS's GetExecutionHistory.
func (h HistoryEvent) MarshalJSON() ([]byte, error) {
	d := map[string]any{}
	text := func(name, v string) {
		if v != "" {
			d[name] = v
		}
	}
	if !strings.HasPrefix(h.Type, "Task") && !strings.HasPrefix(h.Type, "Lambda") || strings.Contains(h.Type, "State") {
		text("name", h.Name)
	}
	text("error", h.Error)
	text("cause", h.Cause)
	text("state", h.State)
	text("location", h.Location)
	text("mapRunArn", h.MapRun)
	text("by", h.By)
	if len(h.assigned) > 0 {
		variables := map[string]any{}
		for name, v := range h.assigned {
			variables[name] = string(encode(v))
		}
		d["assignedVariables"], d["assignedVariablesDetails"] = variables, map[string]any{"truncated": false}
	}
	h.worker(d)
	for name, n := range map[string]*int{"index": h.Index, "length": h.Length, "redriveCount": h.Redrives} {
		if n != nil {
			d[name] = number(int64(*n))
		}
	}
	for name, v := range map[string]*any{"input": h.input, "output": h.output, "parameters": h.parameters} {
		if v != nil {
			d[name] = string(encode(*v))
			if name != "parameters" {
				d[name+"Details"] = map[string]any{"truncated": false}
			}
		}
	}
	out := map[string]any{"id": number(h.ID), "previousEventId": number(h.PreviousID), "type": h.Type, "timestamp": rfc3339(h.At)}
	if len(d) > 0 {
		out[h.detailsName()] = d
	}
	return encode(out), nil
}

func (h HistoryEvent) detailsName() string {
	switch {
	case strings.HasSuffix(h.Type, "StateEntered"):
		return "stateEnteredEventDetails"
	case strings.HasSuffix(h.Type, "StateExited"):
		return "stateExitedEventDetails"
	}
	return strings.ToLower(h.Type[:1]) + h.Type[1:] + "EventDetails"
}

// region is that of the ARNs that executions have here.
const region = "local"

// worker notes who does the work, and how long it may take. Of a bare function
// only the first event says it.
func (h HistoryEvent) worker(d map[string]any) {
	scheduled := strings.HasSuffix(h.Type, "Scheduled")
	function := strings.HasPrefix(h.Type, "Lambda")
	switch {
	case h.Resource == "" || function && !scheduled:
		return
	case function:
		d["resource"] = h.Resource
	default:
		d["resourceType"], d["resource"] = splitResource(h.Resource)
		if scheduled {
			d["region"] = region
		}
	}
	for name, time := range map[string]time.Duration{"timeoutInSeconds": h.Timeout, "heartbeatInSeconds": h.Heartbeat} {
		if time > 0 && (name == "timeoutInSeconds" || !function) {
			d[name] = number(int64(time.Seconds()))
		}
	}
}

// splitResource gives AWS's resourceType and resource: "sqs" and
// "sendMessage.waitForTaskToken", "aws-sdk:dynamodb" and "putItem".
func splitResource(resource string) (kind, name string) {
	resource = strings.TrimPrefix(resource, "arn:aws:states:::")
	version := ""
	if before, ok := strings.CutSuffix(resource, ":2"); ok {
		resource, version = before, ":2"
	}
	i := strings.LastIndexByte(resource, ':')
	return resource[:max(i, 0)], resource[i+1:] + version
}

func (x *Execution) emit(f *frame, h HistoryEvent) {
	if f.child != nil { // only counted: the child's history is not the execution's
		f.child.history++
		f.last = f.child.history
		return
	}
	x.history++
	h.ID, h.PreviousID, h.At = x.history, f.last, x.current.At
	f.last = x.history
	if x.unseen {
		return
	}
	if x.events == nil {
		x.events = make([]HistoryEvent, 0, usualEvents)
	}
	x.events = append(x.events, h)
}

// usualEvents is how many one task after another makes; events are large to copy.
const usualEvents = 6

// taskEvent is TaskScheduled, or LambdaFunctionScheduled for a bare function,
// and so on.
func (act *activity) taskEvent(what string, output *any) HistoryEvent {
	prefix, resource := "Task", act.state.resource
	if strings.HasPrefix(resource, "arn:aws:lambda:") {
		prefix = "LambdaFunction"
	}
	if act.state.token {
		resource += tokenSuffix
	}
	return HistoryEvent{Type: prefix + what, Name: act.state.name, Resource: resource, output: output}
}

// failedEvent is TaskFailed, or TaskTimedOut, and so on.
func (act *activity) failedEvent(e *stateError) HistoryEvent {
	what := "Failed"
	if e.name == errTimeout {
		what = "TimedOut"
	}
	h := act.taskEvent(what, nil)
	h.Error, h.Cause = e.name, e.cause
	return h
}
