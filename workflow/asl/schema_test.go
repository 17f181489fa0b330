package asl

import (
	"fmt"
	"strings"
	"testing"
)

// All faults at once, each with its place.
func TestCheckReportsEveryFault(t *testing.T) {
	definition := `{"StartAt":"Nowhere","Strange":1,"TimeoutSeconds":0,"States":{
  "A":{"Type":"Task","Next":"Missing","Retry":[{"ErrorEquals":["States.ALL","X"],"BackoffRate":0.5,"JitterStrategy":"HALF"}],"Catch":[{"ErrorEquals":[]}]},
  "B/~":{"Type":"Pass","Next":"A","End":true,"Parameters":{"a.$":1,"b.$":"$.x[","c":1,"c.$":"$"},"ResultPath":"$$.x"},
  "C":{"Type":"Choice","Choices":[{"Variable":"$.a","StringEquals":1,"Next":"A"},{"And":[],"Next":"A"},{"Variable":"$.a","Next":"A"}]},
  "D":{"Type":"Wait","Seconds":1,"Timestamp":"2020-01-01 00:00:00Z","End":true},
  "E":{"Type":"Parallel","End":true,"Branches":[{"StartAt":"A","States":{"A":{"Type":"Fail","Next":"A"}}}]},
  "F":{"Type":"Nothing"},
  "G":{"Type":"Pass","QueryLanguage":"JSONata","Parameters":{},"Assign":{"states":1,"1x":2,"é_1":3},"Output":"é","End":true}}}`
	var have []string
	for _, f := range Check([]byte(definition), Standard).ByPlace() {
		have = append(have, fmt.Sprintf("%d:%d %s: %s: %s", f.Line, f.Column, f.Location, f.Code, f.Message))
	}
	want := strings.Split(strings.TrimSpace(`
1:12 /StartAt: MISSING_TRANSITION_TARGET: Missing 'Next' target: Nowhere
1:22 /: SCHEMA_VALIDATION_FAILED: Field 'Strange' is not supported
1:51 /TimeoutSeconds: SCHEMA_VALIDATION_FAILED: Value must be between 1 and 99999999
2:3 /States/A: SCHEMA_VALIDATION_FAILED: These fields are required: [Resource]
2:29 /States/A/Next: MISSING_TRANSITION_TARGET: Missing 'Next' target: Missing
2:64 /States/A/Retry[0]/ErrorEquals[0]: SCHEMA_VALIDATION_FAILED: States.ALL must appear alone and at end of list
2:96 /States/A/Retry[0]/BackoffRate: SCHEMA_VALIDATION_FAILED: Value must be between 1 and 99999999
2:117 /States/A/Retry[0]/JitterStrategy: SCHEMA_VALIDATION_FAILED: The field 'JitterStrategy' should have one of these values: [FULL, NONE]
2:135 /States/A/Catch[0]: SCHEMA_VALIDATION_FAILED: These fields are required: [Next]
2:136 /States/A/Catch[0]/ErrorEquals: SCHEMA_VALIDATION_FAILED: Value cannot be empty
3:3 /States/B/~: SCHEMA_VALIDATION_FAILED: Only one of these fields is allowed: [Next, End]
3:3 /States/B/~: MISSING_TRANSITION_TARGET: State "B/~" is not reachable.
3:60 /States/B/~/Parameters: SCHEMA_VALIDATION_FAILED: The value for the field 'a.$' must be a valid JSONPath or a valid intrinsic function call
3:68 /States/B/~/Parameters: SCHEMA_VALIDATION_FAILED: The value for the field 'b.$' must be a valid JSONPath or a valid intrinsic function call
3:87 /States/B/~/Parameters: SCHEMA_VALIDATION_FAILED: The field 'c' is given twice, with and without .$
3:111 /States/B/~/ResultPath: SCHEMA_VALIDATION_FAILED: Value must be a valid Reference Path.
4:3 /States/C: MISSING_TRANSITION_TARGET: State "C" is not reachable.
4:68 /States/C/Choices[0]/StringEquals: SCHEMA_VALIDATION_FAILED: Value must be a string, but is a number
4:83 /States/C/Choices[1]/And: SCHEMA_VALIDATION_FAILED: Value cannot be empty
4:104 /States/C/Choices[2]: SCHEMA_VALIDATION_FAILED: One of these fields is required: [And, Or, Not] or a comparison operator
5:3 /States/D: SCHEMA_VALIDATION_FAILED: Only one of these fields is allowed: [Seconds, Timestamp]
5:3 /States/D: MISSING_TRANSITION_TARGET: State "D" is not reachable.
5:46 /States/D/Timestamp: SCHEMA_VALIDATION_FAILED: String does not match RFC3339 timestamp
6:3 /States/E: MISSING_TRANSITION_TARGET: State "E" is not reachable.
6:74 /States/E/Branches[0]/States/A: DUPLICATE_STATE_NAME: Duplicate State name: A
6:93 /States/E/Branches[0]/States/A: SCHEMA_VALIDATION_FAILED: Field 'Next' is not supported
7:3 /States/F: MISSING_TRANSITION_TARGET: State "F" is not reachable.
7:15 /States/F/Type: SCHEMA_VALIDATION_FAILED: The field 'Type' should have one of these values: [Task, Wait, Pass, Succeed, Fail, Choice, Parallel, Map]
8:3 /States/G: MISSING_TRANSITION_TARGET: State "G" is not reachable.
8:48 /States/G: SCHEMA_VALIDATION_FAILED: The QueryLanguage is set to 'JSONata', but field 'Parameters' is only supported for the 'JSONPath' QueryLanguage
8:74 /States/G/Assign/states: SCHEMA_VALIDATION_FAILED: The variable name 'states' is reserved
8:85 /States/G/Assign/1x: SCHEMA_VALIDATION_FAILED: '1x' is not a valid variable name
`), "\n")
	for i := range max(len(have), len(want)) {
		if i >= len(have) || i >= len(want) || have[i] != want[i] {
			t.Fatalf("fault %d:\n  have %v\n  want %v", i, at(have, i), at(want, i))
		}
	}
}

func at(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return "none"
}
