package asltest

import (
	"encoding/json"
	"slices"
	"strings"
)

// A Replay gives the recorded answers of services in the order in which they
// came.
type Replay struct{ left []HistoryEvent }

// Replay of the recorded history. It is for executions whose tasks are asked
// one after the other.
func (c Case) Replay() *Replay {
	return &Replay{slices.DeleteFunc(slices.Clone(c.unmasked()), func(h HistoryEvent) bool { return answered(h) == "" })}
}

// answered is Submitted, Succeeded, Failed or TimedOut; empty for an event
// that is no answer to a task.
func answered(h HistoryEvent) string {
	what, isTask := strings.CutPrefix(strings.Replace(h.Type, "LambdaFunction", "Task", 1), "Task")
	if !isTask || !slices.Contains([]string{"Submitted", "Succeeded", "Failed", "TimedOut"}, what) {
		return ""
	}
	return what
}

// Next is what came next for a task or for the holder of its token: Submitted,
// Succeeded or Failed with an answer, or TimedOut where nobody answered. It is
// empty at the end.
func (r *Replay) Next() (what string, a Answer) {
	if len(r.left) == 0 {
		return "", a
	}
	h := r.left[0]
	r.left = r.left[1:]
	a = Answer{Output: h.Output, Error: textOf(h.Error), Cause: textOf(h.Cause)}
	if h.Cause != nil && a.Cause == "" { // JSON in a text, recorded as what it held
		cause, _ := json.Marshal(h.Cause)
		a.Cause = string(cause)
	}
	return answered(h), a
}
