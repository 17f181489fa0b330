package workflow_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"

	"inspector/workflow"
	"inspector/workflow/asl"
)

// A task whose definition names its resource otherwise is done in the lane of
// the resource that was handled; what nobody handles parks under that name, and
// goes on once somebody does.
func TestWorkOfAnotherName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newMemory()
		options := workflow.Options{Lane: func(resource string, input json.RawMessage) string {
			if resource == "by:input" {
				return strings.Trim(string(input), `"`)
			}
			return resource
		}}
		done := func(_ context.Context, task workflow.Task) (json.RawMessage, error) {
			return json.Marshal(task.Resource + " " + string(task.Input))
		}
		e := workflow.New(j, quiet(), options)
		e.Handle("r", 1, done)
		hash := deploy(t, e, `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"by:input","End":true}}}`)
		stop := run(t, e)
		must(t, e.Start(t.Context(), hash, "known", json.RawMessage(`"r"`)))
		must(t, e.Start(t.Context(), hash, "unknown", json.RawMessage(`"s"`)))
		synctest.Wait()
		if d := wantStatus(t, e, "known", asl.StatusSucceeded); string(d.Output) != `"by:input \"r\""` {
			t.Errorf("output %s", d.Output)
		}
		if d := wantStatus(t, e, "unknown", asl.StatusRunning); !strings.Contains(d.Parked, `nobody handles the resource "s"`) {
			t.Errorf("parked %q", d.Parked)
		}
		stop()
		e = workflow.New(j, quiet(), options)
		e.Handle("s", 1, done)
		defer run(t, e)()
		must(t, e.Redrive(t.Context(), "unknown"))
		synctest.Wait()
		wantStatus(t, e, "unknown", asl.StatusSucceeded)
	})
}
