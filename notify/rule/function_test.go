package rule

import (
	"encoding/json"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"inspector/workflow/asl/asltest"
)

// TestConformanceDestinations makes the records that AWS made: the same
// fields, conditions, counts and contexts.
func TestConformanceDestinations(t *testing.T) {
	var cases []struct {
		Test   string
		Record map[string]any
		Event  struct{ Detail map[string]any }
	}
	asltest.Corpus(t, filepath.Join("..", ".."), filepath.Join("lambda-destinations", "records.json"), &cases)
	passed := 0
	for _, c := range cases {
		want := c.Record
		if want == nil {
			want = c.Event.Detail
		}
		if have := remade(t, want); alike(have, want) {
			passed++
		} else {
			t.Errorf("%s:\nhave %s\nwant %s", c.Test, inside(have), inside(want))
		}
	}
	asltest.Report(t, asltest.Score{Corpus: "lambda-destinations", Level: "record", Passed: passed, Total: len(cases), Floor: 100})
}

// remade is our record of an invocation that went as the recorded one.
func remade(t *testing.T, want map[string]any) (have map[string]any) {
	t.Helper()
	request := want["requestContext"].(map[string]any)
	count, condition := int(request["approximateInvokeCount"].(float64)), request["condition"].(string)
	f := Function{Name: "f"}
	i := Invocation{RequestID: "r", At: at, Payload: inside(want["requestPayload"])}
	now := at
	if retries := count - 1; condition == RetriesExhausted {
		f.Retries = &retries
	}
	if condition == EventAgeExceeded {
		f.MaxAge = time.Minute
		f.Pauses = []time.Duration{time.Second, time.Minute}
		if count == 1 {
			f.Pauses = []time.Duration{2 * time.Minute}
		}
	}
	if condition == Success {
		i.Response = inside(want["responsePayload"])
	} else {
		response := want["responsePayload"].(map[string]any)
		i.Failure = &Failure{Error: response["errorType"].(string), Cause: response["errorMessage"].(string)}
		for i.Reckoning == nil || i.Reckoning.Condition == Again {
			r := f.Reckon(i, now)
			now = now.Add(time.Duration(r.Wait) * time.Second)
			i.Reckoning = &r
		}
	}
	r, err := f.Record(origin, i, now)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(inside(r), &have); err != nil {
		t.Fatal(err)
	}
	return have
}

// alike compares the form, and the values that are not the recorder's own.
func alike(have, want any) bool {
	h, isObject := have.(map[string]any)
	w, alsoObject := want.(map[string]any)
	if !isObject || !alsoObject {
		return reflect.DeepEqual(have, want)
	}
	if !reflect.DeepEqual(keys(h), keys(w)) {
		return false
	}
	for k := range w {
		switch k {
		case "timestamp", "requestId", "functionArn", "stackTrace":
			if (h[k] == nil) != (w[k] == nil) {
				return false
			}
		default:
			if !alike(h[k], w[k]) {
				return false
			}
		}
	}
	return true
}

func TestReckon(t *testing.T) {
	none := 0
	for _, c := range []struct {
		f     Function
		count int
		age   time.Duration
		want  Reckoning
	}{
		{Function{}, 0, 0, Reckoning{1, Again, 60}},
		{Function{}, 1, time.Minute, Reckoning{2, Again, 120}},
		{Function{}, 2, 3 * time.Minute, Reckoning{3, RetriesExhausted, 0}},
		{Function{Retries: &none}, 0, 0, Reckoning{1, RetriesExhausted, 0}},
		{Function{MaxAge: 90 * time.Second}, 0, 31 * time.Second, Reckoning{1, EventAgeExceeded, 0}},
		{Function{MaxAge: 90 * time.Second}, 0, 30 * time.Second, Reckoning{1, Again, 60}},
		{Function{Pauses: []time.Duration{5 * time.Second}}, 1, 0, Reckoning{2, Again, 5}},
	} {
		i := Invocation{At: at}
		if c.count > 0 {
			i.Reckoning = &Reckoning{Count: c.count, Condition: Again}
		}
		if got := c.f.Reckon(i, at.Add(c.age)); got != c.want {
			t.Errorf("%+v after %d: %+v, want %+v", c.f, c.count, got, c.want)
		}
	}
}
