// Package temporal drives the interpreter of the States Language on a Temporal
// cluster: one Temporal workflow is one execution. The same definitions give
// the same results as on the engine of the device, but many devices share one
// cluster, and when one is lost its executions go on elsewhere.
//
// Retry, Catch, time-outs and tokens are the interpreter's. Temporal keeps the
// events, carries the commands out as activities and timers, and repeats only
// the deeds of a worker that was lost.
package temporal

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"inspector/workflow"
	"inspector/workflow/asl"
)

// Type is the name under which workers know the workflow.
const Type = "inspector-execution"

// Lost is how long nothing is heard of the worker that does a deed until
// another does it, unless the Start says otherwise.
const Lost = 30 * time.Second

// Start is the input of the workflow. The cluster keeps it, so fields are only
// ever added.
type Start struct {
	Definition string           `json:"definition"`        // as text: its hash names the machine
	Input      json.RawMessage  `json:"input,omitempty"`   // of the execution, whose name is the workflow's ID
	Device     string           `json:"device,omitempty"`  // where Local resources are
	Local      []string         `json:"local,omitempty"`   // resources that only workers of Device may invoke
	Lost       time.Duration    `json:"lost,omitempty"`    // 0 is the constant
	Journal    []byte           `json:"journal,omitempty"` // packed, of the runs that this one continues
	Parked     map[int64]string `json:"parked,omitempty"`  // why commands of them wait for a person
	Redrive    bool             `json:"redrive,omitempty"` // the journal is of an execution that failed: it goes on where it ended

	StateMachine string        `json:"stateMachine,omitempty"` // name of the machine that it was begun by; empty: the definition's hash
	Version      int           `json:"version,omitempty"`
	Alias        string        `json:"alias,omitempty"`
	Type         workflow.Type `json:"type,omitempty"`
	ParentToken  string        `json:"parentToken,omitempty"` // of the task that waits for the end
	Waiting      string        `json:"waiting,omitempty"`     // resource of that task
	Nests        bool          `json:"nests,omitempty"`       // workers of Device know machines: executions may begin others
	Tells        bool          `json:"tells,omitempty"`       // workers tell of changes of the status
}

// Outcome is the result of the workflow, and the detail of its failure.
type Outcome struct {
	Status asl.Status      `json:"status"`
	Output json.RawMessage `json:"output,omitempty"`
	Error  string          `json:"error,omitempty"`
	Cause  string          `json:"cause,omitempty"`
}

// queue is where workers look for deeds on a resource. Each resource has its
// own, so that what waits for one holds up no other, and only who can do it is
// asked.
func queue(base, device, resource string) string {
	if device != "" {
		base += "@" + device
	}
	return base + "/" + resource
}

// home is the device that must invoke the resource; empty is any.
func (s Start) home(resource string) string {
	if slices.Contains(s.Local, resource) {
		return s.Device
	}
	return ""
}

// arn is that of an execution of the name.
func (s Start) arn(name, hash string) string {
	return asl.ARN(cmp.Or(s.Device, "inspector"), cmp.Or(s.StateMachine, hash), name)
}

func (s Start) lost() time.Duration {
	if s.Lost > 0 {
		return s.Lost
	}
	return Lost
}
