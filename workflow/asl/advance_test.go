package asl

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

func fails(name string) func(Command) Event {
	return func(Command) Event { return Event{Kind: Failed, Error: name, Cause: "c"} }
}

// wantFold checks that the events alone rebuild the execution, with the same
// commands and history.
func wantFold(t *testing.T, d *driver) {
	t.Helper()
	var x Execution
	var asked []Command
	var history []HistoryEvent
	for _, e := range d.log {
		raw, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var back Event
		if err := json.Unmarshal(raw, &back); err != nil {
			t.Fatal(err)
		}
		h, c, err := d.m.Advance(&x, back)
		if err != nil {
			t.Fatal(err)
		}
		asked, history = append(asked, c...), append(history, h...)
	}
	a, _ := json.Marshal(history)
	b, _ := json.Marshal(d.history)
	if x.Status() != d.x.Status() || string(x.Output()) != string(d.x.Output()) || x.Error() != d.x.Error() ||
		!reflect.DeepEqual(asked, d.asked) || string(a) != string(b) || !reflect.DeepEqual(x.Open(), d.x.Open()) {
		t.Errorf("folding the events anew gives another execution")
	}
}

// Each retrier counts for itself, the command keeps its ID, and the delays
// are the definition's.
func TestRetry(t *testing.T) {
	m := parse(t, `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"r","End":true,"Retry":[
	  {"ErrorEquals":["X"],"IntervalSeconds":3,"MaxAttempts":3,"BackoffRate":10,"MaxDelaySeconds":50},
	  {"ErrorEquals":["Y"],"MaxAttempts":1,"JitterStrategy":"FULL"},
	  {"ErrorEquals":["States.ALL"],"MaxAttempts":0}]}}}`)
	for _, test := range []struct {
		errors string // of the attempts in turn; . succeeds
		delays []float64
		end    Status
	}{
		{".", nil, StatusSucceeded},
		{"XXX.", []float64{3, 30, 50}, StatusSucceeded},
		{"XXXX", []float64{3, 30, 50}, StatusFailed},
		{"XYX.", []float64{3, 0.5, 30}, StatusSucceeded},
		{"YY", []float64{0.5}, StatusFailed},
		{"Z", nil, StatusFailed},
	} {
		t.Run(test.errors, func(t *testing.T) {
			var delays []float64
			var d *driver
			last := time.Time{}
			d = newDriver(t, m, func(c Command) Event {
				if c.ID != 1 {
					t.Errorf("attempt with command %d, want 1 always", c.ID)
				}
				if !last.IsZero() {
					delays = append(delays, d.now.Sub(last).Seconds())
				}
				last = d.now
				if name := test.errors[c.Attempt : c.Attempt+1]; name != "." {
					return Event{Kind: Failed, Error: name}
				}
				return Event{Kind: Succeeded}
			})
			d.run("{}", 100)
			if d.x.Status() != test.end || !slices.Equal(delays, test.delays) {
				t.Errorf("%s after %v, want %s after %v", d.x.Status(), delays, test.end, test.delays)
			}
			wantFold(t, d)
		})
	}
}

func TestNewEntryHasNewCommand(t *testing.T) {
	m := parse(t, `{"StartAt":"A","States":{
	  "A":{"Type":"Task","Resource":"r","Next":"More"},
	  "More":{"Type":"Choice","Choices":[{"Variable":"$.n","NumericLessThan":3,"Next":"A"}],"Default":"End"},"End":{"Type":"Succeed"}}}`)
	n := 0
	var ids []int64
	d := newDriver(t, m, func(c Command) Event {
		n++
		ids = append(ids, c.ID)
		return Event{Kind: Succeeded, Output: json.RawMessage(fmt.Sprintf(`{"n":%d}`, n))}
	})
	d.run("{}", 100)
	if !slices.Equal(ids, []int64{1, 2, 3}) || d.x.Status() != StatusSucceeded {
		t.Errorf("commands %v, %s", ids, d.x.Status())
	}
	wantFold(t, d)
}

func TestCatch(t *testing.T) {
	m := parse(t, `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"r","InputPath":"$.inner","OutputPath":"$.none","End":true,"Catch":[
	  {"ErrorEquals":["X"],"Next":"Caught","ResultPath":"$.error.here"},
	  {"ErrorEquals":["States.TaskFailed"],"Next":"Caught","ResultPath":null},
	  {"ErrorEquals":["States.ALL"],"Next":"Caught"}]},"Caught":{"Type":"Pass","End":true}}}`)
	for name, want := range map[string]string{
		"X":              `{"error":{"here":{"Cause":"c","Error":"X"}},"inner":1}`,
		"Y":              `{"inner":1}`,
		"States.Timeout": `{"Cause":"c","Error":"States.Timeout"}`,
	} {
		d := newDriver(t, m, fails(name))
		d.run(`{"inner":1}`, 100)
		if string(d.x.Output()) != want {
			t.Errorf("%s: %s %s, want %s", name, d.x.Status(), d.x.Output(), want)
		}
	}
	d := newDriver(t, m, fails("States.Runtime"))
	d.run(`{"inner":1}`, 100)
	if d.x.Status() != StatusFailed || d.x.Error() != "States.Runtime" {
		t.Errorf("States.Runtime was caught: %s", d.x.Output())
	}
}

const parallel = `{"StartAt":"P","States":{"P":{"Type":"Parallel","ResultPath":"$.r","End":true,"Catch":[{"ErrorEquals":["Bad"],"Next":"C"}],"Branches":[
  {"StartAt":"A","States":{"A":{"Type":"Task","Resource":"a","End":true}}},
  {"StartAt":"B","States":{"B":{"Type":"Task","Resource":"b.waitForTaskToken","TimeoutSeconds":9,"End":true}}},
  {"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":5,"End":true}}}]},"C":{"Type":"Pass","End":true}}}`

func TestParallelCancelsTheOthers(t *testing.T) {
	m := parse(t, parallel)
	d := newDriver(t, m, nil)
	d.tell(Event{Kind: Started, Name: "x", Seed: "s", Input: json.RawMessage(`{"i":1}`)})
	if have, want := d.x.States(), []string{"A", "B", "W"}; !slices.Equal(have, want) {
		t.Errorf("states %v, want %v", have, want)
	}
	open := d.x.Open() // A's task; B's task, await and timer; W's timer
	d.asked = nil
	d.tell(Event{Kind: Failed, Command: open[0].ID, Error: "Bad"})
	var cancelled []int64
	for _, c := range d.asked {
		if c.Kind != Cancel {
			t.Errorf("asked for %+v", c)
		}
		cancelled = append(cancelled, c.ID)
	}
	slices.Sort(cancelled)
	if len(open) != 5 || !slices.Equal(cancelled, []int64{open[1].ID, open[2].ID, open[3].ID, open[4].ID}) || len(d.x.Open()) != 0 {
		t.Errorf("cancelled %v of %+v", cancelled, open)
	}
	if string(d.x.Output()) != `{"Cause":null,"Error":"Bad"}` {
		t.Errorf("output %s", d.x.Output())
	}
}

func TestParallelGathersInOrder(t *testing.T) {
	d := newDriver(t, parse(t, parallel), nil)
	d.tell(Event{Kind: Started, Name: "x", Seed: "s", Input: json.RawMessage(`{"i":1}`)})
	open := d.x.Open()
	if open[2].Kind != Await || open[2].Token == "" || open[1].Token != open[2].Token || d.x.Token(open[2].ID) != open[2].Token {
		t.Fatalf("open %+v", open)
	}
	d.now = d.now.Add(5 * time.Second)
	for _, c := range open {
		if c.Kind == SetTimer && !c.Due.After(d.now) {
			d.tell(Event{Kind: Fired, Command: c.ID})
		}
	}
	d.tell(Event{Kind: Succeeded, Command: open[2].ID, Output: json.RawMessage(`2`)}) // before its task said that it had handed over
	d.tell(Event{Kind: Succeeded, Command: open[0].ID, Output: json.RawMessage(`1.0`)})
	if want := `{"i":1,"r":[1.0,2,{"i":1}]}`; string(d.x.Output()) != want {
		t.Errorf("output %s, want %s", d.x.Output(), want)
	}
	if _, _, err := d.m.Advance(&d.x, Event{Kind: Succeeded, Command: open[1].ID}); !errors.Is(err, ErrMoot) {
		t.Errorf("late answer: %v, want ErrMoot", err)
	}
	wantFold(t, d)
}

// What is begun and cancelled by one event is never asked for.
func TestNothingIsAskedForInVain(t *testing.T) {
	d := newDriver(t, parse(t, `{"StartAt":"P","States":{"P":{"Type":"Parallel","End":true,"Branches":[
	  {"StartAt":"A","States":{"A":{"Type":"Task","Resource":"a","End":true}}},
	  {"StartAt":"F","States":{"F":{"Type":"Fail","Error":"E"}}}]}}}`), nil)
	d.run("{}", 1)
	if d.x.Status() != StatusFailed || d.x.Error() != "E" || len(d.asked) != 0 {
		t.Errorf("%s %s, asked for %+v", d.x.Status(), d.x.Error(), d.asked)
	}
}

func TestMapIsBoundedAndInOrder(t *testing.T) {
	m := parse(t, `{"StartAt":"M","States":{"M":{"Type":"Map","ItemsPath":"$.items","MaxConcurrency":2,"ItemSelector":{"v.$":"$$.Map.Item.Value","i.$":"$$.Map.Item.Index","k.$":"$.k"},
	  "ItemProcessor":{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"r","End":true}}},"End":true}}}`)
	most := 0
	var d *driver
	d = newDriver(t, m, func(c Command) Event {
		most = max(most, len(d.x.Open()))
		return Event{Kind: Succeeded, Output: c.Input}
	})
	d.run(`{"items":["a","b","c"],"k":9}`, 100)
	if want := `[{"i":0,"k":9,"v":"a"},{"i":1,"k":9,"v":"b"},{"i":2,"k":9,"v":"c"}]`; string(d.x.Output()) != want || most != 2 {
		t.Errorf("output %s, want %s; %d at once", d.x.Output(), want, most)
	}
	wantFold(t, d)
}

func TestMachineTimeout(t *testing.T) {
	d := newDriver(t, parse(t, `{"TimeoutSeconds":5,"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":9,"End":true}}}`), nil)
	d.run("{}", 10)
	if d.x.Status() != StatusTimedOut || d.x.Error() != "States.Timeout" || len(d.x.Open()) != 0 {
		t.Errorf("%s %s, open %+v", d.x.Status(), d.x.Error(), d.x.Open())
	}
}

// Loops end, values that grow do too, and neither takes long.
func TestNothingIsEndless(t *testing.T) {
	for name, state := range map[string]string{
		"loop":   `{"Type":"Pass","Next":"C"}`,
		"growth": `{"Type":"Pass","Parameters":{"a.$":"$","b.$":"$"},"Next":"C"}`,
		"text":   `{"Type":"Pass","Parameters":{"a.$":"States.Format('{}{}', $.a, $.a)"},"Next":"C"}`,
		"depth":  `{"Type":"Pass","Parameters":[{"a.$":"$"}],"Next":"C"}`,
		"map":    `{"Type":"Map","ItemsPath":"$.list","ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Pass","Next":"D"},"D":{"Type":"Pass","End":true}}},"Next":"C","ResultPath":null}`,
	} {
		t.Run(name, func(t *testing.T) {
			definition := `{"StartAt":"A","States":{"A":` + state + `,"C":{"Type":"Choice","Choices":[{"Variable":"$$.State.Name","StringEquals":"never","Next":"Z"}],"Default":"A"},"Z":{"Type":"Succeed"}}}`
			d := newDriver(t, parse(t, definition), nil)
			d.run(`{"a":"0123456789","list":[`+strings.Repeat("1,", 50)+`1]}`, 10)
			if d.x.Status() != StatusFailed {
				t.Errorf("%s, want FAILED", d.x.Status())
			}
		})
	}
}

func TestEventsThatDoNotFitChangeNothing(t *testing.T) {
	m := parse(t, parallel)
	var x Execution
	if _, _, err := m.Advance(&x, Event{Kind: Succeeded, Command: 1}); !errors.Is(err, ErrMoot) {
		t.Errorf("before the start: %v", err)
	}
	if _, _, err := m.Advance(&x, Event{Kind: Started, Input: json.RawMessage(`{`)}); err == nil || x.Status() != "" {
		t.Errorf("input that is no JSON: %v", err)
	}
	if _, _, err := m.Advance(&x, Event{Kind: Started, Input: json.RawMessage(`"` + strings.Repeat("a", maxPayload) + `"`)}); err == nil {
		t.Error("an input that is too large was taken")
	}
	d := newDriver(t, m, nil)
	d.tell(Event{Kind: Started})
	before := fmt.Sprint(d.x.Open())
	for _, e := range []Event{
		{Kind: Started}, {Kind: Succeeded, Command: 99}, {Kind: Fired, Command: 1}, {Kind: Heartbeat, Command: 1},
		{Kind: Succeeded, Command: 1, Output: json.RawMessage(`{`)}, {Kind: "nonsense", Command: 1}, {},
	} {
		if _, _, err := m.Advance(&d.x, e); err == nil {
			t.Errorf("%+v was taken", e)
		}
	}
	if after := fmt.Sprint(d.x.Open()); after != before {
		t.Errorf("open %s, before %s", after, before)
	}
	if _, _, err := parse(t, `{"StartAt":"A","States":{"A":{"Type":"Succeed"}}}`).Advance(&d.x, Event{Kind: Stopped}); err == nil {
		t.Error("an execution went on with another machine")
	}
}

func TestHistoryIsAWSsShape(t *testing.T) {
	d := newDriver(t, parse(t, `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage","End":true}}}`),
		func(Command) Event { return Event{Kind: Succeeded, Output: json.RawMessage(`"<&>"`)} })
	d.run(`{"a":"<"}`, 10)
	raw, err := json.Marshal(d.history[1])
	if err != nil {
		t.Fatal(err)
	}
	var have map[string]any
	if err := json.Unmarshal(raw, &have); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{"id": 2.0, "previousEventId": 1.0, "type": "TaskStateEntered", "timestamp": "2026-01-02T03:04:05.000Z",
		"stateEnteredEventDetails": map[string]any{"name": "A", "input": `{"a":"<"}`, "inputDetails": map[string]any{"truncated": false}}}
	if !reflect.DeepEqual(have, want) {
		t.Errorf("history event\n%v, want\n%v", have, want)
	}
	if string(d.x.Output()) != `"<&>"` {
		t.Errorf("output %s is escaped", d.x.Output())
	}
}
