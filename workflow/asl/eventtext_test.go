package asl

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

// What is appended reads as what encoding/json writes does, or neither can be
// written.
func FuzzEventText(f *testing.F) {
	f.Add("succeeded", int64(1767225600), int64(5), int64(7), []byte(`{"a": [1, "<&\u2028"]}`), []byte(nil), "Some.Error", "why\n\xff\x00\x1f\"\\", 0.25, "n", "arn", "ann", "seed")
	f.Add("started", int64(-1<<40), int64(0), int64(0), []byte(`{"a"`), []byte(`1 2`), "", "", 1e-9, "", "", "", "")
	f.Add("fired", int64(1<<40), int64(-1), int64(-7), []byte("\"\xff\""), []byte(` 1.50 `), "\u2028", "\b\f", -0.5, "ä", "", "", "")
	f.Fuzz(func(t *testing.T, kind string, seconds, nanos, command int64, input, output []byte, failed, cause string, random float64, name, arn, by, seed string) {
		e := Event{
			Kind: EventKind(kind), At: time.Unix(seconds, nanos).UTC(), Command: command, Input: input, Output: output,
			Error: failed, Cause: cause, Random: random, Name: name, Arn: arn, By: by, Seed: seed,
		}
		want, wantErr := json.Marshal(e)
		have, err := e.AppendJSON(nil)
		if (err != nil) != (wantErr != nil) {
			t.Fatalf("%v, want %v", err, wantErr)
		}
		if err != nil {
			return
		}
		if read, wanted := readEvent(t, have), readEvent(t, want); !reflect.DeepEqual(read, wanted) {
			t.Errorf("%s reads as %+v\nwant %s, %+v", have, read, want, wanted)
		}
	})
}

// readEvent reads an event; what is raw in it, too.
func readEvent(t *testing.T, text []byte) (out [3]any) {
	t.Helper()
	var e Event
	if err := json.Unmarshal(text, &e); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	for i, raw := range []json.RawMessage{e.Input, e.Output} {
		v, err := decode(raw)
		if err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		out[i] = v
	}
	e.Input, e.Output = nil, nil
	out[2] = e
	return out
}
