package graph

import (
	"slices"
	"strings"
)

// A mark is how far a state has come.
type mark uint8

const (
	untouched mark = iota
	succeeded
	running
	waiting // for an answer from outside
	retrying
	parked
	caught // it failed, and the execution went on
	failed
	stopped // it ended with what was around it
)

// markNames are the classes of the marks, and their words in the legend.
func markNames() map[mark][2]string {
	return map[mark][2]string{
		succeeded: {"succeeded", "succeeded"}, running: {"running", "in progress"}, waiting: {"waiting", "waits for a person"},
		retrying: {"retrying", "failed, will be tried again"}, parked: {"parked", "parked: a person must act"},
		caught: {"caught", "failed and caught"}, failed: {"failed", "failed"}, stopped: {"stopped", "ended by another's failure"},
	}
}

// A fate is what an execution did with a state so far.
type fate struct {
	entered, open int
	trouble       bool // the newest attempt failed
	mark          mark // as it was last left
}

// judge tells how far each state of the machine has come.
func judge(top *block, run *Run) map[string]fate {
	j := judgement{states: map[string]*state{}, fates: map[string]*fate{}}
	j.learn(top)
	for n, e := range run.Events {
		next := ""
		if n+1 < len(run.Events) {
			next = run.Events[n+1].Kind
		}
		j.event(e, next)
	}
	out := make(map[string]fate, len(j.fates))
	for name, f := range j.fates {
		if f.open > 0 {
			f.mark = j.now(name, f, run)
		}
		out[name] = *f
	}
	return out
}

type judgement struct {
	states map[string]*state
	fates  map[string]*fate
	broken mark // of a Parallel or Map whose failure was just told
	newest string
}

func (j *judgement) learn(b *block) {
	for _, s := range b.states {
		j.states[s.name] = s
		for _, inner := range s.blocks {
			j.learn(inner)
		}
	}
}

// event takes one line of the history; next is the kind of the line after it.
func (j *judgement) event(e Event, next string) {
	kind := e.Kind
	switch {
	case kind == "ParallelStateFailed", kind == "MapStateFailed":
		if next == strings.TrimSuffix(kind, "Failed")+"Exited" {
			j.broken = caught
		}
		return
	case j.states[e.State] == nil:
		return
	case strings.HasPrefix(kind, "MapIteration"):
		return
	}
	f := j.fates[e.State]
	if f == nil {
		f = &fate{}
		j.fates[e.State] = f
	}
	switch {
	case strings.HasSuffix(kind, "StateEntered"):
		f.entered++
		f.open++
		f.trouble = kind == "FailStateEntered"
		j.newest = e.State
	case strings.HasSuffix(kind, "StateExited"):
		j.exited(e.State, f)
	case strings.HasSuffix(kind, "Scheduled"):
		f.trouble = false
	case strings.HasSuffix(kind, "Failed"), strings.HasSuffix(kind, "TimedOut"):
		f.trouble = true
	}
}

func (j *judgement) exited(name string, f *fate) {
	f.open = max(f.open-1, 0)
	f.mark = succeeded
	if f.trouble || j.broken == caught && len(j.states[name].blocks) > 0 {
		f.mark = caught
	}
	f.trouble, j.broken = false, untouched
	if f.open == 0 {
		j.close(j.states[name])
	}
}

// close ends what is still open inside a state that was left.
func (j *judgement) close(s *state) {
	for _, b := range s.blocks {
		for _, inner := range b.states {
			if f := j.fates[inner.name]; f != nil && f.open > 0 {
				f.open, f.mark = 0, stopped
				if f.trouble {
					f.mark = failed
				}
			}
			j.close(inner)
		}
	}
}

// now is the mark of a state that was entered and not left.
func (j *judgement) now(name string, f *fate, run *Run) mark {
	s := j.states[name]
	if run.Status != "RUNNING" {
		if f.trouble || j.holds(s) || run.Status == "FAILED" && !j.troubled() && name == j.newest {
			return failed
		}
		return stopped
	}
	switch {
	case slices.Contains(run.Parked, name):
		return parked
	case f.trouble:
		return retrying
	case s.token:
		return waiting
	}
	return running
}

// holds reports whether a state inside s has failed.
func (j *judgement) holds(s *state) bool {
	return slices.ContainsFunc(s.blocks, func(b *block) bool {
		return slices.ContainsFunc(b.states, func(inner *state) bool {
			f := j.fates[inner.name]
			return f != nil && f.open > 0 && (f.trouble || j.holds(inner))
		})
	})
}

// troubled reports whether the history names a state that failed and was not
// left.
func (j *judgement) troubled() bool {
	for _, f := range j.fates {
		if f.open > 0 && f.trouble {
			return true
		}
	}
	return false
}
