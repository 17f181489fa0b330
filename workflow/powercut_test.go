package workflow_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"inspector/workflow"
	"inspector/workflow/asl"
)

func inspectionInput(verdict string) json.RawMessage {
	evidence := `,"evidence":{"image":"evidence:a/b.png","overlay":"overlay:dev-0123abcd-7"}`
	if verdict == "pass" {
		evidence = ""
	}
	return json.RawMessage(fmt.Sprintf(`{"inspection":{"id":"dev-0123abcd-7","verdict":%[1]q,"evidence":[{"kind":"overlay","type":"image/webp"},{"kind":"image","type":"image/png"}]},
	 "station":{"site":"s","line":"l","device":"dev"},"topics":{"result":"t/result","alert":"t/alert"},
	 "upstream":{"bucket":"b","prefix":"p","queue":"https://q","keys":{"image":"k/image.png","overlay":"k/overlay.jpg","record":"k/inspection.json"},"tags":"verdict=fail"},
	 "filters":{"schema":"inspector/1","verdict":%[1]q,"recipe":"main","line":"line1","class":"open"}%[2]s}`, verdict, evidence))
}

// A world outlives power cuts: the journal's disk, and what was done outside.
type world struct {
	t        *testing.T
	journal  *memory
	mu       sync.Mutex
	deeds    map[string]int  // effects by key
	recorded map[string]bool // keys whose success is in the journal
	tokens   []string
	points   []string // in order of first passing
	cut      string   // the point at which the power goes
	dark     bool
	cutting  func()
}

var errDark = errors.New("the power is cut")

// at passes a point; false if the power is gone, or goes now.
func (w *world) at(point string) bool {
	if !w.dark && !slices.Contains(w.points, point) {
		w.points = append(w.points, point)
		if point == w.cut {
			w.dark = true
			w.cutting()
		}
	}
	return !w.dark
}

// do is every handler.
func (w *world) do(_ context.Context, task workflow.Task) (json.RawMessage, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.at("before doing " + task.State) {
		return nil, errDark
	}
	if w.recorded[task.Key] {
		w.t.Errorf("cut %s: %s was recorded and is done again", w.cut, task.Key)
	}
	w.deeds[task.Key]++
	if task.Token != "" {
		w.tokens = append(w.tokens, task.Token)
	}
	if !w.at("after doing " + task.State) {
		return nil, errDark // done, but nobody will know
	}
	return json.RawMessage(`{}`), nil
}

func (w *world) before(tr workflow.Transition) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.at(fmt.Sprintf("before journalling %s %d", tr.Event.Kind, tr.Event.Command)) {
		return errDark
	}
	return nil
}

func (w *world) after(tr workflow.Transition, did error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if did == nil && tr.Event.Kind == asl.Succeeded {
		for key := range w.deeds {
			if len(key) > 2 && key[len(key)-2:] == fmt.Sprintf("/%d", tr.Event.Command) {
				w.recorded[key] = true
			}
		}
	}
	w.at(fmt.Sprintf("after journalling %s %d", tr.Event.Kind, tr.Event.Command))
}

func (w *world) engine() *workflow.Engine {
	h := handlers{}
	for _, resource := range []string{"inspector:publish", "inspector:alert", "inspector:quarantine", "inspector:review", "inspector:close",
		"arn:aws:states:::aws-sdk:s3:putObject", "arn:aws:states:::sqs:sendMessage"} {
		h[resource] = w.do
	}
	return newEngine(w.journal, h)
}

// life runs an engine until the execution has ended or the power is cut. The
// line asks for the execution, and a person answers, as often as it takes.
func (w *world) life(input json.RawMessage) {
	ctx, cancel := context.WithCancel(w.t.Context())
	defer cancel()
	w.mu.Lock()
	w.dark, w.cutting = false, cancel
	w.mu.Unlock()
	e := w.engine()
	hash, err := e.Deploy(w.t.Context(), workflow.Inspection)
	must(w.t, err)
	ended := make(chan struct{})
	go func() { defer close(ended); _ = e.Run(ctx) }()
	for range 100 {
		if ctx.Err() == nil {
			_ = e.Start(ctx, hash, "dev-0123abcd-7", input)
		}
		time.Sleep(time.Minute)
		w.mu.Lock()
		tokens := slices.Clone(w.tokens)
		w.mu.Unlock()
		for _, token := range tokens {
			if ctx.Err() == nil {
				_ = e.SendTaskSuccess(ctx, token, json.RawMessage(`{"decision":"scrap","by":"me"}`))
			}
		}
		synctest.Wait()
		if d, err := e.Describe(w.t.Context(), "dev-0123abcd-7"); ctx.Err() != nil || err == nil && d.Status != asl.StatusRunning {
			break
		}
	}
	cancel()
	<-ended
}

// Cut the power before and after every deed and every write of the shipped
// workflow in turn, then start again: nothing is lost, nothing recorded is
// repeated.
func TestPowerCut(t *testing.T) {
	for _, verdict := range []string{"pass", "fail", "unsure"} {
		t.Run(verdict, func(t *testing.T) {
			points := livesWithCut(t, verdict, "")
			if len(points) < 10 {
				t.Fatalf("only %d points to cut at: %v", len(points), points)
			}
			for _, cut := range points {
				livesWithCut(t, verdict, cut)
			}
			t.Logf("the power was cut at %d points", len(points))
		})
	}
}

func livesWithCut(t *testing.T, verdict, cut string) (points []string) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, journal: newMemory(), deeds: map[string]int{}, recorded: map[string]bool{}, cut: cut}
		w.journal.before, w.journal.after = w.before, w.after
		w.life(inspectionInput(verdict))
		first := w.points
		if cut != "" {
			if !w.dark {
				t.Errorf("the power was never cut at %q", cut)
			}
			w.life(inspectionInput(verdict))
		}
		d := describe(t, w.engine(), "dev-0123abcd-7")
		if d.Status != asl.StatusSucceeded || len(d.Work) != 0 {
			t.Errorf("cut %s: the execution is %s in %v, work %+v", cut, d.Status, d.States, d.Work)
		}
		want := 2
		if verdict != "pass" {
			want = 9
		}
		if len(w.deeds) != want {
			t.Errorf("cut %s: did %v, want %d different deeds", cut, w.deeds, want)
		}
		for key, n := range w.deeds {
			if n > 2 || cut == "" && n != 1 {
				t.Errorf("cut %s: %s was done %d times", cut, key, n)
			}
		}
		points = first
	})
	return points
}
