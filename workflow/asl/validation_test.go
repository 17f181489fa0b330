package asl

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"inspector/workflow/asl/asltest"
)

// row is one of the conformance table, in which every case must pass.
func row(t *testing.T, corpus, level string, passed, total int) {
	t.Helper()
	asltest.Report(t, asltest.Score{Corpus: corpus, Level: level, Passed: passed, Total: total, Floor: 100})
}

// refusals gives the errors of a definition.
func refusals(definition []byte, t Type) Faults {
	return Check(definition, t).Errors()
}

// Every definition that ran on AWS was accepted by it.
func TestConformanceAccepted(t *testing.T) {
	seen := map[string]bool{}
	passed := 0
	for _, file := range []string{"cases.json", "cases_task.json", "cases_itemreader.json"} {
		var cases []struct {
			Name       string
			Type       Type
			Definition json.RawMessage
		}
		corpus(t, filepath.Join("asl-localstack", file), &cases)
		for _, c := range cases {
			if seen[string(c.Definition)+string(c.Type)] {
				continue
			}
			seen[string(c.Definition)+string(c.Type)] = true
			if faults := refusals(c.Definition, c.Type); len(faults) > 0 {
				t.Errorf("%s: AWS accepts it: %v\n  %s", c.Name, faults, c.Definition)
				continue
			}
			passed++
		}
	}
	row(t, "asl-localstack/cases*.json", "definitions accepted", passed, len(seen))
}

// asMachine puts a state that was tested alone into a machine of its own, as
// AWS does. It is for the states that end, and those that lead on.
func asMachine(definition string) []byte {
	var state map[string]json.RawMessage
	if json.Unmarshal([]byte(definition), &state) != nil || state["States"] != nil {
		return []byte(definition)
	}
	states := map[string]json.RawMessage{"StateName": json.RawMessage(definition)}
	for _, target := range targetName.FindAllStringSubmatch(definition, -1) {
		states[target[1]] = json.RawMessage(`{"Type":"Succeed"}`)
	}
	b, _ := json.Marshal(map[string]any{"StartAt": "StateName", "States": states})
	return b
}

var targetName = regexp.MustCompile(`"(?:Next|Default)"\s*:\s*"([^"]+)"`)

// A state that was tested was accepted, unless AWS said InvalidDefinition.
func TestConformanceTestedStates(t *testing.T) {
	var cases []struct {
		Name     string
		Request  struct{ Definition string }
		Expected json.RawMessage
	}
	corpus(t, filepath.Join("asl-localstack", "cases_teststate.json"), &cases)
	good, goodTotal, bad, badTotal := 0, 0, 0, 0
	for _, c := range cases {
		var expected struct {
			Error   struct{ Code, Message string }
			Message string `json:"message"`
		}
		_ = json.Unmarshal(c.Expected, &expected)
		faults := refusals(asMachine(c.Request.Definition), Standard)
		if strings.HasPrefix(expected.Error.Message, "Invalid State Machine Definition") {
			badTotal++
			if have := faults.AWS(); have == expected.Error.Message {
				bad++
			} else {
				t.Errorf("%s:\n  have %s\n  want %s", c.Name, have, expected.Error.Message)
			}
			continue
		}
		goodTotal++
		if len(faults) == 0 {
			good++
		} else {
			t.Errorf("%s: AWS accepts it: %v\n  %s", c.Name, faults, c.Request.Definition)
		}
	}
	row(t, "asl-localstack/cases_teststate.json", "states accepted", good, goodTotal)
	row(t, "asl-localstack/cases_teststate.json", "refusals, exact message", bad, badTotal)
}

// What AWS refused is refused in its words.
func TestConformanceRefused(t *testing.T) {
	var cases []struct {
		Name        string
		Type        Type
		Definition  string       `json:"definition_text"`
		Result      string       `json:"expected_result"`
		Message     string       `json:"expected_message"`
		Diagnostics []Diagnostic `json:"expected_diagnostics"`
		Real        bool         `json:"aws_validated"`
	}
	corpus(t, filepath.Join("asl-localstack", "cases_validation.json"), &cases)
	real, realTotal, others, othersTotal := 0, 0, 0, 0
	for _, c := range cases {
		have := Check([]byte(c.Definition), c.Type).Errors()
		v := have.Validation(100)
		ok := v.Result == c.Result
		switch {
		case c.Diagnostics != nil:
			ok = ok && equalJSON(v.Diagnostics, c.Diagnostics)
		case c.Real:
			ok = ok && strings.HasSuffix(c.Message, have.AWS())
		default:
			ok = ok && len(have) == 1 && strings.Contains(c.Message, strings.TrimSuffix(have[0].Message[:strings.Index(have[0].Message+":", ":")], ":"))
		}
		if c.Real {
			realTotal++
		} else {
			othersTotal++
		}
		switch {
		case !ok:
			t.Errorf("%s:\n  have %v %s\n  want %s %v%s", c.Name, v, have.AWS(), c.Result, c.Diagnostics, c.Message)
		case c.Real:
			real++
		default:
			others++
		}
	}
	row(t, "asl-localstack/cases_validation.json", "AWS, exact message", real, realTotal)
	row(t, "asl-localstack/cases_validation.json", "LocalStack's label rules", others, othersTotal)
}

func equalJSON(a, b any) bool {
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return string(x) == string(y)
}

// Published samples work, so they are accepted.
func TestConformanceSamples(t *testing.T) {
	var list []struct {
		Name       string
		Definition json.RawMessage
	}
	corpus(t, filepath.Join("asl-workflows-collection", "definitions.json"), &list)
	passed := 0
	for _, c := range list {
		if faults := refusals(substituted(c.Definition), Standard); len(faults) > 0 && disagreements[c.Name] == "" {
			t.Errorf("%s: %v", c.Name, faults)
			continue
		}
		passed++
	}
	row(t, "asl-workflows-collection", "definitions accepted", passed, len(list))
}

// substituted has valid values for SAM's ${Name}.
func substituted(definition []byte) []byte {
	text := pathSubstitution.ReplaceAllString(string(definition), "$$.x")
	return []byte(substitution.ReplaceAllString(text, "arn:aws:lambda:us-east-1:123456789012:function:f"))
}

// disagreements are cases of other validators in which AWS, or its
// documentation, says otherwise.
var disagreements = map[string]string{
	"shared-fallback-state-jsonata/statemachine/statemachine.asl.json": "its QueryLanguage stands among the states, so it cannot have been deployed",
	"invalid-json-surround-syntax-extra-spaces":                        "the language asks only for {% and %} at the ends, not for one space inside",
	"invalid-jsonata-surround-syntax-no-spaces":                        "the same",
}

func TestConformanceValidators(t *testing.T) {
	floors := map[string]float64{"asl-statelint": 100, "asl-validator": 96.5} // of the latter two cases are disagreements
	for _, name := range []string{"asl-statelint", "asl-validator"} {
		var cases []struct {
			Name       string
			Valid      bool   `json:"expected_valid"`
			Definition string `json:"definition_text"`
			Problems   *int   `json:"expected_problem_count"`
		}
		corpus(t, filepath.Join(name, "cases.json"), &cases)
		passed, counted, counts := 0, 0, 0
		for _, c := range cases {
			definition := []byte(c.Definition)
			if c.Valid {
				definition = substituted(definition)
			}
			faults := refusals(definition, Standard)
			if c.Problems != nil {
				counts++
				if len(faults) == *c.Problems {
					counted++
				} else if *c.Problems > 0 {
					t.Logf("%s: %d problems, statelint has %d: %v", c.Name, len(faults), *c.Problems, faults)
				}
			}
			if (len(faults) == 0) == c.Valid {
				passed++
				continue
			}
			if disagreements[c.Name] == "" {
				t.Errorf("%s %s: valid is %v, but: %v\n%s", name, c.Name, c.Valid, faults, c.Definition)
			}
		}
		asltest.Report(t, asltest.Score{Corpus: name, Level: "verdict", Passed: passed, Total: len(cases), Floor: floors[name]})
		if counts > 0 {
			row(t, name, "number of problems", counted, counts)
		}
	}
}
