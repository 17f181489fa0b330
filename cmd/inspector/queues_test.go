package main

import (
	"encoding/json"
	"maps"
	"net/http/httptest"
	"path/filepath"
	"testing"

	"inspector"
	"inspector/upstream"
	"inspector/upstream/sqstest"
	"inspector/workflow"
)

func TestFilters(t *testing.T) {
	for _, c := range []struct {
		board inspector.Inspection
		want  map[string]string
	}{
		{inspector.Inspection{Verdict: inspector.Unsure}, map[string]string{"schema": "inspector/1", "verdict": "unsure", "recipe": "none", "line": "none", "class": "none"}},
		{inspector.Inspection{Verdict: inspector.Fail, Recipe: "main", Station: inspector.Station{Line: "smt2"},
			Defects: []inspector.Defect{{Class: "short", Score: 0.5}, {Class: "open", Score: 0.9}, {Class: "spur", Score: 0.6}}},
			map[string]string{"schema": "inspector/1", "verdict": "fail", "recipe": "main", "line": "smt2", "class": "open"}},
	} {
		if have := filters(c.board); !maps.Equal(have, c.want) {
			t.Errorf("%v; want %v", have, c.want)
		}
	}
}

// A message goes to the queue that its state names, with group, key and
// attributes; each queue is opened once.
func TestSendToNamedQueue(t *testing.T) {
	const keyID, secret = "AKIDEXAMPLE", "a-secret"
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": keyID, "AWS_SECRET_ACCESS_KEY": secret, "AWS_CONFIG_FILE": filepath.Join(t.TempDir(), "none")} {
		t.Setenv(name, value)
	}
	service := sqstest.New(keyID, secret)
	srv := httptest.NewServer(service)
	defer srv.Close()
	at := srv.URL + "/" + sqstest.Account + "/"
	for _, name := range []string{"results", "line.fifo"} {
		if err := service.Create(name); err != nil {
			t.Fatal(err)
		}
	}
	named, err := openQueues(upstream.SQSConfig{QueueURL: at + "results", Region: "us-east-1"})
	if err != nil {
		t.Fatal(err)
	}
	defer named.close()
	do := (&tasks{upstream: amazon{queues: named}}).send
	send := func(queue string) error {
		input, _ := json.Marshal(map[string]any{"QueueUrl": queue, "MessageBody": map[string]int{"a": 1}, "MessageGroupId": "line1",
			"MessageAttributes": map[string]any{"key": map[string]string{"DataType": "String", "StringValue": "x/Announce"}}})
		_, err := do(t.Context(), workflow.Task{Key: "x/Announce/3", Resource: sendMessage, Input: input})
		return err
	}
	for _, queue := range []string{"", "results", at + "line.fifo"} {
		if err := send(queue); err != nil {
			t.Errorf("%q: %v", queue, err)
		}
	}
	if err := send("https://"); !permanent(err) {
		t.Errorf("%v is not permanent", err)
	}
	if all := service.Take("results"); len(all) != 2 || all[0].Body != `{"a":1}` || all[0].Attributes["key"] != "x/Announce" {
		t.Errorf("%+v", all)
	}
	if all := service.Take("line.fifo"); len(all) != 1 || all[0].Group != "line1" || all[0].Dedup != "x/Announce/3" {
		t.Errorf("%+v", all)
	}
	one, _ := named.at("")
	if other, _ := named.at(at + "results"); one != other {
		t.Error("the queue was opened twice")
	}
}

// An S3 that has no queue beside it has its messages in a folder.
func TestQueueOfFolder(t *testing.T) {
	c := defaults()
	c.Upstream.Kind, c.Upstream.Folder = "aws", t.TempDir()
	if f := c.faults(); len(f) != 0 {
		t.Fatal(f)
	}
	up, end, err := openUpstream(c)
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	if _, err := up.Send(t.Context(), upstream.Message{Queue: "results", Body: "{}", Dedup: "b-1/Announce/7"}); err != nil {
		t.Fatal(err)
	}
	if found, err := filepath.Glob(filepath.Join(c.Upstream.Folder, "results", "*.json")); err != nil || len(found) != 1 {
		t.Errorf("messages %v, %v", found, err)
	}
}
