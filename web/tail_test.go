package web

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// aBus gives the pattern back as the only event, and then drops the reader.
type aBus struct{}

func (aBus) Tail(pattern []byte) (<-chan []byte, func(), error) {
	if string(pattern) == "[]" {
		return nil, nil, fmt.Errorf("%w: Filter is not an object", ErrPattern)
	}
	c := make(chan []byte, 1)
	c <- pattern
	close(c)
	return c, func() {}, nil
}

type someFunctions struct{ asked chan string }

func (f someFunctions) Invoke(_ context.Context, name string, payload json.RawMessage) (string, error) {
	if name != "echo" {
		return "", fmt.Errorf("%w: function %q", ErrNotFound, name)
	}
	f.asked <- string(payload)
	return "r1", nil
}

func TestTailShowsEvents(t *testing.T) {
	s := start(t, func(o *Options) { o.Tailer = aBus{} })
	answer, err := http.Get(s.url + "/api/v1/events/tail?pattern=" + url.QueryEscape(`{"a":[1]}`))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	var lines []string
	for in := bufio.NewScanner(answer.Body); in.Scan(); {
		if in.Text() != "" {
			lines = append(lines, in.Text())
		}
	}
	if got := strings.Join(lines, "\n"); answer.Header.Get("Content-Type") != "text/event-stream" || !strings.HasPrefix(got, "retry: 1000\nevent: event\ndata: {\"a\":[1]}\nevent: end\ndata: {\"reason\":\"dropped") {
		t.Errorf("streamed %s", got)
	}
	if code, _, body := s.ask(t, "GET", "/api/v1/events/tail?pattern=[]", ""); code != http.StatusUnprocessableEntity || !strings.Contains(body, "Filter is not an object") {
		t.Errorf("%d %s", code, body)
	}
	for _, query := range []string{"patern={}", "pattern={}&pattern={}"} { // nobody is to see more than was meant
		if code, _, body := s.ask(t, "GET", "/api/v1/events/tail?"+query, ""); code != http.StatusBadRequest {
			t.Errorf("%s: %d %s", query, code, body)
		}
	}
}

func TestInvocations(t *testing.T) {
	f := someFunctions{make(chan string, 4)}
	s := start(t, func(o *Options) { o.Functions = f })
	for _, c := range []struct {
		name, kind, body string
		code             int
		payload          string
	}{
		{"echo", "Event", `{"a":1}`, 202, `{"a":1}`},
		{"echo", "event", "", 202, "{}"},
		{"echo", "RequestResponse", "{}", 400, ""},
		{"echo", "Event", "{", 400, ""},
		{"echo", "Event", `"` + strings.Repeat("x", maxPayload) + `"`, 413, ""},
		{"nobody", "Event", "{}", 404, ""},
	} {
		code, h, body := s.ask(t, "POST", "/api/v1/functions/"+c.name+"/invocations", c.body, "X-Amz-Invocation-Type", c.kind)
		if code != c.code || code == 202 && (h.Get("X-Amzn-Requestid") != "r1" || body != `{"requestId":"r1"}` || <-f.asked != c.payload) {
			t.Errorf("%s %s %.20s: %d %s", c.name, c.kind, c.body, code, body)
		}
	}
}
