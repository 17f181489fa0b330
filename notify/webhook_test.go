package notify

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// posted is what a server was sent.
type posted struct {
	header http.Header
	body   string
}

// listener is a server that answers each message as told, then with 200.
func hooks(t *testing.T, answer func(w http.ResponseWriter)) (address string, got chan posted) {
	t.Helper()
	got = make(chan posted, 16)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got <- posted{r.Header, string(b)}
		answer(w)
	}))
	t.Cleanup(s.Close)
	return s.URL + "/services/s3cret", got
}

func written(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestWebhookSendsKeyAndSecrets(t *testing.T) {
	address, got := hooks(t, func(http.ResponseWriter) {})
	w := NewWebhook(WebhookConfig{URL: address, Headers: map[string]string{"X-Line": "1"}, HeaderFiles: map[string]string{"Authorization": written(t, "Bearer abc")}})
	defer w.Close()
	if err := w.Send(t.Context(), "x/Deliver/1", []byte(`{"a":1}`)); err != nil {
		t.Fatal(err)
	}
	p := <-got
	if p.body != `{"a":1}` || p.header.Get("Idempotency-Key") != `"x/Deliver/1"` || p.header.Get("Authorization") != "Bearer abc" || p.header.Get("X-Line") != "1" || p.header.Get("Content-Type") != "application/json" {
		t.Errorf("sent %+v", p)
	}
}

func TestWebhookRefusals(t *testing.T) {
	for _, c := range []struct {
		status    int
		permanent bool
		says      string
	}{
		{400, true, "transformer"}, {401, true, "secret"}, {403, true, "secret"}, {404, true, "correct it"}, {410, true, "correct it"}, {413, true, "send less"},
		{301, true, "moved to"}, {408, false, "repeated"}, {409, false, "repeated"}, {425, false, "repeated"}, {429, false, "pause"}, {500, false, "repeated"}, {503, false, "pause"},
	} {
		address, _ := hooks(t, func(w http.ResponseWriter) {
			w.Header().Set("Location", "https://elsewhere.example")
			w.WriteHeader(c.status)
			io.WriteString(w, "your token is s3cret")
		})
		w := NewWebhook(WebhookConfig{URL: address})
		err := w.Send(t.Context(), "k", []byte(`{}`))
		var refused *WebhookError
		if !errors.As(err, &refused) || refused.Permanent() != c.permanent || refused.Status != c.status || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%d: %v (permanent %v)", c.status, err, refused != nil && refused.Permanent())
		}
		w.Close()
	}
}

func TestWebhookKeepsToRetryAfter(t *testing.T) {
	limited := true
	address, got := hooks(t, func(w http.ResponseWriter) {
		if limited {
			w.Header().Set("Retry-After", "3600")
			w.WriteHeader(http.StatusTooManyRequests)
		}
	})
	w := NewWebhook(WebhookConfig{URL: address})
	defer w.Close()
	for range 2 {
		if err := w.Send(t.Context(), "k", []byte(`{}`)); err == nil || !strings.Contains(err.Error(), "pause") {
			t.Error(err)
		}
	}
	if len(got) != 1 {
		t.Errorf("it was asked %d times within its pause", len(got))
	}
	limited = false
	w.until = time.Now()
	if err := w.Send(t.Context(), "k", []byte(`{}`)); err != nil {
		t.Error(err)
	}
}

func TestWebhookWithoutAnswer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := "http://" + l.Addr().String() + "/s3cret"
	l.Close()
	late := make(chan struct{})
	hanging, _ := hooks(t, func(http.ResponseWriter) { <-late })
	defer close(late) // before the server is waited for
	brief, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	for _, c := range []struct {
		ctx       context.Context
		config    WebhookConfig
		permanent bool
	}{
		{t.Context(), WebhookConfig{URL: closed}, false},
		{brief, WebhookConfig{URL: hanging}, false},
		{t.Context(), WebhookConfig{URLFile: filepath.Join(t.TempDir(), "missing")}, false},
		{t.Context(), WebhookConfig{URL: "http://example.com/s3cret"}, true},
		{t.Context(), WebhookConfig{URL: "https://"}, true},
	} {
		w := NewWebhook(c.config)
		err := w.Send(c.ctx, "k", []byte(`{}`))
		var refused *WebhookError
		if !errors.As(err, &refused) || refused.Permanent() != c.permanent || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%+v: %v", c.config, err)
		}
		w.Close()
	}
}

func TestSlackMessages(t *testing.T) {
	for _, c := range []struct{ payload, want string }{
		{`"board 7 failed"`, "board 7 failed"},
		{`{"text":"own","blocks":[]}`, "own"},
		{`{"detail-type":"Inspection Judged","account":"dev1","time":"2026-01-02T03:04:05Z","detail":{"verdict":"fail"}}`, "*Inspection Judged* on dev1 at 2026-01-02T03:04:05Z\n```{\n  \"verdict\": \"fail\"\n}```"},
		{`[1]`, "```[\n  1\n]```"},
		{`["<!channel> & ` + "```" + `"]`, "```[\n  \"&lt;!channel&gt; &amp; '''\"\n]```"},
		{`{"detail-type":"<!here>","detail":["` + strings.Repeat("&", 4000) + `"]}`, "*&lt;!here&gt;* on  at \n```[\n  \"" + strings.Repeat("&amp;", maxSlackText-106) + "…```"},
		{`"` + strings.Repeat("ä", 4000) + `"`, strings.Repeat("ä", maxSlackText-1) + "…"},
	} {
		var m struct{ Text string }
		if err := json.Unmarshal(slackMessage([]byte(c.payload)), &m); err != nil || m.Text != c.want {
			t.Errorf("%.60s: %q (%v)", c.payload, m.Text, err)
		}
	}
}

func TestSlackSaysWhy(t *testing.T) {
	address, _ := hooks(t, func(w http.ResponseWriter) {
		w.WriteHeader(http.StatusForbidden)
		io.WriteString(w, "invalid_token")
	})
	s := NewSlack(written(t, address))
	defer s.Close()
	err := s.Send(t.Context(), "k", []byte(`"x"`))
	if err == nil || !strings.Contains(err.Error(), "(invalid_token)") || strings.Contains(err.Error(), "s3cret") {
		t.Error(err)
	}
}
