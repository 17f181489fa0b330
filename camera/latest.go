package camera

import "context"

// Latest is a mailbox of one value. One goroutine puts; any number receive
// from the channel, each value going to one of them.
type Latest[T any] chan T

// NewLatest returns an empty mailbox.
func NewLatest[T any]() Latest[T] { return make(Latest[T], 1) }

// Put leaves v in the mailbox and never blocks: the newest wins. It returns
// the value that v replaced, if nobody had taken it, and whether there was one.
func (l Latest[T]) Put(v T) (replaced T, lost bool) {
	select {
	case replaced = <-l:
		lost = true
	default:
	}
	l <- v
	return replaced, lost
}

// PutWait leaves v in the mailbox once the value before it was taken. It fails
// only if ctx ends first; v then still belongs to the caller.
func (l Latest[T]) PutWait(ctx context.Context, v T) error {
	select {
	case l <- v:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
