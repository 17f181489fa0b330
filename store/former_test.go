package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"inspector/workflow"
	"inspector/workflow/asl"
)

// formerDefinition waits, works and ends.
const formerDefinition = `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"r","Next":"W"},"W":{"Type":"Wait","Seconds":1,"End":true}}}`

// former makes a store as the release with schema 3 left it: one execution
// whose task was asked for, one that waits for a time, and one that ended.
func former(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	db, err := sql.Open("sqlite3", filepath.Join(dir, "inspector.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	do := func(query string, args ...any) {
		t.Helper()
		if _, err := db.Exec(query, args...); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
	for n := 1; n <= 3; n++ {
		statements, err := schema.ReadFile(fmt.Sprintf("schema/%d.sql", n))
		if err != nil {
			t.Fatal(err)
		}
		do(string(statements))
	}
	do(`PRAGMA user_version = 3`)
	do(`INSERT INTO store (one, device, epoch) VALUES (1, 'dev', '0123abcd')`)
	m, err := asl.Parse([]byte(formerDefinition))
	if err != nil {
		t.Fatal(err)
	}
	do(`INSERT INTO definitions VALUES (?, ?)`, m.Hash(), []byte(formerDefinition))
	began := time.Now().Add(-time.Hour).UTC()
	for n, id := range []string{"asked", "waits", "ended"} {
		status, events := "RUNNING", []string{`{"kind":"started","at":%[1]q,"name":%[2]q,"seed":"s","input":{}}`, `{"kind":"succeeded","at":%[1]q,"command":1,"output":{"b":1}}`, `{"kind":"fired","at":%[1]q,"command":2}`}[:n+1]
		if id == "ended" {
			status = "SUCCEEDED"
		}
		do(`INSERT INTO executions (id, status, events, record) VALUES (?, ?, ?, ?)`, id, status, n+1,
			fmt.Sprintf(`{"name":%q,"machine":%q,"status":%q,"startDate":%q,"states":["A"]}`, id, m.Hash(), status, began.Format(time.RFC3339Nano)))
		for i, form := range events {
			values := []any{began.Format(time.RFC3339Nano), id}
			if i > 0 {
				values = values[:1]
			}
			text := fmt.Sprintf(form, values...)
			do(`INSERT INTO events VALUES (?, ?, ?)`, n+1, i+1, text)
		}
	}
	insert := `INSERT INTO work (execution, command, lane, state, due, since, parked) VALUES (?, ?, ?, ?, ?, ?, '')`
	do(insert, 1, 1, "r", "A", began.UnixNano(), began.UnixNano())
	do(insert, 2, 2, workflow.LaneTimer, "W", began.Add(time.Second).UnixNano(), began.UnixNano())
	return dir
}

// A store of the release before there were machines goes on: what runs
// finishes, and is of the shipped machine, which can be held.
func TestFormerStoreGoesOn(t *testing.T) {
	s, err := Open(t.Context(), former(t), "dev")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	e := workflow.New(s, slog.New(slog.DiscardHandler), workflow.Options{})
	done := make(chan string, 9)
	e.Handle("r", 1, func(_ context.Context, task workflow.Task) (json.RawMessage, error) {
		done <- task.Execution
		return nil, nil
	})
	if _, err := e.Ship(t.Context(), workflow.InspectionMachine, workflow.Inspection); err != nil {
		t.Fatal(err)
	}
	if err := s.Hold(t.Context(), workflow.Hold{Machine: workflow.InspectionMachine}); err != nil {
		t.Fatal(err)
	}
	for _, lane := range []string{"r", workflow.LaneTimer} {
		if due, _, err := s.Due(t.Context(), lane, time.Now(), 9, false); err != nil || len(due) != 0 {
			t.Errorf("held, but due is %v (%v)", due, err)
		}
	}
	if err := e.Resume(t.Context(), workflow.InspectionMachine); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- e.Run(ctx) }()
	if id := <-done; id != "asked" {
		t.Errorf("the work of %s was done", id)
	}
	for {
		running, _, err := s.Executions(t.Context(), ExecutionFilter{Status: "RUNNING"})
		if err != nil {
			t.Fatal(err)
		}
		if len(running) == 0 {
			break
		}
		select {
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		case <-time.After(10 * time.Millisecond):
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	all, _, err := s.Executions(t.Context(), ExecutionFilter{})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, x := range all {
		ids = append(ids, x.ID)
		if x.StateMachine != workflow.InspectionMachine || x.Status != asl.StatusSucceeded {
			t.Errorf("%s is %s on machine %q", x.ID, x.Status, x.StateMachine)
		}
	}
	if !slices.Equal(ids, []string{"ended", "waits", "asked"}) {
		t.Errorf("executions %v", ids)
	}
}
