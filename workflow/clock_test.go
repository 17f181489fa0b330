package workflow_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"inspector/workflow"
	"inspector/workflow/asl"
)

// ahead is a journal that holds what happened at times that the wall clock
// has not reached, as after a loss of the clock.
type ahead struct {
	*memory
	latest, opened time.Time
}

func (a ahead) Now(wall time.Time) time.Time {
	if least := a.latest.Add(time.Since(a.opened)); wall.Before(least) {
		return least
	}
	return wall
}

// Waits and retries last as long as they say, whatever the journal's times
// are, and what was due by them is.
func TestWaitsWithTheClockLost(t *testing.T) {
	for name, skew := range map[string]time.Duration{"journal ahead": 50 * 365 * 24 * time.Hour, "journal behind": -50 * 365 * 24 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j := ahead{newMemory(), time.Now().Add(skew), time.Now()}
				var attempts []time.Duration
				began := time.Now()
				e := newEngine(j, handlers{"r": func(context.Context, workflow.Task) (json.RawMessage, error) {
					attempts = append(attempts, time.Since(began))
					if len(attempts) == 1 {
						return nil, errors.New("once")
					}
					return nil, nil
				}})
				hash := deploy(t, e, `{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":60,"Next":"A"},"A":{"Type":"Task","Resource":"r","Retry":[{"ErrorEquals":["States.ALL"],"IntervalSeconds":30,"MaxAttempts":1}],"End":true}}}`)
				defer run(t, e)()
				must(t, e.Start(t.Context(), hash, "x", nil))
				time.Sleep(10 * time.Minute)
				wantStatus(t, e, "x", asl.StatusSucceeded)
				if len(attempts) != 2 || attempts[0] != time.Minute || attempts[1] != 90*time.Second {
					t.Errorf("attempts at %v, want 1m and 1m30s", attempts)
				}
			})
		})
	}
}
