package people

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"inspector"
)

// An Event is what a message needs of an event in EventBridge's form.
type Event struct {
	Type   string `json:"detail-type"`
	Source string
	At     time.Time `json:"time"`
	Device string    `json:"account"`
	Site   string    `json:"region"`
	Detail map[string]any
}

// ReadEvent reads an event from anywhere.
func ReadEvent(raw []byte) (e Event, err error) {
	if err := json.Unmarshal(raw, &e); err != nil {
		return e, err
	}
	if e.Type == "" {
		return e, errors.New("it is no event: detail-type is missing")
	}
	return e, nil
}

// Inspection is the board that the event tells of; empty: of none.
func (e Event) Inspection() string { return e.word("inspection") }

func (e Event) word(key string) string {
	s, _ := e.Detail[key].(string)
	return s
}

// Severity is how much the event matters, by what it says itself.
func (e Event) Severity() Severity {
	switch e.word("verdict") {
	case string(inspector.Fail):
		return Fail
	case string(inspector.Unsure):
		return Unsure
	}
	if slices.Contains([]string{"lost", "down", "degraded", "FAILED", "TIMED_OUT"}, cmp.Or(e.word("state"), e.word("status"))) {
		return Trouble
	}
	return Info
}

// OfEvent tells of an event. It is OfBoard's message, less what only the
// inspection itself says, if the event tells of a board.
func OfEvent(e Event, station inspector.Station, key, base string) Message {
	if e.Inspection() != "" && e.word("verdict") != "" {
		return e.board(station, key, base)
	}
	m := Message{
		Layout: V1, Key: key, Kind: KindEvent, Severity: e.Severity(), Station: plain(station), Where: where(station), At: e.At.UTC(), Links: []Link{},
		What: line(cmp.Or(e.word("error"), e.word("cause"), e.word("remedy"), e.word("reason")), maxWhat),
	}
	title := e.Type
	if state := cmp.Or(e.word("state"), e.word("status"), e.word("action")); state != "" {
		title += ": " + state
	}
	if name := cmp.Or(e.word("name"), e.word("model"), e.word("inspection")); name != "" {
		title += ", " + name
	}
	m.Title, m.Facts = line(title, maxTitle), e.facts()
	if base != "" {
		m.Links = []Link{{"Page", strings.TrimRight(base, "/") + "/"}}
	}
	return m
}

// board is an event about a verdict, of which nothing else is known.
func (e Event) board(station inspector.Station, key, base string) Message {
	score, _ := e.Detail["score"].(float64)
	i := inspector.Inspection{
		ID: e.Inspection(), Station: station, At: e.At, Serial: e.word("serial"), Recipe: e.word("recipe"), Model: e.word("model"),
		Verdict: inspector.Verdict(e.word("verdict")), Reason: e.word("reason"), Score: float32(score),
	}
	return OfBoard(i, key, base)
}

// facts are the plain values of the detail, by name.
func (e Event) facts() (out []Fact) {
	names := []string{}
	for name, v := range e.Detail {
		switch v := v.(type) {
		case string:
			if len(v) < 4*maxWhat && v != "" && !strings.HasPrefix(v, "{") {
				names = append(names, name)
			}
		case float64, bool:
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names[:min(len(names), maxFacts)] {
		v := e.Detail[name]
		if f, ok := v.(float64); ok {
			v = json.Number(fmt.Sprintf("%.12g", f))
		}
		out = append(out, Fact{line(name, maxWord), line(fmt.Sprint(v), 2*maxWord)})
	}
	return out
}

// Say puts words of a rule or a workflow in place of the message's own.
func (m Message) Say(title, text string) Message {
	if t := line(title, maxTitle); t != "" {
		m.Title = t
	}
	if t := lines(text, maxWhat); t != "" {
		m.What = t
	}
	return m
}
