package notify

import (
	"errors"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// commands are the orders that have a schema of their own.
var commands = []string{OrderRecipe, OrderPause, OrderAcknowledge, OrderTaken}

func TestParseCommand(t *testing.T) {
	for _, c := range []struct {
		payload string
		want    Command
	}{
		{`{"request":"1","recipe":"b"}`, Command{Name: OrderRecipe, Request: "1", Recipe: "b"}},
		{`{"request":"1","recipe":"b","by":"MES","reason":"order","more":[1]}`, Command{Name: OrderRecipe, Request: "1", Recipe: "b", By: "MES", Reason: "order"}},
		{`{"request":"1","paused":true}`, Command{Name: OrderPause, Request: "1", Paused: true}},
		{` {"request":"1","paused":false,"by":"Ana","reason":"done"} `, Command{Name: OrderPause, Request: "1", By: "Ana", Reason: "done"}},
		{`{"request":"1","inspection":"x-1","by":"Ana"}`, Command{Name: OrderAcknowledge, Request: "1", By: "Ana", Inspection: "x-1"}},
		{`{"request":"1"}`, Command{Name: OrderTaken, Request: "1"}},
	} {
		if got, err := ParseCommand(c.want.Name, []byte(c.payload)); err != nil || got != c.want {
			t.Errorf("%s %s: %+v, %v", c.want.Name, c.payload, got, err)
		}
	}
}

// Whatever is wrong, the refusal says so plainly, and to whom if it can.
func TestCommandsAreRefused(t *testing.T) {
	long := strings.Repeat("x", 129)
	for _, c := range []struct{ name, payload, request, words string }{
		{OrderTaken, ``, "", "not a JSON object"},
		{OrderTaken, `null`, "", "not a JSON object"},
		{OrderTaken, `[{"request":"1"}]`, "", "not a JSON object"},
		{OrderTaken, `{"request":"1"`, "", "not a JSON object"},
		{OrderTaken, `{"request":"1"}{}`, "", "more follows"},
		{OrderTaken, `{"request":"1","request":"2"}`, "", `"request" is there twice`},
		{OrderPause, `{"request":"1","paused":false,"paused":true}`, "", `"paused" is there twice`},
		{OrderTaken, "{\"request\":\"\xff\"}", "", "not UTF-8"},
		{OrderTaken, "\x00\x01\x02", "", "not a JSON object"},
		{OrderTaken, `{"request":"1","x":"` + strings.Repeat("x", MaxOrder) + `"}`, "", "more than 4096 bytes"},
		{OrderTaken, strings.Repeat("[", MaxOrder), "", "not a JSON object"},
		{OrderTaken, `{}`, "", "no request"},
		{OrderTaken, `{"request":7}`, "", "request is not a string"},
		{OrderTaken, `{"request":"` + long + `"}`, "", "129 characters; at most 128"},
		{OrderTaken, `{"Request":"1"}`, "", "no request"},
		{OrderRecipe, `{"request":"1"}`, "1", "no recipe"},
		{OrderRecipe, `{"request":"1","recipe":""}`, "1", "no recipe"},
		{OrderRecipe, `{"request":"1","recipe":{"a":1}}`, "1", "recipe is not a string"},
		{OrderRecipe, `{"request":"1","recipe":"b","by":"\u0007"}`, "1", "by has control characters"},
		{OrderPause, `{"request":"1"}`, "1", "paused is neither"},
		{OrderPause, `{"request":"1","paused":"true"}`, "1", "paused is neither"},
		{OrderPause, `{"request":"1","paused":null}`, "1", "paused is neither"},
		{OrderPause, `{"request":"1","paused":1,"by":1}`, "1", "by is not a string"},
		{OrderAcknowledge, `{"request":"1","inspection":"x"}`, "1", "no by"},
		{OrderAcknowledge, `{"request":"1","by":"Ana"}`, "1", "no inspection"},
	} {
		got, err := ParseCommand(c.name, []byte(c.payload))
		if err == nil || !strings.Contains(err.Error(), c.words) || got.Request != c.request {
			t.Errorf("%s %.60q: request %q, %v; want %q and %q", c.name, c.payload, got.Request, err, c.request, c.words)
			continue
		}
		reply, jsonErr := NewReply(got, time.Unix(1, 0), err).JSON()
		if invalid := validate(schema(t, "reply"), reply); jsonErr != nil || invalid != nil || !strings.Contains(string(reply), `"done":false`) {
			t.Errorf("%s is no refusal: %v %v", reply, jsonErr, invalid)
		}
	}
	if r := NewReply(Command{Name: OrderTaken, Request: "\xff"}, time.Unix(1, 0), errors.New(strings.Repeat("é", 5000))); !utf8.ValidString(r.Request) || len(r.Reason) > maxWords {
		t.Errorf("%d bytes of reason, request %q", len(r.Reason), r.Request)
	}
}

// Parser and schemas agree about every document that JSON itself leaves no
// doubt about.
func FuzzParseCommand(f *testing.F) {
	for n := range commands {
		for _, s := range []string{
			`{"request":"1"}`, `{"request":"1","recipe":"s","by":"a"}`, `{"request":"1","paused":true}`, `{"request":"1","paused": false }`, `{"request":"1","inspection":"x","by":"a"}`,
			`{"request":1}`, `{"request":"\u0000","recipe":"x"}`, `{"a":{},"a":1,"request":"x"}`, `[]`, ``, "{\"request\":\"\\ud800\",\"paused\":true}", `{"paused":tru`,
		} {
			f.Add(n, []byte(s))
		}
	}
	schemas := map[string]interface{ Validate(any) error }{}
	for _, name := range commands {
		schemas[name] = schema(f, "set-"+name)
	}
	f.Fuzz(func(t *testing.T, n int, b []byte) {
		name := commands[uint(n)%uint(len(commands))]
		c, err := ParseCommand(name, b)
		invalid := validate(schemas[name], b)
		if err == nil {
			if invalid != nil {
				t.Fatalf("%s: %q is accepted, but %v", name, b, invalid)
			}
			if c.Request == "" {
				t.Fatalf("%q: no request", b)
			}
			return
		}
		if len(b) <= MaxOrder && utf8.Valid(b) && !strings.Contains(err.Error(), "twice") && invalid == nil {
			t.Fatalf("%s: %q is refused (%v), but the schema accepts it", name, b, err)
		}
	})
}
