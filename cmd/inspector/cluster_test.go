package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"inspector"
	"inspector/web"
	"inspector/workflow/temporal/temporaltest"
)

func TestConfigOfACluster(t *testing.T) {
	for address, ok := range map[string]bool{"": false, "cluster": false, "cluster:7233": true} {
		env := map[string]string{"INSPECTOR_WORKFLOW_ENGINE": "temporal", "INSPECTOR_WORKFLOW_TEMPORAL_ADDRESS": address}
		if _, err := loadConfig("", func(k string) string { return env[k] }); (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "workflow.temporal.address") {
			t.Errorf("%q: %v", address, err)
		}
	}
	if _, err := loadConfig("", func(k string) string { return map[string]string{"INSPECTOR_WORKFLOW_ENGINE": "cadence"}[k] }); err == nil || !strings.Contains(err.Error(), "workflow.engine") {
		t.Errorf("an engine that is none: %v", err)
	}
}

// The line does not wait for the cluster: boards are judged while there is
// none, and their executions are this device's until the cluster has them.
// Then a person's decision reaches the board by way of the cluster.
func TestHandOver(t *testing.T) {
	s := temporaltest.New(t, filepath.Join("..", ".."))
	a := startAppliance(t, t.TempDir(), "INSPECTOR_TRIGGER_MODE=external", "INSPECTOR_WORKFLOW_ENGINE=temporal", "INSPECTOR_WORKFLOW_TEMPORAL_ADDRESS="+s.Address)
	judge := func(serial string) string {
		code, body := a.do(http.MethodPost, "/api/v1/inspections?serial="+serial, "image/jpeg", bytes.NewReader(jpeg(t, plain())))
		var i inspector.Inspection
		if err := json.Unmarshal(body, &i); err != nil || code >= 300 || i.Verdict != inspector.Unsure {
			t.Fatalf("%d %s %v", code, body, err)
		}
		return i.ID
	}
	execution := func(id string) web.Execution { return get[web.Execution](a, "/api/v1/executions/"+id) }
	before := judge("A1")
	if x := execution(before); x.Status != "RUNNING" || !slices.Equal(x.States, []string{"HandOver"}) {
		t.Errorf("without a cluster the execution is %+v, want it to be handed over yet", x)
	}
	s.Start()
	a.until("the board of before waits on the cluster for a person", func() bool {
		return slices.Contains(execution(before).States, reviewState)
	})
	c := defaults()
	c.Workflow.Temporal.Address = s.Address
	if words, err := checkCluster(t.Context(), c); err != nil || !strings.Contains(words, "namespace default") {
		t.Errorf("doctor says %q, %v", words, err)
	}
	c.Workflow.Temporal.Namespace = "nowhere"
	if words, err := checkCluster(t.Context(), c); err == nil {
		t.Errorf("doctor says %q of a namespace that is not there", words)
	}
	after := judge("A2")
	for _, id := range []string{before, after} {
		decide := fmt.Sprintf("/api/v1/inspections/%s/disposition", id)
		a.until("the decision is taken", func() bool {
			code, _ := a.do(http.MethodPost, decide, "application/json", strings.NewReader(`{"decision":"scrap","by":"Ada"}`))
			return code < 300
		})
		a.until("the board is closed", func() bool { return execution(id).Status == "SUCCEEDED" })
		if r := get[web.Record](a, "/api/v1/inspections/"+id); r.Disposition == nil || r.Disposition.By != "Ada" {
			t.Errorf("the disposition of %s is %+v, want Ada's", id, r.Disposition)
		}
		if h := get[struct{ Events []web.Event }](a, "/api/v1/executions/"+id+"/history").Events; len(h) < 20 {
			t.Errorf("the history of %s has %d events", id, len(h))
		}
	}
	a.stop()
}

// A board's execution on the cluster begins another there, and rules are told
// of both.
func TestNestedOnTheCluster(t *testing.T) {
	s := temporaltest.New(t, filepath.Join("..", ".."))
	s.Start()
	rules, told := t.TempDir(), filepath.Join(t.TempDir(), "told")
	rule := "pattern: {detail-type: [Step Functions Execution Status Change]}\ntargets: {folder: {folder: " + told + "}}\n"
	if err := os.WriteFile(filepath.Join(rules, "all.yaml"), []byte(rule), 0o600); err != nil {
		t.Fatal(err)
	}
	a := startAppliance(t, t.TempDir(), "INSPECTOR_TRIGGER_MODE=external", "INSPECTOR_WORKFLOW_ENGINE=temporal", "INSPECTOR_WORKFLOW_TEMPORAL_ADDRESS="+s.Address, "INSPECTOR_EVENTS_RULES="+rules)
	act := func(name, body string) {
		if code, answer := a.do(http.MethodPost, "/api/v1/states/"+name, "application/json", strings.NewReader(body)); code != http.StatusOK {
			t.Fatalf("%s: %d %s", name, code, answer)
		}
	}
	act("CreateStateMachine", `{"name":"after","definition":{"StartAt":"A","States":{"A":{"Type":"Pass","Result":"done","End":true}}}}`)
	act("UpdateStateMachine", `{"name":"inspection","definition":{"StartAt":"N","States":{"N":{"Type":"Task","Resource":"arn:aws:states:::states:startExecution.sync:2",
		"Parameters":{"StateMachineArn":"after","Name":"of-a-board"},"ResultSelector":{"of.$":"$.Output","machine.$":"$.StateMachineArn"},"End":true}}}}`)
	code, body := a.do(http.MethodPost, "/api/v1/inspections", "image/jpeg", bytes.NewReader(jpeg(t, plain())))
	var i inspector.Inspection
	if err := json.Unmarshal(body, &i); err != nil || code >= 300 {
		t.Fatalf("%d %s %v", code, body, err)
	}
	var x web.Execution
	a.until("the board's execution ends on the cluster", func() bool {
		x = get[web.Execution](a, "/api/v1/executions/"+i.ID)
		return x.Status == "SUCCEEDED" && len(x.Output) > 0 && strings.Contains(string(x.Output), "done")
	})
	if want := `{"machine":"arn:aws:states:site:inspector1:stateMachine:after","of":"done"}`; x.StateMachine != "inspection" || !strings.HasSuffix(string(x.Output), `"of":"done"}`) {
		t.Errorf("%+v, output %s, want %s", x, x.Output, want)
	}
	if inner := get[web.Execution](a, "/api/v1/executions/of-a-board"); inner.Status != "SUCCEEDED" || inner.StateMachine != "after" {
		t.Errorf("the inner execution is %+v", inner)
	}
	want := []string{"after SUCCEEDED", "after RUNNING", "inspection RUNNING", "inspection SUCCEEDED"}
	slices.Sort(want)
	var have []string
	a.until("the rule has told of all changes", func() bool { have = changesIn(t, told); return len(have) >= len(want) })
	if !slices.Equal(have, want) {
		t.Errorf("told of %q, want %q", have, want)
	}
	a.stop()
}

// changesIn are the changes of status that a folder was told of.
func changesIn(t *testing.T, dir string) (out []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var letter struct {
			Body string `json:"body"`
		}
		var event struct {
			Account string `json:"account"`
			Detail  struct {
				Machine string `json:"stateMachineArn"`
				Status  string `json:"status"`
			} `json:"detail"`
		}
		if err := errors.Join(json.Unmarshal(text, &letter), json.Unmarshal([]byte(letter.Body), &event)); err != nil || event.Account != "inspector1" {
			t.Errorf("%s: %s %v", name, text, err)
			continue
		}
		out = append(out, event.Detail.Machine[strings.LastIndex(event.Detail.Machine, ":")+1:]+" "+event.Detail.Status)
	}
	slices.Sort(out)
	return out
}
