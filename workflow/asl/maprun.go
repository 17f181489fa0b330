package asl

import (
	"time"
)

// A MapRun is the progress of one attempt at a distributed Map. It counts
// items, not batches.
type MapRun struct {
	ID        string    `json:"id"`    // the same however often the execution is rebuilt
	State     string    `json:"state"` // name of the Map
	Label     string    `json:"label"`
	Started   time.Time `json:"started"`
	Reading   bool      `json:"reading,omitempty"` // the items are not known yet
	Writing   bool      `json:"writing,omitempty"` // the results are being written
	Total     int       `json:"total"`
	Pending   int       `json:"pending"`
	Running   int       `json:"running"`
	Succeeded int       `json:"succeeded"`
	Failed    int       `json:"failed"`
}

// MapRuns gives the distributed Maps that are under way, outer before inner.
// It changes nothing.
func (x *Execution) MapRuns() (out []MapRun) {
	var visit func(f *frame)
	visit = func(f *frame) {
		if f == nil || f.dead || f.act == nil {
			return
		}
		if r := f.act.run; r != nil && !r.ended {
			c := r.counts
			c.Pending = c.Total - c.Running - c.Succeeded - c.Failed
			out = append(out, c)
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
