package asl

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// advanced folds one more event and gives the types of its history.
func advanced(t *testing.T, m *Machine, x *Execution, e Event) (types string, commands []Command) {
	t.Helper()
	history, commands, err := m.Advance(x, e)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, h := range history {
		out = append(out, h.Type)
	}
	return strings.Join(out, " "), commands
}

func TestRedriveGoesOnAtTheFailedState(t *testing.T) {
	m, err := Parse([]byte(`{"StartAt":"P","TimeoutSeconds":60,"States":{
		"P":{"Type":"Pass","Result":{"p":1},"Next":"T"},
		"T":{"Type":"Task","Resource":"r","Retry":[{"ErrorEquals":["E"],"MaxAttempts":1,"IntervalSeconds":1}],"Next":"Q"},
		"Q":{"Type":"Pass","Parameters":{"n.$":"$$.Execution.RedriveCount","at.$":"$$.Execution.RedriveTime"},"End":true}}}`))
	if err != nil {
		t.Fatal(err)
	}
	var x Execution
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	_, commands := advanced(t, m, &x, Event{Kind: Started, At: at, Name: "x", Input: json.RawMessage(`{}`)})
	task := commands[len(commands)-1]
	if _, _, err := m.Advance(&x, Event{Kind: Redriven, At: at}); !errors.Is(err, ErrMoot) {
		t.Errorf("redrive of what runs: %v", err)
	}
	for n := range 2 { // its retries count anew
		_, commands = advanced(t, m, &x, Event{Kind: Failed, At: at, Command: task.ID, Error: "E"})
		_, _ = advanced(t, m, &x, Event{Kind: Fired, At: at, Command: commands[0].ID})
		_, _ = advanced(t, m, &x, Event{Kind: Failed, At: at, Command: task.ID, Error: "E"})
		if x.Status() != StatusFailed || x.Error() != "E" || len(x.Open()) != 0 {
			t.Fatalf("%s %s, open %v", x.Status(), x.Error(), x.Open())
		}
		types, begun := advanced(t, m, &x, Event{Kind: Redriven, At: at.Add(time.Hour)})
		if types != "ExecutionRedriven TaskScheduled TaskStarted" {
			t.Errorf("history %s", types)
		}
		again := begun[len(begun)-1]
		if x.Status() != StatusRunning || x.Error() != "" || again.ID != task.ID || string(again.Input) != `{"p":1}` || again.Attempt != 0 {
			t.Errorf("%s, begun %+v, want task %d again", x.Status(), again, task.ID)
		}
		if due := begun[0].Due; len(begun) != 2 || !due.Equal(at.Add(time.Hour+time.Minute)) {
			t.Errorf("the machine's time ends at %v", due)
		}
		if x.Redrives() != n+1 {
			t.Errorf("%d redrives", x.Redrives())
		}
	}
	_, _ = advanced(t, m, &x, Event{Kind: Succeeded, At: at, Command: task.ID, Output: json.RawMessage(`1`)})
	if want := `{"at":"2026-01-02T04:04:05.000Z","n":2}`; x.Status() != StatusSucceeded || string(x.Output()) != want {
		t.Errorf("%s %s, want %s", x.Status(), x.Output(), want)
	}
	if _, _, err := m.Advance(&x, Event{Kind: Redriven, At: at}); !errors.Is(err, ErrMoot) {
		t.Errorf("redrive of what succeeded: %v", err)
	}
}

// Whatever ended the execution, and wherever it was, all of the outermost
// state runs again.
func TestRedriveOfEachEnd(t *testing.T) {
	inner := `{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"r","End":true}}}`
	for name, state := range map[string]string{
		"task":     `{"Type":"Task","Resource":"r","End":true}`,
		"token":    `{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage.waitForTaskToken","Parameters":{"t.$":"$$.Task.Token"},"TimeoutSeconds":5,"End":true}`,
		"parallel": `{"Type":"Parallel","Branches":[` + inner + `,` + strings.ReplaceAll(inner, `"T"`, `"U"`) + `],"End":true}`,
		"map":      `{"Type":"Map","ItemProcessor":` + inner + `,"ItemsPath":"$.l","End":true}`,
		"wait":     `{"Type":"Wait","Seconds":5,"End":true}`,
	} {
		for _, end := range []EventKind{Failed, Stopped, Fired} {
			t.Run(fmt.Sprint(name, " ", end), func(t *testing.T) {
				m, err := Parse([]byte(`{"StartAt":"S","TimeoutSeconds":60,"States":{"S":` + state + `}}`))
				if err != nil {
					t.Fatal(err)
				}
				var x Execution
				_, first := advanced(t, m, &x, Event{Kind: Started, At: time.Unix(0, 0), Name: "x", Input: json.RawMessage(`{"l":[1,2]}`)})
				e := Event{Kind: end, Command: first[0].ID}
				if end == Failed {
					if name == "wait" {
						t.Skip("a wait cannot fail")
					}
					e.Command = first[1].ID
				}
				advanced(t, m, &x, e)
				if s := x.Status(); s == StatusRunning || s == StatusSucceeded {
					t.Fatalf("it is %s", s)
				}
				_, again := advanced(t, m, &x, Event{Kind: Redriven, At: time.Unix(100, 0)})
				if len(again) != len(first) || len(x.Open()) != len(first) {
					t.Errorf("begun %+v, want as many as at first: %+v", again, first)
				}
			})
		}
	}
}
