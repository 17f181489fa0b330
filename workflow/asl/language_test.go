package asl

import (
	"encoding/json"
	"strings"
	"testing"
)

func jsonataMachine(state string) string {
	if strings.Contains(state, `"Z"`) {
		state += `,"Z":{"Type":"Succeed"}`
	}
	return `{"QueryLanguage":"JSONata","StartAt":"A","States":{"A":` + state + `}}`
}

// What recordings do not show, in the pattern that they do.
func TestQueryLanguages(t *testing.T) {
	const in = "An error occurred while executing the state 'A' (entered at the event id #2). "
	for name, c := range map[string]struct{ definition, input, output, failure, cause string }{
		"assignments are simultaneous": {`{"StartAt":"A","States":{"A":{"Type":"Pass","Assign":{"x":1,"y":2},"Next":"B"},
			"B":{"Type":"Pass","Assign":{"x.$":"$y","y.$":"$x"},"Next":"C"},"C":{"Type":"Pass","Parameters":{"x.$":"$x","y.$":"States.MathAdd($y, 1)"},"End":true}}}`, `{}`, `{"x":2,"y":2}`, "", ""},
		"a new value is not seen in the same state": {`{"QueryLanguage":"JSONata","StartAt":"A","States":{"A":{"Type":"Pass","Assign":{"x":1},"Next":"B"},
			"B":{"Type":"Pass","Assign":{"x":"{% $x + 1 %}"},"Output":"{% $x %}","Next":"C"},"C":{"Type":"Pass","Output":["{% $states.input %}","{% $x %}"],"End":true}}}`, `{}`, `[1,2]`, "", ""},
		"variables of a branch stay there": {`{"StartAt":"A","States":{"A":{"Type":"Parallel","Branches":[{"StartAt":"B","States":{"B":{"Type":"Pass","Assign":{"v":1},"Next":"C"},"C":{"Type":"Pass","Parameters":{"v.$":"$v"},"End":true}}}],"Next":"D"},
			"D":{"Type":"Pass","QueryLanguage":"JSONata","Output":{"seen":"{% $exists($v) %}","was":"{% $states.input[0].v %}"},"End":true}}}`, `{}`, `{"seen":false,"was":1}`, "", ""},
		"large integers pass": {jsonataMachine(`{"Type":"Pass","Output":{"a":"{% $states.input.n %}","b":"{% [$states.input.n][0] %}"},"End":true}`),
			`{"n":12345678901234567890}`, `{"a":12345678901234567890,"b":12345678901234567890}`, "", ""},
		"null is not undefined": {jsonataMachine(`{"Type":"Pass","Output":["{% $states.input.n %}","{% $count($states.input.l) %}","{% $states.input.l[1] %}"],"End":true}`), `{"n":null,"l":[1,null]}`, `[null,2,null]`, "", ""},
		"added functions": {jsonataMachine(`{"Type":"Pass","Output":["{% $partition([1..5], 2) %}","{% $range(1, 7, 3) %}","{% $hash('a', 'MD5') %}","{% $parse('{\"a\":1}').a %}"],"End":true}`), `{}`,
			`[[[1,2],[3,4],[5]],[1,4,7],"0cc175b9c0f1b6a831c399e269772661",1]`, "", ""},
		"a number that is wanted": {jsonataMachine(`{"Type":"Wait","Seconds":"{% 'x' %}","Next":"Z"}`), `{}`, "", errQuery,
			in + `The JSONata expression ''x'' specified for the field 'Seconds' returned an unexpected result type. Expected 'integer', but was 'string' for value: "x"`},
		"a moment that is none": {jsonataMachine(`{"Type":"Wait","Timestamp":"{% 'x' %}","Next":"Z"}`), `{}`, "", errQuery,
			in + "The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string: x"},
		"a condition that is none": {jsonataMachine(`{"Type":"Choice","Choices":[{"Condition":"{% 1 %}","Next":"Z"}]}`), `{}`, "", errQuery,
			in + "The JSONata expression '1' specified for the field 'Choices[0]/Condition' returned an unexpected result type. Expected 'boolean', but was 'number' for value: 1"},
		"no rule": {jsonataMachine(`{"Type":"Choice","Choices":[{"Condition":"{% false %}","Next":"Z"}]}`), `{}`, "", errNoChoice, ""},
		"in a list": {jsonataMachine(`{"Type":"Pass","Output":{"l":[1,"{% $none %}"]},"End":true}`), `{}`, "", errQuery,
			in + "The JSONata expression '$none' specified for the field 'Output/l[1]' returned nothing (undefined)."},
		"thrown": {jsonataMachine(`{"Type":"Pass","Output":"{% $error('no') %}","End":true}`), `{}`, "", errQuery,
			in + "The JSONata expression '$error('no')' specified for the field 'Output' threw an error during evaluation. D3137: no"},
		"endless": {jsonataMachine(`{"Type":"Pass","Output":"{% ($f := function($n){$f($n + 1)}; $f(1)) %}","End":true}`), `{}`, "", errQuery,
			in + "The JSONata expression '($f := function($n){$f($n + 1)}; $f(1))' specified for the field 'Output' threw an error during evaluation: Expression evaluation timeout: Check for infinite loop"},
		"caught": {`{"QueryLanguage":"JSONata","StartAt":"A","States":{"A":{"Type":"Task","Resource":"r","Arguments":"{% $none %}","Catch":[{"ErrorEquals":["States.QueryEvaluationError"],"Assign":{"e":"{% $states.errorOutput.Error %}"},"Output":"{% $states.input.a %}","Next":"B"}],"End":true},
			"B":{"Type":"Pass","Output":["{% $e %}","{% $states.input %}"],"End":true}}}`, `{"a":7}`, `["States.QueryEvaluationError",7]`, "", ""},
		"too much in one Assign": {`{"QueryLanguage":"JSONata","StartAt":"A","States":{"A":{"Type":"Pass","Assign":{"v":"{% $join($map([1..60000], function($i){'12345'})) %}"},"End":true}}}`, `{}`, "", errDataLimit, ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDriver(t, parse(t, c.definition), nil)
			d.run(c.input, 100)
			if c.failure != "" {
				if d.x.Error() != c.failure || c.cause != "" && d.x.Cause() != c.cause {
					t.Errorf("failed with %s: %s\n  want %s: %s", d.x.Error(), d.x.Cause(), c.failure, c.cause)
				}
				return
			}
			want, _ := decode([]byte(c.output))
			have, _ := decode(d.x.Output())
			if d.x.Status() != StatusSucceeded || !equal(want, have) || strings.Contains(c.output, "67890") && string(d.x.Output()) != c.output {
				t.Errorf("%s gave %s (%s: %s), want %s", d.x.Status(), d.x.Output(), d.x.Error(), d.x.Cause(), c.output)
			}
		})
	}
}

// An execution may hold 10 MiB of variables, and what a block held is free
// again when the block ends.
func TestVariablesAreBounded(t *testing.T) {
	const fill = `"{% $join($map([1..25000], function($i){'12345678'})) %}"`
	held := []string{}
	for range 60 {
		held = append(held, fill)
	}
	loop := func(items string) string {
		return `{"QueryLanguage":"JSONata","StartAt":"A","States":{"A":{"Type":"Map","MaxConcurrency":1,"Items":` + items + `,"Output":1,"End":true,
			"ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Pass","Assign":{"v":` + fill + `},"Output":1,"Next":"C"},"C":{"Type":"Pass","End":true}}}}}}`
	}
	d := newDriver(t, parse(t, loop("[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,31,32,33,34,35,36,37,38,39,40,41,42,43,44,45,46,47,48,49,50,51,52,53,54,55,56,57,58,59,60]")), nil)
	d.run(`{}`, 1000)
	if d.x.Status() != StatusSucceeded || d.x.stored != 0 {
		t.Errorf("%s: %s, %d bytes still stored", d.x.Status(), d.x.Cause(), d.x.stored)
	}
	var states strings.Builder
	for i := range held {
		n := string(rune('a'+i/26)) + string(rune('a'+i%26))
		m := string(rune('a'+(i+1)/26)) + string(rune('a'+(i+1)%26))
		states.WriteString(`"` + n + `":{"Type":"Pass","Assign":{"v` + n + `":` + fill + `},"Next":"` + m + `"},`)
	}
	d = newDriver(t, parse(t, `{"QueryLanguage":"JSONata","StartAt":"aa","States":{`+states.String()+`"ci":{"Type":"Succeed"}}}`), nil)
	d.run(`{}`, 1000)
	if d.x.Error() != errDataLimit {
		t.Errorf("12 MB of variables: %s %s %s", d.x.Status(), d.x.Error(), d.x.Cause())
	}
}

// Folding the same events gives the same, whatever is random or asks the time.
func TestQueriesReplay(t *testing.T) {
	m := parse(t, jsonataMachine(`{"Type":"Pass","Output":["{% $random() %}","{% $uuid() %}","{% $now() %}","{% $millis() %}","{% $shuffle([1..20]) %}","{% $toMillis('10:00', '[H]:[m]') %}"],"End":true}`))
	d := newDriver(t, m, nil)
	d.run(`{}`, 10)
	var again Execution
	for _, e := range d.log {
		if _, _, err := m.Advance(&again, e); err != nil {
			t.Fatal(err)
		}
	}
	var out []json.RawMessage
	_ = json.Unmarshal(d.x.Output(), &out)
	if string(d.x.Output()) != string(again.Output()) || len(out) != 6 || string(out[3]) != "1767323045000" {
		t.Errorf("%s, then %s", d.x.Output(), again.Output())
	}
}

func BenchmarkTransitions(b *testing.B) {
	for name, c := range map[string]struct{ machine, state string }{
		"plain":    {"JSONPath", `"Type":"Pass"`},
		"JSONPath": {"JSONPath", `"Type":"Pass","Parameters":{"n.$":"$.n"}`},
		"JSONata":  {"JSONata", `"Type":"Pass","Output":{"n":"{% $states.input.n %}"}`},
		"computed": {"JSONata", `"Type":"Pass","Output":{"n":"{% $states.input.n + 1 %}"}`},
	} {
		b.Run(name, func(b *testing.B) {
			var states strings.Builder
			const n = 200
			for i := range n {
				states.WriteString(`"` + string(encode(number(int64(i)))) + `":{` + c.state + `,"Next":"` + string(encode(number(int64(i+1)))) + `"},`)
			}
			m := parse(b, `{"QueryLanguage":"`+c.machine+`","StartAt":"0","States":{`+states.String()+`"200":{"Type":"Succeed"}}}`)
			e := Event{Kind: Started, Name: "x", Seed: "s", Input: json.RawMessage(`{"n":1,"more":"text"}`)}
			for b.Loop() {
				var x Execution
				if _, _, err := m.Advance(&x, e); err != nil || x.Status() != StatusSucceeded {
					b.Fatal(err, x.Cause())
				}
			}
			b.ReportMetric(float64(b.N)*(n+1)/b.Elapsed().Seconds(), "transitions/s")
		})
	}
}
