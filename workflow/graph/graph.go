// Package graph draws definitions of the Amazon States Language as SVG, and in
// them how far an execution has come. It reads the definition's JSON itself:
// what another part of the house may refuse can still be looked at.
package graph

import (
	"fmt"
)

// An Event is one line of an execution's history, in the words of Step Functions.
type Event struct {
	Kind  string // TaskStateEntered and so on
	State string // its name, for events of a state
	Error string
}

// A Run is how far an execution has come. The zero value has not begun.
type Run struct {
	Status string   // RUNNING, SUCCEEDED, FAILED, TIMED_OUT, ABORTED
	Parked []string // states whose work waits until a person acts
	Events []Event  // in their order
}

// Draw gives the definition as one SVG document, always the same for the same
// definition and run. A run of nil draws the definition alone. Any JSON with a
// States object is drawn, right or wrong; the error says why it is none. Time
// and memory are bounded by the size of the definition.
func Draw(definition []byte, run *Run) ([]byte, error) {
	top, err := read(definition)
	if err != nil {
		return nil, fmt.Errorf("draw the definition: %w", err)
	}
	d := drawing{}
	if run != nil {
		d.marks = judge(top, run)
	}
	top.arrange()
	return d.document(top), nil
}
