package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
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
