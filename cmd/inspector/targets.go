package main

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"inspector/notify/rule"
	"inspector/store"
	"inspector/web"
	"inspector/workflow"
	"inspector/workflow/temporal"
)

// A target is what an operator can point at when something is not delivered:
// a broker, a bucket, a queue, a webhook.
type target struct {
	name  string
	lanes []string // that bring work to it
}

// targetsOf gives the targets of the configuration, those of the shipped
// workflow first.
func targetsOf(c Config, rules []rule.Rule, functions []rule.Function, connections, commands []string) []target {
	objects, queue := "s3 evidence", "sqs results"
	if c.Upstream.Kind == "folder" {
		objects = "folder evidence"
	}
	if c.Upstream.Kind == "folder" || !isQueueURL(c.Upstream.QueueURL) {
		queue = "folder results"
	}
	all := []target{
		{"mqtt alerts", []string{publishAlert}}, {"mqtt results", []string{publishResult}},
		{objects, []string{putObject, putResults}}, {queue, []string{sendMessage}},
	}
	for _, r := range rules {
		for _, name := range slices.Sorted(maps.Keys(r.Targets)) {
			if t := r.Targets[name]; t.Channel != "" && t.DeadLetter == nil {
				continue // the channel's lane brings it
			}
			deliver, dead := rule.Delivery{Rule: r.Name, Target: name}.Resources()
			all = append(all, target{"rule " + r.Name + "/" + name, []string{deliver, dead}})
		}
	}
	for _, f := range functions {
		if f.OnSuccess != nil || f.OnFailure != nil || f.DeadLetter != nil {
			all = append(all, target{"function " + f.Name, []string{f.Resource("destination"), f.Resource("dead-letter")}})
		}
	}
	for _, name := range connections {
		all = append(all, target{"http " + name, []string{httpLane + name}})
	}
	if c.Connections != "" {
		all = append(all, target{"http without connection", []string{httpInvoke}})
	}
	for _, name := range commands {
		all = append(all, target{"command " + name, []string{commandPrefix + name}})
	}
	if c.Workflow.Engine == engineTemporal {
		all = append(all, target{"temporal cluster", []string{temporal.HandOverResource}})
	}
	return all
}

// targetOf names the target of a lane; the lane itself if it is none's.
func targetOf(all []target, lane string) string {
	for _, t := range all {
		if slices.Contains(t.lanes, lane) {
			return t.name
		}
	}
	return lane
}

// lanesOf gives the lanes of the target of that name, or the lane of that name.
func lanesOf(all []target, name string) []string {
	for _, t := range all {
		if t.name == name {
			return t.lanes
		}
	}
	return []string{name}
}

// A pacer knows how fast each target's queue moves.
type pacer struct {
	targets []target
	disk    *store.Store
	engine  *workflow.Engine

	mu      sync.Mutex
	samples map[string][]workflow.Sample // by target, of the last minute
}

func newPacer(targets []target, disk *store.Store, engine *workflow.Engine) *pacer {
	return &pacer{targets: targets, disk: disk, engine: engine, samples: map[string][]workflow.Sample{}}
}

// pacePause is the time between samples.
const pacePause = 5 * time.Second

// Run takes samples until ctx ends.
func (p *pacer) Run(ctx context.Context) error {
	tick := time.NewTicker(pacePause)
	defer tick.Stop()
	for {
		if queues, err := p.disk.Queues(ctx, time.Now()); err == nil { // else the status says it
			p.keep(p.look(queues, time.Now()), time.Now())
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// look is a sample of each target's queue, by target.
func (p *pacer) look(queues []store.Queue, now time.Time) map[string]workflow.Sample {
	done := p.engine.Delivered()
	out := map[string]workflow.Sample{}
	for _, t := range p.targets {
		s := workflow.Sample{At: now}
		for _, lane := range t.lanes {
			s.Done += done[lane]
			for _, q := range queues {
				if q.Lane == lane {
					s.Depth += int(q.Depth - q.Parked)
				}
			}
		}
		out[t.name] = s
	}
	return out
}

func (p *pacer) keep(looked map[string]workflow.Sample, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for name, s := range looked {
		p.samples[name] = append(workflow.WithinPace(p.samples[name], now), s)
	}
}

// before gives the samples of a target that were taken before s, and s.
func (p *pacer) before(name string, s workflow.Sample) []workflow.Sample {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append(slices.Clone(p.samples[name]), s)
}

// status is how each target does.
func (p *pacer) status(ctx context.Context, queues []store.Queue, now time.Time) []web.Target {
	troubles := p.engine.Troubles()
	looked := p.look(queues, now)
	out := make([]web.Target, 0, len(p.targets))
	for _, t := range p.targets {
		s := looked[t.name]
		w := web.Target{Name: t.name, Lanes: t.lanes, Depth: s.Depth, Delivered: s.Done, State: web.TargetOK}
		for _, q := range queues {
			if slices.Contains(t.lanes, q.Lane) {
				w.Parked += int(q.Parked)
				w.Oldest = max(w.Oldest, q.Oldest.Seconds())
			}
		}
		pace := workflow.PaceOf(p.before(t.name, s))
		w.Rate = pace.Rate
		if pace.Drains {
			drain := pace.Drain.Seconds()
			w.Drain = &drain
		}
		for _, lane := range t.lanes {
			if trouble, ok := troubles[lane]; ok {
				w.State, w.Error = web.TargetFailing, trouble.Err.Error()
			}
		}
		switch {
		case w.State == web.TargetFailing:
			w.Remedy = "everything waits on the disk and goes out when it is taken again; inspector doctor says more"
		case w.Parked > 0:
			w.State, w.Error, w.Remedy = web.TargetParked, p.why(ctx, t), "mend it, then: "+redriveWords(t.name)
		case w.Depth > 0 && w.Oldest > backlog.Seconds():
			w.State = web.TargetDraining
		}
		out = append(out, w)
	}
	return out
}

// backlog is the age from which on work that waits is one.
const backlog = 10 * time.Second

// redriveWords is the command that tries the parked work of a target again.
func redriveWords(target string) string {
	return "inspector workflow parked --target '" + target + "' --redrive"
}

// why is the reason of a piece of the target's parked work.
func (p *pacer) why(ctx context.Context, t target) string {
	found, _, err := p.disk.Parked(ctx, store.ParkedFilter{Lanes: t.lanes, Limit: 1})
	if err != nil || len(found) == 0 {
		return "refused"
	}
	return found[0].Parked
}
