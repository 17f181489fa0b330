package asl

import (
	"slices"
	"time"
)

// A MapRun is the progress of one attempt at a distributed Map, or how it
// ended. It counts items, not batches.
type MapRun struct {
	ID        string    `json:"id"`    // the same however often the execution is rebuilt
	State     string    `json:"state"` // name of the Map
	Label     string    `json:"label"`
	Status    Status    `json:"status"`
	Started   time.Time `json:"startDate"`
	Stopped   time.Time `json:"stopDate,omitzero"`
	Reading   bool      `json:"reading,omitempty"` // the items are not known yet
	Writing   bool      `json:"writing,omitempty"` // the results are being written
	Total     int       `json:"total"`
	Pending   int       `json:"pending"`
	Running   int       `json:"running"`
	Succeeded int       `json:"succeeded"`
	Failed    int       `json:"failed"`
}

// maxEnded bounds the ended runs that an execution remembers.
const maxEnded = 100

// MapRuns gives the runs of distributed Maps: those that ended last, in the
// order in which they ended, then those that are under way, outer before inner.
// It changes nothing.
func (x *Execution) MapRuns() []MapRun {
	out := slices.Clone(x.ended)
	var visit func(f *frame)
	visit = func(f *frame) {
		if f == nil || f.dead || f.act == nil {
			return
		}
		if r := f.act.run; r != nil && !r.ended {
			out = append(out, r.now())
			for _, i := range sortedKeys(r.running) {
				visit(r.running[i])
			}
		}
		for _, b := range f.act.branches {
			visit(b)
		}
	}
	if x.status == StatusRunning {
		visit(x.root)
	}
	return out
}

// now is the run as it is.
func (r *mapRun) now() MapRun {
	c := r.counts
	c.Pending = c.Total - c.Running - c.Succeeded - c.Failed
	return c
}

// endRun remembers how a run ended.
func (x *Execution) endRun(r *mapRun, status Status) {
	r.ended = true
	c := r.now()
	c.Status, c.Stopped, c.Reading, c.Writing = status, x.current.At, false, false
	x.ended = append(x.ended, c)
	if len(x.ended) > maxEnded {
		x.ended = slices.Delete(x.ended, 0, 1)
	}
}

// mapRunArn and the names of a child have the form of AWS.
func (x *Execution) mapRunArn(r *mapRun) string {
	return x.arnOf("mapRun", x.machineName()+"/"+r.counts.Label, r.id)
}

func (x *Execution) childArn(c *childRun) string {
	return x.arnOf("execution", x.childMachineName(c), c.name)
}

// childContext is Execution and StateMachine of a child's context object.
func (x *Execution) childContext(c *childRun) any {
	if c.contextual == nil {
		c.contextual = map[string]any{"Id": x.childArn(c), "Name": c.name, "Input": c.input, "RoleArn": x.identity.role(), "StartTime": rfc3339(c.started), "RedriveCount": number(0)}
	}
	return c.contextual
}

func (x *Execution) childMachine(c *childRun) string {
	return x.arnOf("stateMachine", x.childMachineName(c))
}

func (x *Execution) childMachineName(c *childRun) string {
	return x.machineName() + "/" + c.run.counts.Label
}
