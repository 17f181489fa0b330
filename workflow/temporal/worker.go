package temporal

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	engine "inspector/workflow"
)

// A Worker runs executions of the cluster and does their deeds: those that any
// device may do, and those that only this one can.
type Worker struct {
	client *Client
	lanes  []lane
}

type lane struct {
	resource    string
	concurrency int
	handler     engine.Handler
}

// NewWorker returns a worker at rest.
func (c *Client) NewWorker() *Worker { return &Worker{client: c} }

// Handle registers who does the work of a resource, as an engine's Handle.
func (w *Worker) Handle(resource string, concurrency int, h engine.Handler) {
	w.lanes = append(w.lanes, lane{resource, max(concurrency, 1), h})
}

const (
	// kept is how many executions stay folded in memory.
	kept = 256
	// slowest is how long folding one event may take; folding a journal that
	// was carried along counts as one.
	slowest     = 10 * time.Second
	firstPause  = time.Second
	longestWait = 30 * time.Second
)

// Run works until ctx ends and returns when all has ended. A cluster that
// cannot be reached is tried again for ever.
func (w *Worker) Run(ctx context.Context) error {
	worker.SetStickyWorkflowCacheSize(kept)
	for pause := firstPause; ctx.Err() == nil; pause = min(2*pause, longestWait) {
		if err := w.serve(ctx); err == nil {
			return nil
		} else if pause == firstPause {
			w.client.log.Warn("no Temporal cluster: trying again until there is", "address", w.client.config.Address, "err", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		}
	}
	return nil
}

// serve starts the parts and stops them when ctx ends; an error says that one
// did not start.
func (w *Worker) serve(ctx context.Context) error {
	parts := w.parts()
	for n, p := range parts {
		if err := p.Start(); err != nil {
			stopAll(parts[:n])
			return err
		}
	}
	w.client.log.Info("working for the Temporal cluster", "address", w.client.config.Address, "queue", w.client.config.TaskQueue)
	<-ctx.Done()
	stopAll(parts)
	return nil
}

func stopAll(parts []worker.Worker) {
	var stopping sync.WaitGroup
	for _, p := range parts {
		stopping.Go(p.Stop)
	}
	stopping.Wait()
}

// parts are one worker for the executions, and for each resource one of the
// device's queue and one of everybody's, unless only the device can.
func (w *Worker) parts() []worker.Worker {
	c := w.client.config
	executions := worker.New(w.client.sdk, c.TaskQueue, worker.Options{
		Identity: c.identity(), DisableRegistrationAliasing: true, LocalActivityWorkerOnly: true, DeadlockDetectionTimeout: slowest, WorkerStopTimeout: c.grace(),
	})
	executions.RegisterWorkflowWithOptions(Execute, workflow.RegisterOptions{Name: Type})
	out := []worker.Worker{executions}
	for _, l := range w.lanes {
		homes := []string{c.Device, ""}
		if slices.Contains(c.Local, l.resource) {
			homes = homes[:1]
		}
		for _, device := range homes {
			p := worker.New(w.client.sdk, queue(c.TaskQueue, device, l.resource), worker.Options{
				Identity: c.identity(), DisableWorkflowWorker: true, WorkerStopTimeout: c.grace() + firstPause,
				MaxConcurrentActivityExecutionSize: l.concurrency, MaxConcurrentActivityTaskPollers: 1,
			})
			p.RegisterActivityWithOptions(performer(l.resource, l.handler, c.grace()), activity.RegisterOptions{Name: l.resource})
			out = append(out, p)
		}
	}
	return out
}
