package main

import (
	"context"
	"fmt"
	"time"

	"inspector"
	"inspector/camera"
	"inspector/model"
	"inspector/web"
)

// The kinds of events of our own source: docs/messages/events.schema.json has
// the form of each detail.
const (
	inspectionJudged = "Inspection Judged"
	modelChanged     = "Model Changed"
	cameraChanged    = "Camera State Change"
	storageChanged   = "Storage Health Change"

	inspectionAcknowledged = "Inspection Acknowledged"
)

// A judgedDetail is the detail of Inspection Judged.
type judgedDetail struct {
	Inspection string            `json:"inspection"`
	Station    inspector.Station `json:"station"`
	Verdict    inspector.Verdict `json:"verdict"`
	Reason     string            `json:"reason"`
	Score      float32           `json:"score"`
	Defects    map[string]int    `json:"defects"` // how many of each class
	Recipe     string            `json:"recipe"`
	Model      string            `json:"model"`
	Serial     string            `json:"serial"`
	At         time.Time         `json:"at"` // of capture
	Seq        uint64            `json:"seq"`
	Missed     uint64            `json:"missed"`
}

func judgedDetailOf(i inspector.Inspection) judgedDetail {
	d := judgedDetail{
		Inspection: i.ID, Station: i.Station, Verdict: i.Verdict, Reason: i.Reason[:min(len(i.Reason), 1024)], Score: i.Score, Defects: map[string]int{},
		Recipe: i.Recipe, Model: i.Model, Serial: i.Serial, At: i.At.UTC(), Seq: i.Seq, Missed: i.Missed,
	}
	for _, f := range i.Defects {
		d.Defects[f.Class]++
	}
	return d
}

// An acknowledgedDetail is the detail of Inspection Acknowledged.
type acknowledgedDetail struct {
	Inspection string            `json:"inspection"`
	Station    inspector.Station `json:"station"`
	Verdict    inspector.Verdict `json:"verdict"`
	Recipe     string            `json:"recipe"`
	Serial     string            `json:"serial"`
	By         string            `json:"by"`
	At         time.Time         `json:"at"`
}

func acknowledgedDetailOf(i inspector.Inspection, a inspector.Acknowledgement) acknowledgedDetail {
	return acknowledgedDetail{i.ID, i.Station, i.Verdict, i.Recipe, i.Serial, a.By, a.At.UTC()}
}

// A modelDetail is the detail of Model Changed.
type modelDetail struct {
	Action string    `json:"action"` // promote, rollback, shadow
	Model  string    `json:"model"`
	From   string    `json:"from"` // version; empty: none
	To     string    `json:"to"`
	By     string    `json:"by"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

func modelDetailOf(c model.Change) modelDetail {
	d := modelDetail{"promote", c.Model, c.From, c.To, c.By, c.Reason, c.At.UTC()}
	switch {
	case c.Alias == model.Shadow:
		d.Action = "shadow"
	case c.Back:
		d.Action = "rollback"
	}
	return d
}

// A cameraDetail is the detail of Camera State Change.
type cameraDetail struct {
	State  camera.State `json:"state"` // opening, delivering, lost, ended
	Before camera.State `json:"before"`
	Source string       `json:"source"` // without credentials
	Error  string       `json:"error"`  // why it was lost or ended
	Since  time.Time    `json:"since"`
}

// A storageDetail is the detail of Storage Health Change.
type storageDetail struct {
	State  web.State `json:"state"` // ok, degraded, down
	Before web.State `json:"before"`
	Level  string    `json:"level"` // ok, warn, stop-passes, stop-triggers: what is given up
	Detail string    `json:"detail"`
	Remedy string    `json:"remedy"`
	Free   int64     `json:"free_bytes"`
	Total  int64     `json:"total_bytes"`
}

// A watchman tells of changes of the camera and of the disk. What cannot be
// told now is told later, unless it has changed again.
type watchman struct {
	health *health
	tell   func(ctx context.Context, kind, key string, at time.Time, detail any) error
	camera camera.State
	state  web.State
	level  diskLevel
	failed string // logged already
}

// watchPause is how often the watchman looks.
const watchPause = time.Second

// Run looks until ctx ends.
func (w *watchman) Run(ctx context.Context) error {
	tick := time.NewTicker(watchPause)
	defer tick.Stop()
	for {
		w.look(ctx, time.Now())
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// look tells what has changed since it last could.
func (w *watchman) look(ctx context.Context, now time.Time) {
	c := w.health.camera.Health()
	if c.State != w.camera && (w.camera == "" || w.told(ctx, cameraChanged, string(c.State), c.Since, cameraDetail{c.State, w.camera, c.Source, c.Error, c.Since.UTC()})) {
		w.camera = c.State
	}
	level := w.health.guard.now()
	free, total, err := w.health.guard.room()
	p := w.health.diskPart(err)
	d := storageDetail{p.State, w.state, level.String(), p.Detail, p.Remedy, free, total}
	if (p.State != w.state || level != w.level) && (w.state == "" || w.told(ctx, storageChanged, string(p.State)+" "+d.Level, now, d)) {
		w.state, w.level = p.State, level
	}
}

func (w *watchman) told(ctx context.Context, kind, key string, at time.Time, detail any) bool {
	err := w.tell(ctx, kind, key, at, detail)
	if words := fmt.Sprint(kind, err); err != nil && ctx.Err() == nil && words != w.failed {
		w.health.line.log.Error("an event is not told yet", "type", kind, "err", err)
		w.failed = words
	}
	return err == nil
}
