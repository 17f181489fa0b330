package camera

import (
	"context"
	"fmt"
	"time"

	"gocv.io/x/gocv"

	"inspector"
)

// grace is how long a source waits for OpenCV once it was told to stop, or
// should have given up itself, before it leaves the goroutine inside it behind.
const grace = time.Second

// capture is what OpenCV opened. Its calls may hang for ever.
type capture interface {
	Read(*gocv.Mat) bool
	Close() error
}

// video reads a device, a stream or a file. All its calls into OpenCV happen in
// one goroutine at a time, which is left behind if a call does not return.
type video struct {
	name        string
	live, loop  bool
	openTimeout time.Duration
	readTimeout time.Duration
	// open returns the capture and how many frames it promises, 0 if unknown.
	open   func() (capture, int, error)
	pool   pool
	inside chan struct{} // holds a token while a goroutine is inside OpenCV
}

// answer is what one call into OpenCV came to.
type answer struct {
	pixels inspector.Pixels
	lease  *lease // nil in the answer to open
	at     time.Time
	count  int // promised frames, in the answer to open
	end    bool
	err    error
}

// truncatedError is a video file that holds less than it promises.
type truncatedError struct {
	name          string
	have, promise int
}

func (e *truncatedError) Error() string {
	return fmt.Sprintf("read %s: only %d of %d frames could be decoded: the file is truncated or damaged; copy it again", e.name, e.have, e.promise)
}

// Permanent is true: beginning the file again would repeat its boards.
func (e *truncatedError) Permanent() bool { return true }

func (v *video) stream(ctx context.Context, out sink) error {
	for {
		have, promise, err := v.pass(ctx, out)
		switch {
		case err != nil:
			return err
		case v.live:
			return fmt.Errorf("read %s: the stream broke off after %d frames", v.name, have)
		case have == 0:
			return fmt.Errorf("read %s: OpenCV found no frame in it: is it a video, and not truncated? (ffprobe shows what it is)", v.name)
		case have+2+promise/20 < promise: // containers count a few frames that no decoder shows
			return &truncatedError{v.name, have, promise}
		case !v.loop:
			return nil
		}
	}
}

// pass opens the source and delivers its frames to the end.
func (v *video) pass(ctx context.Context, out sink) (have, promise int, err error) {
	select {
	case v.inside <- struct{}{}:
	default:
		return 0, 0, fmt.Errorf("open %s: OpenCV still hangs in the attempt before; switch the camera off and on, and if that does not help, restart the appliance", v.name)
	}
	asks, answers, gone := make(chan struct{}), make(chan answer, 1), make(chan struct{})
	go v.grab(asks, answers, gone)
	defer func() {
		close(asks)
		select {
		case <-gone:
		case <-time.After(grace):
		}
	}()
	a := await(ctx, answers, v.openTimeout, "open", v.name)
	promise = a.count
	limit := max(v.readTimeout, v.openTimeout) // a stream begins at its next key frame
	for a.err == nil {
		asks <- struct{}{} // OpenCV reads on while the consumer works
		if a.lease != nil {
			if err := out.deliver(ctx, still{pixels: a.pixels, at: a.at, release: a.lease.release}); err != nil {
				return have, promise, err
			}
			have, limit = have+1, v.readTimeout
		}
		if a = await(ctx, answers, limit, "read", v.name); a.end {
			return have, promise, nil
		}
	}
	return have, promise, a.err
}

// await returns the next answer, or an answer that says why there is none.
func await(ctx context.Context, answers <-chan answer, limit time.Duration, verb, name string) answer {
	timer := time.NewTimer(limit + 2*grace)
	defer timer.Stop()
	select {
	case a := <-answers:
		return a
	case <-ctx.Done():
		return answer{err: context.Cause(ctx)}
	case <-timer.C:
		return answer{err: fmt.Errorf("%s %s: no answer within %v: check that the camera is on and its cable and network are up", verb, name, limit)}
	}
}

// grab opens the source, reads one frame for each ask, and closes the source
// when asks is closed. It is the only goroutine inside OpenCV. Its answers fit
// the channel, so it never waits for somebody who has left.
func (v *video) grab(asks <-chan struct{}, answers chan<- answer, gone chan<- struct{}) {
	defer close(gone)
	defer func() { <-v.inside }()
	c, count, err := v.open()
	answers <- answer{count: count, err: err}
	if err != nil {
		return
	}
	defer c.Close() // it has no error to report
	m := gocv.NewMat()
	defer m.Close()
	for range asks {
		answers <- v.read(c, &m)
	}
}

func (v *video) read(c capture, m *gocv.Mat) (a answer) {
	if !c.Read(m) || m.Empty() {
		return answer{end: true}
	}
	a.at = time.Now()
	if a.pixels, a.lease, a.err = v.pool.fromMat(*m); a.err != nil {
		a.err = fmt.Errorf("read %s: %w", v.name, a.err)
	}
	return a
}
