package asl

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// start does the work of the state, at first and on every retry.
func (x *Execution) start(act *activity) {
	s := act.state
	input, err := x.effective(act)
	if err != nil {
		x.fail(act, err)
		return
	}
	switch s.kind {
	case "Task":
		err = x.startTask(act, input)
	case "Parallel":
		err = x.startParallel(act, input)
	case "Map":
		err = x.startMap(act, input)
	case "Pass":
		err = x.runPass(act, input)
	case "Wait":
		err = x.startWait(act, input)
	case "Choice":
		err = x.choose(act, input)
	case "Succeed":
		x.pass(act)
	case "Fail":
		x.failState(act, input)
	}
	if err != nil {
		x.fail(act, err)
	}
}

// effective is the input after InputPath.
func (x *Execution) effective(act *activity) (any, error) {
	s := act.state
	switch {
	case s.noInput:
		return map[string]any{}, nil
	case s.inputPath == nil:
		return act.input, nil
	}
	return filtered(s.inputPath, x.scope(act, act.input))
}

// filtered is what InputPath or OutputPath leaves.
func filtered(p *path, s *scope) (any, error) {
	v, err := p.eval(s)
	var missing errNotFound
	if errors.As(err, &missing) {
		err = runtimeError("%s", missing.inside(s.input))
	}
	return v, err
}

// arguments is the input after Parameters.
func (x *Execution) arguments(act *activity, input any) (any, error) {
	if act.state.parameters == nil {
		return input, nil
	}
	v, err := act.state.parameters.eval(x.scope(act, input))
	if err == nil && !fits(v) {
		err = x.tooLarge(act)
	}
	return v, err
}

func (x *Execution) tooLarge(act *activity) *stateError {
	return &stateError{errDataLimit, fmt.Sprintf("The state/task '%s' returned a result with a size exceeding the maximum number of bytes service limit.", act.state.worker())}
}

// worker is who gives the state's result: a service, a resource or the state.
func (s *state) worker() string {
	if service, ok := strings.CutPrefix(s.resource, "arn:aws:states:::"); ok {
		service, _, _ = strings.Cut(service, ":")
		return service
	}
	if s.kind == "Task" {
		return s.resource
	}
	return s.name
}

func (x *Execution) startTask(act *activity, input any) error {
	s := act.state
	if act.task == 0 {
		act.task = x.newID()
		if s.token {
			act.await = x.newID()
		}
	}
	argument, err := x.arguments(act, input)
	if err != nil {
		return err
	}
	timeout, err := x.duration(act, s.timeout, input)
	if err != nil {
		return err
	}
	beat, err := x.duration(act, s.heartbeat, input)
	if err != nil {
		return err
	}
	c := Command{ID: act.task, Kind: RunTask, State: s.name, Resource: s.resource, Input: encode(argument), Attempt: int(act.retryCount)}
	h := act.taskEvent("Scheduled", nil)
	h.parameters = &argument
	x.emit(act.frame, h)
	x.emit(act.frame, act.taskEvent("Started", nil))
	if !s.token { // a handler that runs cannot send heartbeats: silence is what the shorter time bounds
		if c.Timeout = timeout; beat > 0 && (timeout == 0 || beat < timeout) {
			c.Timeout = beat
		}
		x.issue(act, roleTask, c)
		return nil
	}
	c.Token = x.Token(act.await)
	x.issue(act, roleTask, c)
	x.issue(act, roleAwait, Command{ID: act.await, Kind: Await, State: s.name, Resource: s.resource, Token: c.Token})
	if timeout > 0 {
		x.timer(act, roleTimeout, s.name, x.current.At.Add(timeout))
	}
	if act.beat = beat; beat > 0 {
		act.beatTimer = x.timer(act, roleHeartbeat, s.name, x.current.At.Add(beat))
	}
	return nil
}

// duration of TimeoutSeconds, HeartbeatSeconds or their paths.
func (x *Execution) duration(act *activity, d delay, input any) (time.Duration, error) {
	if d.path == nil {
		return time.Duration(d.seconds) * time.Second, nil
	}
	n, err := x.count(act, d, input)
	if err == nil && (n <= 0 || n > maxNumber) {
		err = runtimeError("The %s parameter must be a positive integer: %s == %d", d.field, d.path.text, n)
	}
	return time.Duration(n) * time.Second, err
}

// count is a whole number by path.
func (x *Execution) count(act *activity, d delay, input any) (int64, error) {
	v, err := d.path.eval(x.scope(act, input))
	if err != nil {
		return 0, inField(d.field, input, err)
	}
	if n, ok := v.(json.Number); ok {
		if i, ok := toInt(n); ok {
			return i, nil
		}
	}
	return 0, runtimeError("The %s field refers to value \"%s\" which is not a valid integer: %s", d.field, bare(v), d.path.text)
}

func (x *Execution) runPass(act *activity, input any) error {
	result, err := x.arguments(act, input)
	if err == nil && act.state.result != nil {
		result, err = act.state.result.eval(nil)
	}
	if err == nil {
		x.complete(act, result)
	}
	return err
}

func (x *Execution) choose(act *activity, input any) error {
	s := x.scope(act, input)
	for _, c := range act.state.choices {
		ok, err := c.test.holds(s)
		if err != nil {
			return err
		}
		if ok {
			return x.leave(act, c.next)
		}
	}
	if act.state.otherwise == "" {
		return &stateError{errNoChoice, fmt.Sprintf("An error occurred while executing the state '%s' (entered at the event id #%d). No choice rule matched and there is no Default.", act.state.name, act.entered)}
	}
	return x.leave(act, act.state.otherwise)
}

func (x *Execution) failState(act *activity, input any) {
	var e stateError
	for _, part := range []struct {
		of    expr
		field string
		into  *string
	}{{act.state.errorName, act.state.errorField, &e.name}, {act.state.cause, act.state.causeField, &e.cause}} {
		if part.of == nil {
			continue
		}
		v, err := part.of.eval(x.scope(act, input))
		text, isText := v.(string)
		if err == nil && !isText {
			err = runtimeError("The %s of the Fail state must be a string but was: %s", part.field, encode(v))
		}
		if err != nil {
			x.fail(act, inField(part.field, input, err))
			return
		}
		*part.into = text
	}
	x.raise(act, &e)
}

// pass leaves a state whose output is its input.
func (x *Execution) pass(act *activity) {
	if err := x.leave(act, act.state.next); err != nil {
		x.fail(act, err)
	}
}

// leave applies InputPath and OutputPath to the raw input and goes on.
func (x *Execution) leave(act *activity, next string) error {
	v, err := x.effective(act)
	if err == nil {
		v, err = x.outputPath(act, v)
	}
	if err == nil {
		x.exit(act, v, next)
	}
	return err
}

func (x *Execution) outputPath(act *activity, v any) (any, error) {
	switch {
	case act.state.noOutput:
		return map[string]any{}, nil
	case act.state.outputPath == nil:
		return v, nil
	}
	return filtered(act.state.outputPath, x.scope(act, v))
}

// complete takes the result of the state's work to its output.
func (x *Execution) complete(act *activity, result any) {
	out, err := x.merge(act, result)
	if err == nil {
		out, err = x.outputPath(act, out)
	}
	if err == nil && !fits(out) {
		err = x.tooLarge(act)
	}
	if err != nil {
		x.fail(act, err)
		return
	}
	x.exit(act, out, act.state.next)
}

// merge applies ResultSelector and ResultPath, into the raw input.
func (x *Execution) merge(act *activity, result any) (any, error) {
	s := act.state
	if s.selector != nil {
		var err error
		if result, err = s.selector.eval(x.scope(act, result)); err != nil {
			return nil, err
		}
	}
	return place(s.resultPath, s.noResult, act.input, result)
}

func place(p *path, discard bool, input, result any) (any, error) {
	switch {
	case discard:
		return input, nil
	case p == nil:
		return result, nil
	}
	v, err := p.put(input, result)
	if err != nil {
		return nil, &stateError{errResultPath, fmt.Sprintf("Unable to apply ResultPath %q: %v", p.text, err)}
	}
	return v, nil
}

// exit leaves the state for next, or ends its block.
func (x *Execution) exit(act *activity, out any, next string) {
	f := act.frame
	x.emit(f, HistoryEvent{Type: act.state.kind + "StateExited", Name: act.state.name, output: &out})
	f.act = nil
	if next != "" {
		x.arrive(f, next, out)
		return
	}
	f.dead = true
	if f.parent == nil {
		x.output = out
		x.end(StatusSucceeded, stateError{})
		return
	}
	x.branchDone(f, out)
}
