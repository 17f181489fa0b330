package asl

import (
	"encoding/json"
	"errors"
	"testing"
	"time"
)

func FuzzPath(f *testing.F) {
	for _, seed := range []string{"$", "$.a['b'][0]", "$..x[?(@.a=='b' && !(@.c in [1,2]))]", "$[(@.length-1)]", "$[1:2:3]", "States.Format('{}\\'', $.a, States.Array(1))", "$$.Task.Token"} {
		f.Add(seed, pathInput)
	}
	f.Fuzz(func(t *testing.T, text, input string) {
		root, err := decode([]byte(input))
		if err != nil || !fits(root) {
			return
		}
		e, err := parseExpression(text)
		if err != nil {
			return
		}
		s := &scope{input: root, context: func() any { return root }, draw: func() [32]byte { return [32]byte{} }, variables: noVariables}
		if v, err := e.eval(s); err == nil {
			if _, err := decode(encode(v)); err != nil && fits(v) {
				t.Errorf("%s gives what is no JSON: %v", text, err)
			}
		}
	})
}

// FuzzAdvance parses any definition and tells any events to its executions.
func FuzzAdvance(f *testing.F) {
	for _, seed := range []string{
		parallel,
		`{"StartAt":"A","States":{"A":{"Type":"Pass","Parameters":{"a.$":"$.a","b.$":"States.UUID()"},"End":true}}}`,
		`{"StartAt":"M","States":{"M":{"Type":"Map","ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Task","Resource":"r","End":true,"Retry":[{"ErrorEquals":["States.ALL"]}]}}},"End":true}}}`,
		`{"StartAt":"C","States":{"C":{"Type":"Choice","Choices":[{"Variable":"$.a","IsPresent":true,"Next":"W"}],"Default":"F"},"W":{"Type":"Wait","SecondsPath":"$.a","End":true},"F":{"Type":"Fail","CausePath":"$.b"}}}`,
	} {
		f.Add([]byte(seed), []byte(`{"a":1,"items":[1,2]}`), []byte{0, 1, 2, 3, 4, 5})
	}
	f.Fuzz(func(t *testing.T, definition, input, script []byte) {
		m, err := Parse(definition)
		var faults Faults
		if err != nil {
			if !errors.As(err, &faults) || len(faults) == 0 {
				t.Errorf("an error without faults: %v", err)
			}
			return
		}
		d := newDriver(t, m, nil)
		e := Event{Kind: Started, Name: "x", Seed: "s", Input: input, At: d.now}
		if _, _, err := m.Advance(&d.x, e); err != nil {
			return
		}
		d.log = append(d.log, e)
		for _, b := range script[:min(len(script), 32)] {
			open := d.x.Open()
			if len(open) == 0 {
				break
			}
			c := open[int(b>>3)%len(open)]
			kind := []EventKind{Succeeded, Failed, Fired, Heartbeat, Succeeded, Failed, Fired, Stopped}[b&7]
			e := Event{Kind: kind, Command: c.ID, At: d.now.Add(time.Duration(b) * time.Second), Output: json.RawMessage(input), Error: "States.Timeout", Random: float64(b) / 256}
			if _, _, err := m.Advance(&d.x, e); err == nil {
				d.log = append(d.log, e)
			}
			d.x.States()
		}
		if d.x.Status() == StatusRunning && len(d.x.Open()) == 0 {
			t.Errorf("the execution runs, but waits for nothing: %v", d.x.States())
		}
		if d.x.Status() != StatusRunning && len(d.x.Open()) != 0 {
			t.Errorf("the execution has ended, but waits for %v", d.x.Open())
		}
		var again Execution
		for _, e := range d.log {
			if _, _, err := m.Advance(&again, e); err != nil {
				t.Fatalf("fold again: %v", err)
			}
		}
		if again.Status() != d.x.Status() || len(again.Open()) != len(d.x.Open()) {
			t.Error("folding again gives another execution")
		}
	})
}
