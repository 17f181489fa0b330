package journaltest

import (
	"reflect"
	"testing"

	"inspector/workflow"
	"inspector/workflow/asl"
)

// of is a transition of an execution of the machine.
func of(machine string, tr workflow.Transition) workflow.Transition {
	tr.Execution.StateMachine = machine
	return tr
}

// holds keep work from being due: a pause all of a machine's, a drain that of
// executions begun later.
func holds(t *testing.T, j workflow.Journal) {
	define(t, j)
	w := func() workflow.Work {
		return workflow.Work{Command: 1, Lane: "l", State: "A", Due: epoch, Since: epoch}
	}
	later := w()
	later.Due = at(5)
	must(t, j.Append(t.Context(), of("a", begun("x", w())), of("b", begun("y", w())), of("a", begun("z", later))))
	wantError(t, j.Release(t.Context(), "a"), workflow.ErrNotFound)
	must(t, j.Hold(t.Context(), workflow.Hold{Machine: "a", By: "ann", At: epoch}))
	wantDue(t, j, "l", at(9), 9, []string{"y/A/1"})
	must(t, j.Append(t.Context(), of("a", begun("new", w()))))
	wantDue(t, j, "l", at(9), 9, []string{"y/A/1"})

	must(t, j.Hold(t.Context(), workflow.Hold{Machine: "a", Drain: true, At: epoch}))
	must(t, j.Append(t.Context(), of("a", begun("newer", w())), of("b", begun("other", w()))))
	wantDue(t, j, "l", at(9), 9, []string{"x/A/1", "y/A/1", "z/A/1", "new/A/1", "other/A/1"})
	wantLeft(t, j, "a", 3)
	ended := of("a", next("x", 2, nil, 1))
	ended.Execution.Status = asl.StatusFailed
	must(t, j.Append(t.Context(), ended))
	wantLeft(t, j, "a", 2)

	must(t, j.Hold(t.Context(), workflow.Hold{Machine: workflow.AllMachines, At: epoch}))
	wantDue(t, j, "l", at(9), 9, nil)
	must(t, j.Release(t.Context(), "a"))
	wantDue(t, j, "l", at(9), 9, nil)
	must(t, j.Release(t.Context(), workflow.AllMachines))
	wantDue(t, j, "l", at(9), 9, []string{"y/A/1", "z/A/1", "new/A/1", "newer/A/1", "other/A/1"})
}

func wantLeft(t *testing.T, j workflow.Journal, machine string, want int) {
	t.Helper()
	all, err := j.Holds(t.Context())
	must(t, err)
	if len(all) != 1 || all[0].Machine != machine || !all[0].Drain || all[0].Left != want || !all[0].At.Equal(epoch) {
		t.Errorf("holds %+v, want a drain of %s with %d left", all, machine, want)
	}
}

func machines(t *testing.T, j workflow.Journal) {
	m := workflow.Machine{Name: "m", Type: workflow.Express, Hash: "h", Revision: 1, Created: epoch, Updated: epoch}
	must(t, j.PutMachine(t.Context(), m))
	wantError(t, j.PutMachine(t.Context(), m), workflow.ErrConflict)
	m.Revision, m.Published = 2, 1
	m.Versions = []workflow.Version{{Number: 1, Hash: "h", Description: "<first>", Created: epoch}}
	m.Aliases = []workflow.Alias{{Name: "a", Routes: []workflow.Route{{Version: 1, Weight: 100}}, Created: epoch, Updated: epoch}}
	must(t, j.PutMachine(t.Context(), m))
	wantError(t, j.PutMachine(t.Context(), m), workflow.ErrConflict)
	have, err := j.Machines(t.Context())
	must(t, err)
	if !reflect.DeepEqual(have, []workflow.Machine{m}) {
		t.Errorf("machines %+v, want %+v", have, m)
	}
	must(t, j.DropMachine(t.Context(), "m"))
	wantError(t, j.DropMachine(t.Context(), "m"), workflow.ErrNotFound)
	m.Revision = 1
	must(t, j.PutMachine(t.Context(), m))
}
