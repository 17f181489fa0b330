package temporal

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"inspector/workflow/asl"
)

const (
	// A run should go on as a new one when the cluster suggests it, after some
	// 4,000 events. One that has grown so much starts no more tasks until those
	// in flight have ended: Temporal ends a run at 51,200 events or 50 MB.
	manyEvents = 20_000
	manyBytes  = 20 << 20
	// maxCarried is what Temporal takes as input of a run, less some room.
	maxCarried = 1_900_000
	// maxUnpacked bounds what a packed journal may become.
	maxUnpacked = 256 << 20
)

// heavy reports whether the run must come to a rest.
func (r *run) heavy() bool {
	i := workflow.GetInfo(r.ctx)
	return i.GetCurrentHistoryLength() > manyEvents || i.GetCurrentHistorySize() > manyBytes
}

// resting reports whether a task is better left to the next run: because this
// one should end and no other task is in flight, or because it must.
func (r *run) resting() bool {
	return r.tasks == 0 && workflow.GetInfo(r.ctx).GetContinueAsNewSuggested() || r.heavy()
}

// mayContinue reports whether the execution should go on in a new run, with an
// empty history, and nothing would be lost on the way: no task is in flight
// and every signal is read. Timers and tokens are taken along.
func (r *run) mayContinue() bool {
	if r.ended() || r.tasks > 0 || r.sending > 0 || !r.resting() {
		return false
	}
	for _, s := range r.signals {
		if s.Len() > 0 {
			return false
		}
	}
	return true
}

// continuation is the error that has Temporal go on in a new run. The journal
// is taken along whole: folding it is what rebuilds the execution.
func (r *run) continuation() error {
	journal, err := pack(r.journal)
	if err != nil {
		return err
	}
	if len(journal)+len(r.start.Definition) > maxCarried {
		cause := fmt.Sprintf("The journal of %d events is too long for a Temporal cluster: packed it has %d bytes. Run such an execution on the embedded engine.", len(r.journal), len(journal))
		return temporal.NewNonRetryableApplicationError(cause, "States.Runtime", nil, Outcome{Status: asl.StatusFailed, Error: "States.Runtime", Cause: cause})
	}
	next := r.start
	next.Input, next.Journal, next.Parked, next.Redrive = nil, journal, r.parked, false
	return workflow.NewContinueAsNewError(r.ctx, Type, next)
}

// pack gives the events as compressed lines of JSON.
func pack(events []asl.Event) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	lines := json.NewEncoder(z)
	for n, e := range events {
		if err := lines.Encode(e); err != nil {
			return nil, fmt.Errorf("pack event %d: %w", n+1, err)
		}
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("pack the journal: %w", err)
	}
	return b.Bytes(), nil
}

func unpack(packed []byte) (events []asl.Event, err error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("unpack the journal: %w", err)
	}
	lines := json.NewDecoder(io.LimitReader(z, maxUnpacked))
	for {
		var e asl.Event
		switch err := lines.Decode(&e); {
		case errors.Is(err, io.EOF):
			return events, nil
		case err != nil:
			return nil, fmt.Errorf("unpack event %d: %w", len(events)+1, err)
		}
		events = append(events, e)
	}
}
