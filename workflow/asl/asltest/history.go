package asltest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// A HistoryEvent is one event of a history, recorded or had. What is nil is
// not there.
type HistoryEvent struct {
	Type, Name      string
	Input, Output   json.RawMessage
	Index, Length   *int
	Error, Cause    any // text; of a recording also what the text held if that was JSON
	State, Location string
	Assigned        map[string]json.RawMessage `json:"assignedVariables"` // of a recording: JSON in a string, or what that held
}

// SameHistory says what differs. The order is exact, but for what happens
// inside a Parallel or a Map: where that differs it is compared without order.
// Recordings lack the event that closes a Parallel.
func (c Case) SameHistory(have []HistoryEvent) string {
	want := c.original()
	closing := func(h HistoryEvent) bool {
		return h.Type == "ParallelStateSucceeded" || h.Type == "ParallelStateFailed"
	}
	have, want = slices.DeleteFunc(slices.Clone(have), closing), slices.DeleteFunc(slices.Clone(want), closing)
	if len(want) != len(have) {
		return fmt.Sprintf("%d events, want %d\n  have %v\n  want %v", len(have), len(want), typesOf(have), typesOf(want))
	}
	var fault string
	for i := 0; i < len(want); {
		if fault = want[i].differs(have[i]); fault == "" {
			i++
			continue
		}
		start := i
		for start > 0 && !strings.HasSuffix(want[start].Type, "StateStarted") {
			start--
		}
		end := i
		for end < len(want) && want[end].Type != "ParallelStateExited" && !strings.HasPrefix(want[end].Type, "MapStateE") {
			end++
		}
		if start == 0 || end == len(want) || !permuted(want[start+1:end], have[start+1:end]) {
			return fmt.Sprintf("event %d: %s\n  have %v\n  want %v", i+1, fault, typesOf(have), typesOf(want))
		}
		i = end
	}
	return ""
}

// permuted reports whether the events are the same in any order.
func permuted(want []HistoryEvent, have []HistoryEvent) bool {
	have = slices.Clone(have)
	for _, w := range want {
		i := slices.IndexFunc(have, func(h HistoryEvent) bool { return w.differs(h) == "" })
		if i < 0 {
			return false
		}
		have = slices.Delete(have, i, i+1)
	}
	return len(have) == 0
}

func (w HistoryEvent) differs(h HistoryEvent) string {
	if have, want := Event(h.Type, h.Name), Event(w.Type, w.Name); have != want && !masked(w.Name) {
		return fmt.Sprintf("%s, want %s", have, want)
	}
	for _, v := range []struct {
		what string
		want json.RawMessage
		have json.RawMessage
	}{{"input", w.Input, h.Input}, {"output", w.Output, h.Output}} {
		if v.want != nil && !alike(value(v.want), value(v.have), "", nil) {
			return fmt.Sprintf("%s %s: %s %s, want %s", h.Type, h.Name, v.what, v.have, v.want)
		}
	}
	for _, n := range [][2]*int{{w.Index, h.Index}, {w.Length, h.Length}} {
		if n[0] != nil && (n[1] == nil || *n[0] != *n[1]) {
			return fmt.Sprintf("%s %s: another index or length", h.Type, h.Name)
		}
	}
	if w.Error != nil && !sameText(w.Error, textOf(h.Error)) || w.Cause != nil && !wordsOfHandler(w.Cause) && !sameText(w.Cause, textOf(h.Cause)) {
		return fmt.Sprintf("%s %s: %s: %s, want %v: %v", h.Type, h.Name, h.Error, h.Cause, w.Error, w.Cause)
	}
	if w.State != h.State || w.Location != h.Location {
		return fmt.Sprintf("%s: %s at %s, want %s at %s", h.Type, h.State, h.Location, w.State, w.Location)
	}
	return w.assignsOther(h)
}

// assignsOther compares variables, which are recorded as JSON in a string or
// as what that held.
func (w HistoryEvent) assignsOther(h HistoryEvent) string {
	if len(h.Assigned) != len(w.Assigned) {
		return fmt.Sprintf("%s %s: assigned %d variables, want %d", h.Type, h.Name, len(h.Assigned), len(w.Assigned))
	}
	for name, raw := range w.Assigned {
		want := value(raw)
		if text, ok := want.(string); ok {
			want = value(json.RawMessage(text))
		}
		if !alike(want, value(h.Assigned[name]), "", nil) {
			return fmt.Sprintf("%s %s: $%s is %s, want %s", h.Type, h.Name, name, h.Assigned[name], raw)
		}
	}
	return ""
}

func typesOf(events []HistoryEvent) (out []string) {
	for _, h := range events {
		out = append(out, h.Type)
	}
	return out
}

func textOf(v any) string {
	s, _ := v.(string)
	return s
}
