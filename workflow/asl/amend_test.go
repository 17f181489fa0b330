package asl

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"
)

// A task's input that was replaced is what is asked for, at once, at each retry
// and after a redrive; the history says who did it; folding it again gives the
// same.
func TestAmendedInputStays(t *testing.T) {
	m := parse(t, `{"StartAt":"T","States":{
		"T":{"Type":"Task","Resource":"r","Parameters":{"bucket":"wrong","key.$":"$.key"},"Retry":[{"ErrorEquals":["E"],"MaxAttempts":1,"IntervalSeconds":1}],"Next":"Q"},
		"Q":{"Type":"Task","Resource":"r","Parameters":{"bucket":"other"},"End":true}}}`)
	d := newDriver(t, m, nil)
	d.tell(Event{Kind: Started, Name: "x", Seed: "s", Input: json.RawMessage(`{"key":"k"}`)})
	task := d.x.Open()[0]
	input := func() string {
		t.Helper()
		c, ok := d.x.Command(task.ID)
		if !ok {
			t.Fatal("the task is not open")
		}
		return string(c.Input)
	}
	d.tell(Event{Kind: Amended, Command: task.ID, Input: json.RawMessage(`{"bucket":"right","key":"k"}`), By: "Ann"})
	asked := d.asked[len(d.asked)-1]
	if asked.ID != task.ID || asked.Kind != RunTask || string(asked.Input) != `{"bucket":"right","key":"k"}` || input() != string(asked.Input) {
		t.Errorf("asked for %+v", asked)
	}
	told, err := json.Marshal(d.history[len(d.history)-1])
	if err != nil || !strings.Contains(string(told), `"type":"TaskAmended"`) || !strings.Contains(string(told), `"by":"Ann"`) || !strings.Contains(string(told), "right") {
		t.Errorf("history %s, %v", told, err)
	}
	for range 2 { // a retry, and a redrive
		d.tell(Event{Kind: Failed, Command: task.ID, Error: "E"})
		d.tell(Event{Kind: Fired, Command: d.x.Open()[0].ID})
		if input() != `{"bucket":"right","key":"k"}` {
			t.Errorf("the retry has %s", input())
		}
		d.tell(Event{Kind: Failed, Command: task.ID, Error: "E"})
		d.tell(Event{Kind: Redriven})
		if input() != `{"bucket":"right","key":"k"}` {
			t.Errorf("the redrive has %s", input())
		}
	}
	d.tell(Event{Kind: Succeeded, Command: task.ID, Output: json.RawMessage(`{}`)})
	if c := d.x.Open()[0]; string(c.Input) != `{"bucket":"other"}` {
		t.Errorf("the next task has %s", c.Input)
	}
	var again Execution
	for _, e := range d.log {
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		var read Event
		if err := json.Unmarshal(text, &read); err != nil {
			t.Fatal(err)
		}
		if _, _, err := m.Advance(&again, read); err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(again.Open(), d.x.Open()) || !reflect.DeepEqual(again.States(), d.x.States()) {
		t.Errorf("folded again it asks for %v, not %v", again.Open(), d.x.Open())
	}
}

// What is no task of this execution, or no input, is refused, and changes nothing.
func TestAmendRefusals(t *testing.T) {
	m := parse(t, `{"StartAt":"P","States":{"P":{"Type":"Parallel","End":true,"Branches":[
		{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":9,"End":true}}},
		{"StartAt":"K","States":{"K":{"Type":"Task","Resource":"r.waitForTaskToken","Parameters":{"t.$":"$$.Task.Token"},"End":true}}},
		{"StartAt":"S","States":{"S":{"Type":"Task","Resource":"arn:aws:states:::states:startExecution.sync","Parameters":{"StateMachineArn":"m"},"End":true}}}]}}}`)
	d := newDriver(t, m, nil)
	d.tell(Event{Kind: Started, Name: "x", Seed: "s", Input: json.RawMessage(`{}`)})
	before := d.x.Open()
	for _, c := range before {
		err := func() error {
			x := d.x
			_, _, err := m.Advance(&x, Event{Kind: Amended, Command: c.ID, At: time.Now(), Input: json.RawMessage(`{`)})
			return err
		}()
		if err == nil {
			t.Errorf("command %d (%s, %s) is amended with what is no JSON", c.ID, c.Kind, c.State)
		}
		ok := c.Kind == RunTask && c.State == "K"
		if _, _, err := m.Advance(&d.x, Event{Kind: Amended, Command: c.ID, At: d.now, Input: json.RawMessage(`{"t":"x"}`)}); (err == nil) != ok {
			t.Errorf("command %d (%s, %s): %v", c.ID, c.Kind, c.State, err)
		}
	}
	if _, _, err := m.Advance(&d.x, Event{Kind: Amended, Command: 99, At: d.now, Input: json.RawMessage(`{}`)}); !errors.Is(err, ErrMoot) {
		t.Errorf("an unknown command: %v", err)
	}
	if len(d.x.Open()) != len(before) {
		t.Errorf("open %v, were %v", d.x.Open(), before)
	}
}

func TestSameShape(t *testing.T) {
	for _, c := range []struct{ before, after, fault string }{
		{`{"a":"x","b":{"c":1}}`, `{"a":"y","b":{"c":2.5}}`, ""},
		{`{"a":"x"}`, `{"a":"y","MessageGroupId":"line1"}`, ""},
		{`{"a":null,"b":[1,2]}`, `{"a":{"x":1},"b":[]}`, ""},
		{`{"a":"x"}`, `{"a":null}`, ""},
		{`"x"`, `"y"`, ""},
		{`{"a":"x"}`, `{"b":"x"}`, "$.a is missing"},
		{`{"a":{"b":{"c":"x"}}}`, `{"a":{"b":{"c":7}}}`, "$.a.b.c is a number, and was a text"},
		{`{"a":{"b":1}}`, `{"a":[1]}`, "$.a is a list, and was an object"},
		{`{"a":true}`, `{"a":"true"}`, "$.a is a text, and was true or false"},
		{`{}`, `{"a":`, "not JSON"},
		{`{}`, ``, "not JSON"},
		{`[]`, strings.Repeat("[", 2000) + strings.Repeat("]", 2000), "deep"},
	} {
		err := SameShape(json.RawMessage(c.before), json.RawMessage(c.after))
		if (err == nil) != (c.fault == "") || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s -> %.50s: %v; want %q", c.before, c.after, err, c.fault)
		}
	}
}

func FuzzSameShape(f *testing.F) {
	f.Add([]byte(`{"a":[1,{"b":null}]}`), []byte(`{"a":[],"c":"d"}`))
	f.Fuzz(func(t *testing.T, before, after []byte) {
		if _, err := decode(before); err == nil {
			if v, _ := decode(before); fits(v) {
				if err := SameShape(before, before); err != nil {
					t.Errorf("%s is not of its own shape: %v", before, err)
				}
			}
		}
		_ = SameShape(before, after)
	})
}
