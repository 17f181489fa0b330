package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"inspector"
	"inspector/camera"
	"inspector/model"
	"inspector/notify/rule"
	"inspector/store"
	"inspector/web"
	"inspector/workflow"
)

// What the code tells is what the schema allows, and the examples show it.
func TestOwnEventsAreAsDocumented(t *testing.T) {
	at := time.Date(2026, 3, 2, 14, 5, 6, 789e6, time.UTC)
	station := inspector.Station{Site: "graz", Line: "smt2", Device: "aoi1"}
	o := rule.Origin{Account: station.Device, Region: station.Site, States: "aws.states"}
	board := inspector.Inspection{
		ID: "aoi1-5eed0001-17", Station: station, Seq: 17, At: at, Verdict: inspector.Fail, Reason: "open 0.93 is 0.7 or more", Score: 0.93, Serial: "SN-000123",
		Recipe: "main-board-b", Model: "pcb/1.0.0@3f5a", Defects: []inspector.Defect{{Class: "open"}, {Class: "open"}, {Class: "short"}},
	}
	folder := filepath.Join("..", "..", "docs", "messages")
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	schema, err := c.Compile(filepath.Join(folder, "events.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	for name, e := range map[string]rule.Event{
		"inspection-judged":       o.Event(inspectionJudged, board.ID, at, judgedDetailOf(board)),
		"inspection-acknowledged": o.Event(inspectionAcknowledged, board.ID, at, acknowledgedDetailOf(board, inspector.Acknowledgement{By: "Ana", At: at})),
		"model-changed":           o.Event(modelChanged, "k", at, modelDetailOf(model.Change{At: at, By: "Ana", Model: "pcb", Alias: model.Production, From: "1.0.0", To: "1.1.0", Reason: "fewer false calls"})),
		"camera-state":            o.Event(cameraChanged, "k", at, cameraDetail{camera.Lost, camera.Delivering, "/dev/video0", "no frame for 5s", at}),
		"storage-health":          o.Event(storageChanged, "k", at, storageDetail{web.Degraded, web.OK, diskLow.String(), "1.9 GB free, less than the 2.1 GB that disk.warn asks for", "free space on the disk that holds data", 1_900_000_000, 64_000_000_000}),
	} {
		text, err := e.JSON()
		if err != nil {
			t.Fatal(err)
		}
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var shown bytes.Buffer
		if err := json.Indent(&shown, text, "", "  "); err != nil {
			t.Fatal(err)
		}
		example, err := os.ReadFile(filepath.Join(folder, "events", name+".json"))
		if err != nil || string(bytes.TrimSpace(example)) != shown.String() {
			t.Errorf("%s.json is not what is told (%v):\n%s", name, err, shown.String())
		}
		v.(map[string]any)["detail"].(map[string]any)["more"] = true
		if schema.Validate(v) == nil {
			t.Errorf("the schema takes any detail of %s", name)
		}
	}
}

// Who has seen a board is told once, also when it is said again.
func TestAcknowledgementIsTold(t *testing.T) {
	f := newEventful(t)
	f.write("rules/seen.yaml", "pattern: '{\"detail-type\": [\"Inspection Acknowledged\"]}'\ntargets: {tell: {mqtt: {topic: told/seen}, input_path: $.detail.by}}\n")
	f.start()
	b := &backend{store: f.disk, told: f.events}
	accepted := func(v inspector.Verdict) string {
		i := f.fails(f.disk.NextID().String())
		i.Verdict = v
		i, err := f.disk.Accept(t.Context(), i, nil, func(inspector.Inspection) ([]workflow.Transition, error) { return nil, nil })
		if err != nil {
			t.Fatal(err)
		}
		return i.ID
	}
	board, good := accepted(inspector.Fail), accepted(inspector.Pass)
	for _, by := range []string{"Ana", "Ben"} {
		if r, err := b.Acknowledge(t.Context(), board, inspector.Acknowledgement{By: by, At: time.Now().UTC()}); err != nil || r.Acknowledged == nil || r.Acknowledged.By != "Ana" {
			t.Fatalf("%s: %+v, %v", by, r.Acknowledged, err)
		}
	}
	if told := within(t, f.heard); told != `told/seen "Ana"` {
		t.Errorf("told %s", told)
	}
	for id, want := range map[string]error{good: web.ErrConflict, "nobody": web.ErrNotFound, f.disk.NextID().String(): web.ErrNotFound} {
		if _, err := b.Acknowledge(t.Context(), id, inspector.Acknowledgement{By: "Ana"}); !errors.Is(err, want) {
			t.Errorf("%s: %v; want %v", id, err, want)
		}
	}
	all, _, err := f.disk.Executions(t.Context(), store.ExecutionFilter{Machine: "rule/seen/tell"})
	if err != nil || len(all) != 1 {
		t.Errorf("%d deliveries (%v), want 1", len(all), err)
	}
}

// A change before which the power failed is told at the next start; one that
// was told is not told twice, and what is old is no news.
func TestModelChangesAreRecalled(t *testing.T) {
	f := newEventful(t)
	f.write("rules/models.yaml", "pattern: '{\"detail-type\": [\"Model Changed\"]}'\ntargets: {tell: {mqtt: {topic: told/model}, input_path: $.detail.to}}\n")
	f.start()
	now := time.Now()
	c := func(to string, age time.Duration) model.Change {
		return model.Change{At: now.Add(-age), By: "Ana", Model: "pcb", Alias: model.Production, From: "1.0.0", To: to}
	}
	f.events.modelChanged(t.Context(), c("1.1.0", time.Hour))
	if told := within(t, f.heard); told != `told/model "1.1.0"` {
		t.Fatalf("told %s", told)
	}
	written, err := json.Marshal([]model.Change{c("0.9.0", 25*time.Hour), c("1.1.0", time.Hour), c("1.2.0", time.Minute)})
	if err != nil {
		t.Fatal(err)
	}
	var read []model.Change // as the registry's file gives them
	if err := json.Unmarshal(written, &read); err != nil {
		t.Fatal(err)
	}
	f.events.recall(t.Context(), read, now)
	f.events.recall(t.Context(), read, now)
	if told := within(t, f.heard); told != `told/model "1.2.0"` {
		t.Errorf("told %s", told)
	}
	all, _, err := f.disk.Executions(t.Context(), store.ExecutionFilter{Machine: "rule/models/tell"})
	if err != nil || len(all) != 2 {
		t.Errorf("%d deliveries (%v), want 2", len(all), err)
	}
}
