package asltest

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"sync"
)

// A Service stands for what answers the tasks of one run: functions, which are
// known (see Case.Answer), and any other service, which says again what its
// recording says. It gives answers only: an answer for a task token is given
// only where the task's parameters held the token. It may be used from several
// goroutines.
type Service struct {
	mu       sync.Mutex
	recorded Case
	tasks    []*recordedTask         // not asked for yet
	held     map[string]recordedTask // by token: how its task ended
}

// A recordedTask is one attempt of a task in a recorded history.
type recordedTask struct {
	state     string
	submitted *HistoryEvent // what the service said when it took the work
	ended     *HistoryEvent // TaskSucceeded, TaskFailed or TaskTimedOut; nil: the execution ended before
}

// Service is who answers the tasks of one run of the case.
func (c Case) Service() *Service {
	return &Service{recorded: c, tasks: tasksOf(c.original()), held: map[string]recordedTask{}}
}

// Answerable reports whether a Service knows what all the tasks were told: by
// functions, or by the history.
func (c Case) Answerable() bool { return c.Functions() || len(c.History) > 0 }

// Answer is what the service says when the state asks for resource, as in the
// definition without .waitForTaskToken. token is that of a task that ends
// later, or empty.
func (s *Service) Answer(state, resource, token string, input json.RawMessage) Answer {
	if strings.HasPrefix(resource, "arn:aws:lambda:") || s.recorded.reads(resource) {
		return s.recorded.Answer(resource, input)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.tasks, func(t *recordedTask) bool { return t.state == state })
	var task recordedTask
	if i >= 0 {
		task = *s.tasks[i]
		s.tasks = slices.Delete(s.tasks, i, i+1)
	}
	switch {
	case token == "" && resource == invoke:
		return s.recorded.Answer(resource, input)
	case token != "" && task.submitted != nil:
		if strings.HasPrefix(resource, startExecution) || bytes.Contains(input, []byte(token)) {
			s.held[token] = task
		}
		return Answer{Output: task.submitted.Output}
	case task.ended == nil:
		return Answer{Failed: true, Error: "Unrecorded", Cause: "The recording has no such attempt of a task of state " + state}
	}
	return task.answer()
}

// startExecution is a service that holds the token itself: with .sync.
const startExecution = "arn:aws:states:::states:startExecution.sync"

// Settle is what becomes of a task token: its answer, once; nothing where no
// answer came in time or whoever was to answer never had the token.
func (s *Service) Settle(token string) (a Answer, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	task, ok := s.held[token]
	delete(s.held, token)
	if !ok || task.ended == nil || task.ended.Type == "TaskTimedOut" {
		return Answer{}, false
	}
	return task.answer(), true
}

// answer is how the task ended.
func (t recordedTask) answer() Answer {
	if t.ended.Type == "TaskSucceeded" {
		return Answer{Output: t.ended.Output}
	}
	return Answer{Failed: true, Error: textOf(t.ended.Error), Cause: causeOf(t.ended.Cause)}
}

// causeOf is a cause as the service gave it, which is recorded as text or, if
// the text was JSON, as what that held.
func causeOf(recorded any) string {
	if text, ok := recorded.(string); ok || recorded == nil {
		return text
	}
	raw, _ := json.Marshal(recorded)
	return string(raw)
}

// tasksOf gives the attempts of all tasks, in the order in which they were
// scheduled. Events name no task: that which ends is the one whose state is
// left next, or the one that began first.
func tasksOf(history []HistoryEvent) (out []*recordedTask) {
	var entered []string // states whose first attempt is to come
	var open []*recordedTask
	again := "" // state whose attempt failed: it may be tried once more
	for i := range history {
		switch h := &history[i]; h.Type {
		case "TaskStateEntered":
			entered = append(entered, h.Name)
		case "TaskScheduled":
			t := &recordedTask{state: again}
			if len(entered) > 0 {
				t.state, entered = entered[0], entered[1:]
			}
			out, open = append(out, t), append(open, t)
		case "TaskSubmitted":
			if j := slices.IndexFunc(open, func(t *recordedTask) bool { return t.submitted == nil }); j >= 0 {
				open[j].submitted = h
			}
		case "TaskSucceeded", "TaskFailed", "TaskTimedOut":
			if len(open) == 0 {
				continue
			}
			j := 0
			if i+1 < len(history) && history[i+1].Type == "TaskStateExited" {
				j = max(0, slices.IndexFunc(open, func(t *recordedTask) bool { return t.state == history[i+1].Name }))
			}
			open[j].ended, again = h, open[j].state
			open = slices.Delete(open, j, j+1)
		}
	}
	return out
}
