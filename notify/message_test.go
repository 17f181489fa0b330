package notify

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"inspector"
)

const contract = "../docs/messages"

func board() inspector.Inspection {
	return inspector.Inspection{
		ID:      "inspector1-5f3a9c01-42",
		Station: inspector.Station{Site: "berlin", Line: "smt2", Device: "inspector1"},
		Trigger: inspector.Trigger{Source: "mqtt", Request: "plc-7781", Serial: "SN-000123"},
		Seq:     118, At: time.Date(2026, 3, 4, 5, 6, 7, 890000000, time.FixedZone("CET", 3600)), Missed: 2,
		Serial: "SN-000123", Recipe: "main-board-b", Model: "pcb/3@0d1e", Verdict: inspector.Fail,
		Reason: "short 0.97 is at or above the fail limit 0.60", Score: 0.97, Width: 1280, Height: 960,
		Defects: []inspector.Defect{{Class: "short", Score: 0.97, Box: inspector.Box{Left: 402.5, Top: 118, Right: 431, Bottom: 140.25},
			Polygon: []inspector.Point{{X: 1, Y: 2}}}},
		Evidence: []inspector.Blob{{Kind: "image", Path: "2026/03/04/inspector1-5f3a9c01-42.jpg", Type: "image/jpeg", Size: 183211,
			SHA256: strings.Repeat("0123456789abcdef", 4)}},
	}
}

// examples are what the code sends, by schema and name.
func examples(t *testing.T) map[string]map[string][]byte {
	t.Helper()
	const base = "http://192.0.2.10:8080/"
	unsure := board()
	unsure.Verdict, unsure.Reason, unsure.Score, unsure.Seq, unsure.Defects, unsure.Evidence = inspector.Unsure, "no frame within 2s: camera lost", 0, 0, nil, nil
	unsure.Width, unsure.Height, unsure.Serial, unsure.Trigger.Request = 0, 0, "", ""
	passed := board()
	passed.Verdict, passed.Reason, passed.Score, passed.Defects = inspector.Pass, "no defect above the pass limit 0.30", 0, nil
	must := func(v interface{ JSON() ([]byte, error) }) []byte {
		b, err := v.JSON()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	refused := inspector.Trigger{Request: "plc-7782", At: board().At}
	all := reports(t)
	maps.Copy(all, map[string]map[string][]byte{
		"board": {
			"result-pass":  must(NewMessage(KindResult, passed, passed.ID+"/result/1", base)),
			"result-fail":  must(NewMessage(KindResult, board(), board().ID+"/result/1", base)),
			"alert-fail":   must(NewMessage(KindAlert, board(), board().ID+"/alert/2", base)),
			"alert-unsure": must(NewMessage(KindAlert, unsure, unsure.ID+"/alert/2", "")),
		},
		"trigger": {"trigger": []byte(`{"request":"plc-7781","serial":"SN-000123","recipe":"main-board-b"}`), "trigger-least": []byte(`{"request":"plc-7782"}`)},
		"answer": {
			"answer-fail":    must(NewAnswer(board(), base)),
			"answer-refused": must(Refused(refused, errors.New("recipe nobody-knows is not there"))),
		},
		"availability": {"availability-online": []byte(`"online"`)},
	})
	return all
}

func schema(t testing.TB, name string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	s, err := c.Compile(filepath.Join(contract, name+".schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func validate(s interface{ Validate(any) error }, b []byte) error {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(b))
	if err != nil {
		return err
	}
	return s.Validate(v)
}

// What the code sends is what the schemas allow, and so are the examples, which
// a real line has sent.
func TestContract(t *testing.T) {
	schemas := map[string]*jsonschema.Schema{} // by the first word of an example's name
	for name, of := range examples(t) {
		s := schema(t, name)
		for example, b := range of {
			if err := validate(s, b); err != nil {
				t.Errorf("%s is not a %s: %v", example, name, err)
			}
			schemas[kindOf(example)] = s
		}
	}
	files, err := filepath.Glob(filepath.Join(contract, "examples", "*.json"))
	if err != nil || len(files) < 9 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	for _, file := range files {
		first := kindOf(strings.TrimSuffix(filepath.Base(file), ".json"))
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if schemas[first] == nil {
			t.Errorf("nothing gives example %s", file)
		} else if err := validate(schemas[first], b); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// kindOf is the first word of an example's name; set-NAME is one word.
func kindOf(example string) string {
	first, rest, _ := strings.Cut(example, "-")
	if first == "set" {
		second, _, _ := strings.Cut(rest, "-")
		first += "-" + second
	}
	return first
}

// The schemas can say no, and name every field that the code sends.
func TestSchemasAreStrict(t *testing.T) {
	for name, of := range examples(t) {
		s := schema(t, name)
		if name == "availability" {
			if validate(s, []byte(`"gone"`)) == nil {
				t.Error("availability accepts anything")
			}
			continue
		}
		b, err := os.ReadFile(filepath.Join(contract, name+".schema.json"))
		if err != nil {
			t.Fatal(err)
		}
		var form struct {
			Required   []string
			Properties map[string]any
		}
		if err := json.Unmarshal(b, &form); err != nil {
			t.Fatal(err)
		}
		for example, b := range of {
			var doc map[string]any
			if err := json.Unmarshal(b, &doc); err != nil {
				t.Fatal(err)
			}
			for field := range doc {
				if form.Properties[field] == nil {
					t.Errorf("%s: the schema does not know %q", example, field)
				}
			}
			for _, field := range form.Required {
				less := map[string]any{}
				for k, v := range doc {
					if k != field {
						less[k] = v
					}
				}
				b, _ := json.Marshal(less)
				if validate(s, b) == nil {
					t.Errorf("%s without %s is accepted", example, field)
				}
			}
			if reject, ok := doc["reject"].(bool); ok {
				doc["reject"] = !reject
				b, _ := json.Marshal(doc)
				if validate(s, b) == nil {
					t.Errorf("%s: reject %v is accepted with %v", example, !reject, doc["verdict"])
				}
				doc["reject"] = true
			}
			if word, ok := doc["verdict"].(string); ok && word != "" {
				doc["verdict"] = "maybe"
				b, _ := json.Marshal(doc)
				if validate(s, b) == nil {
					t.Errorf("%s with a fourth verdict is accepted", example)
				}
			}
		}
	}
}

// The worst board still is a valid message that can be published.
func TestMessageBounds(t *testing.T) {
	nan := float32(math.NaN())
	i := board()
	ugly := strings.Repeat("<\x00\xff", 2000)
	i.Serial, i.Recipe, i.Model, i.Reason, i.Trigger.Request, i.Verdict, i.Score = ugly, ugly, ugly, ugly, ugly, "maybe", nan
	i.Defects = nil
	for n := range 5000 {
		i.Defects = append(i.Defects, inspector.Defect{Class: ugly, Score: float32(n) / 4999, Box: inspector.Box{Left: nan, Top: float32(math.Inf(1))}})
	}
	i.Defects[0].Score = nan
	m := NewMessage(KindAlert, i, "k", "http://h")
	b, err := m.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if err := validate(schema(t, "board"), b); err != nil {
		t.Error(err)
	}
	if len(b) > MaxPayload {
		t.Errorf("%d bytes cannot be published", len(b))
	}
	if m.DefectCount != 5000 || m.Defects[0].Score != 1 || m.Verdict != inspector.Unsure || !utf8.ValidString(m.Reason) {
		t.Errorf("count %d, worst %v, verdict %s", m.DefectCount, m.Defects[0].Score, m.Verdict)
	}
	if again := NewMessage(KindAlert, i, "k", "http://h"); !reflect.DeepEqual(m.Defects, again.Defects) {
		t.Error("not the same twice")
	}
	if a, err := NewAnswer(i, "").JSON(); err != nil || validate(schema(t, "answer"), a) != nil {
		t.Errorf("answer: %v", err)
	}
}

func TestVerdict(t *testing.T) {
	for v, want := range map[inspector.Verdict]inspector.Verdict{
		inspector.Pass: inspector.Pass, inspector.Fail: inspector.Fail, inspector.Unsure: inspector.Unsure, "": inspector.Unsure, "PASS": inspector.Unsure,
	} {
		i := inspector.Inspection{Verdict: v}
		if m, a := NewMessage(KindResult, i, "k", "").Verdict, NewAnswer(i, "").Verdict; m != want || a != want {
			t.Errorf("%q: %q and %q; want %q", v, m, a, want)
		}
	}
	if a := Refused(inspector.Trigger{Request: "r"}, errors.New("why")); a.Verdict != inspector.Unsure || a.Request != "r" || !strings.Contains(a.Reason, "why") {
		t.Errorf("%+v", a)
	}
}

// The AsyncAPI document speaks of the topics and schemas that there are.
func TestAsyncAPI(t *testing.T) {
	b, err := os.ReadFile(filepath.Join(contract, "asyncapi.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var doc map[string]any
	if err := yaml.Unmarshal(b, &doc); err != nil {
		t.Fatal(err)
	}
	if doc["asyncapi"] != "3.0.0" {
		t.Errorf("asyncapi %v", doc["asyncapi"])
	}
	topics, err := TopicsOf("{root}", inspector.Station{Site: "{site}", Line: "{line}", Device: "{device}"})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"result": topics.Result, "alert": topics.Alert, "availability": topics.Availability, "birth": topics.Birth, "health": topics.Health, "stats": topics.Stats,
		"execution": topics.Execution, "stateLine": topics.State("line"), "setHeartbeat": topics.Set(OrderHeartbeat),
	}
	for name, command := range map[string]string{"Trigger": OrderTrigger, "Recipe": OrderRecipe, "Pause": OrderPause, "Acknowledge": OrderAcknowledge, "Taken": OrderTaken} {
		want["set"+name], want["state"+name] = topics.Set(command), topics.State(command)
	}
	for _, name := range []string{"Ready", "Busy", "Reject", "Verdict", "Heartbeat"} {
		want["line"+name] = topics.Line(strings.ToLower(name))
	}
	channels := doc["channels"].(map[string]any)
	for name, c := range channels {
		if got := c.(map[string]any)["address"]; got != want[name] {
			t.Errorf("channel %s is at %v; want %s", name, got, want[name])
		}
	}
	if len(channels) != len(want) {
		t.Errorf("%d channels; want %d", len(channels), len(want))
	}
	followed := 0
	var walk func(v any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				followed++
				if err := follow(doc, ref); err != "" {
					t.Errorf("$ref %s: %s", ref, err)
				}
			}
			for _, v := range v {
				walk(v)
			}
		case []any:
			for _, v := range v {
				walk(v)
			}
		}
	}
	walk(doc)
	if followed < 20 {
		t.Errorf("only %d references were seen", followed)
	}
}

func follow(doc map[string]any, ref string) string {
	if file, ok := strings.CutPrefix(ref, "./"); ok {
		if _, err := os.Stat(filepath.Join(contract, file)); err != nil {
			return err.Error()
		}
		return ""
	}
	var at any = doc
	for step := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		m, _ := at.(map[string]any)
		if at = m[step]; at == nil {
			return "nothing is at " + step
		}
	}
	return ""
}

func TestParseTrigger(t *testing.T) {
	at := time.Unix(1, 0)
	for payload, want := range map[string]inspector.Trigger{
		`{"request":"1"}`: {Source: "mqtt", Request: "1", At: at},
		` {"request":"1","serial":"s","recipe":"r","x":[{"y":null}]} `: {Source: "mqtt", Request: "1", Serial: "s", Recipe: "r", At: at},
		`{"Request":"2","request":"1"}`:                                {Source: "mqtt", Request: "1", At: at},
		`{"request":"` + strings.Repeat("é", 128) + `"}`:               {Source: "mqtt", Request: strings.Repeat("é", 128), At: at},
	} {
		if got, err := ParseTrigger([]byte(payload), at); err != nil || got != want {
			t.Errorf("%s: %+v, %v", payload, got, err)
		}
	}
	for payload, request := range map[string]string{
		``: "", `null`: "", `[]`: "", `{}`: "", `"x"`: "", `{"request":""}`: "", `{"request":1}`: "", `{"request":null}`: "", `{"Request":"1"}`: "",
		`{"request":"1"} x`: "", `{"request":"1"`: "", `{"request":"1","request":"2"}`: "", "{\"request\":\"a\\u0007\"}": "", "{\"request\":\"\xff\"}": "",
		`{"request":"1","serial":2}`: "1", `{"request":"1","recipe":"` + strings.Repeat("x", 129) + `"}`: "1",
		`{"request":"1","x":"` + strings.Repeat("x", MaxOrder) + `"}`: "",
	} {
		got, err := ParseTrigger([]byte(payload), at)
		if err == nil {
			t.Errorf("%.60s was accepted", payload)
		}
		if got.Request != request {
			t.Errorf("%.60s: request %q; want %q", payload, got.Request, request)
		}
	}
}

// Parser and schema agree about every document that JSON itself leaves no
// doubt about.
func FuzzParseTrigger(f *testing.F) {
	for _, s := range []string{`{"request":"1"}`, `{"request":"1","serial":"s","recipe":"r"}`, `{"request":1}`, `{"request":"\u0000"}`, `{"a":{},"a":1,"request":"x"}`, `[]`, ``, "{\"request\":\"\\ud800\"}"} {
		f.Add([]byte(s))
	}
	s := schema(f, "trigger")
	f.Fuzz(func(t *testing.T, b []byte) {
		got, err := ParseTrigger(b, time.Time{})
		if err == nil {
			if invalid := validate(s, b); invalid != nil {
				t.Fatalf("%q is accepted, but %v", b, invalid)
			}
			if got.Request == "" {
				t.Fatalf("%q: no request", b)
			}
			return
		}
		if len(b) <= MaxOrder && utf8.Valid(b) && !strings.Contains(err.Error(), "twice") && validate(s, b) == nil {
			t.Fatalf("%q is refused (%v), but the schema accepts it", b, err)
		}
	})
}
