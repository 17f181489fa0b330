package workflow

import (
	"fmt"
	"testing"
	"time"
)

func TestBreaker(t *testing.T) {
	now := time.Unix(1000, 0)
	second := func(n int) time.Time { return now.Add(time.Duration(n) * time.Second) }
	open := breaker{}
	for _, test := range []struct {
		name  string
		from  breaker
		how   outcome
		probe bool
		want  breaker
	}{
		{"first failure", open, failed, false, breaker{time.Second, second(1)}},
		{"probe fails", breaker{time.Second, now}, failed, true, breaker{2 * time.Second, second(2)}},
		{"probes go on failing", breaker{16 * time.Second, now}, failed, true, breaker{30 * time.Second, second(30)}},
		{"no longer than that", breaker{30 * time.Second, now}, failed, true, breaker{30 * time.Second, second(30)}},
		{"late failure of what was begun before", breaker{4 * time.Second, second(3)}, failed, false, breaker{4 * time.Second, second(3)}},
		{"probe succeeds", breaker{30 * time.Second, now}, worked, true, open},
		{"late success", breaker{4 * time.Second, second(3)}, worked, false, open},
		{"refused for good says nothing", open, neutral, false, open},
		{"a probe that says nothing makes room for the next", breaker{4 * time.Second, second(-1)}, neutral, true, breaker{4 * time.Second, now}},
	} {
		if have := test.from.after(test.how, test.probe, now); have != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, have, test.want)
		}
	}
}

func TestErrorNames(t *testing.T) {
	late := timeoutError{"A", time.Second}
	if errorName(late) != "States.Timeout" || errorName(fmt.Errorf("try: %w", late)) != "States.Timeout" || errorName(ErrExists) != "States.TaskFailed" {
		t.Errorf("%s, %s", errorName(late), errorName(ErrExists))
	}
	if permanent(late) || !permanent(poisonError{late}) || !permanent(unfitError{late}) {
		t.Error("wrong errors are permanent")
	}
}
