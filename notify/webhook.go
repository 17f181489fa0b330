package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"inspector/certificate"
)

// WebhookConfig says who is posted to. Secrets are read from their files at
// every message, so a renewed one needs no restart.
type WebhookConfig struct {
	URL         string            // https://…, or http:// on this machine
	URLFile     string            // its first line is the URL, if that is itself a secret
	Headers     map[string]string // sent as they are
	HeaderFiles map[string]string // name: the file whose first line is the value
}

// A Webhook posts JSON to one address. Its methods may be called from any
// goroutine at the same time.
type Webhook struct {
	config WebhookConfig
	client *http.Client
	slack  bool // answers are words, such as invalid_payload

	mu    sync.Mutex
	until time.Time // the other side asked for a pause
}

// webhookTimeout is how long one message may take, the answer included.
const webhookTimeout = 15 * time.Second

// NewWebhook opens nothing.
func NewWebhook(c WebhookConfig) *Webhook {
	return &Webhook{config: c, client: &http.Client{
		Timeout:       webhookTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute, TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12}},
	}}
}

// Close drops idle connections; messages under way are not disturbed.
func (w *Webhook) Close() { w.client.CloseIdleConnections() }

// A WebhookError is a message that was not taken, or of which nobody knows. Its
// text names the host only: paths, headers and answers may hold secrets.
type WebhookError struct {
	Host   string
	Status int    // of the answer; 0 without one
	Reason string // what went wrong
	Remedy string // what a person can do

	permanent bool
}

func (e *WebhookError) Error() string {
	return fmt.Sprintf("post to %s: %s; %s", e.Host, e.Reason, e.Remedy)
}

// Permanent reports that no retry helps: a person must act.
func (e *WebhookError) Permanent() bool { return e.permanent }

// Name is what Retry and Catch call the error.
func (e *WebhookError) Name() string {
	if e.Status > 0 {
		return "Webhook.StatusCode." + strconv.Itoa(e.Status)
	}
	return "Webhook.NotSent"
}

// Send posts the JSON body once and returns nil only if it was taken (2xx).
// key goes with it as Idempotency-Key: the same on every attempt, so that the
// other side can drop repeats. Errors are *WebhookError; those that a retry may
// help are not Permanent. Until a Retry-After is over it does not ask again.
func (w *Webhook) Send(ctx context.Context, key string, body []byte) error {
	return w.Post(ctx, key, body, nil)
}

// Post is Send with headers of this message; they win over those of the
// configuration.
func (w *Webhook) Post(ctx context.Context, key string, body []byte, with http.Header) error {
	request, err := w.request(ctx, key, body)
	if err != nil {
		return err
	}
	for name, values := range with {
		request.Header[http.CanonicalHeaderKey(name)] = values
	}
	host := request.URL.Host
	w.mu.Lock()
	pause := time.Until(w.until)
	w.mu.Unlock()
	if pause > 0 {
		return &WebhookError{Host: host, Status: http.StatusTooManyRequests, Reason: fmt.Sprintf("it asked for a pause of another %v", pause.Round(time.Second)), Remedy: "it will be repeated"}
	}
	answer, err := w.client.Do(request)
	if err != nil {
		return unsent(host, err)
	}
	defer answer.Body.Close()
	start, _ := io.ReadAll(io.LimitReader(answer.Body, 256)) // words for people: without them is as good
	if answer.StatusCode/100 == 2 {
		return nil
	}
	w.heed(answer, time.Now())
	return unwanted(host, answer.StatusCode, w.word(start))
}

// request makes the request, with all secrets.
func (w *Webhook) request(ctx context.Context, key string, body []byte) (*http.Request, error) {
	address := w.config.URL
	if w.config.URLFile != "" {
		var err error
		if address, err = firstLine(w.config.URLFile); err != nil {
			return nil, &WebhookError{Host: "the webhook", Reason: err.Error(), Remedy: "write its URL on the first line of that file"}
		}
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !thisMachine(u.Hostname())) {
		return nil, &WebhookError{Host: "the webhook", Reason: "its address is no URL that begins with https://", Remedy: "correct it (http:// is for this machine only)", permanent: true}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, &WebhookError{Host: u.Host, Reason: "its address is not usable", Remedy: "correct it", permanent: true}
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "inspector")
	r.Header.Set("Idempotency-Key", strconv.Quote(key))
	for name, value := range w.config.Headers {
		r.Header.Set(name, value)
	}
	for name, file := range w.config.HeaderFiles {
		value, err := firstLine(file)
		if err != nil {
			return nil, &WebhookError{Host: u.Host, Reason: err.Error(), Remedy: "write the value of the header " + name + " on the first line of that file"}
		}
		r.Header.Set(name, value)
	}
	return r, nil
}

func thisMachine(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func firstLine(file string) (string, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	line, _, _ := strings.Cut(string(b), "\n")
	if line = strings.TrimSpace(line); line == "" {
		return "", fmt.Errorf("secret file %s is empty", file)
	}
	return line, nil
}

// heed keeps to a Retry-After: seconds, or a date; at most an hour.
func (w *Webhook) heed(answer *http.Response, now time.Time) {
	after := answer.Header.Get("Retry-After")
	until := now
	if n, err := strconv.ParseUint(after, 10, 31); err == nil {
		until = now.Add(time.Duration(n) * time.Second)
	} else if at, err := http.ParseTime(after); err == nil {
		until = at
	}
	if latest := now.Add(time.Hour); until.After(latest) {
		until = latest
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.until = until
}

// word is what Slack says in one word; nothing of anybody else's answer.
func (w *Webhook) word(answer []byte) string {
	s := string(bytes.TrimSpace(answer))
	if !w.slack || len(s) == 0 || len(s) > 40 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return ""
	}
	return " (" + s + ")"
}

// unsent is the error of a message without an answer. What net/http says names
// the URL, so only its cause is shown.
func unsent(host string, err error) error {
	e := &WebhookError{Host: host, Reason: "no answer", Remedy: "check the network and the address; it will be repeated"}
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	switch {
	case errors.Is(err, context.Canceled):
		e.Reason = "interrupted"
	case errors.Is(err, context.DeadlineExceeded), u != nil && u.Timeout():
		e.Reason = fmt.Sprintf("no answer within %v", webhookTimeout)
	default:
		e.Reason = err.Error()
	}
	if bad := certificate.Explain(err, time.Now(), certificate.Files{}); bad != nil {
		e.Reason, e.Remedy = bad.Reason, bad.Remedy+"; it will be repeated"
		if errors.As(err, new(x509.UnknownAuthorityError)) {
			e.Remedy = "add its authority to those of this machine; it will be repeated"
		}
	}
	return e
}

// unwanted rules on an answer that is not 2xx.
func unwanted(host string, status int, word string) error {
	e := &WebhookError{Host: host, Status: status, Reason: fmt.Sprintf("it answered %d%s", status, word), permanent: true}
	switch {
	case status == http.StatusTooManyRequests, status == http.StatusServiceUnavailable:
		e.Remedy, e.permanent = "it asks for a pause; it will be repeated", false
	case status >= 500, status == http.StatusRequestTimeout, status == http.StatusTooEarly, status == http.StatusConflict:
		e.Remedy, e.permanent = "it will be repeated", false
	case status == http.StatusUnauthorized, status == http.StatusForbidden:
		e.Remedy = "check the secret in its file (it may have been withdrawn), then redrive"
	case status == http.StatusNotFound, status == http.StatusGone:
		e.Remedy = "nobody takes messages at this address any more: correct it, then redrive"
	case status/100 == 3:
		e.Remedy = "it sends us elsewhere: set the address that it moved to, then redrive"
	case status == http.StatusRequestEntityTooLarge:
		e.Remedy = "send less: choose a part with input_path or transformer, then redrive"
	default:
		e.Remedy = "it does not take such a message: correct the transformer, then redrive"
	}
	return e
}
