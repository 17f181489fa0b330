package people

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

const botToken = "xoxb-0123456789-very-secret"

// slackDouble answers as Slack's methods are documented to.
type slackDouble struct {
	*httptest.Server
	mu      sync.Mutex
	posted  []map[string]any // bodies of chat.postMessage
	files   map[string]string
	done    []map[string]any // bodies of files.completeUploadExternal
	answers map[string]func(w http.ResponseWriter)
	calls   []string
}

func newSlack(t *testing.T) *slackDouble {
	s := &slackDouble{files: map[string]string{}, answers: map[string]func(http.ResponseWriter){}}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *slackDouble) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	method := strings.TrimPrefix(r.URL.Path, "/api/")
	s.calls = append(s.calls, method)
	if special := s.answers[method]; special != nil {
		special(w)
		return
	}
	if strings.HasPrefix(r.URL.Path, "/upload/") {
		if r.Header.Get("Authorization") != "" {
			http.Error(w, "the token went where it must not", http.StatusTeapot)
			return
		}
		s.files[strings.TrimPrefix(r.URL.Path, "/upload/")] = string(body)
		fmt.Fprintf(w, "OK - %d", len(body))
		return
	}
	if r.Header.Get("Authorization") != "Bearer "+botToken {
		fmt.Fprint(w, `{"ok":false,"error":"invalid_auth"}`)
		return
	}
	var in map[string]any
	switch method {
	case "chat.postMessage":
		if json.Unmarshal(body, &in) != nil || in["channel"] == nil {
			fmt.Fprint(w, `{"ok":false,"error":"invalid_arguments"}`)
			return
		}
		s.posted = append(s.posted, in)
		fmt.Fprintf(w, `{"ok":true,"channel":"C024BE91L","ts":"1700000000.%06d","message":{"text":"…"}}`, len(s.posted))
	case "files.getUploadURLExternal":
		fmt.Fprintf(w, `{"ok":true,"upload_url":%q,"file_id":"F123ABC456"}`, s.URL+"/upload/F123ABC456")
	case "files.completeUploadExternal":
		_ = json.Unmarshal(body, &in)
		s.done = append(s.done, in)
		fmt.Fprint(w, `{"ok":true,"files":[{"id":"F123ABC456","title":"x"}]}`)
	default:
		fmt.Fprint(w, `{"ok":false,"error":"unknown_method"}`)
	}
}

func (s *slackDouble) app(t *testing.T) *Outlet {
	c := Default()
	c.Slack = &Slack{TokenFile: file(t, "token", botToken+"\n"), Channel: "#line2", API: s.URL + "/api"}
	return open(t, c)
}

func TestSlackApp(t *testing.T) {
	s := newSlack(t)
	o := s.app(t)
	m := message(1)
	m.Board.Reason, m.What = "<!channel> & <http://evil|x>", "<!channel> & <http://evil|x>"
	m.Picture = &Picture{"board.jpg", "image/jpeg", []byte("the picture")}
	r, err := o.Send(t.Context(), m)
	if err != nil || r.ID != "1700000000.000001" || r.Note != "" {
		t.Fatalf("%+v, %v", r, err)
	}
	b, _ := json.Marshal(s.posted[0])
	for _, want := range []string{`"channel":"#line2"`, `"action_id":"link-0"`, `"url":"http://192.0.2.10:8080/#inspector1-5f3a9c01-1"`, `"verbatim":true`, m.Key} {
		if !strings.Contains(string(b), want) {
			t.Errorf("%s is not in %s", want, b)
		}
	}
	blocks := s.posted[0]["blocks"].([]any)
	text := blocks[0].(map[string]any)["text"].(map[string]any)["text"].(string)
	if !strings.Contains(text, "&lt;!channel&gt; &amp; &lt;http://evil|x&gt;") || strings.Contains(text, "<!") {
		t.Errorf("text: %s", text)
	}
	if s.files["F123ABC456"] != "the picture" || len(s.done) != 1 || s.done[0]["channel_id"] != "C024BE91L" || s.done[0]["thread_ts"] != "1700000000.000001" {
		t.Errorf("files %v, done %v", s.files, s.done)
	}
}

// The message is there though its picture is not, and the receipt says why.
func TestSlackWithoutPicture(t *testing.T) {
	for method, answer := range map[string]string{
		"files.getUploadURLExternal":   `{"ok":false,"error":"missing_scope","needed":"files:write","provided":"chat:write"}`,
		"files.completeUploadExternal": `{"ok":false,"error":"not_in_channel"}`,
	} {
		s := newSlack(t)
		s.answers[method] = func(w http.ResponseWriter) { fmt.Fprint(w, answer) }
		m := message(1)
		m.Picture = &Picture{"board.jpg", "image/jpeg", []byte("x")}
		r, err := s.app(t).Send(t.Context(), m)
		if err != nil || r.ID == "" || !strings.Contains(r.Note, "without its picture") {
			t.Errorf("%s: %+v, %v", method, r, err)
		}
	}
}

func TestSlackRefusals(t *testing.T) {
	for _, c := range []struct {
		name      string
		answer    func(w http.ResponseWriter)
		permanent bool
		words     string
	}{
		{"revoked", says(200, `{"ok":false,"error":"token_revoked"}`), true, "put a valid bot token"},
		{"auth", says(200, `{"ok":false,"error":"invalid_auth"}`), true, "put a valid bot token"},
		{"channel", says(200, `{"ok":false,"error":"channel_not_found"}`), true, "correct slack.channel"},
		{"not in it", says(200, `{"ok":false,"error":"not_in_channel"}`), true, "/invite"},
		{"archived", says(200, `{"ok":false,"error":"is_archived"}`), true, "archived"},
		{"scope", says(200, `{"ok":false,"error":"missing_scope","needed":"chat:write","provided":"x"}`), true, "missing_scope (chat:write)"},
		{"too long", says(200, `{"ok":false,"error":"msg_too_long"}`), true, "template"},
		{"internal", says(200, `{"ok":false,"error":"internal_error"}`), false, "internal_error"},
		{"odd word", says(200, `{"ok":false,"error":"`+botToken+` <x>"}`), true, "without a word"},
		{"unknown", says(200, `{"ok":false,"error":"some_new_word"}`), true, "some_new_word"},
		{"limit by word", says(200, `{"ok":false,"error":"ratelimited"}`), false, "pause"},
		{"limit", func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "30")
			w.WriteHeader(http.StatusTooManyRequests)
		}, false, "pause"},
		{"down", says(503, ``), false, "pause"},
		{"broken", says(500, `<html>`), false, "500"},
		{"login page", says(200, `<html>log in</html>`), false, "not Slack"},
		{"moved", func(w http.ResponseWriter) { w.Header().Set("Location", "/x"); w.WriteHeader(http.StatusFound) }, true, "elsewhere"},
		{"gone", says(404, ``), true, "404"},
	} {
		s := newSlack(t)
		s.answers["chat.postMessage"] = c.answer
		o := s.app(t)
		_, err := o.Send(t.Context(), message(1))
		var p interface{ Permanent() bool }
		if err == nil || !as(err, &p) || p.Permanent() != c.permanent || !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v", c.name, err)
		}
		hides(t, err, botToken)
		if c.name == "limit" { // it keeps to the pause
			before := len(s.calls)
			if _, err := o.Send(t.Context(), message(2)); err == nil || len(s.calls) != before || !strings.Contains(err.Error(), "pause") {
				t.Errorf("in the pause: %v, %d calls", err, len(s.calls)-before)
			}
		}
	}
	s := newSlack(t)
	o := s.app(t)
	s.Close()
	_, err := o.Send(t.Context(), message(1))
	if err == nil || !strings.Contains(err.Error(), "no answer") || strings.Contains(err.Error(), "/api/chat") {
		t.Errorf("nobody there: %v", err)
	}
}

func says(status int, body string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}
}

func TestSlackHook(t *testing.T) {
	var body map[string]any
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/services/T0/B0/hook-secret" {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, "invalid_token")
			return
		}
		_ = json.NewDecoder(r.Body).Decode(&body)
		fmt.Fprint(w, "ok")
	}))
	defer s.Close()
	c := Default()
	c.Slack = &Slack{URLFile: file(t, "url", s.URL+"/services/T0/B0/hook-secret")}
	if _, err := open(t, c).Send(t.Context(), message(1)); err != nil || body["blocks"] == nil || body["text"] == "" {
		t.Errorf("%v, %v", body, err)
	}
	c.Slack.URLFile = file(t, "url2", s.URL+"/services/T0/B0/other-secret")
	_, err := open(t, c).Send(t.Context(), message(1))
	if err == nil || !strings.Contains(err.Error(), "invalid_token") {
		t.Errorf("%v", err)
	}
	hides(t, err, "other-secret")
}

func TestCheckSecrets(t *testing.T) {
	c := Default()
	c.Slack = &Slack{TokenFile: "/nowhere/token", Channel: "C1"}
	o := open(t, c)
	if err := o.Check(); err == nil || !strings.Contains(err.Error(), "/nowhere/token") {
		t.Errorf("%v", err)
	}
	_, err := o.Send(t.Context(), message(1))
	var e *Error
	if !as(err, &e) || e.Permanent() {
		t.Errorf("%v: a file that comes later is no fault for ever", err)
	}
}
