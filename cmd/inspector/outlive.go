package main

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"
)

// afterwards is f once ready is closed.
func afterwards(ready <-chan struct{}, f func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		select {
		case <-ready:
			return f(ctx)
		case <-ctx.Done():
			return nil
		}
	}
}

// outlive runs f until stop is called, beyond the end of ctx. If f fails, so
// does the group.
func outlive(ctx context.Context, g *errgroup.Group, f func(context.Context) error) (stop func() error) {
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	var err error
	go func() {
		defer close(ended)
		err = f(inner)
	}()
	g.Go(func() error {
		select {
		case <-ended:
			return errors.New("a part ended by itself") // stop says which and why
		case <-ctx.Done():
			return nil
		}
	})
	return func() error {
		cancel()
		<-ended
		return err
	}
}
