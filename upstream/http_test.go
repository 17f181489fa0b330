package upstream

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

const (
	password = "pass/word&7f3a"
	apiKey   = "key-9c1e-not-for-any-log"
)

func secretFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// echoServer answers with what it was asked, secrets included.
func echoServer(t *testing.T) *httptest.Server {
	t.Helper()
	return httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		user, pass, _ := r.BasicAuth()
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Said", r.Header.Get("Authorization"))
		status := 200
		_, _ = fmt.Sscanf(r.URL.Path, "/%d", &status)
		if status == 302 {
			w.Header().Set("Location", "https://elsewhere.example/")
		}
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"method": r.Method, "query": r.URL.Query(), "headers": r.Header, "body": string(body), "user": user, "pass": pass, "n": json.Number("12345678901234567890")})
	}))
}

// trusting is c with the server's host and authority.
func trusting(t *testing.T, server *httptest.Server, c Connection) Connection {
	t.Helper()
	t.Cleanup(server.Close)
	c.Hosts = []string{strings.TrimPrefix(server.URL, "https://")}
	if cert := server.Certificate(); cert != nil {
		c.CAFile = secretFile(t, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})))
	}
	return c
}

func newHTTP(t *testing.T, c Connection) *HTTP {
	t.Helper()
	h, err := NewHTTP(map[string]Connection{"mes": c})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}

func ask(method, address, more string) json.RawMessage {
	return json.RawMessage(fmt.Sprintf(`{"ApiEndpoint":%q,"Method":%q,"Authentication":{"ConnectionArn":"arn:aws:events:eu-central-1:123456789012:connection/mes/0b1c"}%s}`, address, method, more))
}

type echoed struct {
	Headers      map[string][]string
	StatusCode   int
	StatusText   string
	ResponseBody struct {
		Method  string              `json:"method"`
		Query   map[string][]string `json:"query"`
		Headers map[string][]string `json:"headers"`
		Body    string              `json:"body"`
		User    string              `json:"user"`
		Pass    string              `json:"pass"`
		N       json.Number         `json:"n"`
	}
}

func TestHTTPRequestAndResult(t *testing.T) {
	server := echoServer(t)
	h := newHTTP(t, trusting(t, server, Connection{Authorization: "basic", Username: "inspector", PasswordFile: secretFile(t, password),
		Headers: map[string]string{"X-Site": "north"}, Query: map[string]string{"plant": "7"}}))
	out, err := h.Invoke(t.Context(), "board 1/Tell", ask("post", server.URL+"/v1/boards?a=1", `,"Headers":{"X-Site":"south","X-Line":["l1","l2"]},"QueryParameters":{"plant":"8","n":3,"tag":["x","y"]},"RequestBody":{"html":"<b>","big":12345678901234567890}`))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(out), password) || strings.Contains(string(out), "aW5zcGVjdG9y") {
		t.Errorf("a secret came back: %s", out)
	}
	var e echoed
	if err := json.Unmarshal(out, &e); err != nil {
		t.Fatal(err)
	}
	b := e.ResponseBody
	if e.StatusCode != http.StatusOK || e.StatusText != "OK" || b.Method != http.MethodPost || b.User != "inspector" || b.Pass != "***" || b.N != "12345678901234567890" {
		t.Errorf("result %s", out)
	}
	if got := fmt.Sprint(b.Query); got != "map[a:[1] n:[3] plant:[7] tag:[x y]]" {
		t.Errorf("query %s: the connection's wins", got)
	}
	if fmt.Sprint(b.Headers["X-Site"], b.Headers["X-Line"], b.Headers["Idempotency-Key"], b.Headers["Content-Type"]) != "[north] [l1 l2] [board%201/Tell] [application/json]" {
		t.Errorf("headers %v", b.Headers)
	}
	if b.Body != `{"html":"<b>","big":12345678901234567890}` {
		t.Errorf("body %s", b.Body)
	}
	if fmt.Sprint(e.Headers["x-said"]) != "[Basic ***]" {
		t.Errorf("headers of the answer %v", e.Headers)
	}
}

func TestHTTPBodies(t *testing.T) {
	server := echoServer(t)
	h := newHTTP(t, trusting(t, server, Connection{}))
	form := `,"Transform":{"RequestBodyEncoding":"URL_ENCODED","RequestEncodingOptions":{"ArrayFormat":%q}},"RequestBody":{"d":"a b&c","l":["x",1],"m":{"k":{"z":null}}}`
	for _, c := range []struct{ more, body, kind string }{
		{"", "", ""},
		{`,"RequestBody":"<x/>","Headers":{"Content-Type":"text/xml"}`, "<x/>", "text/xml"},
		{`,"RequestBody":"x"`, `"x"`, "application/json"},
		{fmt.Sprintf(form, "INDICES"), "d=a%20b%26c&l[0]=x&l[1]=1&m[k][z]=", formType},
		{fmt.Sprintf(form, "REPEAT"), "d=a%20b%26c&l=x&l=1&m[k][z]=", formType},
		{fmt.Sprintf(form, "BRACKETS"), "d=a%20b%26c&l[]=x&l[]=1&m[k][z]=", formType},
		{fmt.Sprintf(form, "COMMAS"), "d=a%20b%26c&l=x,1&m[k][z]=", formType},
	} {
		out, err := h.Invoke(t.Context(), "k", ask("PUT", server.URL, c.more))
		if err != nil {
			t.Errorf("%s: %v", c.more, err)
			continue
		}
		var e echoed
		_ = json.Unmarshal(out, &e)
		if e.ResponseBody.Body != c.body || strings.Join(e.ResponseBody.Headers["Content-Type"], "") != c.kind {
			t.Errorf("%s: sent %q as %v, want %q as %q", c.more, e.ResponseBody.Body, e.ResponseBody.Headers["Content-Type"], c.body, c.kind)
		}
	}
}

// Each way to fail has its name, says whether a person must act, and holds no
// secret.
func TestHTTPErrors(t *testing.T) {
	server := echoServer(t)
	c := trusting(t, server, Connection{Authorization: "api-key", Header: "X-Api-Key", KeyFile: secretFile(t, apiKey)})
	h := newHTTP(t, c)
	silent := httptest.NewServer(http.NotFoundHandler())
	silent.Close()
	plain := newHTTP(t, Connection{Hosts: []string{"127.0.0.1"}, PlainHTTP: true})
	other := newHTTP(t, Connection{Hosts: c.Hosts})
	missing := c
	missing.KeyFile = secretFile(t, apiKey)
	lostKey := newHTTP(t, missing)
	if err := os.Remove(missing.KeyFile); err != nil {
		t.Fatal(err)
	}
	at := server.URL
	for _, x := range []struct {
		what      string
		h         *HTTP
		input     json.RawMessage
		name      string
		permanent bool
		says      string
	}{
		{"404", h, ask("GET", at+"/404", ""), "States.Http.StatusCode.404", false, `"method":"GET"`},
		{"503", h, ask("GET", at+"/503", ""), "States.Http.StatusCode.503", false, "***"},
		{"redirect", h, ask("GET", at+"/302", ""), "States.Http.StatusCode.302", false, ""},
		{"refused", plain, ask("GET", silent.URL, ""), "States.Http.Socket", false, "ConnectionRefused"},
		{"untrusted", other, ask("GET", at, ""), "States.Http.Socket", false, "ca_file"},
		{"no such connection", h, json.RawMessage(`{"ApiEndpoint":"https://x/","Method":"GET","Authentication":{"ConnectionArn":"erp"}}`), "Events.ConnectionResource.NotFound", true, "erp.yaml"},
		{"no name of one", h, json.RawMessage(`{"ApiEndpoint":"https://x/","Method":"GET","Authentication":{"ConnectionArn":"../erp"}}`), "Events.ConnectionResource.NotFound", true, "correct the definition"},
		{"host", h, ask("GET", "https://elsewhere.example/?k=v", ""), "Events.ConnectionResource.AccessDenied", true, "elsewhere.example"},
		{"plain http", h, ask("GET", "http"+strings.TrimPrefix(at, "https"), ""), "Events.ConnectionResource.AccessDenied", true, "plain_http"},
		{"secret gone", lostKey, ask("GET", at, ""), "Events.ConnectionResource.InvalidCredentials", true, "redrive"},
		{"no connection", h, json.RawMessage(`{"ApiEndpoint":"https://x/","Method":"GET"}`), "States.Runtime", false, "ConnectionArn"},
		{"method", h, ask("TRACE", at, ""), "States.Runtime", false, "TRACE"},
		{"address", h, ask("GET", "https://u:"+password+"@x/", ""), "States.Runtime", false, "ApiEndpoint"},
		{"bad address", h, ask("GET", "https://[::1/"+password, ""), "States.Runtime", false, "ApiEndpoint"},
		{"header", h, ask("GET", at, `,"Headers":{"authorization":"x"}`), "States.Runtime", false, "authorization"},
		{"amazon header", h, ask("GET", at, `,"Headers":{"x-amz-date":"x"}`), "States.Runtime", false, "x-amz-date"},
		{"header value", h, ask("GET", at, `,"Headers":{"X-A":"a\nb"}`), "States.Runtime", false, "X-A"},
		{"query", h, ask("GET", at, `,"QueryParameters":{"a":{"b":1}}`), "States.Runtime", false, "QueryParameters.a"},
		{"unknown field", h, ask("GET", at, `,"Body":1`), "States.Runtime", false, "Body"},
		{"form", h, ask("POST", at, `,"RequestBody":[1],"Transform":{"RequestBodyEncoding":"URL_ENCODED"}`), "States.Runtime", false, "object"},
		{"form type", h, ask("POST", at, `,"RequestBody":{},"Headers":{"content-type":"text/plain"},"Transform":{"RequestBodyEncoding":"URL_ENCODED"}`), "States.Runtime", false, formType},
		{"size", h, ask("POST", at, `,"RequestBody":"`+strings.Repeat("x", maxPayload)+`"`), "States.Runtime", false, "262144"},
	} {
		_, err := x.h.Invoke(t.Context(), "k", x.input)
		var e *HTTPError
		if !errors.As(err, &e) {
			t.Errorf("%s: %v", x.what, err)
			continue
		}
		if e.Name() != x.name || e.Permanent() != x.permanent || !strings.Contains(e.Error(), x.says) {
			t.Errorf("%s: %s, permanent %v: %v", x.what, e.Name(), e.Permanent(), e)
		}
		if text := fmt.Sprintf("%v %+v %#v", e, e, e); strings.Contains(text, apiKey) || strings.Contains(text, password) || strings.Contains(text, "k=v") {
			t.Errorf("%s: a secret is in %s", x.what, text)
		}
	}
}

func TestHTTPAnswersThatNoWorkflowCanHold(t *testing.T) {
	for kind, x := range map[string]struct{ body, name string }{
		"text/plain":       {strings.Repeat("x", maxPayload+1), "States.DataLimitExceeded"},
		"image/png":        {"x", "States.Runtime"},
		"text/html":        {"\xff", "States.Runtime"},
		"application/json": {"{", ""}, // no JSON after all: its text
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			_, _ = io.WriteString(w, x.body)
		}))
		h := newHTTP(t, trusting(t, server, Connection{PlainHTTP: true, Hosts: nil}).plain(server))
		out, err := h.Invoke(t.Context(), "k", ask("GET", server.URL, ""))
		var e *HTTPError
		if errors.As(err, &e) && e.Name() != x.name || (err == nil) != (x.name == "") {
			t.Errorf("%s: %v", kind, err)
		}
		if err == nil && !strings.Contains(string(out), `"ResponseBody":"{"`) {
			t.Errorf("%s: %s", kind, out)
		}
	}
}

func (c Connection) plain(server *httptest.Server) Connection {
	c.Hosts, c.PlainHTTP = []string{strings.TrimPrefix(server.URL, "http://")}, true
	return c
}

func TestHTTPTimeoutEndsTheRequest(t *testing.T) {
	reached := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(reached)
		<-r.Context().Done()
	}))
	h := newHTTP(t, trusting(t, server, Connection{}).plain(server))
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-reached; cancel() }()
	_, err := h.Invoke(ctx, "k", ask("GET", server.URL, ""))
	var e *HTTPError
	if !errors.As(err, &e) || e.Name() != "States.Http.Socket" || e.Permanent() || e.Answered() {
		t.Errorf("%v", err)
	}
}

// A token is asked for once, used again, and renewed when it is refused.
func TestHTTPOAuth(t *testing.T) {
	var asked atomic.Int32
	var revoked, broken atomic.Bool
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Path == "/token" {
			id, pass, _ := r.BasicAuth()
			_ = r.ParseForm()
			switch {
			case broken.Load():
				w.WriteHeader(http.StatusUnauthorized)
				_, _ = io.WriteString(w, `{"error":"invalid_client","error_description":"`+pass+`"}`)
			case id != "device" || pass != "pass%2Fword%267f3a" || r.Form.Get("grant_type") != "client_credentials" || r.Form.Get("scope") != "boards":
				w.WriteHeader(http.StatusBadRequest)
			default:
				_, _ = fmt.Fprintf(w, `{"access_token":"token-%d","token_type":"Bearer","expires_in":3600}`, asked.Add(1))
			}
			return
		}
		if r.Header.Get("Authorization") != fmt.Sprintf("Bearer token-%d", asked.Load()) || revoked.CompareAndSwap(true, false) {
			w.WriteHeader(http.StatusUnauthorized)
		}
		_, _ = io.WriteString(w, `{"said":"`+r.Header.Get("Authorization")+`"}`)
	}))
	h := newHTTP(t, trusting(t, server, Connection{Authorization: "oauth", TokenURL: server.URL + "/token", ClientID: "device", ClientSecretFile: secretFile(t, password), Scope: "boards"}))
	for _, want := range []int32{1, 1} {
		out, err := h.Invoke(t.Context(), "k", ask("GET", server.URL, ""))
		if err != nil || asked.Load() != want || !strings.Contains(string(out), "Bearer ***") {
			t.Fatalf("%s %v, %d tokens", out, err, asked.Load())
		}
	}
	revoked.Store(true)
	if _, err := h.Invoke(t.Context(), "k", ask("GET", server.URL, "")); err != nil || asked.Load() != 2 {
		t.Errorf("a refused token is renewed once: %v, %d tokens", err, asked.Load())
	}
	h.services["mes"].forget()
	broken.Store(true)
	_, err := h.Invoke(t.Context(), "k", ask("GET", server.URL, ""))
	var e *HTTPError
	if !errors.As(err, &e) || !e.Permanent() || !strings.Contains(e.Error(), "invalid_client") || strings.Contains(e.Error(), "word") {
		t.Errorf("%v", err)
	}
}

func TestConnectionFaults(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	good := Connection{Hosts: []string{"mes.example.com"}}
	for want, change := range map[string]func(*Connection){
		"":              func(*Connection) {},
		"hosts":         func(c *Connection) { c.Hosts = nil },
		"hosts ":        func(c *Connection) { c.Hosts = []string{"*"} },
		"authorization": func(c *Connection) { c.Authorization = "digest" },
		"password_file": func(c *Connection) { c.Authorization, c.Username = "basic", "u" },
		"key_file":      func(c *Connection) { c.Authorization, c.Header, c.KeyFile = "api-key", "X-Key", empty },
		"username":      func(c *Connection) { c.Username = "u" },
		"ca_file":       func(c *Connection) { c.CAFile = empty },
		"headers":       func(c *Connection) { c.Headers = map[string]string{"Host": "x"} },
		"token_url": func(c *Connection) {
			c.Authorization, c.TokenURL, c.ClientID, c.ClientSecretFile = "oauth", "http://x/", "id", secretFile(t, "s")
		},
		"client_secret_file": func(c *Connection) {
			c.Authorization, c.TokenURL, c.ClientID, c.ClientSecretFile = "oauth", "https://x/", "id", "/nowhere"
		},
	} {
		c := good
		change(&c)
		var keys []string
		c.Faults(func(key, problem string) { keys = append(keys, key) })
		if strings.Join(keys, ",") != strings.TrimSpace(want) {
			t.Errorf("%q: faults %v", want, keys)
		}
	}
}

func TestConnectionHosts(t *testing.T) {
	for _, x := range []struct {
		host, address string
		want          bool
	}{
		{"mes.example.com", "https://MES.example.com/a", true},
		{"mes.example.com", "https://mes.example.com:8443/a", true},
		{"mes.example.com:443", "https://mes.example.com/a", true},
		{"mes.example.com:443", "https://mes.example.com:8443/a", false},
		{"mes.example.com", "https://mes.example.com.evil.com/", false},
		{"*.example.com", "https://a.b.example.com/", true},
		{"*.example.com", "https://example.com/", false},
		{"*.example.com", "https://badexample.com/", false},
		{"[::1]:80", "http://[::1]/", true},
	} {
		r, err := parseRequest(ask("GET", x.address, ""))
		if err != nil {
			t.Fatal(err)
		}
		if got := (Connection{Hosts: []string{x.host}}).allows(r.url); got != x.want {
			t.Errorf("%s allows %s: %v", x.host, x.address, got)
		}
	}
}

func FuzzHTTPRequest(f *testing.F) {
	f.Add([]byte(ask("POST", "https://x/", `,"RequestBody":{"a":[1,{"b":null}]},"Transform":{"RequestBodyEncoding":"URL_ENCODED"}`)))
	f.Add([]byte(`{"Headers":{"a":[[]]}}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		r, err := parseRequest(in)
		var e *HTTPError
		if err != nil && (!errors.As(err, &e) || e.Name() == "") {
			t.Errorf("an error without a name: %v", err)
		}
		if err == nil && len(r.body) > maxPayload {
			t.Errorf("a body of %d bytes", len(r.body))
		}
	})
}
