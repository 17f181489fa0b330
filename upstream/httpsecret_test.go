package upstream

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

// escapedAll is s as a JSON string that has every byte escaped.
func escapedAll(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		fmt.Fprintf(&b, `\u%04x`, c)
	}
	return `"` + b.String() + `"`
}

// A server may send a secret back in any form that means it.
func TestHTTPSecretsComeBackAsStars(t *testing.T) {
	const bearer, pin = "0a1b2c3d4e5f", "48151623"
	for name, c := range map[string]struct {
		secret string
		kind   string
		status int
		body   string
		leak   string // what may not be seen
	}{
		"at the end of what is kept": {password, "text/plain", 500, strings.Repeat("a", maxSaid-5) + password, password[:5]},
		"with JSON's escapes":        {password, "application/json", 400, `{"pass":` + escapedAll(password) + `}`, `\u0070`},
		"with an escaped slash":      {password, "application/json", 400, `{"pass":"` + strings.ReplaceAll(password, "/", `\/`) + `"}`, "7f3a"},
		"as a number":                {pin, "application/json", 200, `{"pin":` + pin + `}`, pin},
		"as a number in an error":    {pin, "application/json", 400, `{"pin":` + pin + `}`, pin},
		"without its scheme":         {"Bearer " + bearer, "text/plain", 400, "unknown token " + bearer, bearer},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", c.kind)
			w.WriteHeader(c.status)
			_, _ = w.Write([]byte(c.body))
		}))
		h := newHTTP(t, Connection{Authorization: "api-key", Header: "Authorization", KeyFile: secretFile(t, c.secret)}.plain(server))
		out, err := h.Invoke(t.Context(), "k", ask("GET", server.URL, ""))
		server.Close()
		if said := fmt.Sprint(string(out), err); strings.Contains(said, c.leak) || !strings.Contains(said, "aaaa") && !strings.Contains(said, "***") {
			t.Errorf("%s: %.300q", name, said)
		}
	}
}

// A server that takes no token is asked for two at most by each task, however
// many run beside it.
func TestHTTPAsksForATokenOnceMore(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{"access_token":"token-%d","token_type":"bearer","expires_in":3600}`, asked.Add(1))
			return
		}
		w.WriteHeader(http.StatusUnauthorized)
	}))
	defer server.Close()
	h := newHTTP(t, Connection{Authorization: "oauth", TokenURL: server.URL + "/token", ClientID: "inspector", ClientSecretFile: secretFile(t, password)}.plain(server))
	const tasks, each = 8, 20
	var all sync.WaitGroup
	for range tasks {
		all.Go(func() {
			for range each {
				if _, err := h.Invoke(t.Context(), "k", ask("GET", server.URL+"/work", "")); err == nil || !strings.Contains(err.Error(), "401") {
					t.Errorf("have %v", err)
				}
			}
		})
	}
	all.Wait()
	if n := asked.Load(); n > 2*tasks*each {
		t.Errorf("it was asked for %d tokens by %d requests", n, tasks*each)
	}
}
