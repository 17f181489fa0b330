package workflow_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"

	"inspector/workflow"
	"inspector/workflow/asl"
)

// BenchmarkPass drives the pass path of the shipped workflow on the memory
// journal; its baseline in the same run is the interpreter alone.
func BenchmarkPass(b *testing.B) {
	var interpreter float64
	b.Run("interpreter", func(b *testing.B) {
		m, err := asl.Parse(workflow.Inspection)
		must(b, err)
		input := inspectionInput("pass")
		for b.Loop() {
			var x asl.Execution
			_, commands, _ := m.Advance(&x, asl.Event{Kind: asl.Started, Name: "x", Input: input, Seed: "s"})
			for len(commands) > 0 {
				_, commands, _ = m.Advance(&x, asl.Event{Kind: asl.Succeeded, Command: commands[0].ID})
			}
			if x.Status() != asl.StatusSucceeded {
				b.Fatal(x.Error(), x.Cause())
			}
		}
		interpreter = float64(b.N) / b.Elapsed().Seconds()
		b.ReportMetric(interpreter, "executions/s")
		b.ReportMetric(3*interpreter, "states/s")
	})
	b.Run("engine", func(b *testing.B) {
		j := newMemory()
		ended := make(chan struct{}, 1024)
		j.after = func(t workflow.Transition, _ error) {
			if t.Execution.Status == asl.StatusSucceeded {
				ended <- struct{}{}
			}
		}
		done := func(context.Context, workflow.Task) (json.RawMessage, error) { return nil, nil }
		e := newEngine(j, handlers{"inspector:publish": done, "inspector:close": done})
		hash := deploy(b, e, string(workflow.Inspection))
		defer run(b, e)()
		input := inspectionInput("pass")
		n, running := 0, 0
		for b.Loop() {
			must(b, e.Start(b.Context(), hash, fmt.Sprint(n), input))
			n++
			if running++; running > 64 { // a line does not outrun its appliance
				<-ended
				running--
			}
		}
		for ; running > 0; running-- {
			<-ended
		}
		perSecond := float64(n) / b.Elapsed().Seconds()
		b.ReportMetric(perSecond, "executions/s")
		if interpreter > 0 {
			b.ReportMetric(perSecond/interpreter, "of-interpreter")
		}
	})
}
