package asl

import "encoding/json"

// Redriven lets an execution that failed, timed out or was stopped go on at
// the state where it ended: with that state's input, its retries counted anew
// and the machine's time beginning anew. Of a Parallel or Map all branches run
// again. Random and At are as for any event.
const Redriven EventKind = "redriven"

// Input is the input of the execution.
func (x *Execution) Input() json.RawMessage { return encode(x.input) }

// Redrives is how often the execution was redriven.
func (x *Execution) Redrives() int { return x.redrives }

// redrivable reports whether there is a state to go on at.
func (x *Execution) redrivable() bool {
	return x.status != "" && x.status != StatusRunning && x.status != StatusSucceeded && x.root.act != nil
}

func (x *Execution) redrive() {
	was := x.root.act
	x.status, x.failure = StatusRunning, stateError{}
	x.redrives++
	x.redriven, x.contextual, x.entries = x.current.At, nil, 0
	x.root.dead = false
	count := x.redrives
	x.emit(x.root, HistoryEvent{Type: "ExecutionRedriven", Redrives: &count})
	if x.machine.timeout > 0 {
		x.timer(nil, roleExecution, "", x.current.At.Add(x.machine.timeout))
	}
	// The task's command is the same, and so is the key of its effect.
	act := &activity{frame: x.root, state: was.state, input: was.input, entered: was.entered, at: was.at, task: was.task, await: was.await}
	act.retries = make([]int64, len(act.state.retry))
	x.root.act = act
	x.start(act)
}
