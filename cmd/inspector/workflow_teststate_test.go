package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"inspector/web"
)

const askMES = `{"StartAt":"Ask","States":{
	"Ask":{"Type":"Task","Resource":"arn:aws:states:::http:invoke","InputPath":"$.board",
		"Parameters":{"ApiEndpoint":"https://mes/","Method":"GET","Authentication":{"ConnectionArn":"mes"},"QueryParameters":{"serial.$":"$.serial"}},
		"ResultSelector":{"order.$":"$.ResponseBody.order"},"ResultPath":"$.mes","Next":"Known",
		"Retry":[{"ErrorEquals":["States.Http.Socket"],"IntervalSeconds":3,"MaxAttempts":2}],
		"Catch":[{"ErrorEquals":["States.Http.StatusCode.404"],"ResultPath":"$.error","Next":"Unknown"}]},
	"Known":{"Type":"Succeed"},"Unknown":{"Type":"Succeed"}}}`

// The command shows what a state does with a mock, and says when it needs one.
func TestWorkflowTestCommand(t *testing.T) {
	file := filepath.Join(t.TempDir(), "m.asl.json")
	if err := os.WriteFile(file, []byte(askMES), 0o600); err != nil {
		t.Fatal(err)
	}
	answer := filepath.Join(t.TempDir(), "answer.json")
	if err := os.WriteFile(answer, []byte(`{"ResponseBody":{"order":"A1"},"StatusCode":200}`), 0o600); err != nil {
		t.Fatal(err)
	}
	input := `{"board":{"serial":"7"}}`
	for _, x := range []struct {
		args []string
		code int
		want []string
	}{
		{[]string{"--mock-result", `{"ResponseBody":{"order":"A1"},"StatusCode":200}`}, 0, []string{"SUCCEEDED", `"serial": "7"`, `"order": "A1"`, "next state            Known"}},
		{[]string{"--mock-error", "States.Http.StatusCode.404: no such board"}, 0, []string{"CAUGHT_ERROR", `"Cause": "no such board"`, "Unknown"}},
		{[]string{"--mock-error", "States.Http.Socket", "--retries", "1"}, 0, []string{"RETRIABLE", `"retryBackoffIntervalSeconds": 6`}},
		{[]string{"--mock-error", "States.Http.Socket", "--retries", "2"}, 1, []string{"FAILED", "States.Http.Socket"}},
		{nil, 2, []string{"http:invoke", "specify a mock"}},
		{[]string{"--mock-result", `{"StatusCode":"200"}`}, 2, []string{"Field 'StatusCode' must be a number"}},
		{[]string{"--mock-result", "@" + answer}, 0, []string{"SUCCEEDED", `"order": "A1"`}},
		{[]string{"--mock-result", answer}, 0, []string{"SUCCEEDED", `"order": "A1"`}},
		{[]string{"--mock-result", "@nowhere.json"}, 2, []string{"--mock-result", "nowhere.json"}},
		{[]string{"--mock-result", "nowhere.json"}, 2, []string{"--mock-result", "neither JSON nor a file"}},
	} {
		var out bytes.Buffer
		code := command(t.Context(), append([]string{"workflow", "test", file, "--state", "Ask", "--input", input}, x.args...), noEnvironment, &out, &out)
		for _, want := range x.want {
			if code != x.code || !strings.Contains(out.String(), want) {
				t.Errorf("%q: exit code %d, no %q in\n%s", x.args, code, want, &out)
			}
		}
	}
}

func TestActionTestState(t *testing.T) {
	a := newStatesAPI(executions{}, nil, nil, nil)
	out, err := a.Act(t.Context(), "TestState", json.RawMessage(`{"definition":{"Type":"Pass","Parameters":{"a.$":"$.b"},"Next":"X"},"input":{"b":1}}`))
	if b, _ := json.Marshal(out); err != nil || string(b) != `{"status":"SUCCEEDED","output":"{\"a\":1}","nextState":"X"}` {
		t.Errorf("%s %v", b, err)
	}
	_, err = a.Act(t.Context(), "TestState", json.RawMessage(`{"definition":{"Type":"Pass"}}`))
	var coded *web.CodedError
	if !errors.As(err, &coded) || coded.Code != "InvalidDefinition" {
		t.Errorf("%v", err)
	}
}
