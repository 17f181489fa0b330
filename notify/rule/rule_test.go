package rule

import (
	"encoding/json"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"inspector/workflow/asl/asltest"
)

var origin = Origin{Account: "dev1", Region: "site", States: "aws.states"}

var at = time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)

// TestConformanceStatusChange compares with the events that AWS sent: the same
// fields, and the same values where those are not of the recorder's account.
func TestConformanceStatusChange(t *testing.T) {
	var cases []struct{ Events []map[string]any }
	asltest.Corpus(t, filepath.Join("..", ".."), filepath.Join("asl-localstack", "status_change_events.json"), &cases)
	seen, same := 0, 0
	for _, c := range cases {
		for _, want := range c.Events {
			if want["detail-type"] != StatusChange {
				continue
			}
			seen++
			detail := want["detail"].(map[string]any)
			change := Change{Machine: "m", Name: detail["name"].(string), Status: detail["status"].(string), Started: at, Input: inside(detail["input"])}
			if change.Status != "RUNNING" {
				change.Stopped, change.Output = at, inside(detail["output"])
			}
			have := parsed(t, origin.StatusChange(change, at))
			if compare(t, have, want) {
				same++
			}
		}
	}
	asltest.Report(t, asltest.Score{Corpus: "asl-localstack/status_change_events.json", Level: "document", Passed: same, Total: seen, Floor: 100})
}

func inside(v any) json.RawMessage {
	b, _ := json.Marshal(v)
	return b
}

func parsed(t *testing.T, e Event) (v map[string]any) {
	t.Helper()
	b, err := e.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// compare leaves out what the recorder masked, and reads the strings of JSON
// that the corpus holds parsed.
func compare(t *testing.T, have, want map[string]any) bool {
	ok := true
	if !reflect.DeepEqual(keys(have), keys(want)) {
		t.Errorf("fields %v, want %v", keys(have), keys(want))
		ok = false
	}
	for k, w := range want {
		switch h := have[k]; k {
		case "id", "account", "time", "region", "resources", "executionArn", "stateMachineArn", "startDate", "stopDate":
		case "detail":
			ok = compare(t, h.(map[string]any), w.(map[string]any)) && ok
		case "input", "output":
			if s, is := h.(string); is {
				if err := json.Unmarshal([]byte(s), &h); err != nil {
					t.Errorf("%s: %v", k, err)
				}
			}
			ok = same(t, k, h, w) && ok
		default:
			ok = same(t, k, h, w) && ok
		}
	}
	return ok
}

func same(t *testing.T, key string, have, want any) bool {
	if s, is := want.(string); is && strings.HasPrefix(s, "<") || reflect.DeepEqual(have, want) {
		return true
	}
	t.Errorf("%s: %v, want %v", key, have, want)
	return false
}

func keys(m map[string]any) (out []string) {
	for k := range m {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

func TestStatusChangeOfLongPayloads(t *testing.T) {
	long := func(n int) json.RawMessage { return inside(strings.Repeat("a", n)) }
	for _, c := range []struct {
		status                  string
		input, output, cause    int
		inputInside, outputSide bool
	}{
		{"SUCCEEDED", 10, 10, 0, true, true},
		{"SUCCEEDED", 124<<10 - 4, 124<<10 - 4, 0, true, true}, // with its quotes escaped each has 124 KiB
		{"SUCCEEDED", 124<<10 - 4, 124<<10 - 3, 0, false, true},
		{"SUCCEEDED", 10, 248<<10 - 3, 0, false, false},
		{"SUCCEEDED", 248<<10 - 4, 0, 0, false, true},
		{"RUNNING", 248<<10 - 4, 0, 0, true, false},
		{"FAILED", 240 << 10, 0, 32 << 10, false, false},
	} {
		e := parsed(t, origin.StatusChange(Change{Machine: "m", Name: "x", Status: c.status, Started: at, Input: long(c.input), Output: long(c.output), Cause: strings.Repeat("c", c.cause)}, at))
		d := e["detail"].(map[string]any)
		if in := d["inputDetails"].(map[string]any)["included"]; in != c.inputInside || (d["input"] != nil) != c.inputInside {
			t.Errorf("%+v: input %v", c, in)
		}
		if details, _ := d["outputDetails"].(map[string]any); c.status == "SUCCEEDED" && details["included"] != c.outputSide || (d["output"] != nil) != c.outputSide {
			t.Errorf("%+v: output %v", c, details)
		}
		if b := inside(e); len(b) > 262144 {
			t.Errorf("%+v: %d bytes do not fit into an execution", c, len(b))
		}
	}
}

func TestStatusChangeFields(t *testing.T) {
	c := Change{Machine: "m", Version: 3, Alias: "line", Name: "x", Status: "FAILED", Started: at, Stopped: at.Add(time.Second), Redrives: 1, Redriven: at, Error: "E", Cause: "why <&>"}
	d := parsed(t, origin.StatusChange(c, at))["detail"].(map[string]any)
	want := map[string]any{
		"executionArn": "arn:aws:states:site:dev1:execution:m:x", "stateMachineVersionArn": "arn:aws:states:site:dev1:stateMachine:m:3", "stateMachineAliasArn": "arn:aws:states:site:dev1:stateMachine:m:line",
		"startDate": 1767323045678.0, "stopDate": 1767323046678.0, "redriveCount": 1.0, "redriveDate": 1767323045678.0, "redriveStatus": "REDRIVABLE", "redriveStatusReason": nil, "error": "E", "cause": "why <&>", "input": "{}", "output": nil, "outputDetails": nil,
	}
	for k, w := range want {
		if !reflect.DeepEqual(d[k], w) {
			t.Errorf("%s: %v, want %v", k, d[k], w)
		}
	}
	again, redriven := origin.StatusChange(c, at.Add(time.Hour)), c
	redriven.Redrives++
	if first := origin.StatusChange(c, at); first.ID != again.ID || first.ID == origin.StatusChange(redriven, at).ID {
		t.Error("the ID must be the same for the same change only")
	}
}

func TestPayload(t *testing.T) {
	event := json.RawMessage(`{"id":"1","account":"dev1","region":"site","time":"T","detail-type":"D","detail":{"a":"x \"y\"","n":1.50,"list":[1,"b"],"o":{"k":"v"}}}`)
	paths := map[string]string{"a": "$.detail.a", "n": "$.detail.n", "l": "$.detail.list", "o": "$.detail['o']", "b": "$.detail.list[1]", "none": "$.detail.nothing[3]"}
	for _, c := range []struct {
		target Target
		want   string
	}{
		{Target{}, string(event)},
		{Target{Input: map[string]any{"x": 1}}, `{"x":1}`},
		{Target{InputPath: "$.detail.n"}, `1.50`},
		{Target{InputPath: "$.detail.list[1]"}, `"b"`},
		{transformed(paths, `{"a": <a>, "n": <n>, "l": <l>, "o": <o>, "in": "<a> <n> <o>"}`), `{"a": "x \"y\"", "n": 1.50, "l": [1,"b"], "o": {"k":"v"}, "in": "x \"y\" 1.50 {k:v}"}`},
		{transformed(paths, `{"gone": <none>, "in": "<none>"}`), `{"gone": "", "in": ""}`},
		{transformed(paths, `<a> has <b> & <n>`), `"x \"y\" has b & 1.50"`},
		{transformed(paths, `"<b> said"`), `"b said"`},
		{transformed(nil, `{"r":"<aws.events.rule-name>","arn":<aws.events.rule-arn>,"t":<aws.events.event.ingestion-time>,"e":<aws.events.event>}`),
			`{"r":"r1","arn":"arn:aws:events:site:dev1:rule/r1","t":"T","e":{"account":"dev1","detail-type":"D","id":"1","region":"site","time":"T"}}`},
	} {
		got, err := c.target.Payload("r1", event)
		if err != nil || string(got) != c.want {
			t.Errorf("%+v:\nhave %s (%v)\nwant %s", c.target.Transformer, got, err, c.want)
		}
	}
	all, err := transformed(nil, `{"e":<aws.events.event.json>}`).Payload("r1", event)
	if err != nil || !strings.Contains(string(all), `"n":1.50`) {
		t.Errorf("%s (%v)", all, err)
	}
	if _, err := (Target{InputPath: "$.nothing"}).Payload("r1", event); err == nil {
		t.Error("a part that is not there was sent")
	}
}

func transformed(paths map[string]string, template string) Target {
	return Target{Transformer: &Transformer{Paths: paths, Template: template}}
}

func TestFaults(t *testing.T) {
	n := 186
	good := Target{Sink: Sink{MQTT: &MQTT{Topic: "a/b"}}}
	for _, c := range []struct {
		rule Rule
		want string // key: words
	}{
		{Rule{Name: "r", Pattern: `{"a":["b"]}`, Targets: map[string]Target{"t": good}}, ""},
		{Rule{Name: "r", Pattern: map[string]any{"a": []any{"b"}}, Targets: map[string]Target{"t": good}}, ""},
		{Rule{Name: "r r", Pattern: `{"a":["b"]}`, Targets: map[string]Target{"t": good}}, "name: "},
		{Rule{Name: "r", Targets: map[string]Target{"t": good}}, "pattern: a pattern is required"},
		{Rule{Name: "r", Pattern: `{"a":[]}`, Targets: map[string]Target{"t": good}}, "pattern: Event pattern is not valid. Reason: Empty arrays are not allowed"},
		{Rule{Name: "r", Pattern: `{"a":["b"]}`}, "targets: a rule needs a target"},
		{one(Target{}), "targets.t: want exactly one of"},
		{one(Target{Sink: Sink{MQTT: &MQTT{Topic: "a/#"}}}), "targets.t.mqtt.topic: "},
		{one(Target{Sink: Sink{Webhook: &Webhook{URL: "http://example.com"}}}), "targets.t.webhook.url: scheme"},
		{one(Target{Sink: Sink{Webhook: &Webhook{URL: "http://127.evil.example"}}}), "targets.t.webhook.url: scheme"},
		{one(Target{Sink: Sink{Webhook: &Webhook{URL: "https://u:p@example.com"}}}), "targets.t.webhook.url: take user"},
		{one(Target{Sink: good.Sink, Input: 1, InputPath: "$"}), "targets.t: input, input_path"},
		{one(Target{Sink: good.Sink, InputPath: "$.a[*]"}), "targets.t.input_path: "},
		{one(Target{Sink: good.Sink, Transformer: &Transformer{Template: `{"a": <x>}`}}), "targets.t.transformer: <x> is no variable"},
		{one(Target{Sink: good.Sink, Transformer: &Transformer{Paths: map[string]string{"x": "$.a"}, Template: `{"a": <x>`}}), "targets.t.transformer: the template is no JSON"},
		{one(Target{Sink: good.Sink, Retry: Retry{Attempts: &n}}), "targets.t.retry.attempts: 186"},
		{one(Target{Sink: good.Sink, Retry: Retry{MaxAge: time.Second}}), "targets.t.retry.max_age: 1s"},
		{one(Target{Sink: good.Sink, DeadLetter: &Sink{Slack: &Slack{URLFile: "f"}}}), "targets.t.dead_letter.slack: a dead letter"},
	} {
		var words []string
		for _, f := range c.rule.Faults() {
			words = append(words, f.Key+": "+f.Message)
		}
		if c.want == "" && len(words) > 0 || !strings.Contains(strings.Join(words, "\n"), c.want) {
			t.Errorf("%q, want %q", words, c.want)
		}
	}
}

func one(t Target) Rule {
	return Rule{Name: "r", Pattern: `{"a":["b"]}`, Targets: map[string]Target{"t": t}}
}

func TestDeliveries(t *testing.T) {
	off := false
	s, err := NewSet([]Rule{
		{Name: "fails", Pattern: `{"detail":{"verdict":["fail"]}}`, Targets: map[string]Target{"b": {}, "a": {}}},
		{Name: "off", Enabled: &off, Pattern: `{"source":[{"exists":true}]}`, Targets: map[string]Target{"a": {}}},
		{Name: "all", Pattern: map[string]any{"source": []any{"inspector"}}, Targets: map[string]Target{"a": {}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := origin.Event("Inspection Judged", "i1", at, map[string]string{"verdict": "fail"}).JSON()
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Deliveries(raw)
	if want := []Delivery{{"fails", "a"}, {"fails", "b"}, {"all", "a"}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v (%v), want %v", got, err, want)
	}
	long := Delivery{strings.Repeat("r", 64), strings.Repeat("t", 64)}
	if id := long.ID("e"); len(id) > 80 || id != long.ID("e") || id == long.ID("f") || id == (Delivery{long.Rule, "t"}).ID("e") {
		t.Errorf("ID %q", id)
	}
}

func FuzzTransformer(f *testing.F) {
	f.Add(`{"a": <x>, "b": "<x>"}`, "$.detail['a'][0].b", `{"detail":{"a":[{"b":"\""}]}}`)
	f.Add(`text <x>`, "$", `[1]`)
	f.Fuzz(func(t *testing.T, template, at, event string) {
		target := Target{Transformer: &Transformer{Paths: map[string]string{"x": at}, Template: template}}
		if len(target.Transformer.check()) > 0 {
			return
		}
		if out, err := target.Payload("r", json.RawMessage(event)); err == nil && !json.Valid(out) {
			t.Fatalf("%q gives %q, which is no JSON", template, out)
		}
	})
}
