package temporal

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.temporal.io/api/enums/v1"
	"go.temporal.io/api/history/v1"
	"go.temporal.io/api/temporalproto"
	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
)

var recording = flag.Bool("record", false, "write the histories of testdata anew, from a real server")

// record replays what the server has of the execution, and keeps it if that
// was asked for.
func record(ctx context.Context, t *testing.T, c *Client, id string) {
	t.Helper()
	h := &history.History{}
	for events := c.sdk.GetWorkflowHistory(ctx, id, "", false, enums.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT); events.HasNext(); {
		e, err := events.Next()
		if err != nil {
			t.Fatal(err)
		}
		h.Events = append(h.Events, e)
	}
	if err := replay(h); err != nil {
		t.Errorf("the history of %s does not replay: %v", id, err)
	}
	if !*recording {
		return
	}
	text, err := temporalproto.CustomJSONMarshalOptions{Indent: "  "}.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	host, _ := os.Hostname()
	text = bytes.ReplaceAll(text, []byte(host), []byte("box1"))
	if err := os.WriteFile(filepath.Join("testdata", id+".json"), append(text, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

func replay(h *history.History) error {
	r := worker.NewWorkflowReplayer()
	r.RegisterWorkflowWithOptions(Execute, workflow.RegisterOptions{Name: Type})
	id := h.Events[0].GetWorkflowExecutionStartedEventAttributes().WorkflowId // tokens hold it
	return r.ReplayWorkflowHistoryWithOptions(silent{}, h, worker.ReplayWorkflowHistoryOptions{OriginalExecution: workflow.Execution{ID: id}})
}

// The code as it is goes on with what a server recorded when it was written:
// executions that wait survive an update of the program.
func TestReplay(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no recorded histories: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			h, err := client.HistoryFromJSON(bytes.NewReader(text), client.HistoryJSONOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if err := replay(h); err != nil {
				t.Errorf("%v: the interpreter or its driver asks for other things than when this was recorded; executions that run on a cluster would stop there", err)
			}
			other := strings.Replace(string(startOf(t, h)), "local:quick", "local:quack", 1)
			h.Events[0].GetWorkflowExecutionStartedEventAttributes().Input.Payloads[0].Data = []byte(other)
			if err := replay(h); err == nil {
				t.Error("another definition replays as well: this test proves nothing")
			}
		})
	}
}

func startOf(t *testing.T, h *history.History) []byte {
	t.Helper()
	data := h.Events[0].GetWorkflowExecutionStartedEventAttributes().Input.Payloads[0].Data
	if !json.Valid(data) {
		t.Fatalf("the start is %s", base64.StdEncoding.EncodeToString(data))
	}
	return data
}
