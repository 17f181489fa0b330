package rule

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
)

// The machine of a channel reminds only if it is asked to, and parks what is
// refused unless there is a dead letter.
func TestChannelMachine(t *testing.T) {
	d := Delivery{Rule: "failed", Target: "people"}
	for name, c := range map[string]struct {
		target Target
		remind Remind
		states []string
		names  bool // Refused, so that it is not parked
	}{
		"once":    {Target{Sink: Sink{Channel: "shift"}}, Remind{}, []string{"Deliver"}, false},
		"reminds": {Target{Sink: Sink{Channel: "shift"}}, Remind{time.Hour, 10}, []string{"Ask", "Count", "Deliver", "First", "Known", "Open", "Pause", "Remind"}, false},
		"buries":  {Target{Sink: Sink{Channel: "shift"}, DeadLetter: &Sink{Folder: "dead"}}, Remind{}, []string{"DeadLetter", "Deliver"}, true},
	} {
		text, err := c.target.Machine(d, c.remind)
		if err != nil {
			t.Fatal(err)
		}
		var m struct {
			States map[string]struct{ Resource string }
		}
		if err := json.Unmarshal(text, &m); err != nil {
			t.Fatal(err)
		}
		var states []string
		for s := range m.States {
			states = append(states, s)
		}
		slices.Sort(states)
		if !slices.Equal(states, c.states) || m.States["Deliver"].Resource != "inspector:channel:shift" || strings.Contains(string(text), Refused) != c.names {
			t.Errorf("%s: %s", name, text)
		}
	}
}

func TestWordsForChannel(t *testing.T) {
	event := []byte(`{"detail":{"inspection":"b1","why":"an <open>"}}`)
	paths := map[string]string{"id": "$.detail.inspection", "why": "$.detail.why"}
	for template, want := range map[string][2]string{
		"<id>: <why>":                       {"", "b1: an <open>"},
		`{"title": <id>, "text": "<why>!"}`: {"b1", "an <open>!"},
		`[1]`:                               {"", ""},
	} {
		title, text := Target{Transformer: &Transformer{Paths: paths, Template: template}}.Words("r", event)
		if title != want[0] || text != want[1] {
			t.Errorf("%s: %q, %q; want %q", template, title, text, want)
		}
	}
}

// What the template of a message to Slack says may be markup; what comes from
// the event is not.
func TestSlackGetsEscapedValues(t *testing.T) {
	event := json.RawMessage(`{"detail":{"still":"<!channel> & <http://evil|x>","n":3}}`)
	slack := Sink{Slack: &Slack{URLFile: "f"}}
	for name, c := range map[string]struct {
		target Target
		want   string
	}{
		"text":   {Target{Sink: slack, Transformer: &Transformer{Paths: map[string]string{"s": "$.detail.still"}, Template: "*<s>* "}}, `"*&lt;!channel&gt; &amp; &lt;http://evil|x&gt;*"`},
		"object": {Target{Sink: slack, Transformer: &Transformer{Paths: map[string]string{"s": "$.detail", "n": "$.detail.n"}, Template: `{"text": "<!here> <n>", "d": <s>}`}}, `{"text": "<!here> 3", "d": {"n":3,"still":"&lt;!channel&gt; &amp; &lt;http://evil|x&gt;"}}`},
		"path":   {Target{Sink: slack, InputPath: "$.detail.still"}, `"&lt;!channel&gt; &amp; &lt;http://evil|x&gt;"`},
		"others": {Target{Sink: Sink{Folder: "f"}, InputPath: "$.detail.still"}, `"<!channel> & <http://evil|x>"`},
	} {
		got, err := c.target.Payload("r", event)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %s, %v; want %s", name, got, err, c.want)
		}
	}
}

func TestChannelFaultsOfRules(t *testing.T) {
	for name, c := range map[string]struct {
		rule Rule
		key  string
	}{
		"good":  {Rule{Name: "r", Pattern: `{"a":[1]}`, Targets: map[string]Target{"t": {Sink: Sink{Channel: "shift"}}}}, ""},
		"name":  {Rule{Name: "r", Pattern: `{"a":[1]}`, Targets: map[string]Target{"t": {Sink: Sink{Channel: "a b"}}}}, "targets.t.channel"},
		"input": {Rule{Name: "r", Pattern: `{"a":[1]}`, Targets: map[string]Target{"t": {Sink: Sink{Channel: "shift"}, InputPath: "$.detail"}}}, "targets.t"},
		"dead":  {Rule{Name: "r", Pattern: `{"a":[1]}`, Targets: map[string]Target{"t": {Sink: Sink{Folder: "f"}, DeadLetter: &Sink{Channel: "shift"}}}}, "targets.t.dead_letter.channel"},
	} {
		key := ""
		for _, f := range c.rule.Faults() {
			key = f.Key
		}
		if key != c.key {
			t.Errorf("%s: fault %q; want %q", name, key, c.key)
		}
	}
}
