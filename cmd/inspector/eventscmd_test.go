package main

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestEventsTestSaysWhy(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	event := file("event.json", `{"source":"inspector","detail":{"verdict":"pass"}}`)
	for _, c := range []struct {
		pattern string
		code    int
		says    string
	}{
		{`{"source":["inspector"]}`, 0, "match\n"},
		{file("p.json", `{"detail":{"verdict":["fail"]}}`), 1, `no match: detail.verdict: is "pass", wanted ["fail"]`},
		{file("r.yaml", "pattern: {source: [inspector]}\ntargets: {t: {mqtt: {topic: a}}}\n"), 0, "match\n"},
		{`{"source":[]}`, 2, "Event pattern is not valid. Reason: Empty arrays are not allowed"},
		{filepath.Join(dir, "missing"), 2, "does not exist"},
	} {
		var out bytes.Buffer
		code := command(t.Context(), []string{"events", "test", "--pattern", c.pattern, "--event", event}, func(string) string { return "" }, &out, &out)
		if code != c.code || !strings.Contains(out.String(), c.says) {
			t.Errorf("%s: %d %s", c.pattern, code, out.String())
		}
	}
}

func TestEventsTail(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("pattern") != `{"a":[1]}` {
			w.WriteHeader(http.StatusUnprocessableEntity)
			_, _ = w.Write([]byte(`{"detail":"no pattern","remedy":"correct it"}`))
			return
		}
		_, _ = w.Write([]byte("retry: 1\n\nevent: event\ndata: {\"a\":1}\n\n: keep-alive\n\nevent: end\ndata: {\"reason\":\"dropped\"}\n\n"))
	}))
	t.Cleanup(func() { s.Close(); http.DefaultClient.CloseIdleConnections() })
	for _, c := range []struct{ pattern, says string }{
		{`{"a":[1]}`, "{\"a\":1}\ninspector: the stream ended: dropped\n"},
		{`{"a":[2]}`, "422 Unprocessable Entity: no pattern; correct it"},
	} {
		var out bytes.Buffer
		code := command(t.Context(), []string{"events", "tail", "--pattern", c.pattern, "--address", s.URL}, func(string) string { return "" }, &out, &out)
		if code != 1 || !strings.Contains(out.String(), c.says) {
			t.Errorf("%s: %d %s", c.pattern, code, out.String())
		}
	}
}

// A pattern without its flag is refused: every event would be shown.
func TestEventsTakesNothingBesideFlags(t *testing.T) {
	for _, args := range [][]string{{"events", "tail", `{"a":[1]}`}, {"events", "test", "--pattern", "{}", "--event", "x", "y"}} {
		var out bytes.Buffer
		if code := command(t.Context(), args, func(string) string { return "" }, &out, &out); code != 2 || !strings.Contains(out.String(), "is no flag") {
			t.Errorf("%q: %d %s", args, code, out.String())
		}
	}
}
