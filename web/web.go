// Package web is the appliance's face: the page, the API, the metrics. It is
// the only package that knows Gin and Prometheus, and it knows nothing of the
// store, the engine or the line but the few questions it asks them here.
package web

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"time"

	"inspector"
)

// What a backend's error means to the asker. A backend wraps one of them, and
// says what it was asked; any other error is a fault of the appliance (500).
var (
	ErrNotFound    = errors.New("not found")              // 404
	ErrConflict    = errors.New("already decided")        // 409: decided, or the same request with other content
	ErrPicture     = errors.New("not a readable picture") // 422: nothing was accepted, there is nothing to judge
	ErrUnchanged   = errors.New("nothing was changed")    // 409: the model or the recipe cannot be changed in this way
	ErrRefused     = errors.New("refused")                // 422: the model may not judge; who judged before goes on
	ErrNoRoom      = errors.New("no room")                // 503: the trigger is not in the ledger; its board is unsure
	ErrUnavailable = errors.New("cannot do this now")     // 503: ask again later
	ErrPattern     = errors.New("not an event pattern")   // 422: nothing can match it
)

// A Record is an inspection, who has seen it and what was decided about it.
type Record struct {
	inspector.Inspection
	Disposition  *inspector.Disposition     `json:"disposition,omitempty"`
	Acknowledged *inspector.Acknowledgement `json:"acknowledged,omitempty"`
}

// A Query selects inspections, newest first.
type Query struct {
	Verdict inspector.Verdict // empty: any
	Recipe  string            // empty: any
	Before  string            // an inspection's ID: only older ones; empty: from the newest
	Limit   int               // 1 to 500
}

// An Execution is one run of the workflow, in the words of Step Functions.
type Execution struct {
	ID           string `json:"name"` // an inspection's ID for inspections
	Machine      string `json:"machine"`
	StateMachine string `json:"stateMachine,omitempty"` // name of the machine that it was begun by
	Version      int    `json:"version,omitempty"`
	Alias        string `json:"alias,omitempty"`
	Type         string `json:"type,omitempty"` // STANDARD, EXPRESS

	Status   string          `json:"status"` // RUNNING, SUCCEEDED, FAILED, TIMED_OUT, ABORTED
	Started  time.Time       `json:"startDate"`
	Stopped  time.Time       `json:"stopDate,omitzero"`
	Redrives int             `json:"redriveCount,omitempty"`
	Redriven time.Time       `json:"redriveDate,omitzero"`
	Parent   string          `json:"parent,omitempty"` // key of the task that began it
	Parked   string          `json:"parked,omitempty"` // why a person must act before it goes on
	States   []string        `json:"states"`           // where it is now
	Output   json.RawMessage `json:"output,omitempty"`
	Error    string          `json:"error,omitempty"`
	Cause    string          `json:"cause,omitempty"`
}

// An ExecutionQuery selects executions, newest first.
type ExecutionQuery struct {
	Status  string // empty: any; PARKED: those that wait for a person
	Machine string // its name; empty: any
	Since   time.Time
	Until   time.Time // zero: until now
	Prefix  string    // of the name; then they go by name
	Page    string    // as given with the page before; empty: the first
	Limit   int       // 1 to 500
}

// An Event is one line of an execution's history.
type Event struct {
	N      int             `json:"n"` // from 1, dense
	Kind   string          `json:"kind"`
	At     time.Time       `json:"at"`
	State  string          `json:"state,omitempty"` // its name, for events of a state
	Input  json.RawMessage `json:"input,omitempty"`
	Output json.RawMessage `json:"output,omitempty"`
	Error  string          `json:"error,omitempty"`
	Cause  string          `json:"cause,omitempty"`
}

// statuser knows how the appliance is. It is asked once a second while a page
// is open and at every scrape, so it answers from memory; nobody changes what
// it gave.
type statuser interface {
	Status(ctx context.Context) Status
}

// archive remembers inspections.
type archive interface {
	Inspections(ctx context.Context, q Query) ([]Record, error)
	Inspection(ctx context.Context, id string) (Record, error)
	// Evidence opens the blob of that kind; the caller closes it.
	Evidence(ctx context.Context, id, kind string) (io.ReadSeekCloser, inspector.Blob, error)
}

// line judges boards. An accepted trigger ends in exactly one durable
// inspection, also if the asker hangs up (ctx ends); asked again with the same
// request, the answer is the same.
type line interface {
	// Inspect judges the board on the picture, an encoded image that it may keep.
	Inspect(ctx context.Context, t inspector.Trigger, picture []byte) (inspector.Inspection, error)
	// Trigger judges the board that is under the camera now.
	Trigger(ctx context.Context, t inspector.Trigger) (inspector.Inspection, error)
}

// desk is where a person acts.
type desk interface {
	Dispose(ctx context.Context, id string, d inspector.Disposition) (Record, error)
	// Acknowledge notes that somebody has seen the board; again, it gives the first one.
	Acknowledge(ctx context.Context, id string, a inspector.Acknowledgement) (Record, error)
	Redrive(ctx context.Context, execution string) error
	// Pause has the line judge nothing, or go on; the answer is how it is now.
	Pause(ctx context.Context, p Pause) (Pause, error)
}

// executions knows the runs of the workflow.
type executions interface {
	Executions(ctx context.Context, q ExecutionQuery) (found []Execution, page string, err error) // page: of the next ones; empty: none
	Execution(ctx context.Context, id string) (Execution, error)
	History(ctx context.Context, id string) ([]Event, error)
}

// graphs draws the runs of the workflow.
type graphs interface {
	Graph(ctx context.Context, id string) ([]byte, error) // how far the execution has come, as SVG
}

// Options are what a Server needs. All but the first block must be given; their methods are called from many goroutines at once.
type Options struct {
	Listen  string           // host:port; port 0 lets the system choose
	Token   inspector.Secret // lets other hosts change things; empty: only this machine may
	Wait    time.Duration    // the longest a trigger waits for its verdict: more than the line's takt limit; 0 is 30 s
	Grace   time.Duration    // for answers under way when Run is asked to stop; 0 is 5 s
	MaxBody int64            // bytes of a posted picture; 0 is 64 MiB

	Status     statuser
	Archive    archive
	Line       line
	Desk       desk
	Executions executions
	States     states
	Graphs     graphs
	Parked     parked
	Registry   registry
	Recipes    recipes
	Shadows    shadows
	Tailer     tailer
	Functions  functions
	Log        *slog.Logger
}
