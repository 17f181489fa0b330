package notify

import (
	"errors"
	"testing"
	"time"

	"inspector"
)

// reports are what the code sends beside boards, by schema and name.
func reports(t *testing.T) map[string]map[string][]byte {
	t.Helper()
	at := board().At
	must := func(v any) []byte {
		b, err := JSON(v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	station := board().Station
	first := Stats{Station: station, Started: at.Add(-time.Hour).UTC(), At: at.UTC()}.Since(Stats{})
	h := NewHandshake(HandshakeConfig{Acknowledge: time.Second})
	idle := h.State(at)
	h.Able("")
	h.Triggered(at, "plc-1")
	h.Judged(at, LineVerdict{Request: "plc-1", ID: "x-1", Verdict: inspector.Pass})
	h.Triggered(at, "plc-2")
	acknowledged := NewReply(Command{Name: OrderAcknowledge, Request: "hmi-7", By: "Ana", Inspection: board().ID}, at, nil)
	acknowledged.By, acknowledged.Inspection, acknowledged.Verdict = "Ana", board().ID, inspector.Fail
	paused := NewReply(Command{Name: OrderPause, Request: "hmi-8"}, at, nil)
	yes := true
	paused.By, paused.Paused = "Ana", &yes
	recipe := NewReply(Command{Name: OrderRecipe, Request: "hmi-9"}, at, nil)
	recipe.By, recipe.Recipe = "mes", "main-board-b"
	return map[string]map[string][]byte{
		"stats": {"stats-first": must(first), "stats": must(Stats{
			Station: station, Started: first.Started, At: at.Add(10 * time.Second).UTC(), Triggers: 9, InFlight: 1, Pass: 6, Fail: 1, Unsure: 1, Captured: 400, Dropped: 3, Waiting: 2, Parked: 1,
		}.Since(first))},
		"health": {"health": must(NewHealthReport(station, at, true, []PartHealth{{"camera", "ok", "delivering", ""}, {"broker", "degraded", "x", "y"}}))},
		"execution": {
			"execution-running": must(ExecutionChange{Schema: Schema, ID: board().ID, Machine: "inspection", Status: "RUNNING", At: at, Started: at}),
			"execution-failed":  must(ExecutionChange{Schema: Schema, ID: board().ID, Machine: "inspection", Status: "FAILED", At: at, Started: at, Redrives: 1, Error: "States.Timeout", Cause: "x", Missed: 3}),
		},
		"birth": {"birth": must(NewBirth(Birth{Station: station, At: at, Version: "v1", Started: at, Client: "inspector-1", Recipe: "r", Model: "m", Page: "http://192.0.2.10:8080"}))},
		"line":  {"line-starting": must(idle), "line-busy": must(h.State(at))},
		"reply": {
			"reply-acknowledge": must(acknowledged), "reply-pause": must(paused), "reply-recipe": must(recipe),
			"reply-taken": must(NewReply(Command{Name: OrderTaken, Request: "plc-1"}, at, nil)), "reply-refused": must(NewReply(Command{Name: OrderRecipe}, at, errors.New("it is not UTF-8"))),
		},
		"set-recipe":      {"set-recipe": []byte(`{"request":"mes-41","recipe":"main-board-b","by":"MES","reason":"order 4711"}`)},
		"set-pause":       {"set-pause": []byte(`{"request":"hmi-42","paused":true,"by":"Ana","reason":"new stencil"}`)},
		"set-acknowledge": {"set-acknowledge": []byte(`{"request":"hmi-43","inspection":"inspector1-1ab877cd-1","by":"Ana"}`)},
		"set-taken":       {"set-taken": []byte(`{"request":"plc-7781"}`)},
	}
}

func TestStatsSince(t *testing.T) {
	start := time.Date(2026, 3, 4, 5, 0, 0, 0, time.UTC)
	at := func(s int, pass, fail, unsure uint64) Stats {
		return Stats{Started: start, At: start.Add(time.Duration(s) * time.Second), Pass: pass, Fail: fail, Unsure: unsure}
	}
	for name, c := range map[string]struct {
		now, before Stats
		seconds     float64
		rate        float64
		yield, all  float64 // -1: none
	}{
		"first":            {at(60, 3, 1, 0), Stats{}, 60, 4, 0.75, 0.75},
		"next":             {at(90, 6, 1, 1), at(60, 3, 1, 0), 30, 8, 0.75, 0.75},
		"none in between":  {at(90, 3, 1, 0), at(60, 3, 1, 0), 30, 0, -1, 0.75},
		"none at all":      {at(10, 0, 0, 0), Stats{}, 10, 0, -1, -1},
		"clock went back":  {at(30, 4, 0, 0), at(60, 3, 0, 0), 0, 0, 1, 1},
		"counts went back": {at(90, 1, 0, 0), at(60, 3, 0, 0), 30, 0, -1, 1},
	} {
		s := c.now.Since(c.before)
		value := func(y *float64) float64 {
			if y == nil {
				return -1
			}
			return *y
		}
		if w := s.Window; w.Seconds != c.seconds || w.Rate != c.rate || value(w.Yield) != c.yield || value(s.Yield) != c.all {
			t.Errorf("%s: %+v, yield %v, all %v", name, w, value(w.Yield), value(s.Yield))
		}
	}
}

func TestHealthReportSame(t *testing.T) {
	report := func(ready bool, parts ...PartHealth) HealthReport {
		return NewHealthReport(inspector.Station{}, time.Unix(1, 0), ready, parts)
	}
	ok := report(true, PartHealth{"camera", "ok", "delivering", ""}, PartHealth{"disk", "ok", "1.9 GB free", ""})
	for name, c := range map[string]struct {
		other HealthReport
		state string
		same  bool
	}{
		"other numbers": {report(true, PartHealth{"camera", "ok", "delivering", ""}, PartHealth{"disk", "ok", "1.8 GB free", ""}), "ok", true},
		"a state":       {report(true, PartHealth{"camera", "ok", "delivering", ""}, PartHealth{"disk", "degraded", "1.9 GB free", ""}), "degraded", false},
		"a remedy":      {report(true, PartHealth{"camera", "ok", "delivering", ""}, PartHealth{"disk", "ok", "1.9 GB free", "x"}), "ok", false},
		"readiness":     {report(false, PartHealth{"camera", "ok", "delivering", ""}, PartHealth{"disk", "ok", "1.9 GB free", ""}), "ok", false},
		"one less":      {report(true, PartHealth{"camera", "down", "delivering", ""}), "down", false},
		"worst first":   {report(true, PartHealth{"camera", "down", "", ""}, PartHealth{"disk", "degraded", "", ""}), "down", false},
	} {
		if got := ok.Same(c.other); got != c.same || c.other.State != c.state {
			t.Errorf("%s: same %v, state %s", name, got, c.other.State)
		}
	}
}
