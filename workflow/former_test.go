package workflow_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"inspector/workflow"
	"inspector/workflow/asl"
)

// An execution that began on what a former release let pass goes on, though
// this one refuses it; nothing new begins on it.
func TestStricterReleaseFinishesWhatRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const refused = `{"StartAt":"A","Owner":"line 1","States":{"A":{"Type":"Wait","Seconds":3600,"Next":"B","Colour":"red"},"B":{"Type":"Task","Resource":"r","End":true},"Lost":{"Type":"Succeed"}}}`
		if _, err := asl.Parse([]byte(refused)); err == nil {
			t.Fatal("the check has become lenient: this tests nothing")
		}
		sum := sha256.Sum256([]byte(refused))
		hash := hex.EncodeToString(sum[:])
		j := newMemory()
		e := newEngine(j, nil)
		today := deploy(t, e, `{"StartAt":"A","States":{"A":{"Type":"Wait","Seconds":3600,"Next":"B"},"B":{"Type":"Task","Resource":"r","End":true}}}`)
		must(t, e.Start(t.Context(), today, "x", json.RawMessage(`{"a":1}`)))
		j.definitions[hash] = []byte(refused)
		x := j.executions["x"]
		x.Machine = hash
		j.executions["x"] = x

		time.Sleep(2 * time.Hour)
		e = newEngine(j, handlers{"r": func(_ context.Context, task workflow.Task) (json.RawMessage, error) { return task.Input, nil }})
		defer run(t, e)()
		synctest.Wait()
		if d := wantStatus(t, e, "x", asl.StatusSucceeded); string(d.Output) != `{"a":1}` || d.Machine != hash {
			t.Errorf("ended as %+v", d)
		}
		var faults asl.Faults
		if err := e.Start(t.Context(), hash, "y", nil); !errors.As(err, &faults) {
			t.Errorf("a new one begins on it: %v", err)
		}
	})
}

// What the appliance begins itself is EXPRESS, has its machine's name, and
// begins once, together with what has not begun yet.
func TestBegin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j, r := newMemory(), &told{}
		done := func(context.Context, workflow.Task) (json.RawMessage, error) { return nil, nil }
		e := emitting(t, j, r, handlers{"deliver": done})
		b := func(id string) workflow.Begin {
			return workflow.Begin{Machine: r.deliver, Called: "rule/a/b", ID: id, Input: json.RawMessage(`{}`)}
		}
		must(t, e.Pause(t.Context(), "rule/a/b", "Ana"))
		defer run(t, e)()
		must(t, e.Begin(t.Context(), b("1")))
		must(t, e.Begin(t.Context(), b("1"), b("2")))
		must(t, e.Begin(t.Context(), b("1"), b("2")))
		all, err := e.PrepareBegin(b("3"), time.Now())
		must(t, err)
		must(t, j.Append(t.Context(), all...))
		e.Wake(all...)
		synctest.Wait()
		wantStatus(t, e, "3", asl.StatusRunning)
		must(t, e.Resume(t.Context(), "rule/a/b"))
		synctest.Wait()
		for _, id := range []string{"1", "2", "3"} {
			if d := wantStatus(t, e, id, asl.StatusSucceeded); d.StateMachine != "rule/a/b" || d.Type != workflow.Express {
				t.Errorf("%s is %s of %s", id, d.Type, d.StateMachine)
			}
		}
		if len(r.changes) != 0 {
			t.Errorf("what delivers tells: %v", r.changes)
		}
		if err := e.Begin(t.Context(), workflow.Begin{Machine: "nobody", ID: "4"}); !errors.Is(err, workflow.ErrNotFound) {
			t.Errorf("begun on nothing: %v", err)
		}
		var refused *workflow.Refusal
		if _, err := e.CreateMachine(t.Context(), workflow.Machine{Name: "rule/a/b"}, []byte(oneTask), false); !errors.As(err, &refused) || refused.Code != "InvalidName" {
			t.Errorf("somebody may call a machine so: %v", err)
		}
	})
}

// The parent is stopped while its child begins, and the power fails before
// anybody has looked: the child ends at the next start.
func TestOrphanEndsAtTheNextStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newMemory()
		wait := `{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":100000,"End":true}}}`
		e := nesting(t, j, wait, parent(".sync", `,"Name":"kid"`), nil)
		var off, stopped atomic.Bool
		j.before = func(tr workflow.Transition) error {
			switch {
			case off.Load():
				return errors.New("no power")
			case tr.Execution.ID == "kid" && stopped.CompareAndSwap(false, true):
				err := e.Stop(t.Context(), "p", "E", "why")
				time.Sleep(time.Minute) // in which the parent's end finds no child
				return err
			}
			return nil
		}
		j.after = func(tr workflow.Transition, _ error) {
			if tr.Execution.ID == "kid" {
				off.Store(true)
			}
		}
		stop := run(t, e)
		must(t, e.Start(t.Context(), "parent", "p", json.RawMessage(`{"in":{}}`)))
		time.Sleep(2 * time.Minute)
		wantStatus(t, e, "p", asl.StatusAborted)
		wantStatus(t, e, "kid", asl.StatusRunning)
		stop()
		off.Store(false)
		e = newEngine(j, nil)
		defer run(t, e)()
		synctest.Wait()
		wantStatus(t, e, "kid", asl.StatusAborted)
		if len(j.work) != 0 {
			t.Errorf("work left: %+v", j.work)
		}
	})
}

// What is paused is said at every start, so that nobody wonders.
func TestStartSaysWhatIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newMemory()
		e := newEngine(j, nil)
		must(t, e.Pause(t.Context(), workflow.AllMachines, "Ann"))
		var log bytes.Buffer
		e = workflow.New(j, slog.New(slog.NewTextHandler(&log, nil)), workflow.Options{})
		run(t, e)()
		if words := log.String(); !strings.Contains(words, "level=WARN") || !strings.Contains(words, "by=Ann") {
			t.Errorf("the log says %q", words)
		}
		must(t, e.Resume(t.Context(), workflow.AllMachines))
		log.Reset()
		run(t, e)()
		if log.Len() > 0 {
			t.Errorf("nothing is held, and the log says %q", log.String())
		}
	})
}
