package workflow_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"inspector/workflow"
	"inspector/workflow/asl"
)

// results is a definition whose output is the text.
func results(text string) []byte {
	return []byte(fmt.Sprintf(`{"StartAt":"A","States":{"A":{"Type":"Pass","Result":%q,"End":true}}}`, text))
}

func wantCode(t *testing.T, err error, want string) {
	t.Helper()
	var r *workflow.Refusal
	if !errors.As(err, &r) || r.Code != want {
		t.Errorf("error %v, want %s", err, want)
	}
}

// outputOf starts an execution by the reference and gives its output.
func outputOf(t *testing.T, e *workflow.Engine, ref, id string) (string, workflow.Description) {
	t.Helper()
	must(t, e.Start(t.Context(), ref, id, nil))
	d := wantStatus(t, e, id, asl.StatusSucceeded)
	return string(d.Output), d
}

func TestMachinesVersionsAndAliases(t *testing.T) {
	j := newMemory()
	e := newEngine(j, nil)
	ctx := t.Context()
	m, err := e.CreateMachine(ctx, workflow.Machine{Name: "m"}, results("one"), true)
	must(t, err)
	if m.Type != workflow.Standard || m.Published != 1 || m.Revision != 1 {
		t.Errorf("created %+v", m)
	}
	again, err := e.CreateMachine(ctx, workflow.Machine{Name: "m"}, results("one"), true)
	if err != nil || again.Revision != 1 {
		t.Errorf("created again %+v, %v", again, err)
	}
	_, err = e.CreateMachine(ctx, workflow.Machine{Name: "m"}, results("two"), false)
	wantCode(t, err, "StateMachineAlreadyExists")
	_, err = e.UpdateMachine(ctx, "m", []byte(`{"StartAt":"B","States":{}}`), false, "")
	wantCode(t, err, "InvalidDefinition")
	_, err = e.UpdateMachine(ctx, "m", results("two"), true, "the second")
	must(t, err)
	m, err = e.PublishVersion(ctx, "m", "nothing new")
	if err != nil || m.Published != 2 || m.Versions[1].Description != "the second" {
		t.Errorf("published %+v, %v", m, err)
	}
	_, err = e.UpdateMachine(ctx, "m", results("three"), false, "")
	must(t, err)
	_, err = e.PutAlias(ctx, "m", workflow.Alias{Name: "live", Routes: []workflow.Route{{Version: 1, Weight: 100}}})
	must(t, err)

	for n := range 2 { // the second time from the journal, as after a restart
		for ref, want := range map[string]string{"m": `"three"`, "m:1": `"one"`, "m:2": `"two"`, "m:live": `"one"`} {
			got, d := outputOf(t, e, ref, fmt.Sprint(ref, " ", n))
			if got != want || d.StateMachine != "m" {
				t.Errorf("%s gave %s on %q, want %s", ref, got, d.StateMachine, want)
			}
			if ref == "m:live" && (d.Version != 1 || d.Alias != "live") {
				t.Errorf("%s recorded version %d, alias %q", ref, d.Version, d.Alias)
			}
		}
		e = newEngine(j, nil)
	}
	for _, ref := range []string{"m:3", "m:other"} {
		wantCode(t, e.Start(ctx, ref, "x", nil), "ResourceNotFound")
	}
	wantCode(t, e.Start(ctx, "n", "x", nil), "StateMachineDoesNotExist")
	wantCode(t, e.Start(ctx, "m:", "x", nil), "StateMachineDoesNotExist")

	_, err = e.DeleteVersion(ctx, "m", 1)
	wantCode(t, err, "Conflict")
	_, err = e.DeleteAlias(ctx, "m", "live")
	must(t, err)
	_, err = e.DeleteAlias(ctx, "m", "live")
	wantCode(t, err, "ResourceNotFound")
	if m, err = e.DeleteVersion(ctx, "m", 1); err != nil || len(m.Versions) != 1 {
		t.Errorf("deleted version 1: %+v, %v", m, err)
	}
	must(t, e.DeleteMachine(ctx, "m"))
	wantCode(t, e.DeleteMachine(ctx, "m"), "StateMachineDoesNotExist")
	wantStatus(t, e, "m:1 0", asl.StatusSucceeded)
}

func TestAliasesAreChecked(t *testing.T) {
	e := newEngine(newMemory(), nil)
	_, err := e.CreateMachine(t.Context(), workflow.Machine{Name: "m"}, results("one"), true)
	must(t, err)
	_, err = e.UpdateMachine(t.Context(), "m", results("two"), true, "")
	must(t, err)
	for _, c := range []struct {
		name   string
		routes []workflow.Route
		code   string
	}{
		{"a", []workflow.Route{{1, 100}}, ""},
		{"a", []workflow.Route{{1, 0}, {2, 100}}, ""},
		{"a-1.b_c", []workflow.Route{{1, 20}, {2, 80}}, ""},
		{"12", []workflow.Route{{1, 100}}, "InvalidName"},
		{"a b", []workflow.Route{{1, 100}}, "InvalidName"},
		{"", []workflow.Route{{1, 100}}, "InvalidName"},
		{"a", nil, "ValidationException"},
		{"a", []workflow.Route{{1, 99}}, "ValidationException"},
		{"a", []workflow.Route{{1, 150}, {2, -50}}, "ValidationException"},
		{"a", []workflow.Route{{1, 50}, {1, 50}}, "ValidationException"},
		{"a", []workflow.Route{{1, 50}, {2, 25}, {2, 25}}, "ValidationException"},
		{"a", []workflow.Route{{3, 100}}, "ResourceNotFound"},
	} {
		_, err := e.PutAlias(t.Context(), "m", workflow.Alias{Name: c.name, Routes: c.routes})
		if c.code == "" && err != nil {
			t.Errorf("%q %v: %v", c.name, c.routes, err)
		} else if c.code != "" {
			wantCode(t, err, c.code)
		}
	}
}

// An alias with two versions sends the share of its weights to each.
func TestAliasDrawsByWeight(t *testing.T) {
	e := newEngine(newMemory(), nil)
	_, err := e.CreateMachine(t.Context(), workflow.Machine{Name: "m"}, results("one"), true)
	must(t, err)
	_, err = e.UpdateMachine(t.Context(), "m", results("two"), true, "")
	must(t, err)
	_, err = e.PutAlias(t.Context(), "m", workflow.Alias{Name: "a", Routes: []workflow.Route{{1, 90}, {2, 10}}})
	must(t, err)
	n := map[string]int{}
	for i := range 1000 {
		out, d := outputOf(t, e, "m:a", fmt.Sprint("x", i))
		n[out]++
		if want := map[string]int{`"one"`: 1, `"two"`: 2}[out]; d.Version != want {
			t.Fatalf("%s ran as version %d", out, d.Version)
		}
	}
	if two := n[`"two"`]; two < 50 || two > 170 || n[`"one"`]+two != 1000 {
		t.Errorf("drawn %v, want about 900 and 100", n)
	}
}

// A name that a board may need cannot be taken, by an order or from within
// an execution.
func TestReservedNamesAreNotTaken(t *testing.T) {
	e := workflow.New(newMemory(), quiet(), workflow.Options{Reserved: func(name string) bool { return name == "board-2" }})
	_, err := e.CreateMachine(t.Context(), workflow.Machine{Name: "m"}, results("x"), false)
	must(t, err)
	_, err = e.StartExecution(t.Context(), workflow.Order{Machine: "m", Name: "board-2"})
	wantCode(t, err, "InvalidName")
	_, err = e.StartExecution(t.Context(), workflow.Order{Machine: "m", Name: "board-x"})
	must(t, err)
	nested := deploy(t, e, `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::states:startExecution","Parameters":{"StateMachineArn":"m","Name":"board-2"},"End":true}}}`)
	stop := run(t, e)
	must(t, e.Start(t.Context(), nested, "n", nil))
	for describe(t, e, "n").Status == asl.StatusRunning {
		runtime.Gosched()
	}
	stop()
	if d := wantStatus(t, e, "n", asl.StatusFailed); d.Error != "StepFunctions.InvalidNameException" {
		t.Errorf("failed by %s", d.Error)
	}
	if _, err := e.Prepare("m", "board-2", nil, time.Now()); err != nil {
		t.Error(err)
	}
}

func TestNamesAreChecked(t *testing.T) {
	e := newEngine(newMemory(), nil)
	long := ""
	for range 81 {
		long += "ä"
	}
	for _, name := range []string{"", "a b", "a:b", "a/b", "a*", "a\x01", "a\u0085", long, "\xff", string(make([]byte, 3)), fmt.Sprintf("%064d", 7)} {
		_, err := e.CreateMachine(t.Context(), workflow.Machine{Name: name}, results("x"), false)
		wantCode(t, err, "InvalidName")
	}
	_, err := e.CreateMachine(t.Context(), workflow.Machine{Name: "größe-1_2.3'()@!+="}, results("x"), false)
	must(t, err)
	_, err = e.CreateMachine(t.Context(), workflow.Machine{Name: "n", Type: "FAST"}, results("x"), false)
	wantCode(t, err, "ValidationException")
	_, err = e.StartExecution(t.Context(), workflow.Order{Machine: "größe-1_2.3'()@!+=", Name: "a b"})
	wantCode(t, err, "InvalidName")
	_, err = e.StartExecution(t.Context(), workflow.Order{Machine: "größe-1_2.3'()@!+=", Input: json.RawMessage("{")})
	wantCode(t, err, "InvalidExecutionInput")
}

// Started as Step Functions does: again while it runs is harmless, later it
// is refused, and so is another input.
func TestStartExecutionIsIdempotentByName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := newEngine(newMemory(), nil)
		_, err := e.CreateMachine(t.Context(), workflow.Machine{Name: "m"}, []byte(`{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":60,"End":true}}}`), false)
		must(t, err)
		defer run(t, e)()
		o := workflow.Order{Machine: "m", Name: "x", Input: json.RawMessage(`{"a":1}`)}
		first, err := e.StartExecution(t.Context(), o)
		must(t, err)
		time.Sleep(time.Second)
		_, err = e.UpdateMachine(t.Context(), "m", results("other"), false, "")
		must(t, err)
		again, err := e.StartExecution(t.Context(), o)
		if err != nil || !again.Started.Equal(first.Started) {
			t.Errorf("again %+v, %v; want the first %+v", again, err, first)
		}
		o.Input = json.RawMessage(`{"a":2}`)
		_, err = e.StartExecution(t.Context(), o)
		wantCode(t, err, "ExecutionAlreadyExists")
		o.Input = json.RawMessage(`{"a":1}`)
		time.Sleep(time.Minute)
		wantStatus(t, e, "x", asl.StatusSucceeded)
		_, err = e.StartExecution(t.Context(), o)
		wantCode(t, err, "ExecutionAlreadyExists")
		drawn, err := e.StartExecution(t.Context(), workflow.Order{Machine: "m"})
		if err != nil || len(drawn.ID) < 20 || drawn.Status != asl.StatusSucceeded {
			t.Errorf("with a drawn name %+v, %v", drawn, err)
		}
	})
}

// The shipped definition follows the program until a person changes it.
func TestShippedMachineYieldsToAPerson(t *testing.T) {
	j := newMemory()
	for _, c := range []struct{ ship, edit, want string }{
		{"release 1", "", `"release 1"`},
		{"release 2", "", `"release 2"`},
		{"release 2", "edited", `"edited"`},
		{"release 3", "", `"edited"`},
	} {
		e := newEngine(j, nil)
		hash, err := e.Ship(t.Context(), workflow.InspectionMachine, results(c.ship))
		must(t, err)
		if c.edit != "" {
			_, err := e.UpdateMachine(t.Context(), workflow.InspectionMachine, results(c.edit), false, "")
			must(t, err)
		}
		all, err := e.Prepare(workflow.InspectionMachine, "board of "+c.ship+c.edit, nil, time.Now())
		must(t, err)
		if out := string(all[0].Execution.Output); out != c.want {
			t.Errorf("after %+v boards give %s", c, out)
		}
		if all, err = e.Prepare(hash, "x", nil, time.Now()); err != nil || string(all[0].Execution.Output) != `"`+c.ship+`"` {
			t.Errorf("the shipped definition is not there: %v, %v", all, err)
		}
		wantCode(t, e.DeleteMachine(t.Context(), workflow.InspectionMachine), "Conflict")
	}
}

func TestPauseAndDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		done := map[string]int{}
		j := newMemory()
		h := handlers{"r": func(_ context.Context, task workflow.Task) (json.RawMessage, error) {
			mu.Lock()
			defer mu.Unlock()
			done[task.Execution]++
			return nil, nil
		}}
		e := newEngine(j, h)
		slow := []byte(`{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":60,"Next":"A"},"A":{"Type":"Task","Resource":"r","End":true}}}`)
		for _, name := range []string{"m", "n"} {
			_, err := e.CreateMachine(t.Context(), workflow.Machine{Name: name}, slow, false)
			must(t, err)
		}
		begin := func(machine, id string) { t.Helper(); must(t, e.Start(t.Context(), machine, id, nil)) }
		want := func(ids ...string) {
			t.Helper()
			mu.Lock()
			defer mu.Unlock()
			if len(done) != len(ids) {
				t.Errorf("done %v, want %v", done, ids)
			}
			for _, id := range ids {
				if done[id] != 1 {
					t.Errorf("%s was done %d times", id, done[id])
				}
			}
		}
		stop := run(t, e)
		begin("m", "m1")
		begin("n", "n1")
		must(t, e.Pause(t.Context(), "m", "ann"))
		begin("m", "m2")
		time.Sleep(2 * time.Minute)
		want("n1")
		stop() // a pause outlives the process
		e = newEngine(j, h)
		stop = run(t, e)
		time.Sleep(2 * time.Minute)
		want("n1")
		must(t, e.Drain(t.Context(), "m", "ann"))
		begin("m", "m3")
		time.Sleep(2 * time.Minute)
		want("n1", "m1", "m2")
		if held, err := e.Holds(t.Context()); err != nil || len(held) != 1 || held[0].Left != 0 || held[0].By != "ann" {
			t.Errorf("holds %+v, %v", held, err)
		}
		must(t, e.Pause(t.Context(), workflow.AllMachines, ""))
		must(t, e.Resume(t.Context(), "m"))
		begin("n", "n2")
		time.Sleep(2 * time.Minute)
		want("n1", "m1", "m2")
		must(t, e.Resume(t.Context(), workflow.AllMachines))
		synctest.Wait() // at once: nothing waits for a poll
		want("n1", "m1", "m2", "m3", "n2")
		wantCode(t, e.Pause(t.Context(), "nobody", ""), "StateMachineDoesNotExist")
		must(t, e.Resume(t.Context(), "m")) // of what is not held it is harmless
		if err := e.Resume(t.Context(), "nobody"); !errors.Is(err, workflow.ErrNotFound) {
			t.Errorf("resumed what there is not: %v", err)
		}
		stop()
	})
}
