package workflow_test

import (
	"context"
	"encoding/json"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"inspector/workflow"
)

// Work that follows on a transition is begun without a look at the journal; but
// not while the machine is held, nor once the engine was asked to stop.
func TestFollowingWorkIsHeldBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := newMemory()
		var deeds atomic.Int32
		gate := make(chan struct{})
		e := newEngine(j, handlers{"r": func(context.Context, workflow.Task) (json.RawMessage, error) {
			deeds.Add(1)
			<-gate
			return nil, nil
		}})
		hash := deploy(t, e, `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"r","Next":"B"},"B":{"Type":"Task","Resource":"r","Next":"C"},"C":{"Type":"Task","Resource":"r","End":true}}}`)
		stop := run(t, e)
		must(t, e.Start(t.Context(), hash, "x", nil))
		synctest.Wait()
		must(t, e.Pause(t.Context(), workflow.AllMachines, "ann"))
		synctest.Wait() // the lanes have looked
		step := func(want int32, when string) {
			t.Helper()
			synctest.Wait()
			if n := deeds.Load(); n != want {
				t.Errorf("%s: %d deeds begun, want %d", when, n, want)
			}
		}
		gate <- struct{}{}
		step(1, "held")
		must(t, e.Resume(t.Context(), workflow.AllMachines))
		step(2, "resumed")
		before := j.dues
		gate <- struct{}{}
		step(3, "going on")
		if j.dues != before {
			t.Errorf("the journal was read for work that was at hand")
		}
		must(t, e.Start(t.Context(), hash, "y", nil))
		step(4, "another")
		go stop()
		synctest.Wait()
		close(gate)
		step(4, "stopping")
	})
}
