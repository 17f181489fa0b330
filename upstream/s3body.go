package upstream

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// sip is how many bytes an upload takes at once where uploads share a cap, so
// that none waits long for another's.
const sip = 16 << 10

// lent is a stretch of a body that is its owner's again once giveBack has
// returned, even if the transport has not noticed yet that its request is over.
type lent struct {
	ctx  context.Context //nolint:containedctx // of the one request that reads it
	pace *rate.Limiter   // nil: none
	tick func()          // something has moved

	mu           sync.Mutex
	r            io.ReadSeeker
	from, at, to int64 // of r; at is the next to be read
	ended        bool
}

func (l *lent) Read(p []byte) (int, error) {
	if l.pace != nil {
		p = p[:min(len(p), sip)]
	}
	n, err := l.read(p)
	if n > 0 && l.pace != nil {
		l.tick()
		if wait := l.pace.WaitN(l.ctx, n); wait != nil {
			return 0, wait
		}
	}
	l.tick()
	return n, err
}

func (l *lent) read(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.ended:
		return 0, errReturned
	case l.at >= l.to:
		return 0, io.EOF
	}
	if _, err := l.r.Seek(l.at, io.SeekStart); err != nil {
		return 0, err
	}
	n, err := l.r.Read(p[:min(int64(len(p)), l.to-l.at)])
	if l.at += int64(n); n == 0 && errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF // it has shrunk
	}
	return n, err
}

func (l *lent) Seek(offset int64, whence int) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.ended:
		return 0, errReturned
	case whence == io.SeekStart:
		offset += l.from
	case whence == io.SeekCurrent:
		offset += l.at
	default:
		offset += l.to
	}
	if offset < l.from {
		return 0, errors.New("upstream: seek before the start")
	}
	l.at = offset
	return l.at - l.from, nil
}

func (l *lent) giveBack() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
}

// errSilent is why a context ended in which nothing moved any more.
var errSilent = errors.New("upstream: nothing moved any more")

// watched gives a context that ends once nothing has moved for limit; whatever
// moves calls tick. stop ends the watch and the context.
func watched(ctx context.Context, limit time.Duration) (_ context.Context, tick, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	t := time.AfterFunc(limit, func() { cancel(errSilent) })
	return ctx, func() { t.Reset(limit) }, func() { t.Stop(); cancel(nil) }
}
