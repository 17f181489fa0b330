package upstream

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// HTTP does the HTTP tasks of the States Language, http:invoke, through the
// connections that it is given. Its methods may be called from any goroutine
// at the same time.
type HTTP struct {
	services map[string]*service
}

// NewHTTP checks the connections, which are by name, and their files. It opens
// no connection to anybody.
func NewHTTP(connections map[string]Connection) (*HTTP, error) {
	all, err := services(connections)
	return &HTTP{all}, err
}

// Close drops idle connections; calls under way are not disturbed.
func (h *HTTP) Close() {
	for _, s := range h.services {
		s.client.CloseIdleConnections()
	}
}

// A service is a connection in use.
type service struct {
	Connection
	name   string
	client *http.Client

	mu    sync.Mutex
	token token // of oauth
}

const (
	longestInvoke = 60 * time.Second // as on AWS
	maxPayload    = 256 << 10        // bytes of a request's body, and of a result
)

// A Result is what an HTTP task gives.
type Result struct {
	Headers      map[string][]string
	ResponseBody any
	StatusCode   int
	StatusText   string
}

// Invoke makes one request, as input says it in the words of the States
// Language. Key goes along as the header Idempotency-Key, the same on every
// attempt, so that the server can tell repeats. An answer of 2xx is success.
// It takes at most 60 s. Errors are *HTTPError.
func (h *HTTP) Invoke(ctx context.Context, key string, input json.RawMessage) (json.RawMessage, error) {
	r, err := parseRequest(input)
	if err != nil {
		return nil, err
	}
	s, err := h.service(r)
	if err != nil {
		return nil, err
	}
	inner, cancel := context.WithTimeout(ctx, longestInvoke)
	defer cancel()
	result, err := s.invoke(inner, key, r)
	if err != nil {
		return nil, err
	}
	return encodeResult(result, r.target())
}

// encodeResult writes a result as JSON, if the workflow can take it.
func encodeResult(r *Result, target string) (json.RawMessage, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(r); err != nil {
		return nil, fmt.Errorf("%s: its answer: %w", target, err)
	}
	if b.Len() > maxPayload {
		return nil, tooLarge(target)
	}
	return bytes.TrimSpace(b.Bytes()), nil
}

// service finds the connection that the request names, if it may be used so.
func (h *HTTP) service(r *request) (*service, error) {
	name := r.connection()
	s := h.services[name]
	switch {
	case name == "":
		return nil, refused(r, "the request names no connection; give Authentication.ConnectionArn")
	case s == nil && !connectionForm.MatchString(name):
		return nil, unconnected("NotFound", r, fmt.Sprintf("%.70q is no name of a connection: want 1 to 64 letters, digits, dots, - or _; correct the definition, or this task's input", name))
	case s == nil:
		return nil, unconnected("NotFound", r, fmt.Sprintf("there is no connection %q; write %s.yaml into the folder of connections, restart, then redrive", name, name))
	case !s.allows(r.url):
		return nil, unconnected("AccessDenied", r, fmt.Sprintf("connection %q does not list the host %s; add it to its hosts, restart, then redrive", name, r.url.Host))
	case r.url.Scheme == "http" && !s.PlainHTTP:
		return nil, unconnected("AccessDenied", r, fmt.Sprintf("connection %q does not allow http://; use https://, or set its plain_http, restart, then redrive", name))
	}
	return s, nil
}

// invoke sends the request; once more if a token that was kept is refused.
func (s *service) invoke(ctx context.Context, key string, r *request) (*Result, error) {
	for again := false; ; again = true {
		var scrub scrubber
		request, kept, err := s.request(ctx, key, r, &scrub)
		if err != nil {
			return nil, err
		}
		answer, err := s.client.Do(request)
		if err != nil {
			return nil, lost(r, err, &scrub)
		}
		result, err := read(r, answer, &scrub)
		if answer.StatusCode == http.StatusUnauthorized && s.Authorization == "oauth" {
			s.forget()
			if kept && !again {
				continue
			}
		}
		return result, err
	}
}

// request makes r ready to send; kept says that it has a token which the
// server may not honour any more.
func (s *service) request(ctx context.Context, key string, r *request, scrub *scrubber) (_ *http.Request, kept bool, err error) {
	u := *r.url
	query := u.Query()
	for name, values := range r.query {
		query[name] = values
	}
	for name, value := range s.Query {
		query.Set(name, value)
	}
	u.RawQuery = query.Encode()
	out, err := http.NewRequestWithContext(ctx, r.method, u.String(), bytes.NewReader(r.body))
	if err != nil {
		return nil, false, misfit("ApiEndpoint; want https://HOST/PATH")
	}
	out.Header.Set("User-Agent", "inspector")
	out.Header.Set("Idempotency-Key", visible(key))
	if r.contentType != "" {
		out.Header.Set("Content-Type", r.contentType)
	}
	for name, values := range r.headers {
		out.Header[http.CanonicalHeaderKey(name)] = values
	}
	for name, value := range s.Headers {
		out.Header.Set(name, value)
	}
	kept, err = s.authorize(ctx, r, out, scrub)
	return out, kept, err
}

// authorize says who we are.
func (s *service) authorize(ctx context.Context, r *request, out *http.Request, scrub *scrubber) (kept bool, err error) {
	file := map[string]string{"basic": s.PasswordFile, "api-key": s.KeyFile}[s.Authorization]
	if s.Authorization == "oauth" {
		t, kept, err := s.bearer(ctx, r, scrub)
		if err == nil {
			out.Header.Set("Authorization", "Bearer "+t)
		}
		return kept, err
	}
	if file == "" {
		return false, nil
	}
	secret, err := readSecret(file)
	if err != nil {
		return false, unconnected("InvalidCredentials", r, fmt.Sprintf("the secret of connection %q cannot be read: %v; correct the file, then redrive", s.name, err))
	}
	scrub.hide(string(secret))
	if s.Authorization == "basic" {
		scrub.hide(base64.StdEncoding.EncodeToString([]byte(s.Username + ":" + string(secret))))
		out.SetBasicAuth(s.Username, string(secret))
	} else {
		out.Header.Set(s.Header, string(secret))
	}
	return false, nil
}

// read makes of an answer what the workflow gets, and closes it.
func read(r *request, answer *http.Response, scrub *scrubber) (*Result, error) {
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxPayload+1))
	if err != nil {
		return nil, lost(r, err, scrub)
	}
	kind, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	text := scrub.text(strings.TrimSpace(strings.TrimPrefix(answer.Status, fmt.Sprint(answer.StatusCode))))
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		said := scrub.answer(body, kind) // before it is cut: half a secret is one, too
		return nil, answered(r, answer.StatusCode, text, kind, strings.ToValidUTF8(said[:min(len(said), maxSaid)], ""))
	}
	if len(body) > maxPayload {
		return nil, tooLarge(r.target())
	}
	if !utf8.Valid(body) || unreadable(kind) {
		return nil, refused(r, fmt.Sprintf("the answer is no text (%s), which a workflow cannot hold", kind))
	}
	result := &Result{Headers: map[string][]string{}, StatusCode: answer.StatusCode, StatusText: text, ResponseBody: scrub.text(string(body))}
	for _, name := range slices.Sorted(maps.Keys(answer.Header)) {
		for _, value := range answer.Header[name] {
			result.Headers[strings.ToLower(name)] = append(result.Headers[strings.ToLower(name)], scrub.text(value))
		}
	}
	if v, err := parseJSON(body); err == nil && isJSON(kind) {
		result.ResponseBody = scrub.value(v)
	}
	return result, nil
}

func isJSON(kind string) bool {
	return kind == "application/json" || kind == "text/json" || strings.HasSuffix(kind, "+json")
}

// unreadable are kinds of content that AWS refuses, too.
func unreadable(kind string) bool {
	class, _, _ := strings.Cut(kind, "/")
	return kind == "application/octet-stream" || slices.Contains([]string{"image", "video", "audio"}, class)
}

// parseJSON reads one value, numbers as they stand.
func parseJSON(text []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one value")
	}
	return v, nil
}

// visible is key with what headers cannot carry escaped.
func visible(key string) string {
	var b strings.Builder
	for i := range len(key) {
		if c := key[i]; c > ' ' && c < 0x7f && c != '%' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// target is what the request is about, without query, for errors.
func (r *request) target() string {
	return r.method + " " + (&url.URL{Scheme: r.url.Scheme, Host: r.url.Host, Path: r.url.Path}).String()
}
