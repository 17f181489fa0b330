// Package workflow drives executions of the States Language durably on this
// machine: a transition is in the journal before its effect counts, and after
// a power cut each execution goes on at the very state where it was.
package workflow

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"inspector/workflow/asl"
)

// Lanes that are not task resources.
const (
	LaneTimer = "timer" // waits and retries
	LaneToken = "token" // callbacks: a person or program answers

	LaneReport = "report" // an execution that ended tells the task that waits for it
	LaneAbort  = "abort"  // an execution that a task began ends once that waits no longer
)

// An Execution is one run of a machine, without its journal.
type Execution struct {
	ID      string `json:"name"`    // also its name; an inspection's ID for inspections
	Machine string `json:"machine"` // sha256 of the definition it runs to its end
	Type    Type   `json:"type,omitempty"`

	StateMachine string `json:"stateMachine,omitempty"` // name of the machine it was begun by; empty: by the definition's hash
	Version      int    `json:"version,omitempty"`      // of the machine, if it was begun by one, or by an alias
	Alias        string `json:"alias,omitempty"`        // of the machine, likewise
	Parent       string `json:"parent,omitempty"`       // key of the task that began it
	ParentToken  string `json:"parentToken,omitempty"`  // of that task, if it waits for the end

	Redrives int       `json:"redriveCount,omitempty"`
	Redriven time.Time `json:"redriveDate,omitzero"` // last

	Status  asl.Status      `json:"status"`
	Started time.Time       `json:"startDate"`
	Stopped time.Time       `json:"stopDate,omitzero"`
	Parked  string          `json:"parked,omitempty"` // why a person must act; the journal derives it: the reason of the first parked Work, Append ignores it
	States  []string        `json:"states,omitempty"` // where it is now, while it runs; a journal may derive it from the open Work
	Output  json.RawMessage `json:"output,omitempty"`
	Error   string          `json:"error,omitempty"`
	Cause   string          `json:"cause,omitempty"`
}

// Type says whether the changes of an execution's status are events of their
// own, as on AWS. Both types are durable here.
type Type string

// The types of machines and executions; the empty type is Standard.
const (
	Standard Type = "STANDARD"
	Express  Type = "EXPRESS" // its changes are nobody's events: what delivers events is such
)

// Work is one command that waits to be carried out. It is durable: the queue
// of a lane is the work that the journal holds for it.
type Work struct {
	Execution string    // the execution's ID
	Command   int64     // the command's ID in it
	Lane      string    // the task's resource, LaneTimer or LaneToken
	State     string    // name of the state, for people
	Due       time.Time // not before
	Since     time.Time // when it was first asked for, for the age of the queue
	Parked    string    // why a person must act before it is done; set by Park, or from the beginning where no handler knows the lane
}

// Key names the effect of the work, the same on every attempt.
func (w Work) Key() string {
	return w.Execution + "/" + w.State + "/" + strconv.FormatInt(w.Command, 10)
}

// A Transition is what one event did to one execution. A journal makes all of
// it durable, or nothing. End is applied before Begin: a retry ends a command
// and a later transition begins it again, with the same number, at the back of
// its lane and not parked.
type Transition struct {
	Execution Execution // as it is after the event
	N         int       // the event's place in the execution's journal, from 1
	Event     asl.Event
	Begin     []Work  // asked for by the event
	End       []int64 // commands that are over: answered or cancelled
}

// AllMachines is the machine of a Hold that holds everything.
const AllMachines = "*"

// A Hold keeps work from being begun: of one machine, or of all. What runs
// ends and is recorded, and new executions are still accepted.
type Hold struct {
	Machine string    `json:"stateMachine"` // name, or AllMachines
	Drain   bool      `json:"drain"`        // only of executions that began after the hold; what began before goes on
	By      string    `json:"by,omitempty"`
	At      time.Time `json:"at"`
	Left    int       `json:"left"` // Drain: executions of before that still run, at most MaxLeft; the journal counts
}

// MaxLeft is where a journal stops counting.
const MaxLeft = 1000

// ErrConflict is given by Append if the journal already has an event with that
// number: somebody else advanced or began the execution.
var ErrConflict = errors.New("the execution was advanced by somebody else")

// ErrNotFound is given for an execution or definition that nobody stored.
var ErrNotFound = errors.New("not found")

// A Journal is the durable memory of the engine. All methods may be called
// from any goroutine at the same time. Append may gather several calls into
// one commit; each returns when its own transitions are on the disk.
type Journal interface {
	// Define remembers a definition under its hash; again is harmless.
	Define(ctx context.Context, hash string, definition []byte) error
	// Definition gives it back, or ErrNotFound.
	Definition(ctx context.Context, hash string) ([]byte, error)
	// Append makes the transitions durable, in their order and in one commit:
	// all of them, or none. It gives ErrConflict if one of them does not follow
	// on what the journal and those before it hold.
	Append(ctx context.Context, all ...Transition) error
	// Load gives an execution and its events in order, or ErrNotFound.
	Load(ctx context.Context, id string) (Execution, []asl.Event, error)
	// Events is Load without what is derived from the execution's work (States,
	// Parked), for who folds them.
	Events(ctx context.Context, id string) (Execution, []asl.Event, error)
	// Due gives at most limit pieces of work of the lane whose time has come
	// at now, in the order of their journalling (never of the clock), or in the
	// opposite one if the newest are to come first, and, if there are fewer than
	// limit, the next time at which one more is due (zero: none).
	// Parked work is left out; other work of the same execution is not.
	// Work that is held is left out, too; the next time may be that of held work.
	Due(ctx context.Context, lane string, now time.Time, limit int, newest bool) ([]Work, time.Time, error)
	// Lanes gives the lanes that have open work which is not parked.
	Lanes(ctx context.Context) ([]string, error)
	// Work gives the open work of one execution, LaneToken and parked work
	// included, in the order of its journalling.
	Work(ctx context.Context, id string) ([]Work, error)
	// Park sets why one piece of open work waits for a person; the empty
	// reason frees it. ErrNotFound if that work is not open.
	Park(ctx context.Context, id string, command int64, reason string) error
	// Postpone sets the time before which one piece of open work is not due.
	// ErrNotFound if that work is not open.
	Postpone(ctx context.Context, id string, command int64, until time.Time) error
	// Done forgets one piece of work that no event ends. ErrNotFound if it is
	// not open.
	Done(ctx context.Context, id string, command int64) error
	// Hold makes the hold durable, in place of another of the same machine.
	Hold(ctx context.Context, h Hold) error
	// Release ends the hold of a machine, or gives ErrNotFound.
	Release(ctx context.Context, machine string) error
	// Holds gives all holds, by machine.
	Holds(ctx context.Context) ([]Hold, error)
	// Machines gives all machines.
	Machines(ctx context.Context) ([]Machine, error)
	// PutMachine makes m durable. Its Revision must follow on the stored one,
	// from 1, or it gives ErrConflict.
	PutMachine(ctx context.Context, m Machine) error
	// DropMachine forgets a machine, or gives ErrNotFound.
	DropMachine(ctx context.Context, name string) error
}
