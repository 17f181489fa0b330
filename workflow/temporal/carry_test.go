package temporal

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"inspector/workflow/asl"

	engine "inspector/workflow"
)

// continued gives the Start of the run that goes on.
func (s *stage) continued() (in Start) {
	s.t.Helper()
	var next *workflow.ContinueAsNewError
	if err := s.GetWorkflowError(); !errors.As(err, &next) {
		s.t.Fatalf("the workflow ended with %v, want it to continue as new", err)
	}
	if err := converter.GetDefaultDataConverter().FromPayloads(next.Input, &in); err != nil {
		s.t.Fatal(err)
	}
	return in
}

// A run with a long history goes on in another, with its timers, its tokens
// and what is parked; nothing recorded is done again.
func TestContinuation(t *testing.T) {
	definition := `{"StartAt":"P","States":{"P":{"Type":"Parallel","End":true,"Branches":[
		{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"local:a","Next":"W"},"W":{"Type":"Wait","Seconds":86400,"Next":"Z"},"Z":{"Type":"Task","Resource":"local:z","End":true}}},
		{"StartAt":"B","States":{"B":{"Type":"Task","Resource":"local:b","End":true}}},
		{"StartAt":"C","States":{"C":{"Type":"Task","Resource":"local:c.waitForTaskToken","End":true}}}]}}}`
	token := ""
	handler := func(first bool) func(int, engine.Task) (json.RawMessage, error) {
		return func(_ int, task engine.Task) (json.RawMessage, error) {
			if task.Token != "" {
				token = task.Token
			}
			if first && task.Resource == "local:b" {
				return nil, fault{"B.Refused", "never", true}
			}
			return json.Marshal(task.State)
		}
	}
	a := newStage(t, definition, handler(true))
	began := a.Now()
	a.RegisterDelayedCallback(func() {
		a.SetContinueAsNewSuggested(true)
		a.SignalWorkflow(signalHeartbeat, "wake") // any event: nothing else happens for a day
	}, 6*time.Hour)
	a.run(Start{Input: json.RawMessage(`{"n":1}`)})
	in := a.continued()
	if in.Input != nil || len(in.Journal) == 0 || len(in.Parked) != 1 {
		t.Fatalf("carries %d bytes of journal, parked %v, input %s", len(in.Journal), in.Parked, in.Input)
	}
	b := newStage(t, definition, handler(false))
	b.SetStartTime(a.Now())
	b.RegisterDelayedCallback(func() {
		b.SignalWorkflow(signalRedrive, nil)
		b.answer("1", answer{Token: token, Output: json.RawMessage(`"C"`)})
	}, time.Hour)
	b.run(in)
	b.wants(asl.StatusSucceeded, `["Z","B","C"]`, "", "")
	if all := slices.Concat(a.did(), b.did()); len(all) != 5 { // A, B twice, C, Z
		t.Errorf("did %q", all)
	}
	if took := b.Now().Sub(began); took < 24*time.Hour || took > 25*time.Hour {
		t.Errorf("took %v, want the day that the Wait says", took)
	}
}

// While a task is in flight nothing is continued, and others begin; the first
// that would begin alone is left to the next run.
func TestContinuationWaitsForTasks(t *testing.T) {
	c := make(chan struct{})
	s := newStage(t, `{"StartAt":"P","States":{"P":{"Type":"Parallel","Next":"D","Branches":[
		{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"local:a","Next":"B"},"B":{"Type":"Task","Resource":"local:b","End":true}}},
		{"StartAt":"C","States":{"C":{"Type":"Task","Resource":"local:c","End":true}}}]},"D":{"Type":"Task","Resource":"local:d","End":true}}}`,
		func(_ int, task engine.Task) (json.RawMessage, error) {
			switch task.State {
			case "B":
				close(c)
			case "C":
				<-c
			}
			return nil, nil
		})
	s.SetOnActivityCompletedListener(func(info *activity.Info, _ converter.EncodedValue, _ error) {
		if info.ActivityType.Name == "local:a" {
			s.SetContinueAsNewSuggested(true)
		}
	})
	s.run(Start{})
	in := s.continued()
	events, err := unpack(in.Journal)
	if err != nil || len(events) != 4 || len(s.did()) != 3 {
		t.Errorf("did %q and carries %d events, %v; want A, B and C done and D left", s.did(), len(events), err)
	}
}

// A run near Temporal's limits begins no more tasks at all.
func TestHeavyRunsComeToARest(t *testing.T) {
	s := newStage(t, `{"StartAt":"P","States":{"P":{"Type":"Parallel","End":true,"Branches":[
		{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"local:a","Next":"B"},"B":{"Type":"Task","Resource":"local:b","End":true}}},
		{"StartAt":"C","States":{"C":{"Type":"Task","Resource":"local:c","Next":"D"},"D":{"Type":"Task","Resource":"local:d","End":true}}}]}}}`, works)
	s.SetOnActivityCompletedListener(func(*activity.Info, converter.EncodedValue, error) { s.SetCurrentHistoryLength(manyEvents + 1) })
	s.run(Start{})
	if in := s.continued(); len(s.did()) != 2 || len(in.Journal) == 0 {
		t.Errorf("did %q, want A and C only", s.did())
	}
}

// A journal that no cluster takes ends the execution in words.
func TestTooLongToCarry(t *testing.T) {
	noise := make([]byte, 120_000)
	_, _ = rand.Read(noise)
	output, _ := json.Marshal(noise)
	s := newStage(t, `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"local:a","Catch":[{"ErrorEquals":["Enough"],"Next":"E"}],"Next":"W"},"W":{"Type":"Wait","Seconds":1,"Next":"A"},"E":{"Type":"Succeed"}}}`, func(int, engine.Task) (json.RawMessage, error) {
		return output, nil
	})
	s.RegisterDelayedCallback(func() { s.SetContinueAsNewSuggested(true) }, 40*time.Second)
	s.run(Start{})
	s.wants(asl.StatusFailed, "", "States.Runtime", "embedded engine")
}

func TestPackingKeepsEvents(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678, time.UTC)
	in := []asl.Event{{Kind: asl.Started, At: at, Input: json.RawMessage(`{"a":1.0}`), Seed: "s", Random: 0.1}, {Kind: asl.Fired, At: at, Command: 7}}
	packed, err := pack(in)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := unpack(packed); err != nil || !reflect.DeepEqual(in, out) {
		t.Errorf("%+v, %v", out, err)
	}
}

func FuzzUnpack(f *testing.F) {
	packed, err := pack([]asl.Event{{Kind: asl.Started}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(packed)
	f.Fuzz(func(_ *testing.T, b []byte) { _, _ = unpack(b) })
}
