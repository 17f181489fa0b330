package people

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"inspector"
)

// An Outlet sends messages to a channel. Its methods may be called from any
// goroutine at the same time.
type Outlet struct {
	name   string
	layout *Layout
	send   func(ctx context.Context, m Message) (Receipt, error)
	close  func()
	files  []string // of secrets
}

// A Receipt is what is known of a message that was taken.
type Receipt struct {
	ID   string `json:"id,omitempty"`   // Slack's ts, the mail's Message-ID
	Note string `json:"note,omitempty"` // what of it did not get there
}

// Open gives the outlet of a channel that has no faults. Nothing is connected
// before it is used.
func Open(name string, c Channel) (*Outlet, error) {
	layout, err := OpenLayout(c.Layout, c.Templates)
	if err != nil {
		return nil, fmt.Errorf("channel %s: %w", name, err)
	}
	o := &Outlet{name: name, layout: layout, close: func() {}}
	switch {
	case c.Slack != nil && c.Slack.TokenFile != "":
		a := newSlackApp(*c.Slack, layout)
		o.send, o.close, o.files = a.send, a.http.CloseIdleConnections, []string{c.Slack.TokenFile}
	case c.Slack != nil:
		h := newSlackHook(*c.Slack, layout)
		o.send, o.close, o.files = h.send, h.hook.Close, []string{c.Slack.URLFile}
	case c.Webhook != nil:
		h := newSigned(*c.Webhook, layout)
		o.send, o.close, o.files = h.send, h.hook.Close, h.files()
	default:
		m := &mailer{config: *c.Email, layout: layout}
		o.send, o.files = m.send, []string{c.Email.PasswordFile, c.Email.CAFile}
	}
	return o, nil
}

// Send hands one message over: nil says that the other side has it. A repeat
// has the same key: the mail's Message-ID, the webhook's Idempotency-Key.
// Errors are *Error or *notify.WebhookError; those that a retry may help are not
// Permanent.
func (o *Outlet) Send(ctx context.Context, m Message) (Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, sendIn)
	defer cancel()
	r, err := o.send(ctx, m)
	if err != nil {
		return r, fmt.Errorf("channel %s: %w", o.name, err)
	}
	return r, nil
}

// sendIn is how long one message may take, its picture included.
const sendIn = time.Minute

// Close drops idle connections.
func (o *Outlet) Close() { o.close() }

// Check finds secrets that are not there. It sends nothing.
func (o *Outlet) Check() error {
	var errs []error
	for _, f := range o.files {
		if f == "" {
			continue
		}
		if _, err := secret(f); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// An Error is a message that was not taken, or of which nobody knows. Its text
// holds no secret: neither addresses nor what the other side answered at large.
type Error struct {
	To     string // Slack, or the mail server's host
	Reason string // what went wrong
	Remedy string // what a person can do

	permanent bool
	status    int // of an answer of HTTP
}

func (e *Error) Error() string { return fmt.Sprintf("%s: %s; %s", e.To, e.Reason, e.Remedy) }

// Permanent reports that no retry helps: a person must act.
func (e *Error) Permanent() bool { return e.permanent }

// Name is what Retry and Catch call the error.
func (e *Error) Name() string {
	if e.permanent {
		return "Channel.Refused"
	}
	return "Channel.NotSent"
}

// secret is the first line of a file.
func secret(file string) (inspector.Secret, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read secret: %w", err)
	}
	line, _, _ := strings.Cut(string(b), "\n")
	if line = strings.TrimSpace(line); line == "" {
		return "", fmt.Errorf("secret file %s is empty", file)
	}
	return inspector.Secret(line), nil
}

// client is how all channels speak HTTP: they follow nobody elsewhere.
func client() *http.Client {
	return &http.Client{
		Timeout:       30 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute},
	}
}
