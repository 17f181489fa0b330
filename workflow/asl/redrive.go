package asl

import (
	"encoding/json"
	"slices"
)

// Redriven lets an execution that failed, timed out or was stopped go on at
// the state where it ended: with that state's input, its retries counted anew
// and the machine's time beginning anew. Of a Parallel or inline Map only the
// branches and items that have no output go on, each at its own state; a
// distributed Map begins a new run. Random and At are as for any event.
const Redriven EventKind = "redriven"

// Input is the input of the execution.
func (x *Execution) Input() json.RawMessage { return encode(x.input) }

// Redrives is how often the execution was redriven.
func (x *Execution) Redrives() int { return x.redrives }

// redrivable reports whether there is a state to go on at.
func (x *Execution) redrivable() bool {
	return x.status != "" && x.status != StatusRunning && x.status != StatusSucceeded && (x.root.act != nil || x.root.next.state != "")
}

func (x *Execution) redrive() {
	x.status, x.failure = StatusRunning, stateError{}
	x.redrives++
	x.redriven, x.contextual, x.entries = x.current.At, nil, 0
	count := x.redrives
	x.emit(x.root, HistoryEvent{Type: "ExecutionRedriven", Redrives: &count})
	if x.machine.timeout > 0 {
		x.timer(nil, roleExecution, "", x.current.At.Add(x.machine.timeout))
	}
	x.revive(x.root)
}

// revive lets a frame go on where it ended.
func (x *Execution) revive(f *frame) {
	if f.parent != nil { // else its variables were never forgotten
		x.stored += f.size()
	}
	f.dead = false
	was := f.act
	if was == nil {
		x.arrive(f, f.next.state, f.next.input)
		return
	}
	// The task's command is the same, and so is the key of its effect.
	act := &activity{frame: f, state: was.state, input: was.input, entered: was.entered, at: was.at, task: was.task, await: was.await, amended: was.amended}
	act.retries = make([]int64, len(act.state.retry))
	f.act = act
	if was.broken == nil {
		x.start(act)
		return
	}
	act.items, act.results, act.left, act.next, act.argument = was.items, was.results, was.left, was.next, was.argument
	act.branches = slices.DeleteFunc(inOrder(was.broken), func(f *frame) bool { return f.done })
	for i, f := range act.branches {
		f.parent, f.slot = act, i
	}
	x.reviveAll(act, slices.Clone(act.branches))
}

// reviveAll lets branches or items go on, until one fails at once and ends the
// others.
func (x *Execution) reviveAll(act *activity, all []*frame) {
	for _, f := range all {
		if act.branches == nil {
			return
		}
		if f.act != nil || f.next.state != "" {
			x.revive(f)
			continue
		}
		f.dead = false // it failed before its first state
		if err := x.enterItem(act, f); err != nil {
			x.fail(act, err)
		}
	}
}
