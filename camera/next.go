package camera

import (
	"context"
	"errors"
	"fmt"
	"time"

	"inspector"
)

// errNoMore is why a source ended that was read to its end.
var errNoMore = errors.New("the source was read to its end")

// BadFrameError is a still that could not be read. It took a number like every
// other, so that its board is not passed over in silence.
type BadFrameError struct {
	Seq  uint64
	Name string // of the still
	Err  error
}

func (e *BadFrameError) Error() string { return fmt.Sprintf("still %s unreadable: %v", e.Name, e.Err) }

// Unwrap returns why the still could not be read.
func (e *BadFrameError) Unwrap() error { return e.Err }

// UnavailableError says why the camera gives no frame.
type UnavailableError struct {
	State State
	Age   time.Duration // of the last frame, 0 if there was none
	Err   error         // why it was lost or ended, or how the caller's patience ended
}

func (e *UnavailableError) Error() string {
	switch e.State {
	case Lost:
		return fmt.Sprintf("camera gone: %v", e.Err)
	case Ended:
		return fmt.Sprintf("camera ended: %v", e.Err)
	case Opening:
		return fmt.Sprintf("camera not open yet: %v", e.Err)
	}
	return fmt.Sprintf("camera gave no frame in time, the last is %v old: %v", e.Age.Round(time.Millisecond), e.Err)
}

// Unwrap returns the cause.
func (e *UnavailableError) Unwrap() error { return e.Err }

// Next returns the next frame, which the caller then owns. While the camera is
// lost it waits. A still that could not be read comes as a *BadFrameError,
// together with a frame that has a number, time and name but no pixels. When ctx ends, or
// no frame will ever come, the error is a *UnavailableError.
func (c *Camera) Next(ctx context.Context) (inspector.Frame, error) {
	return c.take(ctx, func(s State) bool { return s == Ended }, time.Time{})
}

// After returns the frame for a board that was triggered at t: from a live
// camera the first one captured at t or later, older ones being released; from
// a source that waits for its consumer the next, for it is the board that
// stands before the camera. A live frame's time is that of its arrival: for a
// camera with a known latency, add that to t.
//
// After does not wait for a lost camera to come back, as the board might be
// gone by then: the error is a *UnavailableError at once, or when ctx ends.
// Unreadable stills come as from Next.
func (c *Camera) After(ctx context.Context, t time.Time) (inspector.Frame, error) {
	return c.take(ctx, func(s State) bool { return s == Ended || s == Lost }, t)
}

func (c *Camera) take(ctx context.Context, hopeless func(State) bool, t time.Time) (inspector.Frame, error) {
	for {
		state, changed, err := c.watch() // before the mailbox: nothing is put after the end
		select {
		case v := <-c.frames:
			if c.fresh(v, t) {
				return v.frame, v.err
			}
			continue
		default:
		}
		if hopeless(state) {
			return inspector.Frame{}, c.unavailable(err)
		}
		select {
		case v := <-c.frames:
			if c.fresh(v, t) {
				return v.frame, v.err
			}
		case <-changed:
		case <-ctx.Done():
			return inspector.Frame{}, c.unavailable(context.Cause(ctx))
		}
	}
}

// fresh reports whether v may be used for a board triggered at t; if not, it
// is dropped.
func (c *Camera) fresh(v captured, t time.Time) bool {
	if !c.source.live || !v.frame.At.Before(t) && time.Since(v.frame.At) <= c.config.MaxAge {
		return true
	}
	c.drop(v.frame)
	return false
}

func (c *Camera) unavailable(err error) error {
	h := c.Health()
	return &UnavailableError{State: h.State, Age: h.Age, Err: err}
}
