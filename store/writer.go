package store

import "context"

// batchLimit bounds how many requests share one commit, and so how long the
// first of them waits for the last.
const batchLimit = 256

// A request is one caller's part of a commit. do may be called again once what
// it did was undone, and is to do the same then.
type request struct {
	do    func(context.Context, *writer) error
	whole bool          // the table of work must say all that is open before
	done  chan struct{} // closed once err is final
	err   error
}

// write gives the caller's statements to the next commit and returns when
// they are on the disk, or are known not to be. Whoever finds nobody leading
// commits everything that is queued by then; so there is neither a delay nor
// a goroutine. Once queued, ctx no longer matters: the answer is true.
func (s *Store) write(ctx context.Context, do func(context.Context, *writer) error) error {
	return s.ask(ctx, &request{do: do, done: make(chan struct{})})
}

// ask is write of a request.
func (s *Store) ask(ctx context.Context, r *request) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	if s.shut {
		s.mu.Unlock()
		return errClosed
	}
	s.queue = append(s.queue, r)
	s.mu.Unlock()
	for {
		select {
		case <-r.done:
			return full(r.err)
		case s.lead <- struct{}{}:
			s.commit(context.WithoutCancel(ctx), s.take(batchLimit))
			<-s.lead
		}
	}
}

// take gives the first requests of the queue, at most limit of them.
func (s *Store) take(limit int) []*request {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(limit, len(s.queue))
	batch := s.queue[:n:n]
	s.queue = s.queue[n:]
	return batch
}

// commit makes the batch durable, and what is queued while its statements are
// done. The caller holds lead.
func (s *Store) commit(ctx context.Context, batch []*request) {
	if len(batch) > 0 {
		s.fail(s.writer.transact(ctx, batch, s.take))
	}
}

// fail ends the requests; err, if any, is the fate of those without their own.
func (s *Store) fail(batch []*request, err error) {
	for _, r := range batch {
		if r.err == nil {
			r.err = err
		}
		close(r.done)
	}
}
