package asl

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

const (
	sentBySQS = `"resource":"sendMessage.waitForTaskToken","resourceType":"sqs"`
	sendBySQS = `"Resource":"arn:aws:states:::sqs:sendMessage.waitForTaskToken","Parameters":{"T.$":"$$.Task.Token"}`
)

var histories = map[string]struct {
	fields string
	answer Event // of the task
	holder Event // of who has the token
	want   []string
}{
	"a function": {
		`"Resource":"arn:aws:lambda:x:1:function:f","TimeoutSeconds":9,"HeartbeatSeconds":3`, Event{Kind: Succeeded, Output: json.RawMessage(`1`)}, Event{},
		[]string{
			`"lambdaFunctionScheduledEventDetails":{"input":"{}","inputDetails":{"truncated":false},"resource":"arn:aws:lambda:x:1:function:f","timeoutInSeconds":9}`,
			``,
			`"lambdaFunctionSucceededEventDetails":{"output":"1","outputDetails":{"truncated":false}}`,
		},
	},
	"a function that fails": {
		`"Resource":"arn:aws:lambda:x:1:function:f"`, Event{Kind: Failed, Error: "E", Cause: "C"}, Event{},
		[]string{
			`"lambdaFunctionScheduledEventDetails":{"input":"{}","inputDetails":{"truncated":false},"resource":"arn:aws:lambda:x:1:function:f"}`,
			``,
			`"lambdaFunctionFailedEventDetails":{"cause":"C","error":"E"}`,
		},
	},
	"an SDK's call": {
		`"Resource":"arn:aws:states:::aws-sdk:dynamodb:putItem","Parameters":{"a":1}`, Event{Kind: Failed, Error: "DynamoDb.DynamoDbException", Cause: "C"}, Event{},
		[]string{
			`"taskScheduledEventDetails":{"parameters":"{\"a\":1}","region":"local","resource":"putItem","resourceType":"aws-sdk:dynamodb"}`,
			`"taskStartedEventDetails":{"resource":"putItem","resourceType":"aws-sdk:dynamodb"}`,
			`"taskFailedEventDetails":{"cause":"C","error":"DynamoDb.DynamoDbException","resource":"putItem","resourceType":"aws-sdk:dynamodb"}`,
		},
	},
	"a token": {
		sendBySQS + `,"TimeoutSeconds":9,"HeartbeatSeconds":3`, Event{Kind: Succeeded, Output: json.RawMessage(`{"MessageId":"m"}`)}, Event{Kind: Succeeded, Output: json.RawMessage(`"done"`)},
		[]string{
			`"taskScheduledEventDetails":{"heartbeatInSeconds":3,"parameters":"{\"T\":\"TOKEN\"}","region":"local",` + sentBySQS + `,"timeoutInSeconds":9}`,
			`"taskStartedEventDetails":{` + sentBySQS + `}`,
			`"taskSubmittedEventDetails":{"output":"{\"MessageId\":\"m\"}","outputDetails":{"truncated":false},` + sentBySQS + `}`,
			`"taskSucceededEventDetails":{"output":"\"done\"","outputDetails":{"truncated":false},` + sentBySQS + `}`,
		},
	},
	"no heartbeat": {
		sendBySQS + `,"HeartbeatSeconds":3`, Event{Kind: Succeeded, Output: json.RawMessage(`null`)}, Event{},
		[]string{
			`"taskScheduledEventDetails":{"heartbeatInSeconds":3,"parameters":"{\"T\":\"TOKEN\"}","region":"local",` + sentBySQS + `}`,
			`"taskStartedEventDetails":{` + sentBySQS + `}`,
			`"taskSubmittedEventDetails":{"output":"null","outputDetails":{"truncated":false},` + sentBySQS + `}`,
			`"taskTimedOutEventDetails":{"error":"States.Timeout",` + sentBySQS + `}`,
		},
	},
	"an execution": {
		`"Resource":"arn:aws:states:::states:startExecution.sync:2","Parameters":{"Input":{"T.$":"$$.Task.Token"}}`, Event{Kind: Succeeded, Output: json.RawMessage(`{}`)}, Event{Kind: Failed},
		[]string{
			`"taskScheduledEventDetails":{"parameters":"{\"Input\":{\"T\":\"TOKEN\"}}","region":"local","resource":"startExecution.sync:2","resourceType":"states"}`,
			`"taskStartedEventDetails":{"resource":"startExecution.sync:2","resourceType":"states"}`,
			`"taskSubmittedEventDetails":{"output":"{}","outputDetails":{"truncated":false},"resource":"startExecution.sync:2","resourceType":"states"}`,
			`"taskFailedEventDetails":{"resource":"startExecution.sync:2","resourceType":"states"}`,
		},
	},
}

// The details of a task's events, as GetExecutionHistory of AWS shows them.
func TestHistoryOfTasks(t *testing.T) {
	for name, c := range histories {
		d := newDriver(t, parse(t, `{"StartAt":"A","States":{"A":{"Type":"Task",`+c.fields+`,"End":true}}}`), func(Command) Event { return c.answer })
		token := ""
		d.holder = func(awaits Command) (Event, bool) {
			token = awaits.Token
			return c.holder, c.holder.Kind != ""
		}
		d.run(`{}`, 10)
		have := d.history[2 : len(d.history)-1]
		have = slices.DeleteFunc(have, func(h HistoryEvent) bool { return h.Type == "TaskStateExited" })
		if len(have) != len(c.want) {
			t.Errorf("%s: %d events, want %d: %+v", name, len(have), len(c.want), have)
			continue
		}
		for i, h := range have {
			if got := details(t, h); got != strings.ReplaceAll(c.want[i], "TOKEN", token) {
				t.Errorf("%s: %s:\n  have %s\n  want %s", name, h.Type, got, c.want[i])
			}
		}
	}
}

// details is the part of the event that depends on its type.
func details(t *testing.T, h HistoryEvent) (out string) {
	t.Helper()
	text, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(text, &all); err != nil {
		t.Fatal(err)
	}
	for field, v := range all {
		if strings.HasSuffix(field, "Details") {
			out += `"` + field + `":` + string(v)
		}
	}
	return out
}

// What a failure does not name is null to who catches it; a timeout's cause is
// an empty text, and a heartbeat that does not come is a timeout.
func TestErrorOutput(t *testing.T) {
	for _, c := range []struct {
		fields string
		holder Event
		want   string
	}{
		{``, Event{Kind: Failed}, `{"Cause":null,"Error":null}`},
		{``, Event{Kind: Failed, Error: "E"}, `{"Cause":null,"Error":"E"}`},
		{``, Event{Kind: Failed, Cause: "C"}, `{"Cause":"C","Error":null}`},
		{`"TimeoutSeconds":2,`, Event{}, `{"Cause":"","Error":"States.Timeout"}`},
		{`"TimeoutSeconds":9,"HeartbeatSeconds":2,`, Event{}, `{"Cause":"","Error":"States.Timeout"}`},
	} {
		for _, language := range []string{"JSONPath", "JSONata"} {
			d := newDriver(t, parse(t, `{"QueryLanguage":"`+language+`","StartAt":"A","States":{"A":{"Type":"Task","Resource":"r:s.waitForTaskToken",`+c.fields+`
			  "Catch":[{"ErrorEquals":["States.ALL"],"Next":"B"}],"End":true},"B":{"Type":"Succeed"}}}`), func(Command) Event { return Event{Kind: Succeeded, Output: json.RawMessage("1")} })
			d.holder = func(Command) (Event, bool) { return c.holder, c.holder.Kind != "" }
			d.run(`{}`, 10)
			if string(d.x.Output()) != c.want {
				t.Errorf("%s %+v: %s, want %s", language, c.holder, d.x.Output(), c.want)
			}
		}
	}
}
