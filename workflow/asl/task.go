package asl

import (
	"encoding/json"
	"strings"
	"time"
)

func (x *Execution) startTask(act *activity, input any) error {
	s := act.state
	if act.task == 0 {
		act.task = x.newID()
		if s.token {
			act.await = x.newID()
		}
	}
	if s.sync { // each attempt has its own: the end of an earlier one must not answer it
		act.await = x.newID()
	}
	argument, err := x.arguments(act, input)
	if err != nil {
		return err
	}
	if act.amended != nil {
		argument = *act.amended
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
	if strings.HasPrefix(h.Type, "Lambda") {
		h.input = &argument
	} else {
		h.parameters = &argument
	}
	h.Timeout, h.Heartbeat = timeout, beat
	x.emit(act.frame, h)
	x.emit(act.frame, act.taskEvent("Started", nil))
	if !s.token && !s.sync { // a handler that runs cannot send heartbeats: silence is what the shorter time bounds
		if c.Timeout = timeout; beat > 0 && (timeout == 0 || beat < timeout) {
			c.Timeout = beat
		}
		x.issue(act, roleTask, c)
		return nil
	}
	c.Token = x.Token(act.await)
	x.issue(act, roleTask, c)
	x.issue(act, roleAwait, Command{ID: act.await, Kind: Await, State: s.name, Resource: s.resource, Input: x.awaited(s, c), Token: c.Token})
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
	if d.path == nil && d.query == nil {
		return time.Duration(d.seconds) * time.Second, nil
	}
	if d.path != nil {
		if _, err := filtered(d.path, x.scope(act, input)); err != nil {
			return 0, err
		}
	}
	n, err := x.count(act, d, input)
	if err == nil && (n <= 0 || n > maxNumber) {
		if d.query != nil {
			return 0, queryFailed(d.field, "The %s parameter must be a positive integer: %d", d.field, n)
		}
		err = runtimeError("The %s parameter must be a positive integer: %s == %d", d.field, d.path.text, n)
	}
	return time.Duration(n) * time.Second, err
}

// count is the whole number of a field: as given, by path or by expression.
func (x *Execution) count(act *activity, d delay, input any) (int64, error) {
	switch {
	case d.query != nil:
		v, err := x.scope(act, input).typed(d.query, d.field, "integer")
		n, _ := v.(json.Number)
		i, _ := toInt(n)
		return i, err
	case d.path == nil:
		return d.seconds, nil
	}
	v, err := filtered(d.path, x.scope(act, input))
	if err != nil {
		return 0, err
	}
	if n, ok := v.(json.Number); ok {
		if i, ok := toInt(n); ok {
			return i, nil
		}
	}
	return 0, runtimeError("The %s field refers to value \"%s\" which is not a valid integer: %s", d.field, bare(v), d.path.text)
}
