package workflow_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"inspector/workflow"
	"inspector/workflow/asl"
)

// What a handler gives must be readable from the journal for ever: a decoder
// goes 10,000 levels down, and the event around a result is one of them.
func TestResultsCanBeReadFromTheJournal(t *testing.T) {
	for depth, good := range map[int]bool{9_999: true, 10_000: false} {
		deep := json.RawMessage(strings.Repeat("[", depth) + strings.Repeat("]", depth))
		got, err := workflow.Attempt(t.Context(), func(context.Context, workflow.Task) (json.RawMessage, error) { return deep, nil }, workflow.Task{}, 0)
		if (err == nil) != good {
			t.Errorf("a result of depth %d: %v", depth, err)
		}
		var event asl.Event
		if text, err := json.Marshal(asl.Event{Output: got}); err != nil || json.Unmarshal(text, &event) != nil {
			t.Errorf("depth %d cannot be read again: %v", depth, err)
		}
		err = newEngine(newMemory(), nil).SendTaskSuccess(t.Context(), "x.1.00", deep)
		if errors.Is(err, workflow.ErrInvalidToken) != good {
			t.Errorf("an answer of depth %d: %v", depth, err)
		}
	}
}

func TestACauseThatIsCutStaysText(t *testing.T) {
	_, cause, _ := workflow.Failure(errors.New("x" + strings.Repeat("é", 20_000)))
	if !utf8.ValidString(cause) {
		t.Error("a character was cut in two")
	}
}

func TestARedriveGoesOnWithTheVariables(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := true
		e := newEngine(newMemory(), handlers{"r": func(_ context.Context, task workflow.Task) (json.RawMessage, error) {
			if broken {
				return nil, errors.New("broken")
			}
			return task.Input, nil
		}})
		hash := deploy(t, e, `{"StartAt":"V","States":{
			"V":{"Type":"Pass","Assign":{"v":41},"Next":"A"},
			"A":{"Type":"Task","Resource":"r","Parameters":{"x.$":"$v"},"End":true}}}`)
		defer run(t, e)()
		must(t, e.Start(t.Context(), hash, "x", nil))
		synctest.Wait()
		wantStatus(t, e, "x", asl.StatusFailed)
		broken = false
		must(t, e.Redrive(t.Context(), "x"))
		time.Sleep(time.Minute)
		if d := wantStatus(t, e, "x", asl.StatusSucceeded); string(d.Output) != `{"x":41}` {
			t.Errorf("output %s", d.Output)
		}
	})
}
