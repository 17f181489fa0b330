package asl

import (
	"encoding/json"
	"math"
	"strconv"
	"time"
)

const maxWait = math.MaxInt32 // seconds

func (x *Execution) startWait(act *activity, input any) error {
	due, err := x.due(act, input)
	if err != nil {
		return err
	}
	if !due.After(x.current.At) {
		x.pass(act)
		return nil
	}
	x.timer(act, roleWait, act.state.name, due)
	return nil
}

func (x *Execution) due(act *activity, input any) (time.Time, error) {
	d, now := act.state.wait, x.current.At
	if d.query != nil {
		return x.dueByQuery(act, d, input)
	}
	if d.path == nil {
		if d.field == "Timestamp" {
			return d.at, nil
		}
		return now.Add(time.Duration(d.seconds) * time.Second), nil
	}
	v, err := d.path.eval(x.scope(act, input))
	if err != nil {
		return now, runtimeError("The %s parameter does not reference an input value: %s", d.field, d.path.text)
	}
	if d.field == "TimestampPath" {
		text, _ := v.(string)
		t, ok := timestamp(text)
		if !ok {
			return now, runtimeError("The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format string: %s == %s", d.path.text, bare(v))
		}
		return t, nil
	}
	n, isNumber := v.(json.Number)
	seconds, parseErr := strconv.ParseInt(string(n), 10, 64)
	switch {
	case !isNumber || parseErr != nil:
		return now, runtimeError("The SecondsPath parameter cannot be parsed as a long value: %s == %s", d.path.text, bare(v))
	case seconds < 0:
		return now, runtimeError("The SecondsPath parameter references a negative value: %s == %d", d.path.text, seconds)
	case seconds > maxWait:
		return now, runtimeError("Wait state delay is too long.")
	}
	return now.Add(time.Duration(seconds) * time.Second), nil
}

// dueByQuery is when an expression says.
func (x *Execution) dueByQuery(act *activity, d delay, input any) (time.Time, error) {
	s, now := x.scope(act, input), x.current.At
	if d.field == "Timestamp" {
		v, err := s.typed(d.query, d.field, "string")
		if err != nil {
			return now, err
		}
		t, ok := timestamp(v.(string))
		if !ok {
			return now, queryFailed(d.field, "The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string: %s", v)
		}
		return t, nil
	}
	seconds, err := x.count(act, d, input)
	switch {
	case err != nil:
		return now, err
	case seconds < 0:
		return now, queryFailed(d.field, "The Seconds field references a negative value: %d", seconds)
	case seconds > maxWait:
		return now, queryFailed(d.field, "Wait state delay is too long.")
	}
	return now.Add(time.Duration(seconds) * time.Second), nil
}

// bare is v as text: strings without quotes.
func bare(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return string(encode(v))
}
