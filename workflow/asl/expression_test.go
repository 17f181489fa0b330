package asl

import (
	"errors"
	"fmt"
	"strings"
	"testing"
)

const pathInput = `{"a":{"b-c":[1,2.0,{"d":null}],"e f":"x"},"list":[{"n":1,"s":"one"},{"n":2,"s":"two","ok":true},{"s":"none"}],"empty":[],"big":12345678901234567890,"two":2}`

func TestPaths(t *testing.T) {
	for text, want := range map[string]string{
		"$.a.b-c[1]":                       "2.0",
		"$.a.b-c.[0]":                      "1",
		"$['a']['e f']":                    `"x"`,
		`$.a.e\ f`:                         `"x"`,
		"$.big":                            "12345678901234567890",
		"$.a.b-c[-1]":                      `{"d":null}`,
		"$.a.b-c[(@.length-1)].d":          "null",
		"$.a.b-c[3]":                       "!",
		"$.a.x":                            "!",
		"$.two.x":                          "!",
		"$.nothing.at.all":                 "!",
		"$.nothing[*]":                     "[]",
		"$.empty[0:5]":                     "[]",
		"$.list[*].n":                      "[1,2]",
		"$.list[1:].s":                     `["two","none"]`,
		"$.list[:-1].n":                    "[1,2]",
		"$.list[::2].s":                    `["one","none"]`,
		"$.list[0,2].s":                    `["one","none"]`,
		"$..n":                             "[1,2]",
		"$.list[0]['n','s']":               `{"n":1,"s":"one"}`,
		"$.list[*]['n','s']":               `[{"n":1,"s":"one"},{"n":2,"s":"two"},{"s":"none"}]`,
		"$.list[?(@.n == 2)].s":            `["two"]`,
		"$.list[?(@.n == $.two)].s":        `["two"]`,
		"$.list[?(@.n)].s":                 `["one","two"]`,
		"$.list[?(!(@.n))].s":              `["none"]`,
		"$.list[?(@.n > 1 || @.s=='one')]": `[{"n":1,"s":"one"},{"n":2,"ok":true,"s":"two"}]`,
		"$.list[?(@.n>=1&&@.ok==true)].n":  "[2]",
		"$.list[?(@.s =~ /T.O/i)].n":       "[2]",
		"$.list[?(@.s in ['one','two'])]n": "?",
		"$.list[?(@.s in ['one'])].n":      "[1]",
		"$.list[?(@.s nin ['one'])].s":     `["two","none"]`,
		"$.list[?(@.s != 'one')].s":        `["two","none"]`,
		"$":                                pathInput,
		"a":                                "?",
		"$a":                               `"of a"`,
		"$a[0]":                            "!",
		"$none":                            "!",
		"$1":                               "?",
		"$.":                               "?",
		"$[":                               "?",
		"$[']":                             "?",
		"$['a'":                            "?",
		"$[?(@.a]":                         "?",
		"$[?(1)]":                          "?",
		"$[::0]":                           "?",
		"$[99999999999]":                   "?",
		"$.a b":                            "?",
		"$" + strings.Repeat("[?(@", 200):  "?",
	} {
		root, err := decode([]byte(pathInput))
		if err != nil {
			t.Fatal(err)
		}
		p, err := parsePath(text)
		if err != nil {
			if want != "?" {
				t.Errorf("%s: %v", text, err)
			}
			continue
		}
		v, err := p.eval(&scope{input: root, context: func() any { return root }, variables: noVariables})
		have := string(encode(v))
		if errors.As(err, new(errNotFound)) {
			have = "!"
		} else if err != nil {
			have = err.Error()
		}
		if other, err := decode([]byte(want)); err == nil {
			want = string(encode(other))
		}
		if have != want {
			t.Errorf("%s gives %s, want %s", text, have, want)
		}
	}
}

// A path that looks at everything for everything gives up.
func TestPathsAreBounded(t *testing.T) {
	root, err := decode([]byte(`{"text":"` + strings.Repeat("a", 50_000) + `","l":[` + strings.Repeat(`{"a":[1,2,3],"b":"x"},`, 6000) + `1]}`))
	if err != nil || !fits(root) {
		t.Fatal("the input is no good", err)
	}
	for _, text := range []string{"$..[?($==$)]", "$..[?($.text =~ /(a*)*b/)]", "$..[?(@..[?(@..[?(@..[?(@==$)])])])]", "$..[?($.l in [1])]..[?($..b)]", "$..[?($ in $.l)]"} {
		p, err := parsePath(text)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.find(root); err != nil && !errors.Is(err, errTooMuch) {
			t.Errorf("%s: %v", text, err)
		}
	}
	p, _ := parsePath("$..[?($==$)]")
	if _, err := p.find(root); !errors.Is(err, errTooMuch) {
		t.Errorf("quadratic work was done: %v", err)
	}
}

func TestResultPath(t *testing.T) {
	for _, test := range []struct{ path, in, want string }{
		{"$.a", `{}`, `{"a":9}`},
		{"$.a.b.c", `{"a":{"x":1}}`, `{"a":{"b":{"c":9},"x":1}}`},
		{"$.a.b", `{"a":1}`, `{"a":{"b":9}}`},
		{"$.a[1]", `{"a":[1,2]}`, `{"a":[1,9]}`},
		{"$.a[2]", `{"a":[1,2]}`, ""},
		{"$.a[0]", `{"a":{}}`, ""},
		{"$.a.b", `{"a":[]}`, ""},
		{"$", `{"a":1}`, `9`},
	} {
		in, _ := decode([]byte(test.in))
		p, err := parsePath(test.path)
		if err != nil {
			t.Fatal(err)
		}
		out, err := p.put(in, number(9))
		if have := string(encode(out)); (err != nil) != (test.want == "") || err == nil && have != test.want {
			t.Errorf("%s in %s: %s %v, want %s", test.path, test.in, have, err, test.want)
		}
		if string(encode(in)) != test.in {
			t.Errorf("%s changed its input to %s", test.path, encode(in))
		}
	}
}

func TestIntrinsics(t *testing.T) {
	for text, want := range map[string]string{
		`States.Format('{} is {}, \{\} \'q\'', $.name, $.n)`:          `"x is 1, {} 'q'"`,
		`States.Format($.name)`:                                       `"x"`,
		`States.Format('{}')`:                                         "!",
		`States.Format('', 1)`:                                        "!",
		`States.Format('{}', $.list)`:                                 `"[1, 1.0, a]"`,
		`States.StringToJson('{"a":[1]}')`:                            `{"a":[1]}`,
		`States.StringToJson('')`:                                     "null",
		`States.StringToJson('{')`:                                    "!",
		`States.JsonToString($.list)`:                                 `"[1,1.0,\"a\"]"`,
		`States.Array(1, 'a', null, true, $.n)`:                       `[1,"a",null,true,1]`,
		`States.ArrayPartition($.list, 2)`:                            `[[1,1.0],["a"]]`,
		`States.ArrayPartition($.list, 0)`:                            "!",
		`States.ArrayContains($.list, 'a')`:                           "true",
		`States.ArrayRange(1, 9, 4)`:                                  "[1,5,9]",
		`States.ArrayRange(3, 1, -1)`:                                 "[3,2,1]",
		`States.ArrayRange(0, 1000, 1)`:                               "!",
		`States.ArrayRange(1, 2, 0)`:                                  "!",
		`States.ArrayGetItem($.list, 2)`:                              `"a"`,
		`States.ArrayGetItem($.list, 3)`:                              "!",
		`States.ArrayLength($.list)`:                                  "3",
		`States.ArrayUnique($.list)`:                                  `[1,"a"]`,
		`States.Base64Encode('Data')`:                                 `"RGF0YQ=="`,
		`States.Base64Decode('RGF0YQ==')`:                             `"Data"`,
		`States.Base64Decode('%')`:                                    "!",
		`States.Hash('a', 'SHA-1')`:                                   `"86f7e437faa5a7fce15d1ddcb9eaeaea377667b8"`,
		`States.Hash('a', 'CRC')`:                                     "!",
		`States.JsonMerge($.o, $.p, false)`:                           `{"a":1,"b":3}`,
		`States.JsonMerge($.o, $.p, true)`:                            "!",
		`States.MathAdd(1.5, -1.5)`:                                   "1",
		`States.MathAdd('1', 2)`:                                      "!",
		`States.MathRandom(3, 4)`:                                     "3",
		`States.MathRandom(4, 4)`:                                     "!",
		`States.StringSplit('a,b;;c', ',;')`:                          `["a","b","c"]`,
		`States.Nothing()`:                                            "?",
		`States.Array(`:                                               "?",
		`States.Array(a)`:                                             "?",
		`States.Array() x`:                                            "?",
		`States.UUID(1)`:                                              "?",
		`States.Array($a)`:                                            `["of a"]`,
		`States.Array($1)`:                                            "?",
		strings.Repeat("States.Array(", 11) + strings.Repeat(")", 11): "?",
	} {
		input, _ := decode([]byte(`{"name":"x","n":1,"list":[1,1.0,"a"],"o":{"a":1,"b":2},"p":{"b":3}}`))
		e, err := parseExpression(text)
		if err != nil {
			if want != "?" {
				t.Errorf("%s: %v", text, err)
			}
			continue
		}
		v, err := e.eval(&scope{input: input, draw: func() [32]byte { return [32]byte{} }, variables: noVariables})
		have := string(encode(v))
		var failed *stateError
		if errors.As(err, &failed) && failed.name == errIntrinsic {
			have = "!"
		}
		if have != want {
			t.Errorf("%s gives %s %v, want %s", text, have, err, want)
		}
	}
}

// UUIDs differ within an execution, between executions, and are the same when
// folded again.
func TestUUID(t *testing.T) {
	m := parse(t, `{"StartAt":"A","States":{"A":{"Type":"Pass","Parameters":{"a.$":"States.UUID()","b.$":"States.UUID()"},"End":true}}}`)
	d := newDriver(t, m, nil)
	d.run("{}", 1)
	wantFold(t, d)
	var x Execution
	if _, _, err := m.Advance(&x, Event{Kind: Started, Name: "exec", Seed: "another"}); err != nil {
		t.Fatal(err)
	}
	o, _ := d.x.output.(map[string]any)
	if o["a"] == o["b"] || string(x.Output()) == string(d.x.Output()) {
		t.Errorf("UUIDs repeat: %s and %s", d.x.Output(), x.Output())
	}
}

func TestChoices(t *testing.T) {
	for rule, want := range map[string]bool{
		`"Variable":"$.s","StringEquals":"b"`:                                                       true,
		`"Variable":"$.s","StringLessThan":"b"`:                                                     false,
		`"Variable":"$.s","StringLessThanEquals":"b"`:                                               true,
		`"Variable":"$.s","StringGreaterThan":"a"`:                                                  true,
		`"Variable":"$.s","StringGreaterThanEqualsPath":"$.s"`:                                      true,
		`"Variable":"$.s","NumericEquals":1`:                                                        false,
		`"Variable":"$.n","NumericEquals":1.0`:                                                      true,
		`"Variable":"$.n","NumericLessThanPath":"$.m"`:                                              true,
		`"Variable":"$.t","BooleanEquals":true`:                                                     true,
		`"Variable":"$.t","BooleanEqualsPath":"$.t"`:                                                true,
		`"Variable":"$.when","TimestampLessThan":"2020-01-01T01:00:00Z"`:                            true,
		`"Variable":"$.when","TimestampEquals":"2020-01-01T01:30:00+01:00"`:                         true,
		`"Variable":"$.s","TimestampLessThan":"2020-01-01T01:00:00Z"`:                               false,
		`"Variable":"$.file","StringMatches":"log-*.txt"`:                                           true,
		`"Variable":"$.file","StringMatches":"*o*9*x*"`:                                             true,
		`"Variable":"$.file","StringMatches":"log-\\*.txt"`:                                         false,
		`"Variable":"$.star","StringMatches":"\\*\\\\"`:                                             true,
		`"Variable":"$.null","IsNull":true`:                                                         true,
		`"Variable":"$.none","IsPresent":false`:                                                     true,
		`"Variable":"$.null","IsPresent":true`:                                                      true,
		`"Variable":"$.n","IsNumeric":true`:                                                         true,
		`"Variable":"$.n","IsString":false`:                                                         true,
		`"Variable":"$.t","IsBoolean":true`:                                                         true,
		`"Variable":"$.when","IsTimestamp":true`:                                                    true,
		`"Variable":"$.s","IsTimestamp":true`:                                                       false,
		`"And":[{"Variable":"$.n","IsNumeric":true},{"Not":{"Variable":"$.s","StringEquals":"x"}}]`: true,
		`"Or":[{"Variable":"$.n","IsString":true},{"Variable":"$.s","StringEquals":"b"}]`:           true,
		`"Not":{"Or":[{"Variable":"$.n","IsNumeric":true}]}`:                                        false,
		`"Variable":"$$.Execution.Name","StringEquals":"exec"`:                                      true,
	} {
		m := parse(t, fmt.Sprintf(`{"StartAt":"A","States":{"A":{"Type":"Choice","Choices":[{%s,"Next":"Yes"}],"Default":"No"},
		  "Yes":{"Type":"Pass","Result":true,"End":true},"No":{"Type":"Pass","Result":false,"End":true}}}`, rule))
		d := newDriver(t, m, nil)
		d.run(`{"s":"b","n":1,"m":2,"t":true,"null":null,"when":"2020-01-01T00:30:00Z","file":"log-9.txt","star":"*\\"}`, 1)
		if have := string(d.x.Output()); have != fmt.Sprint(want) {
			t.Errorf("%s is %s (%s), want %v", rule, have, d.x.Cause(), want)
		}
	}
	count := 0
	for _, kind := range []string{"String", "Numeric", "Boolean", "Timestamp"} {
		for _, order := range []string{"Equals", "LessThan", "GreaterThan", "LessThanEquals", "GreaterThanEquals", "Matches"} {
			for _, path := range []string{"", "Path"} {
				if _, _, ok := operator(kind + order + path); ok {
					count++
				}
			}
		}
	}
	for _, what := range []string{"Null", "Present", "Numeric", "String", "Boolean", "Timestamp", "Path", ""} {
		if _, _, ok := operator("Is" + what); ok {
			count++
		}
	}
	if count != 39 {
		t.Errorf("there are %d operators, want 39", count)
	}
}
