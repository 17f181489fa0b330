package main

import (
	"context"
	"time"

	"inspector/classify"
)

// The stages: each is one goroutine and holds one board, so three boards are
// under way while the model never waits. A board that fails in one goes on to
// the last with its reason.

func (l *line) prepare(ctx context.Context, from <-chan *job, to chan<- *job) error {
	return l.stage(ctx, from, to, func(j *job) (err error) {
		if j.bad != nil {
			return j.bad
		}
		from := j.frame.At
		if j.trigger.At.After(from) {
			from = j.trigger.At
		}
		j.waited = max(time.Since(from), 0)
		if err := l.recognise(ctx, j); err != nil {
			return err
		}
		if j.judge, err = j.place.Load().of(j.frame.Name); err != nil {
			return err
		}
		j.in, err = j.judge.Prepare(j.frame.Pixels)
		return err
	})
}

func (l *line) infer(ctx context.Context, from <-chan *job, to chan<- *job) error {
	return foreground(func() error {
		return l.stage(ctx, from, to, func(j *job) (err error) {
			j.out, err = j.judge.Infer(ctx, j.in)
			return err
		})
	})
}

func (l *line) stage(ctx context.Context, from <-chan *job, to chan<- *job, do func(*job) error) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case j := <-from:
			if j.bad == nil && !settled(j) {
				j.bad = do(j)
			}
			select {
			case to <- j:
			case <-ctx.Done():
				return nil
			}
		}
	}
}

func (l *line) decide(ctx context.Context, from <-chan *job) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case j := <-from:
			var r classify.Result
			switch {
			case j.bad != nil:
				r = classify.Unsure(j.bad)
			case j.out != nil:
				r = j.judge.Judge(j.out)
				if err := overdue(j); err != nil {
					r = classify.Unsure(err)
				}
			}
			r.Timings.Wait = j.waited
			l.settle(ctx, j, r)
			j.release()
			l.unseat(j)
		}
	}
}
