// Package asl interprets the Amazon States Language
// (https://states-language.net). It does no I/O, reads no clock and draws no
// random number: it is told what happened and answers with what to record and
// what to do.
package asl

import (
	"encoding/json"
	"time"
)

// EventKind says what happened to an execution.
type EventKind string

// The kinds of events that an execution is told.
const (
	Started   EventKind = "started"   // Input is the execution's input
	Succeeded EventKind = "succeeded" // the command's task or token gave Output
	Failed    EventKind = "failed"    // the command's task or token gave Error and Cause
	Fired     EventKind = "fired"     // the command's timer is due
	Heartbeat EventKind = "heartbeat" // the holder of the command's token is alive
	Stopped   EventKind = "stopped"   // a person aborted the execution with Error and Cause
)

// An Event is one fact about an execution. The journal of an execution is its
// events in order: folding them with Advance rebuilds it, always the same.
type Event struct {
	Kind    EventKind       `json:"kind"`
	At      time.Time       `json:"at"`
	Command int64           `json:"command,omitempty"` // which command it answers
	Input   json.RawMessage `json:"input,omitempty"`
	Output  json.RawMessage `json:"output,omitempty"`
	Error   string          `json:"error,omitempty"`
	Cause   string          `json:"cause,omitempty"`
	Random  float64         `json:"random,omitempty"` // uniform in [0,1), drawn by the driver: jitter
	Name    string          `json:"name,omitempty"`   // of the execution, in Started only
	Arn     string          `json:"arn,omitempty"`    // of the execution, in Started only: $$.Execution.Id, and what $$.StateMachine derives from
	By      string          `json:"by,omitempty"`     // in Amended only: who did it
	Seed    string          `json:"seed,omitempty"`   // in Started only: unguessable, drawn by the driver; task tokens and States.UUID derive from it
}

// CommandKind says what a command asks for.
type CommandKind string

// The kinds of commands that Advance gives.
const (
	RunTask  CommandKind = "task"   // invoke Resource with Input; answer Succeeded or Failed
	SetTimer CommandKind = "timer"  // answer Fired at Due
	Await    CommandKind = "await"  // a person or program holds the token; answer Succeeded or Failed
	Cancel   CommandKind = "cancel" // command ID is moot: end it, answer nothing
)

// A Command is what Advance asks the driver to do once the event that caused
// it is durable. Its ID is unique and the same however often the execution is
// rebuilt, so it makes the key of the effect.
type Command struct {
	ID       int64
	Kind     CommandKind
	State    string          // name of the state that asks
	Resource string          // RunTask: as in the definition, without .waitForTaskToken
	Input    json.RawMessage // RunTask; of a .sync state also Await and Cancel
	Attempt  int             // RunTask: 0 at first, then the number of the retry
	Due      time.Time       // SetTimer: when to fire
	Token    string          // Await, and the RunTask of the same state: who holds it may answer
	Timeout  time.Duration   // RunTask: the driver fails it with States.Timeout after this; 0 is never
}

// Status of an execution, in the words of Step Functions.
type Status string

// The statuses.
const (
	StatusRunning   Status = "RUNNING"
	StatusSucceeded Status = "SUCCEEDED"
	StatusFailed    Status = "FAILED"
	StatusTimedOut  Status = "TIMED_OUT"
	StatusAborted   Status = "ABORTED"
)
