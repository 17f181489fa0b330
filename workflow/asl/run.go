package asl

import (
	"errors"
	"fmt"
	"strings"
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

// filtered is what InputPath, OutputPath or another field that is a path
// selects.
func filtered(p *path, s *scope) (any, error) {
	v, err := p.eval(s)
	var missing errNotFound
	if errors.As(err, &missing) {
		err = runtimeError("%s", missing.inside(s.input))
	}
	return v, err
}

// arguments is the input after Parameters, or Arguments.
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
			return x.leave(act, c.next, c.output, c.assign)
		}
	}
	if act.state.otherwise == "" {
		return &stateError{errNoChoice, fmt.Sprintf("An error occurred while executing the state '%s' (entered at the event id #%d). No choice rule matched and there is no Default.", act.state.name, act.entered)}
	}
	return x.leave(act, act.state.otherwise, act.state.output, act.state.assign)
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
		text, err := x.failText(act, part.of, part.field, input)
		if err != nil {
			x.fail(act, inField(part.field, input, err))
			return
		}
		*part.into = text
	}
	x.raise(act, &e)
}

func (x *Execution) failText(act *activity, of expr, field string, input any) (string, error) {
	s := x.scope(act, input)
	if act.state.jsonata {
		v, err := s.typed(of, field, "string")
		text, _ := v.(string)
		return text, err
	}
	v, err := of.eval(s)
	text, isText := v.(string)
	if err == nil && !isText {
		err = runtimeError("The %s of the Fail state must be a string but was: %s", field, encode(v))
	}
	return text, err
}

// pass leaves a state whose output is its input.
func (x *Execution) pass(act *activity) {
	if err := x.leave(act, act.state.next, act.state.output, act.state.assign); err != nil {
		x.fail(act, err)
	}
}

// leave goes on with the raw input after InputPath and OutputPath, or with
// what output makes of it.
func (x *Execution) leave(act *activity, next string, output expr, assign objectExpr) error {
	v, err := x.effective(act)
	if err != nil {
		return err
	}
	made, err := x.assign(act, assign, x.scope(act, v))
	if err != nil {
		return err
	}
	if output != nil {
		v, err = output.eval(x.scope(act, v))
	} else {
		v, err = x.outputPath(act, v)
	}
	if err == nil && !fits(v) {
		err = x.tooLarge(act)
	}
	if err == nil {
		x.exit(act, v, made, next)
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

// complete takes the result of the state's work to its output and variables.
func (x *Execution) complete(act *activity, result any) {
	out, made, err := x.finished(act, result)
	if err == nil && !fits(out) {
		err = x.tooLarge(act)
	}
	if err != nil {
		x.fail(act, err)
		return
	}
	x.exit(act, out, made, act.state.next)
}

// finished applies ResultSelector, Assign, ResultPath (into the raw input)
// and OutputPath; in JSONata, Assign and Output.
func (x *Execution) finished(act *activity, result any) (out any, made map[string]any, err error) {
	s := act.state
	if s.selector != nil {
		if result, err = s.selector.eval(x.scope(act, result)); err != nil {
			return nil, nil, err
		}
	}
	seen := x.scope(act, result)
	if s.kind != "Pass" {
		seen.result = &result
	}
	if made, err = x.assign(act, s.assign, seen); err != nil {
		return nil, nil, err
	}
	switch {
	case s.output != nil:
		out, err = s.output.eval(seen)
	case s.jsonata:
		out = result
	default:
		if out, err = place(s.resultPath, s.noResult, act.input, result); err == nil {
			out, err = x.outputPath(act, out)
		}
	}
	return out, made, err
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
func (x *Execution) exit(act *activity, out any, made map[string]any, next string) {
	f := act.frame
	x.emit(f, HistoryEvent{Type: act.state.kind + "StateExited", Name: act.state.name, output: &out, assigned: made})
	f.act = nil
	if next != "" {
		x.keep(f, made)
		x.arrive(f, next, out)
		return
	}
	x.bury(f)
	f.done = true
	if f.parent == nil {
		x.output = out
		x.end(StatusSucceeded, stateError{})
		return
	}
	x.branchDone(f, out)
}
