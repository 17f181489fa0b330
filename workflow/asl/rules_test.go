package asl

import (
	"fmt"
	"strings"
	"testing"
)

// inMachine puts a state beside one that ends.
func inMachine(state string) string {
	return `{"StartAt":"A","States":{"A":` + state + `,"Z":{"Type":"Succeed"}}}`
}

// What is right is taken, what is wrong is refused for the reason given.
func TestRulesOfStates(t *testing.T) {
	for _, c := range []struct{ state, want string }{
		{`{"Type":"Pass","Next":"Z"}`, ""},
		{`{"Type":"Pass","Next":"Z","End":false}`, ""},
		{`{"Type":"Pass","Next":"Z","End":true}`, "/States/A: Only one of these fields is allowed: [Next, End]"},
		{`{"Type":"Pass","Next":"Z","ResultPath":null,"InputPath":null}`, ""},
		{`{"Type":"Pass","Next":"Z","ResultPath":"$.a['b'][0]"}`, ""},
		{`{"Type":"Pass","Next":"Z","ResultPath":"$.a[*]"}`, "/States/A/ResultPath: Value must be a valid Reference Path."},
		{`{"Type":"Pass","Next":"Z","ResultPath":"$v.a"}`, "/States/A/ResultPath: Value must be a valid Reference Path."},
		{`{"Type":"Pass","Next":"Z","ResultPath":"$$.a"}`, "/States/A/ResultPath: Value must be a valid Reference Path."},
		{`{"Type":"Pass","Next":"Z","InputPath":"$v.a[?(@.b == 1)]"}`, ""},
		{`{"Type":"Pass","Next":"Z","InputPath":"x"}`, "/States/A/InputPath: Value must be a valid JSONPath."},
		{`{"Type":"Pass","Next":"Z","OutputPath":7}`, "/States/A/OutputPath: Value must be a valid JSONPath."},
		{`{"Type":"Pass","Next":"Z","Comment":7}`, "/States/A/Comment: Value must be a string, but is a number"},
		{`{"Type":"Pass","Next":"Z","Assign":{"a.$":"$.x","b":{"c.$":"$"}}}`, ""},
		{`{"Type":"Pass","Next":"Z","Assign":{"a b":1}}`, "/States/A/Assign/a b: 'a b' is not a valid variable name"},
		{`{"Type":"Pass","Next":"Z","Assign":{"states":1}}`, "/States/A/Assign/states: The variable name 'states' is reserved"},
		{`{"Type":"Pass","Next":"Z","Assign":[]}`, "/States/A/Assign: Value must be an object, but is an array"},
		{`{"Type":"Pass","Next":"Z","Parameters":{"a.$":"States.Format('\\'{}', $.a)"}}`, ""},
		{`{"Type":"Pass","Next":"Z","Parameters":{"a.$":"States.Nothing(1)"}}`, "/States/A/Parameters: The value for the field 'a.$' must be a valid JSONPath or a valid intrinsic function call"},
		{`{"Type":"Pass","Next":"Z","Parameters":{"a.$":"States.Hash(1)"}}`, "/States/A/Parameters: The value for the field 'a.$' must be a valid JSONPath or a valid intrinsic function call"},
		{`{"Type":"Pass","Next":"Z","Parameters":{"a.$":"States.Format('\\a')"}}`, "/States/A/Parameters: The value for the field 'a.$' must be a valid JSONPath or a valid intrinsic function call"},
		{`{"Type":"Pass","Next":"Z","QueryLanguage":"XPath"}`, "/States/A/QueryLanguage: The field 'QueryLanguage' should have one of these values: [JSONPath, JSONata]"},
		{`{"Type":"Pass","Next":"Z","Output":1}`, "/States/A: The QueryLanguage is set to 'JSONPath', but field 'Output' is only supported for the 'JSONata' QueryLanguage"},
		{`{"Type":"Pass","Next":"Z","QueryLanguage":"JSONata","Output":{"a":["{% $states.input.a %}"],"b":"{% $v[x = 1].y %}"}}`, ""},
		{`{"Type":"Pass","Next":"Z","QueryLanguage":"JSONata","Output":"{% 1 + %}"}`, "/States/A/Output: Unexpected end of expression"},
		{`{"Type":"Pass","Next":"Z","QueryLanguage":"JSONata","Output":["{% phone %}"]}`, "/States/A/Output[0]: Reference to 'phone' at the top level is not supported."},
		{`{"Type":"Pass","Next":"Z","QueryLanguage":"JSONata","Output":"{% $states.errorOutput %}"}`, "/States/A/Output: Reference to '$states.errorOutput' is not supported here."},
		{`{"Type":"Task","Resource":"r","Next":"Z","QueryLanguage":"JSONata","Output":"{% $states.result %}","Catch":[{"ErrorEquals":["E"],"Next":"Z","Output":"{% $states.errorOutput %}"}]}`, ""},
		{`{"Type":"Task","Resource":"r","Next":"Z","QueryLanguage":"JSONata","Arguments":"{% $states.errorOutput %}"}`, "/States/A/Arguments: Reference to '$states.errorOutput' is not supported here."},
		{`{"Type":"Task","Resource":"r","Next":"Z","TimeoutSeconds":5,"HeartbeatSeconds":5}`, "/States/A/HeartbeatSeconds: HeartbeatSeconds must be smaller than TimeoutSeconds"},
		{`{"Type":"Task","Resource":"r","Next":"Z","TimeoutSeconds":0}`, "/States/A/TimeoutSeconds: Value must be between 1 and 99999999"},
		{`{"Type":"Task","Resource":"r","Next":"Z","TimeoutSeconds":1.5}`, "/States/A/TimeoutSeconds: Value must be an integer, but is a number"},
		{`{"Type":"Task","Resource":"r","Next":"Z","TimeoutSeconds":5,"TimeoutSecondsPath":"$.t"}`, "/States/A: Only one of these fields is allowed: [TimeoutSeconds, TimeoutSecondsPath]"},
		{`{"Type":"Task","Resource":"${Name}","Next":"Z"}`, "/States/A/Resource: Value is not a valid resource ARN"},
		{`{"Type":"Task","Resource":"r","Next":"Z","Credentials":{"RoleArn.$":"$.r"}}`, ""},
		{`{"Type":"Task","Resource":"r","Next":"Z","Credentials":{}}`, "/States/A/Credentials: The field 'RoleArn' is required but was missing"},
		{`{"Type":"Task","Resource":"r","Next":"Z","Retry":[{"ErrorEquals":["States.ALL"]},{"ErrorEquals":["E"]}]}`, "/States/A/Retry[0]/ErrorEquals[0]: States.ALL must appear alone and at end of list"},
		{`{"Type":"Task","Resource":"r","Next":"Z","Retry":[{"ErrorEquals":["E"],"MaxDelaySeconds":0,"MaxAttempts":0}]}`, "/States/A/Retry[0]/MaxDelaySeconds: Value must be between 1 and 31622399"},
		{`{"Type":"Wait","Seconds":1,"Next":"Z"}`, ""},
		{`{"Type":"Wait","Next":"Z"}`, "/States/A: One of these fields is required: [Seconds, SecondsPath, Timestamp, TimestampPath]"},
		{`{"Type":"Wait","QueryLanguage":"JSONata","Next":"Z"}`, "/States/A: One of these fields is required: [Seconds, Timestamp]"},
		{`{"Type":"Wait","Timestamp":"2020-01-01t00:00:00Z","Next":"Z"}`, "/States/A/Timestamp: String does not match RFC3339 timestamp"},
		{`{"Type":"Wait","Timestamp":"{% $states.input.t %}","QueryLanguage":"JSONata","Next":"Z"}`, ""},
		{`{"Type":"Choice","Choices":[],"Default":"Z"}`, "/States/A/Choices: Value cannot be empty"},
		{`{"Type":"Choice","Choices":[{"Variable":"$.a","IsNull":true,"Next":"Z"}]}`, ""},
		{`{"Type":"Choice","Choices":[{"IsNull":true,"Next":"Z"}]}`, "/States/A/Choices[0]: These fields are required: [Variable]"},
		{`{"Type":"Choice","Choices":[{"Variable":"$.a","StringEquals":"x","NumericEquals":1,"Next":"Z"}]}`, "/States/A/Choices[0]: Only one of these fields is allowed: [StringEquals, NumericEquals]"},
		{`{"Type":"Choice","Choices":[{"Not":{"Variable":"$.a","IsNull":true,"Next":"Z"},"Next":"Z"}]}`, "/States/A/Choices[0]/Not: Field 'Next' is not supported"},
		{`{"Type":"Choice","Choices":[{"Variable":"$.a","TimestampEquals":"now","Next":"Z"}]}`, "/States/A/Choices[0]/TimestampEquals: String does not match RFC3339 timestamp"},
		{`{"Type":"Choice","Choices":[{"Variable":"States.UUID()","IsNull":true,"Next":"Z"}]}`, "/States/A/Choices[0]/Variable: Value must be a valid JSONPath."},
		{`{"Type":"Choice","QueryLanguage":"JSONata","Choices":[{"Condition":"{% true %}","Next":"Z"},{"Condition":false,"Next":"Z"}]}`, ""},
		{`{"Type":"Choice","QueryLanguage":"JSONata","Choices":[{"Condition":"yes","Next":"Z"}]}`, "/States/A/Choices[0]/Condition: Value must be true, false or a JSONata expression, but is a string"},
		{`{"Type":"Map","Next":"Z"}`, "/States/A: One of these fields is required: [ItemProcessor, Iterator]"},
		{`{"Type":"Map","Next":"Z","ToleratedFailurePercentage":100.5,"ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Succeed"}}}}`, "/States/A/ToleratedFailurePercentage: Value must be between 0 and 100"},
		{`{"Type":"Map","Next":"Z","ItemBatcher":{},"ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Succeed"}}}}`, "/States/A/ItemBatcher: One of these fields is required: [MaxItemsPerBatch, MaxItemsPerBatchPath, MaxInputBytesPerBatch, MaxInputBytesPerBatchPath]"},
		{`{"Type":"Map","Next":"Z","ItemProcessor":{"QueryLanguage":"JSONata","StartAt":"B","States":{"B":{"Type":"Succeed"}}}}`, "/States/A/ItemProcessor: Field 'QueryLanguage' is not supported"},
		{`{"Type":"Map","Next":"Z","QueryLanguage":"JSONata","ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Succeed","Output":1}}}}`, "/States/A/ItemProcessor/States/B: The QueryLanguage is set to 'JSONPath', but field 'Output' is only supported for the 'JSONata' QueryLanguage"},
		{`{"Type":"Map","Next":"Z","Label":"` + strings.Repeat("x", 41) + `","ItemProcessor":{"StartAt":"B","States":{"B":{"Type":"Succeed"}}}}`, "/States/A/Label: Label exceeds maximum length of 40 characters"},
		{`{"Type":"Parallel","Next":"Z","Branches":[{"StartAt":"B","States":{"B":{"Type":"Pass","Next":"Z"}}}]}`, "/States/A/Branches[0]/States/B/Next: Missing 'Next' target: Z"},
		{`{"Type":"Parallel","Next":"Z","Branches":[{"StartAt":"B","States":{}}]}`, "/States/A/Branches[0]/States: Value cannot be empty"},
		{`{"Type":"Parallel","Next":"Z"}`, "/States/A: These fields are required: [Branches]"},
		{`{"Next":"Z"}`, "/States/A: These fields are required: [Type]"},
		{`"Z"`, "/States/A: Value must be an object, but is a string"},
	} {
		have := ""
		if faults := refusals([]byte(inMachine(c.state)), Standard); len(faults) > 0 {
			have = faults[0].Location + ": " + faults[0].Message
		}
		if have != c.want {
			t.Errorf("%s:\n  have %s\n  want %s", c.state, have, c.want)
		}
	}
}

// The machine as a whole.
func TestRulesOfMachines(t *testing.T) {
	loop := `{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"B"},"B":{"Type":"Pass","Next":"A"}`
	outer := `{"StartAt":"S","States":{"S":{"Type":"Pass","Assign":{"v":1},"Next":"P"},"P":{"Type":"Parallel","End":true,"Branches":[{"StartAt":"B","States":{"B":{"Type":"Pass","Assign":{"v":2},"End":true}}}]}}}`
	distributed := `{"StartAt":"S","States":{"S":{"Type":"Pass","Assign":{"v":1},"Next":"M"},"M":{"Type":"Map","End":true,"ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},
	  "StartAt":"B","States":{"B":{"Type":"Pass","Assign":{"v":2},"End":true}}}}}}`
	for _, c := range []struct{ definition, want string }{
		{``, "Invalid State Machine Definition: 'MISSING_DESCRIPTION: Definition is empty at /'"},
		{`[]`, "Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: Value must be an object, but is an array at /'"},
		{`{"StartAt":"A"}`, "Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: These fields are required: [States] at /'"},
		{loop + `}}`, "Invalid State Machine Definition: 'MISSING_END_STATE: Workflow has no terminal state at null'"},
		{loop + `,"C":{"Type":"Pass","Next":"A"}}}`, "Invalid State Machine Definition: 'MISSING_END_STATE: Workflow has no terminal state at null'"},
		{loop + `,"C":{"Type":"Succeed"}}}`, `Invalid State Machine Definition: 'MISSING_TRANSITION_TARGET: State "C" is not reachable. at /States/C'`},
		{`{"StartAt":"pass1","States":{"pass1":{"Type":"Pass","Next":"pass3"},"pass2":{"Type":"Pass","End":true}}}`,
			`Invalid State Machine Definition: 'MISSING_TRANSITION_TARGET: Missing 'Next' target: pass3 at /States/pass1/Next, MISSING_TRANSITION_TARGET: State "pass2" is not reachable. at /States/pass2'`},
		{`{"StartAt":"Not sure","States":{"Pass One":{"Type":"Pass","Next":"Success"},"Success":{"Type":"Succeed"}}}`,
			`Invalid State Machine Definition: 'MISSING_TRANSITION_TARGET: Missing 'Next' target: Not sure at /StartAt, MISSING_TRANSITION_TARGET: State "Pass One" is not reachable. at /States/Pass One'`},
		{outer, "Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: The variable 'v' is already defined in an outer scope at /States/P/Branches[0]/States/B/Assign/v'"},
		{strings.Replace(outer, `"Assign":{"v":1},`, "", 1), ""},
		{strings.Replace(distributed, "DISTRIBUTED", "INLINE", 1), "Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: The variable 'v' is already defined in an outer scope at /States/M/ItemProcessor/States/B/Assign/v'"},
		{distributed, ""}, // its children see none of outside
		{`{"Version":"2.0","StartAt":"A","States":{"A":{"Type":"Succeed"}}}`, "Invalid State Machine Definition: 'SCHEMA_VALIDATION_FAILED: The field 'Version' should have one of these values: [1.0] at /Version'"},
		{`{"StartAt":"A","States":{"A":{"Type":"Succeed"},"A":{"Type":"Fail"}}}`, ""}, // the last one counts
		{`{"StartAt":"` + strings.Repeat("n", 81) + `","States":{"` + strings.Repeat("n", 81) + `":{"Type":"Succeed"}}}`,
			"Invalid State Machine Definition: 'INVALID_STATE_NAME: The name of a state must have 1 to 80 characters, but has 81 at /States/" + strings.Repeat("n", 81) + "'"},
	} {
		if have := refusals([]byte(c.definition), Standard).AWS(); have != c.want {
			t.Errorf("%s:\n  have %s\n  want %s", c.definition, have, c.want)
		}
	}
}

func TestExpressMachines(t *testing.T) {
	for _, c := range []struct{ state, want string }{
		{`{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Next":"Z"}`, ""},
		{`{"Type":"Task","Resource":"arn:aws:states:::batch:submitJob.sync","Next":"Z"}`, "Express state machine does not support '.sync' service integration"},
		{`{"Type":"Task","Resource":"arn:aws:states:us-east-1:1:activity:a","Next":"Z"}`, "Express state machine does not support activities"},
		{`{"Type":"Map","Next":"Z","ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED"},"StartAt":"B","States":{"B":{"Type":"Succeed"}}}}`, "Express state machine does not support Map states of mode 'DISTRIBUTED'"},
	} {
		have := ""
		if faults := refusals([]byte(inMachine(c.state)), Express); len(faults) > 0 {
			have = faults[0].Message
		}
		if have != c.want {
			t.Errorf("%s:\n  have %s\n  want %s", c.state, have, c.want)
		}
		if faults := refusals([]byte(inMachine(c.state)), Standard); len(faults) > 0 {
			t.Errorf("%s: a STANDARD machine is refused: %v", c.state, faults)
		}
	}
	children := `{"Type":"Map","Next":"Z","ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"EXPRESS"},"StartAt":"B","States":{"B":{"Type":"Task","Resource":"a:b.waitForTaskToken","End":true}}}}`
	if faults := refusals([]byte(inMachine(children)), Standard); len(faults) != 1 || faults[0].Location != "/States/A/ItemProcessor/States/B/Resource" {
		t.Errorf("children of type EXPRESS wait for a token: %v", faults)
	}
}

// Warnings do not refuse.
func TestWarnings(t *testing.T) {
	for _, c := range []struct{ definition, want string }{
		{inMachine(`{"Type":"Pass","Result":{"a":["$.b"]},"Next":"Z"}`), "PASS_RESULT_IS_STATIC /States/A/Result/a[0]"},
		{inMachine(`{"Type":"Pass","Parameters":{"a":"States.UUID()"},"Next":"Z"}`), "NO_DOLLAR /States/A/Parameters/a"},
		{`{"StartAt":"A","States":{"A":{"Type":"Fail","Cause":"$.cause"}}}`, "NO_PATH /States/A/Cause"},
		{`{"StartAt":"A","States":{"A":{"Type":"Succeed"},"A":{"Type":"Fail"}}}`, "DUPLICATE_FIELD /States/A"},
		{`{"StartAt":"A","States":{"A":{"Type":"Succeed"},"B":{"Type":"Pass","Next":"C"},"C":{"Type":"Pass","Next":"B"}}}`, "MISSING_TRANSITION_TARGET /States/B MISSING_TRANSITION_TARGET /States/C"},
		{inMachine(`{"Type":"Parallel","Next":"Z","Branches":[{"StartAt":"B","States":{"B":{"Type":"Pass","Next":"C"},"C":{"Type":"Pass","Next":"B"}}}]}`), "MISSING_END_STATE /States/A/Branches[0]/States"},
		{inMachine(`{"Type":"Task","Resource":"r","Retry":[{"ErrorEquals":["States.TimeOut","State.ALL","States.Timeout"]}],"Next":"Z"}`), "UNKNOWN_ERROR_NAME /States/A/Retry[0]/ErrorEquals[0]"},
		{inMachine(`{"Type":"Pass","Result":"$9.99","Parameters":{"price":"$5"},"Next":"Z"}`), ""},
	} {
		var have []string
		faults := Check([]byte(c.definition), Standard)
		for _, f := range faults {
			have = append(have, f.Code+" "+f.Location)
		}
		if strings.Join(have, " ") != c.want || len(refusals([]byte(c.definition), Standard)) > 0 {
			t.Errorf("%s:\n  have %v\n  want %s", c.definition, have, c.want)
		}
	}
}

func TestHints(t *testing.T) {
	for name, want := range map[string]string{
		"Wayt": "Wait", "wait": "Wait", "WaitForDisposition": "", "ErorEquals": "ErrorEquals", "Waits!": "Wait", "Fax": "", "": "",
	} {
		if want != "" {
			want = "did you mean " + want + "?"
		}
		if have := meant(name, []string{"ErrorEquals", "Wait", "Foo", "É"}); have != want {
			t.Errorf("%q: %q, want %q", name, have, want)
		}
	}
}

func TestFaultsOfTextAreWhereItIs(t *testing.T) {
	for _, c := range []struct{ definition, want string }{
		{"{\n  \"StartAt\": \"A\",\n  x}", "3:3 INVALID_JSON_DESCRIPTION"},
		{"{\"StartAt\": \"A\"} {}", "1:18 INVALID_JSON_DESCRIPTION"},
		{"{\"StartAt\": ", "1:12 INVALID_JSON_DESCRIPTION"},
		{"{\"é\": {\"a\": 1},\n\t\"Comment\":\t7}", "1:2 SCHEMA_VALIDATION_FAILED"},
		{strings.Repeat("[", 9_000) + strings.Repeat("]", 9_000), "1:1 SCHEMA_VALIDATION_FAILED"},
		{`{"a":` + strings.Repeat("[", 2_000) + strings.Repeat("]", 2_000) + `}`, "1:1006 TOO_DEEPLY_NESTED"},
		{`{"a":"` + strings.Repeat("x", maxDefinition) + `"}`, "1:1 SCHEMA_VALIDATION_FAILED"},
	} {
		faults := Check([]byte(c.definition), Standard).ByPlace()
		i := 0
		if len(faults) > 1 && faults[0].Message == "These fields are required: [States, StartAt]" {
			i = 1
		}
		if have := fmt.Sprintf("%d:%d %s", faults[i].Line, faults[i].Column, faults[i].Code); have != c.want {
			t.Errorf("%.60s: have %s, want %s: %v", c.definition, have, c.want, faults[i])
		}
	}
}

// Definitions that are as large as may be, and made to take long, do not; and
// what is said about them is bounded. (At the slowest a second or two.)
func TestCheckIsBounded(t *testing.T) {
	repeat := func(n int, f func(i int) string) string {
		parts := make([]string, n)
		for i := range parts {
			parts[i] = f(i)
		}
		return strings.Join(parts, ",")
	}
	for name, definition := range map[string]string{
		"paths":   inMachine(`{"Type":"Pass","Next":"Z","Parameters":{` + repeat(60_000, func(i int) string { return fmt.Sprintf(`"%d.$":"$.a"`, i) }) + `}}`),
		"names":   `{"StartAt":"A","States":{"` + strings.Repeat("n", 500_000) + `":{` + repeat(30_000, func(i int) string { return fmt.Sprintf(`"%d":1`, i) }) + `}}}`,
		"faults":  `{` + repeat(90_000, func(i int) string { return fmt.Sprintf(`"%d":1`, i) }) + `}`,
		"states":  `{"StartAt":"0","States":{` + repeat(20_000, func(i int) string { return fmt.Sprintf(`"%d":{"Type":"Pass","Next":"%d"}`, i, i+1) }) + `}}`,
		"queries": inMachine(`{"Type":"Pass","QueryLanguage":"JSONata","Next":"Z","Output":[` + repeat(40_000, func(int) string { return `"{% $states.result %}"` }) + `]}`),
		"calls":   inMachine(`{"Type":"Pass","Next":"Z","Parameters":{"a.$":"` + strings.Repeat("States.Array(", 70_000) + `"}}`),
		"filters": inMachine(`{"Type":"Pass","Next":"Z","InputPath":"$` + strings.Repeat("[?(@", 250_000) + `"}`),
		"scopes": `{"StartAt":"0","States":{` + repeat(2_000, func(i int) string {
			return fmt.Sprintf(`"%d":{"Type":"Parallel","Next":"%d","Assign":{"w":1},"Branches":[{"StartAt":"b%d","States":{"b%d":{"Type":"Pass","Assign":{"v":1},"End":true}}}]}`, i, i+1, i, i)
		}) + `}}`,
	} {
		faults := Check([]byte(definition), Standard)
		words := 0
		for _, f := range faults {
			words += len(f.Error())
		}
		if len(faults) > 1_100 || words > 20<<20 {
			t.Errorf("%s: %d faults of %d bytes", name, len(faults), words)
		}
	}
}
