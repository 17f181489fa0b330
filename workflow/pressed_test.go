package workflow

import (
	"context"
	"encoding/json"
	"testing"

	"inspector/workflow/asl"
)

// What has just been asked for takes no more of a lane that yields than
// Precedence says: a quarter, and another one.
func TestOfferYields(t *testing.T) {
	e := &Engine{}
	h := func(context.Context, Task) (json.RawMessage, error) { return nil, nil }
	better, worse := newLane(e, "better", 8, h), newLane(e, "worse", 8, h)
	e.lanes = map[string]*lane{"better": better, "worse": worse}
	better.Rank, worse.Rank, worse.more = 1, 2, false
	better.presses.Store(true)
	worse.start = func(d deed) step {
		worse.doing[d.place()] = func(error) {}
		if d.extra {
			worse.extra++
		}
		return nil
	}
	for n := range int64(20) {
		worse.offer(Work{Execution: "x", Command: n}, asl.Command{ID: n}, nil)
	}
	if n := len(worse.doing); n != 4 {
		t.Errorf("%d begun, want 4", n)
	}
}
