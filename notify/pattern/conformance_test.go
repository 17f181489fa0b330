package pattern

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"inspector/workflow/asl/asltest"
)

type recorded struct {
	Name        string
	Pattern     json.RawMessage
	Event       json.RawMessage
	PatternText *string `json:"pattern_text"`
	EventText   *string `json:"event_text"`
	Expected    string
	AWSError    string `json:"aws_error"`
	RulerError  string `json:"ruler_error"`
}

// texts are the pattern and the event as they were sent; the corpus keeps some
// parsed, so each text is written anew as its recorder wrote it.
func (r recorded) texts() (pattern, event string) {
	if r.PatternText != nil {
		event := "{}"
		if r.EventText != nil {
			event = *r.EventText
		}
		return *r.PatternText, event
	}
	return spaced(r.Pattern), spaced(r.Event)
}

// spaced writes JSON in one line with a space behind each comma and colon.
func spaced(raw json.RawMessage) string {
	var compact, out bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		panic(err)
	}
	inside, escaped := false, false
	for _, c := range compact.Bytes() {
		out.WriteByte(c)
		if !inside && (c == ',' || c == ':') {
			out.WriteByte(' ')
		}
		inside = inside != (c == '"' && !escaped)
		escaped = c == '\\' && !escaped
	}
	return out.String()
}

// verdict is what we say, in the corpus's words.
func verdict(pattern, event string) (word, message string) {
	p, err := Parse([]byte(pattern))
	if err != nil {
		return "invalid_pattern", err.Error()
	}
	e, err := ReadEvent([]byte(event))
	switch {
	case err != nil:
		return "invalid_event", err.Error()
	case p.Matches(e):
		return "match", p.Why(e)
	}
	return "no_match", p.Why(e)
}

// like compares a message with a recorded one, in which <…> stands for any
// text and moves the columns behind it.
func like(have, want string) bool {
	if !strings.Contains(want, "<") {
		return have == want
	}
	expr := regexp.MustCompile(`<[a-z]+>`).ReplaceAllString(regexp.QuoteMeta(want), ".+")
	return regexp.MustCompile(`^` + expr + `$`).MatchString(have)
}

// TestConformance compares with the verdicts that were recorded: AWS's own,
// with the exact text of its refusals, and event-ruler's.
func TestConformance(t *testing.T) {
	for _, file := range []struct {
		name  string
		floor float64 // per cent of verdicts, and of messages
	}{{"localstack_cases.json", 100}, {"eventruler_cases.json", 99.5}} {
		t.Run(file.name, func(t *testing.T) {
			var cases []recorded
			name := filepath.Join("eventpatterns", file.name)
			asltest.Corpus(t, filepath.Join("..", ".."), name, &cases)
			passed, texts, same := 0, 0, 0
			for _, c := range cases {
				pattern, event := c.texts()
				word, message := verdict(pattern, event)
				if word == c.Expected || c.Expected == "valid_pattern" && word != "invalid_pattern" {
					passed++
				} else {
					t.Logf("%s: %s (%s), want %s\n%s\n%s", c.Name, word, message, c.Expected, pattern, event)
				}
				want := c.AWSError
				if want == "" && c.RulerError != "" {
					want = "Event pattern is not valid. Reason: " + c.RulerError
				}
				if want == "" {
					continue
				}
				if texts++; like(message, want) {
					same++
				} else {
					t.Logf("%s:\nhave %s\nwant %s", c.Name, message, want)
				}
			}
			asltest.Report(t,
				asltest.Score{Corpus: name, Level: "verdict", Passed: passed, Total: len(cases), Floor: file.floor},
				asltest.Score{Corpus: name, Level: "message", Passed: same, Total: texts, Floor: file.floor})
		})
	}
}
