package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"inspector/workflow"
	"inspector/workflow/graph"
)

var docsPictures = filepath.Join("..", "..", "docs", "workflow")

// The pictures of docs/workflow.md are those that the commands in it draw. With
// INSPECTOR_GRAPHS=write they are drawn anew.
func TestWorkflowPicturesAreUpToDate(t *testing.T) {
	labelled, err := os.ReadFile(filepath.Join(docsPictures, "labelled.asl.json"))
	if err != nil {
		t.Fatal(err)
	}
	run, err := graph.Draw(labelled, &graph.Run{Status: "RUNNING", Events: waitingBoard})
	if err != nil {
		t.Fatal(err)
	}
	for name, picture := range map[string][]byte{
		"inspection.svg": drawn(t, filepath.Join("..", "..", "workflow", "inspection.asl.json")),
		"labelled.svg":   drawn(t, filepath.Join(docsPictures, "labelled.asl.json")),
		"waiting.svg":    run,
	} {
		file := filepath.Join(docsPictures, name)
		if os.Getenv("INSPECTOR_GRAPHS") == "write" {
			if err := os.WriteFile(file, picture, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if have, err := os.ReadFile(file); err != nil || !bytes.Equal(have, picture) {
			t.Errorf("docs/workflow/%s is not what is drawn now (%v): make graphs", name, err)
		}
	}
}

// waitingBoard is the history of a board that has its label, and whose alert
// waits.
var waitingBoard = []graph.Event{
	{Kind: "ChoiceStateEntered", State: "CheckVerdict"}, {Kind: "ChoiceStateExited", State: "CheckVerdict"},
	{Kind: "TaskStateEntered", State: "Label"}, {Kind: "TaskStateExited", State: "Label"},
	{Kind: "ParallelStateEntered", State: "Hold"}, {Kind: "WaitStateEntered", State: "Grace"},
	{Kind: "TaskStateEntered", State: "Quarantine"}, {Kind: "TaskStateExited", State: "Quarantine"},
	{Kind: "TaskStateEntered", State: "PublishResult"}, {Kind: "TaskStateExited", State: "PublishResult"},
	{Kind: "ChoiceStateEntered", State: "HasImage"}, {Kind: "ChoiceStateExited", State: "HasImage"},
	{Kind: "TaskStateEntered", State: "ForwardImage"}, {Kind: "TaskStateExited", State: "ForwardImage"},
	{Kind: "TaskStateEntered", State: "ForwardRecord"}, {Kind: "TaskStateExited", State: "ForwardRecord"},
	{Kind: "TaskStateEntered", State: "Announce"}, {Kind: "TaskScheduled", State: "Announce"}, {Kind: "TaskFailed", State: "Announce", Error: "Offline"},
}

func drawn(t *testing.T, file string) []byte {
	t.Helper()
	var out, errs bytes.Buffer
	if code := command(t.Context(), []string{"workflow", "graph", file}, func(string) string { return "" }, &out, &errs); code != 0 {
		t.Fatalf("%s: %d %s", file, code, &errs)
	}
	return out.Bytes()
}

// The changed definition of docs/workflow.md is the shipped one, but for what
// the page says.
func TestWorkflowExampleFollowsTheShippedOne(t *testing.T) {
	read := func(text []byte) map[string]map[string]any {
		t.Helper()
		var top struct{ States map[string]map[string]any }
		if err := json.Unmarshal(text, &top); err != nil {
			t.Fatal(err)
		}
		return top.States
	}
	text, err := os.ReadFile(filepath.Join(docsPictures, "labelled.asl.json"))
	if err != nil {
		t.Fatal(err)
	}
	changed, shipped := read(text), read(workflow.Inspection)
	delete(changed, "Label")
	changed["CheckVerdict"]["Default"] = "Hold"
	for _, b := range changed["Hold"]["Branches"].([]any) {
		branch := b.(map[string]any)
		if in := branch["States"].(map[string]any); branch["StartAt"] == "Grace" {
			branch["StartAt"] = "Alert"
			delete(in, "Grace")
		}
	}
	have, _ := json.Marshal(changed)
	want, _ := json.Marshal(shipped)
	if !bytes.Equal(have, want) {
		t.Errorf("docs/workflow/labelled.asl.json differs from workflow/inspection.asl.json in more than Label and Grace:\n%s\n%s", have, want)
	}
}
