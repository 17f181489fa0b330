package people

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"inspector/docs/webhook"
)

const hookSecret = "whsec_" + "c2lnbmluZyBrZXkgb2YgdGhlIHRlc3Q="

// receiver is a customer who verifies what comes.
func receiver(t *testing.T) (string, chan *http.Request, chan []byte) {
	requests, bodies := make(chan *http.Request, 8), make(chan []byte, 8)
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(hookSecret, "whsec_"))
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := webhook.Verify(r, key, time.Now())
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnauthorized)
			return
		}
		requests <- r
		bodies <- body
	}))
	t.Cleanup(s.Close)
	return s.URL, requests, bodies
}

func TestSignedWebhook(t *testing.T) {
	url, requests, bodies := receiver(t)
	for _, envelope := range []string{"", "structured", "binary"} {
		c := Default()
		c.Webhook = &Webhook{URL: url, SecretFile: file(t, "secret", hookSecret), CloudEvents: envelope}
		o, m := open(t, c), message(1)
		m.Key = "prüfung 1/Tell/3"
		for range 2 { // a repeat is the same message
			if _, err := o.Send(t.Context(), m); err != nil {
				t.Fatal(err)
			}
		}
		first, again := <-requests, <-requests
		if first.Header.Get("webhook-id") != again.Header.Get("webhook-id") || first.Header.Get("Idempotency-Key") != `"prüfung 1/Tell/3"` {
			t.Errorf("%s: ids %v and %v", envelope, first.Header, again.Header)
		}
		body := <-bodies
		<-bodies
		var got Message
		switch envelope {
		case "structured":
			var e map[string]json.RawMessage
			if err := json.Unmarshal(body, &e); err != nil || string(e["specversion"]) != `"1.0"` || string(e["id"]) != `"prüfung 1/Tell/3"` ||
				string(e["source"]) != `"/inspector/berlin/smt2/inspector1"` || string(e["type"]) != `"inspector.board.v1"` || string(e["subject"]) != `"inspector1-5f3a9c01-1"` {
				t.Errorf("%s", body)
			}
			if !strings.HasPrefix(first.Header.Get("Content-Type"), "application/cloudevents+json") {
				t.Errorf("type %s", first.Header.Get("Content-Type"))
			}
			body = e["data"]
		case "binary":
			h := first.Header
			if h.Get("ce-specversion") != "1.0" || h.Get("ce-id") != "pr%C3%BCfung%201/Tell/3" || h.Get("ce-type") != "inspector.board.v1" || h.Get("Content-Type") != "application/json" {
				t.Errorf("%v", h)
			}
		}
		if err := json.Unmarshal(body, &got); err != nil || got.Key != m.Key || got.Board == nil || got.Layout != V1 {
			t.Errorf("%s: %s, %v", envelope, body, err)
		}
	}
}

// Another secret, another body and an old request are not taken.
func TestSignatureIsChecked(t *testing.T) {
	url, _, _ := receiver(t)
	c := Default()
	c.Webhook = &Webhook{URL: url, SecretFile: file(t, "secret", "another secret")}
	_, err := open(t, c).Send(t.Context(), message(1))
	if err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("another secret: %v", err)
	}
	hides(t, err, "another secret")
	body, now := []byte(`{"a":1}`), time.Unix(1700000000, 0)
	h := http.Header{}
	sign(h, "s", "k", body, now)
	if h.Get("webhook-signature") != "v1,"+expected {
		t.Errorf("signature %s", h.Get("webhook-signature"))
	}
	for name, change := range map[string]func(r *http.Request, at *time.Time){
		"as sent": func(*http.Request, *time.Time) {},
		"body":    func(r *http.Request, _ *time.Time) { r.Body = io.NopCloser(bytes.NewReader([]byte(`{"a":2}`))) },
		"id":      func(r *http.Request, _ *time.Time) { r.Header.Set("webhook-id", "msg_x") },
		"old":     func(_ *http.Request, at *time.Time) { *at = at.Add(6 * time.Minute) },
		"none":    func(r *http.Request, _ *time.Time) { r.Header.Del("webhook-signature") },
	} {
		r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
		r.Header = h.Clone()
		at := now
		change(r, &at)
		if _, err := webhook.Verify(r, []byte("s"), at); (err == nil) != (name == "as sent") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// expected is what another program gave for the same request.
const expected = "ljJp4sB+FAc2gT1BeW+QocIpbtu/cmXOtx6Y//5eZGU="
