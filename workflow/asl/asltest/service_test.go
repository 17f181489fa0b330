package asltest

import (
	"encoding/json"
	"testing"
)

// Two branches wait for tokens at once; the second one's answer came first.
// Masked names of the input are told as they were.
func TestServiceTellsBranchesApart(t *testing.T) {
	var c Case
	if err := json.Unmarshal([]byte(`{"input":{"Q":"https://q"},"history":[
	  {"type":"ExecutionStarted","input":{"Q":"queue"}},
	  {"type":"TaskStateEntered","name":"A"},{"type":"TaskStateEntered","name":"B"},
	  {"type":"TaskScheduled"},{"type":"TaskStarted"},{"type":"TaskScheduled"},{"type":"TaskStarted"},
	  {"type":"TaskSubmitted","output":1},{"type":"TaskSubmitted","output":2},
	  {"type":"TaskSucceeded","output":"queue"},{"type":"TaskStateExited","name":"B","output":"b"},
	  {"type":"TaskFailed"},
	  {"type":"TaskScheduled"},{"type":"TaskTimedOut","error":"States.Timeout"}]}`), &c); err != nil {
		t.Fatal(err)
	}
	const resource = "arn:aws:states:::sqs:sendMessage"
	s := c.Service()
	for _, asked := range []struct{ state, token, want string }{{"B", "tb", "2"}, {"A", "ta", "1"}} {
		if a := s.Answer(asked.state, resource, asked.token, json.RawMessage(`"`+asked.token+`"`)); a.Failed || string(a.Output) != asked.want {
			t.Errorf("%s was told %+v", asked.state, a)
		}
	}
	if a, ok := s.Settle("tb"); !ok || string(a.Output) != `"https://q"` {
		t.Errorf("B: %+v %v", a, ok)
	}
	if a, ok := s.Settle("ta"); !ok || !a.Failed || a.Error != "" {
		t.Errorf("A: %+v %v", a, ok)
	}
	if a, ok := s.Settle("ta"); ok {
		t.Errorf("answered twice: %+v", a)
	}
	if a := s.Answer("A", resource, "", nil); !a.Failed || a.Error != "States.Timeout" {
		t.Errorf("the retry: %+v", a)
	}
	if a := s.Answer("A", resource, "", nil); a.Error != "Unrecorded" {
		t.Errorf("a retry too many: %+v", a)
	}
	s = c.Service()
	s.Answer("B", resource, "tb", json.RawMessage(`"without the token"`))
	if a, ok := s.Settle("tb"); ok {
		t.Errorf("answered by who never had the token: %+v", a)
	}
}
