package asl

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"inspector/workflow/asl/asltest"
)

func corpus(t testing.TB, name string, into any) {
	t.Helper()
	asltest.Corpus(t, filepath.Join("..", ".."), name, into)
}

// TestConformance runs what was recorded on AWS: level 1 is status, error name
// and output, level 2 the text of the cause, level 3 the order of the history.
func TestConformance(t *testing.T) {
	for _, file := range []struct {
		name  string
		floor float64 // of level 1, in per cent of what was run
	}{{"cases.json", 100}, {"cases_task.json", 100}} {
		t.Run(file.name, func(t *testing.T) {
			var cases []asltest.Case
			corpus(t, filepath.Join("asl-localstack", file.name), &cases)
			var ran, level1, level2, level3, causes, histories int
			skipped := map[string]int{}
			for _, c := range cases {
				m, why := supported(t, c)
				if why != "" {
					skipped[why]++
					continue
				}
				ran++
				d := newDriver(t, m, recorded(c))
				d.run(string(c.Input), 10_000)
				if fault := c.Outcome(asltest.Result{Status: string(d.x.Status()), Output: d.x.Output(), Error: d.x.Error(), Cause: d.x.Cause()}); fault != "" {
					t.Logf("level 1: %s: %s\n  %s\n  input %s", c.Name, fault, c.Definition, c.Input)
					continue
				}
				level1++
				if c.Cause != nil {
					causes++
					if c.SameCause(d.x.Cause()) {
						level2++
					} else {
						t.Logf("level 2: %s:\n  have %s\n  want %s", c.Name, d.x.Cause(), c.Cause)
					}
				}
				if len(c.History) > 0 {
					histories++
					if have := historyOf(d.history); slices.Equal(have, c.Events()) {
						level3++
					} else {
						t.Logf("level 3: %s:\n  have %v\n  want %v", c.Name, have, c.Events())
					}
				}
			}
			t.Logf("%s: %d cases, ran %d, skipped %v", file.name, len(cases), ran, skipped)
			t.Logf("level 1 %d/%d, level 2 %d/%d, level 3 %d/%d", level1, ran, level2, causes, level3, histories)
			if got := 100 * float64(level1) / float64(ran); got < file.floor {
				t.Errorf("level 1: %.1f %%, want at least %.1f %%", got, file.floor)
			}
		})
	}
}

// supported parses the definition; why says what this interpreter lacks.
func supported(t *testing.T, c asltest.Case) (m *Machine, why string) {
	m, err := Parse(c.Definition)
	var faults Faults
	if errors.As(err, &faults) {
		for _, f := range faults {
			if f.Unsupported {
				return nil, f.Message
			}
		}
		t.Errorf("%s: AWS accepts it: %v", c.Name, err)
		return nil, "refused"
	}
	if !c.Functions() {
		return nil, "another service answers"
	}
	return m, ""
}

// recorded answers as was recorded.
func recorded(c asltest.Case) func(Command) Event {
	return func(asked Command) Event {
		a := c.Answer(asked.Resource, asked.Input)
		if a.Error != "" {
			return Event{Kind: Failed, Error: a.Error, Cause: a.Cause}
		}
		return Event{Kind: Succeeded, Output: a.Output}
	}
}

func historyOf(events []HistoryEvent) (out []string) {
	for _, h := range events {
		out = append(out, asltest.Event(h.Type, h.Name))
	}
	return out
}
