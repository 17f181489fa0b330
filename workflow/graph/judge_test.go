package graph

import (
	"maps"
	"strings"
	"testing"
)

// history reads "Task:A+ Task:A! …": + entered, - exited, * scheduled, ! failed.
func history(lines string) []Event {
	var out []Event
	for word := range strings.FieldsSeq(lines) {
		kind, name, ok := strings.Cut(word[:len(word)-1], ":")
		if !ok {
			kind, name = word[:len(word)-1], ""
		}
		switch word[len(word)-1] {
		case '+':
			kind += "StateEntered"
		case '-':
			kind += "StateExited"
		case '*':
			kind += "Scheduled"
		case '!':
			kind += "Failed"
		}
		out = append(out, Event{Kind: kind, State: name})
	}
	return out
}

func TestHowFarAnExecutionHasCome(t *testing.T) {
	for name, c := range map[string]struct {
		status, parked, history string
		want                    map[string]mark
	}{
		"not begun":         {"RUNNING", "", "", nil},
		"runs":              {"RUNNING", "", "Task:Poll+ Task:Poll*", map[string]mark{"Poll": running}},
		"will try again":    {"RUNNING", "", "Task:Poll+ Task:Poll* Task:Poll!", map[string]mark{"Poll": retrying}},
		"tries again":       {"RUNNING", "", "Task:Poll+ Task:Poll* Task:Poll! Task:Poll*", map[string]mark{"Poll": running}},
		"parked":            {"RUNNING", "Poll", "Task:Poll+ Task:Poll*", map[string]mark{"Poll": parked}},
		"goes round":        {"RUNNING", "", "Task:Poll+ Task:Poll* Task:Poll- Choice:Done?+ Choice:Done?- Wait:Pause+ Wait:Pause- Task:Poll+", map[string]mark{"Poll": running, "Done?": succeeded, "Pause": succeeded}},
		"caught":            {"RUNNING", "", "Task:Poll+ Task:Poll* Task:Poll! Task:Poll- Task:Tidy+ Task:Tidy*", map[string]mark{"Poll": caught, "Tidy": running}},
		"fails":             {"FAILED", "", "Task:Poll+ Task:Poll* Task:Poll! Task:Poll- Task:Tidy+ Task:Tidy- Fail:Lost+ ExecutionFailed:", map[string]mark{"Poll": caught, "Tidy": succeeded, "Lost": failed}},
		"fails unexplained": {"FAILED", "", "Task:Poll+ ExecutionFailed:", map[string]mark{"Poll": failed}},
		"stopped":           {"ABORTED", "", "Task:Poll+ Task:Poll*", map[string]mark{"Poll": stopped}},
		"a person":          {"RUNNING", "", "Parallel:Both+ Task:Ask+ Task:Ask* Task:Tell+ Task:Tell* Task:Tell-", map[string]mark{"Both": running, "Ask": waiting, "Tell": succeeded}},
		"a branch fails":    {"FAILED", "", "Parallel:Both+ Task:Ask+ Task:Ask* Task:Tell+ Task:Tell* Task:Tell! ParallelState! Execution!", map[string]mark{"Both": failed, "Ask": stopped, "Tell": failed}},
		"an item fails":     {"RUNNING", "", "Map:Each+ Task:Measure+ Task:Measure! MapIteration:Each! MapState! Map:Each- Task:Tidy+", map[string]mark{"Each": caught, "Measure": failed, "Tidy": running}},
		"foreign states":    {"RUNNING", "X", "Task:X+ Task:X! Task:X-", nil},
	} {
		top, err := read([]byte(everything))
		if err != nil {
			t.Fatal(err)
		}
		run := &Run{Status: c.status, Events: history(c.history)}
		if c.parked != "" {
			run.Parked = []string{c.parked}
		}
		got := map[string]mark{}
		for state, f := range judge(top, run) {
			got[state] = f.mark
		}
		if !maps.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
		svg := drawn(t, everything, run)
		for state, m := range c.want {
			class := markNames()[m][0]
			if !strings.Contains(svg, ` `+class+`" data-state="`+state+`"`) || !strings.Contains(svg, `legend `+class) {
				t.Errorf("%s: %s is not drawn as %s, with a legend", name, state, class)
			}
		}
	}
}

func TestHowOftenAStateWasEntered(t *testing.T) {
	svg := drawn(t, everything, &Run{Status: "RUNNING", Events: history("Task:Poll+ Task:Poll- Wait:Pause+ Wait:Pause- Task:Poll+ Task:Poll- Task:Poll+")})
	if !strings.Contains(svg, ">×3<") || strings.Contains(svg, ">×1<") {
		t.Error("want ×3 at Poll, and at no other")
	}
}
