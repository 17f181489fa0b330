package workflow_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"inspector/workflow"
	"inspector/workflow/asl"
)

// Work whose resource lost its handler over a restart is parked in words, and
// goes on once there is a handler again.
func TestWorkThatNobodyHandlesAnyMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newMemory()
		done := func(context.Context, workflow.Task) (json.RawMessage, error) { return nil, nil }
		before := newEngine(j, handlers{"r": done})
		hash := deploy(t, before, `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"r","End":true}}}`)
		must(t, before.Start(t.Context(), hash, "x", json.RawMessage(`{}`)))

		without := newEngine(j, nil)
		stop := run(t, without)
		synctest.Wait()
		d, err := without.Describe(t.Context(), "x")
		if err != nil || !strings.Contains(d.Parked, `"r"`) {
			t.Errorf("parked %q, %v; want the resource named", d.Parked, err)
		}
		if err := without.Redrive(t.Context(), "x"); !errors.Is(err, workflow.ErrUnhandled) {
			t.Errorf("redrive: %v; want ErrUnhandled", err)
		}
		stop()

		again := newEngine(j, handlers{"r": done})
		defer run(t, again)()
		must(t, again.Redrive(t.Context(), "x"))
		synctest.Wait()
		if d, err := again.Describe(t.Context(), "x"); err != nil || d.Status != asl.StatusSucceeded {
			t.Errorf("%s, %v", d.Status, err)
		}
	})
}
