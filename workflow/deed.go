package workflow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// Attempt calls h once, within timeout unless that is 0. A panic and a result
// that is not JSON are permanent errors; States.Timeout is the name of the
// error when the time was over.
func Attempt(ctx context.Context, h Handler, t Task, timeout time.Duration) (output json.RawMessage, err error) {
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, timeout, timeoutError{t.State, timeout})
		defer cancel()
	}
	defer func() {
		if r := recover(); r != nil {
			output, err = nil, poisonError{fmt.Errorf("the handler of %s panicked: %v\n%s", t.Resource, r, debug.Stack())}
		}
	}()
	output, err = h(ctx, t)
	var late timeoutError
	switch {
	case err != nil && errors.As(context.Cause(ctx), &late):
		return nil, late
	case err != nil:
		return nil, err
	case len(output) > 0 && !readable(output):
		return nil, poisonError{fmt.Errorf("the handler of %s gave a result that is not JSON, or nested too deep", t.Resource)}
	}
	return output, nil
}

// Failure is what a handler's error means: the name and the cause by which
// Retry and Catch know it, and whether no retry can help.
func Failure(err error) (name, cause string, final bool) {
	return errorName(err), causeOf(err), permanent(err)
}

// readable reports whether raw is JSON, and still can be read inside an event:
// a decoder goes 10,000 levels down and no farther.
func readable(raw json.RawMessage) bool {
	return json.Valid(raw) && (len(raw) < 10_000 || json.Valid(slices.Concat([]byte{'['}, raw, []byte{']'})))
}

// A poisonError is a handler's own fault: the same again would come of it.
type poisonError struct{ error }

func (poisonError) Permanent() bool { return true }

// A timeoutError says that the state's time was over.
type timeoutError struct {
	state string
	after time.Duration
}

func (e timeoutError) Error() string {
	return fmt.Sprintf("state %q took longer than %v", e.state, e.after)
}
func (timeoutError) Name() string { return "States.Timeout" }

// permanent reports whether err says that trying again cannot help. Packages
// that know such errors need not know this one: the method is the contract.
func permanent(err error) bool {
	var p interface{ Permanent() bool }
	return errors.As(err, &p) && p.Permanent()
}

// answered reports whether err says that whoever was asked did answer.
func answered(err error) bool {
	var a interface{ Answered() bool }
	return errors.As(err, &a) && a.Answered()
}

// postponed gives the time that err asks to wait for.
func postponed(err error) (until time.Time, ok bool) {
	var p interface{ Postponed() time.Time }
	if errors.As(err, &p) {
		return p.Postponed(), true
	}
	return until, false
}

// errorName is the name by which Retry and Catch know err.
func errorName(err error) string {
	var n interface{ Name() string }
	if errors.As(err, &n) && n.Name() != "" {
		return n.Name()
	}
	return "States.TaskFailed"
}

const maxCause = 32_768 // bytes, as on AWS

func causeOf(err error) string {
	s := err.Error()
	return strings.ToValidUTF8(s[:min(len(s), maxCause)], "\uFFFD") // as it will be read from the journal
}
