package asl

import (
	"bytes"
	"encoding/json"
	"errors"
	"iter"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func FuzzPath(f *testing.F) {
	for _, seed := range []string{"$", "$.a['b'][0]", "$..x[?(@.a=='b' && !(@.c in [1,2]))]", "$[(@.length-1)]", "$[1:2:3]", "States.Format('{}\\'', $.a, States.Array(1))", "$$.Task.Token"} {
		f.Add(seed, pathInput)
	}
	f.Fuzz(func(t *testing.T, text, input string) {
		root, err := decode([]byte(input))
		if err != nil || !fits(root) {
			return
		}
		e, err := parseExpression(text)
		if err != nil {
			return
		}
		s := &scope{input: root, context: func() any { return root }, draw: func() [32]byte { return [32]byte{} }, variables: noVariables}
		if v, err := e.eval(s); err == nil {
			if _, err := decode(encode(v)); err != nil && fits(v) {
				t.Errorf("%s gives what is no JSON: %v", text, err)
			}
		}
	})
}

// FuzzQuery evaluates any JSONata expression: it ends, and gives JSON.
func FuzzQuery(f *testing.F) {
	for _, seed := range unbounded {
		if len(seed) < 200 && !strings.Contains(seed, "100000") {
			f.Add(seed, `{"a":[1,null,{"b":"x"}]}`)
		}
	}
	for _, seed := range []string{"$states.input.a[b='x'].b", "$states.input.a.($x := $; $x & 'y')", "$states.input ~> |a|{'c':1},['b']|", "a@$x#$i[%.b]^(<c){d: e}", "$match('ab', /a(b)/i)", "λ($x)<n:n>{$x}(1)", "$partition([1..9], 2)"} {
		f.Add(seed, `{"a":[1,null,{"b":"x"}]}`)
	}
	f.Fuzz(func(t *testing.T, text, input string) {
		root, err := decode([]byte(input))
		if err != nil || !fits(root) {
			return
		}
		q, err := compileQuery(text)
		if err != nil {
			return
		}
		in := testInput
		in.states = func(field string) (any, bool) { return root, field == "input" }
		began := time.Now()
		if v, err := q.eval(in); err == nil {
			if _, err := decode(encode(v)); err != nil && fits(v) {
				t.Errorf("%s gives what is no JSON: %v", text, err)
			}
		}
		if took := time.Since(began); took > 30*time.Second {
			t.Errorf("%s took %v", text, took)
		}
	})
}

// FuzzAdvance parses any definition and tells any events to its executions.
func FuzzAdvance(f *testing.F) {
	for _, seed := range []string{
		parallel,
		`{"StartAt":"A","States":{"A":{"Type":"Pass","Parameters":{"a.$":"$.a","b.$":"States.UUID()"},"End":true}}}`,
		`{"StartAt":"M","States":{"M":{"Type":"Map","ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Task","Resource":"r","End":true,"Retry":[{"ErrorEquals":["States.ALL"]}]}}},"End":true}}}`,
		`{"StartAt":"C","States":{"C":{"Type":"Choice","Choices":[{"Variable":"$.a","IsPresent":true,"Next":"W"}],"Default":"F"},"W":{"Type":"Wait","SecondsPath":"$.a","End":true},"F":{"Type":"Fail","CausePath":"$.b"}}}`,
		jsonataMachine(`{"Type":"Map","Items":"{% $states.input.items %}","ItemSelector":{"i":"{% $states.context.Map.Item.Value %}"},"Assign":{"r":"{% $states.result %}"},"ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Task","Resource":"r","TimeoutSeconds":"{% $states.input.i %}","Output":"{% $states.result %}","End":true,"Catch":[{"ErrorEquals":["States.ALL"],"Output":"{% $states.errorOutput %}","Next":"C"}]},"C":{"Type":"Succeed"}}},"Next":"Z"}`),
		strings.Replace(strings.Replace(toDistribute, "%s", `"ItemReader":{"Resource":"s3:listObjectsV2","ReaderConfig":{"InputType":"JSON","Transformation":"LOAD_AND_FLATTEN"}},"ItemBatcher":{"MaxItemsPerBatch":2},"ToleratedFailurePercentage":50,"Retry":[{"ErrorEquals":["States.ALL"]}],`, 1), "%s", task, 1),
		strings.Replace(strings.Replace(toDistribute, "%s", `"ItemsPath":"$.items","MaxConcurrency":1,"ToleratedFailureCount":1,"ResultWriter":{"Resource":"s3:putObject","Parameters":{"Bucket":"b"}},"Catch":[{"ErrorEquals":["States.ALL"],"Next":"M"}],`, 1), "%s", task, 1),
		jsonataMachine(`{"Type":"Choice","Choices":[{"Condition":"{% $states.input.a > 0 %}","Assign":{"x":1},"Next":"Z"}],"Default":"Z"}`),
	} {
		f.Add([]byte(seed), []byte(`{"a":1,"items":[1,2]}`), []byte{0, 1, 2, 3, 4, 5})
	}
	f.Fuzz(func(t *testing.T, definition, input, script []byte) {
		m, err := Parse(definition)
		var faults Faults
		if err != nil {
			if !errors.As(err, &faults) || len(faults) == 0 {
				t.Errorf("an error without faults: %v", err)
			}
			return
		}
		tellAnything(t, m, input, script)
	})
}

// FuzzRestore is FuzzAdvance on what need not be valid: it never panics.
func FuzzRestore(f *testing.F) {
	for _, seed := range []string{
		parallel, `[]`, `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"r","Retry":[{"ErrorEquals":[1,"States.ALL"],"MaxAttempts":-1}],"Catch":7,"Credentials":{},"Next":"A"}}}`,
		`{"StartAt":"C","States":{"C":{"Type":"Choice","Choices":[{"Not":{"Variable":"$.a","IsPresent":1},"Next":"C"},{"And":[],"Next":"C"}],"Colour":1},"B":{"Type":"Nothing"}}}`,
		`{"StartAt":"M","States":{"M":{"Type":"Map","ItemsPath":7,"MaxConcurrency":-1,"Iterator":{"StartAt":"B","States":{"B":{"Type":"Wait","Timestamp":"never","End":1}}},"End":true}}}`,
		jsonataMachine(`{"Type":"Task","Resource":"r","TimeoutSeconds":"{% $ %}","Arguments":"{% $states.result %}","Assign":[],"Next":"Z"}`),
	} {
		f.Add([]byte(seed), []byte(`{"a":1,"items":[1,2]}`), []byte{0, 1, 2, 3, 4, 5})
	}
	f.Fuzz(func(t *testing.T, definition, input, script []byte) {
		m, err := Restore(definition)
		if _, valid := Parse(definition); err != nil && valid == nil {
			t.Errorf("Parse lets pass what Restore refuses: %v", err)
		}
		if err == nil {
			tellAnything(t, m, input, script)
		}
	})
}

// tellAnything begins an execution and tells it what the script says.
func tellAnything(t *testing.T, m *Machine, input, script []byte) {
	d := newDriver(t, m, nil)
	e := Event{Kind: Started, Name: "x", Seed: "s", Input: input, At: d.now}
	if _, _, err := m.Advance(&d.x, e); err != nil {
		return
	}
	d.log = append(d.log, e)
	for _, b := range script[:min(len(script), 32)] {
		open := d.x.Open()
		if len(open) == 0 {
			break
		}
		c := open[int(b>>3)%len(open)]
		kind := []EventKind{Succeeded, Failed, Fired, Heartbeat, Succeeded, Failed, Amended, Stopped}[b&7]
		if kind == Amended && c.Kind == SetTimer {
			kind = Fired
		}
		e := Event{Kind: kind, Command: c.ID, Input: json.RawMessage(input), By: "x", At: d.now.Add(time.Duration(b) * time.Second), Output: json.RawMessage(input), Error: "States.Timeout", Random: float64(b) / 256}
		if _, _, err := m.Advance(&d.x, e); err == nil {
			d.log = append(d.log, e)
		}
		d.x.States()
	}
	if d.x.Status() == StatusRunning && len(d.x.Open()) == 0 {
		t.Errorf("the execution runs, but waits for nothing: %v", d.x.States())
	}
	if d.x.Status() != StatusRunning && len(d.x.Open()) != 0 {
		t.Errorf("the execution has ended, but waits for %v", d.x.Open())
	}
	var again Execution
	for _, e := range d.log {
		if _, _, err := m.Advance(&again, e); err != nil {
			t.Fatalf("fold again: %v", err)
		}
	}
	if again.Status() != d.x.Status() || len(again.Open()) != len(d.x.Open()) {
		t.Error("folding again gives another execution")
	}
}

// FuzzCheck: any bytes give faults whose places are inside the text, and what
// has no errors compiles.
func FuzzCheck(f *testing.F) {
	for _, seed := range []string{
		parallel, "", "[]", `{"StartAt":"A","States":{"A":{"Type":"Pass","a":"é"},` + "\n" + `"A":7}}`, `{"a":"\u00e9\"","b":[1e9,[{}],tru`,
		`{"QueryLanguage":"JSONata","StartAt":"A","States":{"A":{"Type":"Pass","Output":"{% $states.result.a[x] %}","Assign":{"a":1},"Next":"A"}}}`,
		`{"StartAt":"M","States":{"M":{"Type":"Map","Label":"a b","ItemReader":{"ReaderConfig":{"MaxItems":-1}},"ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED"},"StartAt":"C","States":{"C":{"Type":"Choice","Choices":[{"And":[{"Variable":"$.x","IsNull":1}],"Next":"C"}]}}}}}}`,
	} {
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, definition []byte, express bool) {
		kind := Standard
		if express {
			kind = Express
		}
		lines := bytes.Split(definition, []byte("\n"))
		faults := Check(definition, kind)
		for _, f := range faults {
			if f.Line < 1 || f.Line > len(lines) || f.Column < 1 || f.Column > utf8.RuneCount(lines[f.Line-1])+1 {
				t.Errorf("%v is at %d:%d, outside the text", f, f.Line, f.Column)
			}
			if f.Code == "" || f.Message == "" {
				t.Errorf("a fault without code or words: %+v", f)
			}
		}
		if _, err := ParseAs(definition, kind); (err == nil) != (len(faults.Errors()) == 0) {
			t.Errorf("Check finds %v, but Parse says %v", faults, err)
		}
	})
}

// FuzzPlaces: the scanner reads what encoding/json reads, and the text at a
// value's place is the value.
func FuzzPlaces(f *testing.F) {
	for _, seed := range []string{`{"a":[1,"x",null,{"b":true}],"a":-1.5e3}`, `"\ud800"`, " 7 ", `{"":{"":[[]]}}`, "\"\xff\""} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var want any
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		if !json.Valid(text) || d.Decode(&want) != nil {
			return
		}
		s := &scanner{text: text}
		root := s.value(nil, 0)
		if s.space(); s.pos != len(text) {
			t.Fatalf("read %d of %d bytes", s.pos, len(text))
		}
		if s.deeper != nil {
			return
		}
		if !reflect.DeepEqual(root.value(), want) {
			t.Errorf("have %v, want %v", root.value(), want)
		}
		for n := range descendants(root) {
			if root.find(n.pointer()) != n {
				t.Errorf("%s does not lead to its value", n.pointer())
			}
			var v any
			d := json.NewDecoder(bytes.NewReader(text[n.at:]))
			d.UseNumber()
			if err := d.Decode(&v); err != nil || !reflect.DeepEqual(v, n.value()) {
				t.Errorf("%s: at %d is %v (%v), want %v", n.pointer(), n.at, v, err, n.value())
			}
		}
	})
}

func descendants(n *node) iter.Seq[*node] {
	return func(yield func(*node) bool) {
		for open := []*node{n}; len(open) > 0 && len(open) < 100; {
			n := open[len(open)-1]
			open = append(open[:len(open)-1], n.members...)
			if !yield(n) {
				return
			}
		}
	}
}
