package asl

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
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

// Whatever fails and however often, what has succeeded is not asked for again,
// and the result is as if nothing had failed.
func TestRedriveRepeatsNothingThatSucceeded(t *testing.T) {
	m, err := Parse([]byte(`{"StartAt":"Both","TimeoutSeconds":60,"States":{"Both":{"Type":"Parallel","End":true,"Branches":[
		{"StartAt":"A","States":{
			"A":{"Type":"Task","Resource":"r","Parameters":{"of":"A"},"Assign":{"a.$":"$"},"Next":"B"},
			"B":{"Type":"Task","Resource":"r","Parameters":{"of":"B"},"ResultPath":"$.b","Next":"C"},
			"C":{"Type":"Pass","Parameters":{"a.$":"$a","b.$":"$.b"},"End":true}}},
		{"StartAt":"D","States":{"D":{"Type":"Task","Resource":"r","Parameters":{"of":"D"},"End":true}}},
		{"StartAt":"M","States":{"M":{"Type":"Map","ItemsPath":"$.l","MaxConcurrency":2,"ItemSelector":{"n.$":"$$.Map.Item.Value"},"End":true,"ItemProcessor":{"StartAt":"P","States":{
			"P":{"Type":"Parallel","End":true,"Branches":[
				{"StartAt":"E","States":{"E":{"Type":"Task","Resource":"r","Parameters":{"of":"E","n.$":"$.n"},"End":true}}},
				{"StartAt":"F","States":{"F":{"Type":"Task","Resource":"r","Parameters":{"of":"F","n.$":"$.n"},"End":true}}}]}}}}}}]}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(200) {
		chance := rand.New(rand.NewPCG(seed, 1))
		d := redriven{t: t, m: m, done: map[string]bool{}}
		d.tell(Event{Kind: Started, At: time.Unix(0, 0), Name: "x", Input: json.RawMessage(`{"l":[1,2,3,4,5]}`)})
		for d.x.Status() != StatusSucceeded {
			var tasks []Command
			for _, c := range d.x.Open() {
				if c.Kind == RunTask {
					tasks = append(tasks, c)
				}
			}
			switch {
			case d.x.Status() != StatusRunning:
				d.tell(Event{Kind: Redriven, At: time.Unix(1, 0)})
			case chance.IntN(20) == 0:
				d.tell(Event{Kind: Stopped, At: time.Unix(1, 0)})
			default:
				c := tasks[chance.IntN(len(tasks))]
				if chance.IntN(3) == 0 {
					d.tell(Event{Kind: Failed, Command: c.ID, Error: "E"})
					continue
				}
				if d.done[string(c.Input)] {
					t.Fatalf("seed %d: %s is asked for again", seed, c.Input)
				}
				d.done[string(c.Input)] = true
				d.tell(Event{Kind: Succeeded, Command: c.ID, Output: c.Input})
			}
		}
		const want = `[{"a":{"of":"A"},"b":{"of":"B"}},{"of":"D"},[` +
			`[{"n":1,"of":"E"},{"n":1,"of":"F"}],[{"n":2,"of":"E"},{"n":2,"of":"F"}],[{"n":3,"of":"E"},{"n":3,"of":"F"}],` +
			`[{"n":4,"of":"E"},{"n":4,"of":"F"}],[{"n":5,"of":"E"},{"n":5,"of":"F"}]]]`
		if got := string(d.x.Output()); got != want || d.x.stored != 0 || len(d.x.Open()) != 0 {
			t.Fatalf("seed %d: output %s, %d bytes of variables, open %v", seed, got, d.x.stored, d.x.Open())
		}
	}
}

type redriven struct {
	t    *testing.T
	m    *Machine
	x    Execution
	done map[string]bool // by input
}

func (d *redriven) tell(e Event) {
	d.t.Helper()
	if _, _, err := d.m.Advance(&d.x, e); err != nil {
		d.t.Fatal(err)
	}
}

// A branch that fails at once again ends the others before they go on.
func TestRedriveThatFailsAtOnce(t *testing.T) {
	m, err := Parse([]byte(`{"StartAt":"P","States":{"P":{"Type":"Parallel","End":true,"Branches":[
		{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"r","End":true,"Catch":[{"ErrorEquals":["States.ALL"],"Next":"F"}]},"F":{"Type":"Fail","Error":"E"}}},
		{"StartAt":"B","States":{"B":{"Type":"Task","Resource":"r","End":true}}}]}}}`))
	if err != nil {
		t.Fatal(err)
	}
	d := redriven{t: t, m: m}
	d.tell(Event{Kind: Started, At: time.Unix(0, 0), Name: "x", Input: json.RawMessage(`{}`)})
	d.tell(Event{Kind: Failed, Command: d.x.Open()[0].ID, Error: "X"})
	for range 2 {
		if d.x.Status() != StatusFailed || len(d.x.Open()) != 0 {
			t.Fatalf("%s, open %v; want FAILED and nothing open", d.x.Status(), d.x.Open())
		}
		d.tell(Event{Kind: Redriven, At: time.Unix(1, 0)})
	}
}
