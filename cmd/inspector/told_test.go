package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// checkTold looks whether every event of the board has reached the target of
// the rule: its verdict, and each status of its execution.
func checkTold(t *testing.T, cut, folder, board string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil {
		t.Fatal(err)
	}
	ids, told := map[string]bool{}, map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		var message struct{ Body string }
		var e struct {
			ID         string `json:"id"`
			DetailType string `json:"detail-type"`
			Detail     struct{ Inspection, Name, Status string }
		}
		if err == nil {
			err = json.Unmarshal(text, &message)
		}
		if err == nil {
			err = json.Unmarshal([]byte(message.Body), &e)
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		ids[e.ID] = true
		if e.Detail.Inspection+e.Detail.Name == board {
			told[e.DetailType+e.Detail.Status] = true
		}
	}
	const change = "Step Functions Execution Status Change"
	if !told[inspectionJudged] || !told[change+"RUNNING"] || !told[change+"SUCCEEDED"] || len(ids) != 3 {
		t.Errorf("%s: %d events were told: %v", cut, len(ids), slices.Sorted(maps.Keys(told)))
	}
}
