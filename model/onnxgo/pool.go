package onnxgo

import (
	"context"
	"errors"

	"inspector/model"
)

// A Pool runs one model for several goroutines at once, each in a graph of its
// own: a graph of onnx-go runs once at a time.
type Pool struct {
	all  []*Session
	free chan *Session
}

// OpenPool prepares the package's network n times, at least once: each takes
// its own memory. The caller closes the pool.
func OpenPool(p *model.Package, n int) (*Pool, error) {
	pool := &Pool{free: make(chan *Session, max(n, 1))}
	for range cap(pool.free) {
		s, err := Open(p)
		if err != nil {
			return nil, errors.Join(err, pool.Close())
		}
		pool.all = append(pool.all, s)
		pool.free <- s
	}
	return pool, nil
}

// Run is Session.Run in a graph that is free. Waiting for one ends with ctx.
func (p *Pool) Run(ctx context.Context, in, out []float32) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case s := <-p.free:
		defer func() { p.free <- s }() // behind the others: after ctx it may still be at work
		return s.Run(ctx, in, out)
	}
}

// Close waits for runs that go on and drops the graphs. Again is harmless.
func (p *Pool) Close() error {
	var errs []error
	for _, s := range p.all {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}
