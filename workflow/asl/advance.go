package asl

import (
	"fmt"
	"slices"
	"time"
)

// The error names of the language that this package gives.
const (
	errAll        = "States.ALL"
	errTimeout    = "States.Timeout"
	errHeartbeat  = "States.HeartbeatTimeout"
	errTaskFailed = "States.TaskFailed"
	errRuntime    = "States.Runtime"
	errQuery      = "States.QueryEvaluationError"
	errNoChoice   = "States.NoChoiceMatched"
	errIntrinsic  = "States.IntrinsicFailure"
	errResultPath = "States.ResultPathMatchFailure"
	errDataLimit  = "States.DataLimitExceeded"
)

// maxEntries bounds the states that one execution may enter, so that a loop
// in a definition ends. (AWS bounds the events of the history; here the
// retries of an outage that lasts for weeks must not count.)
const maxEntries = 25_000

// maxAtATime bounds the states that one event may make the execution enter:
// what is left goes on by a timer, so that many children never make one
// transition long.
const maxAtATime = 10_000

// Advance folds one event into x. It gives the history events that this made
// and the commands to carry out once the event is durable. It never blocks,
// reads no clock and draws no random number: those arrive inside the event,
// so that folding the same events into a zero Execution always gives the same.
// After an error, which is ErrMoot or says what is wrong with the event, x is
// as it was.
func (m *Machine) Advance(x *Execution, e Event) ([]HistoryEvent, []Command, error) {
	if x.machine != nil && x.machine != m && x.machine.hash != m.hash {
		return nil, nil, fmt.Errorf("the execution runs on machine %s, not on %s", x.machine.hash, m.hash)
	}
	payload, p, err := x.accept(e)
	if err != nil {
		return nil, nil, err
	}
	x.current, x.events, x.issued = e, nil, nil
	switch e.Kind {
	case Started:
		x.begin(m, e, payload)
	case Stopped:
		x.end(StatusAborted, stateError{e.Error, e.Cause})
	case Succeeded:
		x.succeeded(p, payload)
	case Failed:
		x.failed(p, &stateError{e.Error, e.Cause})
	case Fired:
		x.fired(p)
	case Heartbeat:
		x.heartbeat(p.act)
	case Redriven:
		x.redrive()
	case Amended:
		x.amend(p, payload)
	}
	x.settle()
	events, commands := x.events, x.issued
	x.events, x.issued, x.current = nil, nil, Event{}
	return events, commands, nil
}

// Step is Advance for who never looks at the history: it costs less.
func (m *Machine) Step(x *Execution, e Event) ([]Command, error) {
	x.unseen = true
	_, commands, err := m.Advance(x, e)
	x.unseen = false
	return commands, err
}

// accept checks that e fits, before anything changes, and decodes what it
// carries.
func (x *Execution) accept(e Event) (payload any, p *pending, err error) {
	switch {
	case e.Kind == Redriven && x.redrivable():
		return nil, nil, nil
	case e.Kind == Started && x.machine != nil, e.Kind == Redriven, e.Kind != Started && x.status != StatusRunning:
		return nil, nil, ErrMoot
	case e.Kind == Started:
		if payload, err = decode(e.Input); err != nil {
			return nil, nil, fmt.Errorf("read the input of execution %q: %w", e.Name, err)
		}
		if !fits(payload) {
			return nil, nil, fmt.Errorf("the input of execution %q exceeds %d bytes or is nested deeper than %d", e.Name, maxPayload, maxDepth)
		}
		return payload, nil, nil
	case e.Kind == Stopped:
		return nil, nil, nil
	}
	p, ok := x.open[e.Command]
	if !ok {
		return nil, nil, ErrMoot
	}
	fit := false
	switch e.Kind {
	case Succeeded:
		fit = p.role == roleTask || p.role == roleAwait || p.role == roleReader || p.role == roleWriter
		if payload, err = decode(e.Output); err != nil {
			return nil, nil, fmt.Errorf("read the output of state %q: %w", p.command.State, err)
		}
	case Failed:
		fit = p.role == roleTask || p.role == roleAwait || p.role == roleReader || p.role == roleWriter
	case Fired:
		fit = p.command.Kind == SetTimer
	case Heartbeat:
		fit = p.role == roleAwait
	case Amended:
		if err := p.amendable(); err != nil {
			return nil, nil, err
		}
		fit = true
		if payload, err = decode(e.Input); err == nil && !fits(payload) {
			err = fmt.Errorf("it exceeds %d bytes or is nested deeper than %d", maxPayload, maxDepth)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("read the new input of state %q: %w", p.command.State, err)
		}
	}
	if !fit {
		return nil, nil, fmt.Errorf("the event %q does not fit the %s command %d", e.Kind, p.command.Kind, e.Command)
	}
	return payload, p, nil
}

func (x *Execution) begin(m *Machine, e Event, input any) {
	x.name, x.machine, x.status, x.input, x.started, x.seed = e.Name, m, StatusRunning, input, e.At, e.Seed
	x.identity = identify(e.Arn)
	x.open = map[int64]*pending{}
	x.root = &frame{block: m.top, variables: x.variables}
	x.emit(x.root, HistoryEvent{Type: "ExecutionStarted", input: &input})
	if m.timeout > 0 {
		x.timer(nil, roleExecution, "", e.At.Add(m.timeout))
	}
	x.arrive(x.root, m.top.start, input)
}

func (x *Execution) succeeded(p *pending, result any) {
	switch p.role {
	case roleReader:
		x.readerAnswered(p, result)
		return
	case roleWriter:
		x.written(p)
		return
	}
	act := p.act
	if (act.state.token || act.state.sync) && p.role == roleTask { // handed over; the token's holder answers
		x.release(p.command.ID)
		x.emit(act.frame, act.taskEvent("Submitted", &result))
		return
	}
	x.close(act)
	if !fits(result) {
		e := x.tooLarge(act)
		x.emit(act.frame, act.failedEvent(e))
		x.raise(act, e)
		return
	}
	x.emit(act.frame, act.taskEvent("Succeeded", &result))
	x.complete(act, result)
}

func (x *Execution) failed(p *pending, e *stateError) {
	switch p.role {
	case roleReader:
		x.failRun(p.act.run, &stateError{errItemReader, e.cause})
		return
	case roleWriter:
		x.failRun(p.act.run, &stateError{errResultWriter, e.cause})
		return
	}
	x.close(p.act)
	x.emit(p.act.frame, p.act.failedEvent(surface(e)))
	x.fail(p.act, e)
}

func (x *Execution) fired(p *pending) {
	x.release(p.command.ID)
	switch p.role {
	case roleExecution:
		x.end(StatusTimedOut, stateError{name: errTimeout})
	case rolePause:
		x.paused = false
	case roleWait:
		x.pass(p.act)
	case roleRetry:
		x.start(p.act)
	case roleTimeout:
		x.failed(p, &stateError{name: errTimeout})
	case roleHeartbeat:
		p.act.beatTimer = 0
		x.failed(p, &stateError{name: errHeartbeat})
	}
}

// heartbeat starts the time anew.
func (x *Execution) heartbeat(act *activity) {
	if act.beatTimer != 0 {
		x.cancel(act.beatTimer)
		act.beatTimer = x.timer(act, roleHeartbeat, act.state.name, x.current.At.Add(act.beat))
	}
}

// settle enters states until all wait or the execution has ended.
func (x *Execution) settle() {
	for n := 0; len(x.queue) > 0 && x.status == StatusRunning; n++ {
		if n >= maxAtATime && x.runs > 0 {
			if !x.paused {
				x.paused = true
				x.timer(nil, rolePause, "", x.current.At)
			}
			return
		}
		a := x.queue[0]
		x.queue = x.queue[1:]
		if !a.frame.dead {
			x.enter(a)
		}
	}
	x.queue = nil
}

func (x *Execution) arrive(f *frame, state string, input any) {
	f.next = arrival{f, state, input}
	x.queue = append(x.queue, f.next)
}

func (x *Execution) enter(a arrival) {
	act := &activity{frame: a.frame, state: a.frame.block.states[a.state], input: a.input, at: x.current.At}
	act.retries = make([]int64, len(act.state.retry))
	a.frame.act, a.frame.next = act, arrival{}
	x.emit(a.frame, HistoryEvent{Type: act.state.kind + "StateEntered", Name: a.state, input: &a.input})
	act.entered = a.frame.last
	if c := a.frame.child; c != nil {
		if c.entries++; c.entries > maxEntries {
			x.raise(act, &stateError{errRuntime, fmt.Sprintf("The execution entered more than %d states.", maxEntries)})
			return
		}
	} else if x.entries++; x.entries > maxEntries {
		x.end(StatusFailed, stateError{errRuntime, fmt.Sprintf("The execution entered more than %d states.", maxEntries)})
		return
	}
	x.start(act)
}

// end closes everything: the execution is over.
func (x *Execution) end(status Status, e stateError) {
	x.shut(x.root)
	for id, p := range x.open {
		if p.act == nil {
			x.cancel(id)
		}
	}
	x.status, x.failure = status, e
	kind := map[Status]string{StatusSucceeded: "ExecutionSucceeded", StatusFailed: "ExecutionFailed", StatusTimedOut: "ExecutionTimedOut", StatusAborted: "ExecutionAborted"}[status]
	h := HistoryEvent{Type: kind, Error: e.name, Cause: e.cause}
	if status == StatusSucceeded {
		h.output = &x.output
	}
	x.emit(x.root, h)
}

// issue opens a command for the activity.
func (x *Execution) issue(act *activity, r role, c Command) {
	if act != nil {
		act.held = append(act.held, c.ID)
	}
	x.open[c.ID] = &pending{act, r, c}
	x.issued = append(x.issued, c)
}

func (x *Execution) newID() int64 { x.commands++; return x.commands }

func (x *Execution) timer(act *activity, r role, state string, due time.Time) int64 {
	id := x.newID()
	x.issue(act, r, Command{ID: id, Kind: SetTimer, State: state, Due: due})
	return id
}

// release forgets a command that was answered.
func (x *Execution) release(id int64) {
	if p := x.open[id]; p != nil && p.act != nil {
		p.act.held = slices.DeleteFunc(p.act.held, func(held int64) bool { return held == id })
	}
	delete(x.open, id)
}

// cancel forgets a command that was not: the driver is told, unless it never
// heard of it or gives this very answer.
func (x *Execution) cancel(id int64) {
	p := x.open[id]
	x.release(id)
	if i := slices.IndexFunc(x.issued, func(c Command) bool { return c.ID == id }); i >= 0 {
		x.issued = slices.Delete(x.issued, i, i+1)
	} else if id != x.current.Command {
		x.issued = append(x.issued, Command{ID: id, Kind: Cancel, State: p.command.State, Resource: p.command.Resource, Input: p.awaited()})
	}
}

// close cancels all that is open for the activity and below it.
func (x *Execution) close(act *activity) {
	for _, id := range slices.Clone(act.held) {
		x.cancel(id)
	}
	act.beatTimer = 0
	for _, f := range inOrder(act.branches) {
		x.shut(f)
	}
	if act.branches != nil {
		act.branches, act.broken = nil, act.branches
	}
	if r := act.run; r != nil {
		if !r.ended {
			x.endRun(r, StatusAborted)
		}
		for _, i := range sortedKeys(r.running) {
			x.shut(r.running[i])
		}
		act.run = nil
	}
}

func (x *Execution) shut(f *frame) {
	if f == nil || f.dead {
		return
	}
	x.bury(f)
	if f.act != nil {
		x.close(f.act)
	}
}
