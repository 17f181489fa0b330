package upstream

import (
	"context"
	"errors"
	"time"
)

// company is longer than a lane needs to begin what it has room for, and short
// beside the way to the queue.
const company = 5 * time.Millisecond

// A batch is messages that go together. It ends when all are answered, when
// its time is over, or when nobody waits for it any more. The queue's lock
// guards waiting and size, and entries until full is closed.
type batch struct {
	ctx     context.Context //nolint:containedctx // of the batch itself, which outlives each of its callers
	cancel  context.CancelFunc
	size    int           // bytes
	waiting int           // callers
	full    chan struct{} // closed when nobody can join
	after   chan struct{} // nil, or closed when the batch before has ended
	done    chan struct{} // closed when the entries have their outcomes

	entries []*entry // in the order in which they came
}

// An entry is one message of a batch, and how it went once the batch is done.
type entry struct {
	message Message
	size    int    // bytes
	id      string // that the queue gave it
	err     error
}

// join gives the batch that e goes with: the open one if e fits, or a new one.
func (q *SQS) join(ctx context.Context, e *entry) *batch {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.open != nil && (q.open.size+e.size > q.config.Limit || q.open.waiting == 0) {
		q.shut(q.open)
	}
	if q.open == nil {
		b := &batch{full: make(chan struct{}), done: make(chan struct{})}
		// Who came first may leave while others wait.
		b.ctx, b.cancel = context.WithCancel(context.WithoutCancel(ctx))
		if q.fifo() {
			b.after, q.last = q.last, b.done
		}
		q.open = b
		q.batches.Go(func() { q.carry(b) })
	}
	b := q.open
	b.waiting++
	b.size += e.size
	if b.entries = append(b.entries, e); len(b.entries) == maxBatch || q.alone.Load() {
		q.shut(b)
	}
	return b
}

// shut lets nobody join b any more. The caller holds the lock.
func (q *SQS) shut(b *batch) {
	if q.open == b {
		q.open = nil
		close(b.full)
	}
}

// leave ends the batch if nobody waits for it any more.
func (q *SQS) leave(b *batch) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if b.waiting--; b.waiting == 0 {
		b.cancel()
	}
}

// carry waits for company, sends the batch, and gives each entry its outcome.
// The batches of a FIFO queue go one after another.
func (q *SQS) carry(b *batch) {
	defer b.cancel()
	defer close(b.done)
	timer := time.NewTimer(q.company)
	select {
	case <-b.full:
	case <-timer.C:
	case <-b.ctx.Done():
	}
	timer.Stop()
	q.mu.Lock()
	q.shut(b)
	q.mu.Unlock()
	if b.after != nil {
		select {
		case <-b.after:
		case <-b.ctx.Done():
		}
	}
	ctx, cancel := context.WithTimeout(b.ctx, sendIn)
	defer cancel()
	q.transmit(ctx, b.entries)
}

// transmit sends the entries, each with its own outcome. What a batch as a
// whole is refused for may be the fault of one of them: then each goes alone.
func (q *SQS) transmit(ctx context.Context, all []*entry) {
	if len(all) == 1 {
		all[0].id, all[0].err = q.sendOne(ctx, all[0].message)
		return
	}
	err := q.sendAll(ctx, all)
	if f := (*Fault)(nil); errors.As(err, &f) && f.permanent && !f.access && !(&Fault{Code: f.Code}).ofPlace() {
		for _, e := range all {
			e.id, e.err = q.sendOne(ctx, e.message)
		}
		return
	}
	for _, e := range all {
		if err != nil {
			e.err = err
		}
	}
}
