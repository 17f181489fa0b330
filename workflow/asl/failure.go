package asl

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"
)

// fail gives the error to the state's retriers, then to its catchers, then to
// what is around it.
func (x *Execution) fail(act *activity, err error) {
	x.raise(act, x.explained(act, err))
}

// explained is the error as others see it: where it happened, and in the
// history if it was an evaluation.
func (x *Execution) explained(act *activity, err error) *stateError {
	e := *asStateError(err)
	if e.name == errRuntime || e.name == errIntrinsic || e.name == errQuery {
		e.cause = fmt.Sprintf("An error occurred while executing the state '%s' (entered at the event id #%d). %s", act.state.name, act.entered, e.cause)
	}
	var failed *evaluationError
	if errors.As(err, &failed) {
		x.emit(act.frame, HistoryEvent{Type: "EvaluationFailed", State: act.state.name, Location: failed.location, Error: e.name, Cause: e.cause})
	}
	return &e
}

// raise is fail with a cause that is complete.
func (x *Execution) raise(act *activity, e *stateError) {
	x.close(act)
	if e.name == errRuntime { // never caught, even if named
		act.failed(x, e)
		x.propagate(act, e)
		return
	}
	for i, r := range act.state.retry {
		if !act.caught(r.errors, e.name) {
			continue
		}
		if act.retries[i] < r.attempts {
			act.retries[i]++
			act.retryCount++
			x.timer(act, roleRetry, act.state.name, x.current.At.Add(r.delay(act.retries[i], x.current.Random)))
			return
		}
		break
	}
	e = surface(e)
	act.failed(x, e)
	for _, c := range act.state.catch {
		if !act.caught(c.errors, e.name) {
			continue
		}
		out, made, err := x.recovered(act, c, e)
		if err == nil && !fits(out) {
			err = x.tooLarge(act)
		}
		if err != nil {
			x.propagate(act, x.explained(act, err))
			return
		}
		x.exit(act, out, made, c.next)
		return
	}
	x.propagate(act, e)
}

// recovered is the output and the variables of the state whose error a
// catcher took.
func (x *Execution) recovered(act *activity, c catcher, e *stateError) (out any, made map[string]any, err error) {
	caught := any(e.output())
	s := x.scope(act, caught)
	s.errorOutput = &caught
	if made, err = x.assign(act, c.assign, s); err != nil {
		return nil, nil, err
	}
	switch {
	case c.output != nil:
		out, err = c.output.eval(s)
	case act.state.jsonata:
		out = caught
	default:
		out, err = place(c.resultPath, c.noResult, act.input, caught)
	}
	return out, made, err
}

// output is the Error Output. What whoever failed did not name is null; a
// timeout has an empty cause.
func (e *stateError) output() map[string]any {
	out := map[string]any{"Error": e.name, "Cause": e.cause}
	if e.name == "" {
		out["Error"] = nil
	}
	if e.cause == "" && e.name != errTimeout {
		out["Cause"] = nil
	}
	return out
}

// failed notes that a Parallel or Map will not be tried again.
func (act *activity) failed(x *Execution, e *stateError) {
	if act.left > 0 || act.branches != nil || act.ran || e.name == errQuery && (act.state.kind == "Map" || act.state.kind == "Parallel") {
		x.emit(act.frame, HistoryEvent{Type: act.state.kind + "StateFailed", Error: e.name, Cause: e.cause})
	}
}

// surface is the error as others see it: a heartbeat that failed to come is a
// timeout.
func surface(e *stateError) *stateError {
	if e.name == errHeartbeat {
		return &stateError{errTimeout, e.cause}
	}
	return e
}

// caught reports whether a list of error names has this one.
func (act *activity) caught(names []string, name string) bool {
	return slices.Contains(names, name) || slices.Contains(names, errAll) ||
		name == errHeartbeat && slices.Contains(names, errTimeout) ||
		name != errTimeout && name != errHeartbeat && slices.Contains(names, errTaskFailed)
}

const longest = 366 * 24 * 3600.0 // seconds between two attempts, whatever the rate

// delay before the n-th retry, from 1.
func (r retrier) delay(n int64, random float64) time.Duration {
	d := min(r.interval*math.Pow(r.rate, float64(n-1)), longest)
	if r.most > 0 {
		d = min(d, r.most)
	}
	if r.jitter {
		d *= min(max(random, 0), 1)
	}
	return time.Duration(d * float64(time.Second))
}

// propagate takes an error that nobody around the state handles one block out.
func (x *Execution) propagate(act *activity, e *stateError) {
	f := act.frame
	x.bury(f)
	if r := f.ended(); r != nil {
		x.childFailed(r, f.child, e)
		return
	}
	if f.parent == nil {
		x.end(StatusFailed, *e)
		return
	}
	if f.parent.state.kind == "Map" {
		x.emit(f, HistoryEvent{Type: "MapIterationFailed", Name: f.parent.state.name, Index: &f.index})
		f.parent.frame.last = f.last
	}
	x.aborted(f.parent, f)
	x.raise(f.parent, e)
}

// aborted notes what ends because one branch or item failed: of a Parallel,
// the states where its branches are, the failed one included; of a Map, the
// other items.
func (x *Execution) aborted(act *activity, failed *frame) {
	for _, f := range act.branches {
		switch {
		case act.state.kind == "Map" && f != failed && !f.dead:
			x.emit(f, HistoryEvent{Type: "MapIterationAborted", Name: act.state.name, Index: &f.index})
			act.frame.last = f.last
		case act.state.kind == "Parallel" && f.act != nil && (f == failed || !f.dead):
			if kind := f.act.state.kind; kind == "Task" || kind == "Wait" || kind == "Map" || kind == "Parallel" {
				x.emit(f, HistoryEvent{Type: kind + "StateAborted"})
			}
		}
	}
}
