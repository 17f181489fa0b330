package asl

import (
	"path/filepath"
	"testing"

	"inspector/workflow/asl/asltest"
)

func corpus(t testing.TB, name string, into any) {
	t.Helper()
	asltest.Corpus(t, filepath.Join("..", ".."), name, into)
}

// TestConformance runs what was recorded on AWS: level 1 is status, error name
// and output, level 2 the text of the cause, level 3 the history.
func TestConformance(t *testing.T) {
	for _, file := range []string{"cases.json", "cases_task.json", "cases_itemreader.json"} {
		t.Run(file, func(t *testing.T) {
			var cases []asltest.Case
			corpus(t, filepath.Join("asl-localstack", file), &cases)
			scores := levels("asl-localstack/" + file)
			left := 0
			for _, c := range cases {
				m, err := Parse(c.Definition)
				if err != nil {
					t.Errorf("%s: AWS accepts it: %v", c.Name, err)
					continue
				}
				if !c.Answerable() { // what another service answered is not recorded
					left++
					continue
				}
				answers := c.Service()
				d := newDriver(t, m, recorded(answers))
				d.holder = holding(answers)
				d.run(string(c.Input), 10_000)
				measured(t, c, d, scores)
			}
			asltest.Report(t, append([]asltest.Score{{Corpus: scores[0].Corpus, Level: "0 run", Passed: len(cases) - left, Total: len(cases), Floor: 100}}, scores...)...)
		})
	}
}

// levels are the rows of a corpus, with the floors that the project has set.
func levels(corpus string) []asltest.Score {
	return []asltest.Score{{Corpus: corpus, Level: "1 outcome", Floor: 100}, {Corpus: corpus, Level: "2 cause", Floor: 98}, {Corpus: corpus, Level: "3 history", Floor: 95}}
}

// measured compares an execution that has ended with the recorded one.
func measured(t *testing.T, c asltest.Case, d *driver, scores []asltest.Score) {
	t.Helper()
	fault := c.Outcome(asltest.Result{Status: string(d.x.Status()), Output: d.x.Output(), Error: d.x.Error(), Cause: d.x.Cause()})
	if !scores[0].Count(fault == "") {
		t.Logf("level 1: %s: %s\n  %s\n  input %s", c.Name, fault, c.Definition, c.Input)
	}
	if c.Cause != nil && !scores[1].Count(c.SameCause(d.x.Cause())) {
		t.Logf("level 2: %s:\n  have %s\n  want %s", c.Name, d.x.Cause(), c.Cause)
	}
	if len(c.History) == 0 {
		return
	}
	if fault := c.SameHistory(historyOf(d.history)); !scores[2].Count(fault == "") {
		t.Logf("level 3: %s: %s", c.Name, fault)
	}
}

// recorded answers as was recorded.
func recorded(s *asltest.Service) func(Command) Event {
	return func(asked Command) Event {
		return eventOf(s.Answer(asked.State, asked.Resource, asked.Token, asked.Input))
	}
}

// holding answers task tokens as was recorded.
func holding(s *asltest.Service) func(Command) (Event, bool) {
	return func(awaits Command) (Event, bool) {
		a, ok := s.Settle(awaits.Token)
		return eventOf(a), ok
	}
}

func eventOf(a asltest.Answer) Event {
	if a.Failed {
		return Event{Kind: Failed, Error: a.Error, Cause: a.Cause}
	}
	return Event{Kind: Succeeded, Output: a.Output}
}

func historyOf(events []HistoryEvent) (out []asltest.HistoryEvent) {
	for _, h := range events {
		out = append(out, asltest.HistoryEvent{
			Type: h.Type, Name: h.Name, Input: h.Input(), Output: h.Output(), Index: h.Index, Length: h.Length,
			Error: h.Error, Cause: h.Cause, State: h.State, Location: h.Location, Assigned: h.Assigned(),
		})
	}
	return out
}
