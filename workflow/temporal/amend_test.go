package temporal

import (
	"encoding/json"
	"testing"
	"time"

	"inspector/workflow/asl"

	engine "inspector/workflow"
)

// A parked task goes on with the input that a person gave it; what is not
// parked is refused before anything is recorded.
func TestAmendedTaskGoesOn(t *testing.T) {
	var inputs []string
	s := newStage(t, `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"local:deed","Parameters":{"bucket":"wrong"},"End":true}}}`, func(n int, task engine.Task) (json.RawMessage, error) {
		inputs = append(inputs, string(task.Input))
		if n == 1 {
			return nil, fault{"Oven.Gone", "sold", true}
		}
		return task.Input, nil
	})
	var odd, broken, right told
	s.RegisterDelayedCallback(func() {
		s.UpdateWorkflow(updateAmend, "odd", &odd, amendment{Command: 7, Input: json.RawMessage(`{}`), By: "Ann"})
		s.UpdateWorkflow(updateAmend, "right", &right, amendment{Command: 1, Input: json.RawMessage(`{"bucket":"right"}`), By: "Ann"})
		s.UpdateWorkflow(updateAmend, "late", &broken, amendment{Command: 1, Input: json.RawMessage(`{}`), By: "Ann"})
	}, time.Hour)
	s.run(Start{})
	s.wants(asl.StatusSucceeded, `{"bucket":"right"}`, "", "")
	if typeOf(odd.rejected) != typeNotParked || right.rejected != nil || !right.done || right.failed != nil || broken.rejected == nil && broken.failed == nil {
		t.Errorf("odd %+v, right %+v, late %+v", odd, right, broken)
	}
	if len(s.keys) != 2 || s.keys[0] != s.keys[1] || len(inputs) != 2 {
		t.Errorf("keys %q, inputs %q", s.keys, inputs)
	}
}
