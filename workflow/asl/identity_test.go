package asl

import (
	"encoding/json"
	"testing"
)

// The context object names execution and machine as AWS does. A journal from
// before there were ARNs folds as it always did.
func TestContextNamesExecutionAndMachine(t *testing.T) {
	m := parse(t, `{"StartAt":"A","States":{"A":{"Type":"Pass","Parameters":{"id.$":"$$.Execution.Id","name.$":"States.Format('{}',$$.Execution.Name)",
		"role.$":"$$.Execution.RoleArn","machine.$":"$$.StateMachine.Id","called.$":"$$.StateMachine.Name"},"End":true}}}`)
	for arn, want := range map[string]string{
		"": `{"called":"` + m.Hash() + `","id":"x.1","machine":"` + m.Hash() + `","name":"x.1","role":""}`,
		"arn:aws:states:local:dev-1:execution:rule/a/b:x.1": `{"called":"rule/a/b","id":"arn:aws:states:local:dev-1:execution:rule/a/b:x.1",` +
			`"machine":"arn:aws:states:local:dev-1:stateMachine:rule/a/b","name":"x.1","role":"arn:aws:iam::dev-1:role/inspector"}`,
	} {
		var x Execution
		if _, _, err := m.Advance(&x, Event{Kind: Started, Name: "x.1", Arn: arn, Input: json.RawMessage(`{}`)}); err != nil {
			t.Fatal(err)
		}
		if have := string(x.Output()); have != want {
			t.Errorf("%q gives\n%s, want\n%s", arn, have, want)
		}
	}
}

// What a former release accepted goes on, though today's check refuses it.
func TestRestoreIsLenient(t *testing.T) {
	for name, c := range map[string]struct {
		definition string
		goesOn     bool
	}{
		"field that means nothing": {`{"Owner":"me","StartAt":"A","States":{"A":{"Type":"Pass","Colour":"red","End":true}}}`, true},
		"no way out":               {`{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"A"}}}`, true},
		"unreachable":              {`{"StartAt":"A","States":{"A":{"Type":"Succeed"},"B":{"Type":"Succeed"}}}`, true},
		"resource":                 {`{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::no:such","End":true}}}`, true},
		"nowhere to go":            {`{"StartAt":"A","States":{"A":{"Type":"Pass","Next":"B"}}}`, false},
		"no JSON":                  {`{`, false},
		"no object":                {`[]`, false},
	} {
		m, err := Restore([]byte(c.definition))
		if (err == nil) != c.goesOn {
			t.Errorf("%s: %v", name, err)
		}
		if p, err := Parse([]byte(c.definition)); err == nil && m != nil && p.Hash() != m.Hash() {
			t.Errorf("%s: another hash", name)
		}
	}
}
