package remote

import (
	"fmt"
	"sync/atomic"
)

// A ServerError is an answer of the server that is no inference.
type ServerError struct {
	URL     string
	Status  string // of HTTP or gRPC, such as 404 Not Found; empty: what it says is no inference
	Text    string
	Missing bool // the server has no such model, or it is not ready
	TooLong bool // the request, or the answer
}

func (e *ServerError) Error() string {
	remedy := "check model.remote and the server's log"
	switch {
	case e.Missing:
		remedy = "have the server load the model, or correct model.remote"
	case e.TooLong:
		remedy = "raise the limit of a message on the server, and have it give the package's outputs only"
	}
	status := e.Status
	if status == "" {
		status = "no inference"
	}
	return fmt.Sprintf("remote: %s answers %s: %s; %s", e.URL, status, e.Text, remedy)
}

// A ChangedError says that another model, or another version of it, answers than
// the one that proved itself.
type ChangedError struct{ URL, Have, Want string }

func (e *ChangedError) Error() string {
	return fmt.Sprintf("remote: %s answers with %s, and %s proved itself; have all servers serve the same version, or restart or promote, which proves the new one", e.URL, e.Have, e.Want)
}

// A who remembers what the first answer said of itself: that was the proof's.
// Methods may be called by several goroutines at once.
type who struct{ first atomic.Pointer[string] }

// same is a *ChangedError unless the answer says the same.
func (w *who) same(url string, model, version any) error {
	have := fmt.Sprintf("model %q, version %q", said(model), said(version))
	if w.first.CompareAndSwap(nil, &have) {
		return nil
	}
	if want := *w.first.Load(); have != want {
		return &ChangedError{url, have, want}
	}
	return nil
}

// said is the text of what a server says; some leave it out.
func said(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

// wrong is about an answer that is no inference.
func (n *network) wrong(format string, args ...any) error {
	return &ServerError{URL: n.url, Text: fmt.Sprintf(format, args...)}
}

// missing is about a model that is not there, or not yet.
func (n *network) missing(status, text string) error {
	return &ServerError{URL: n.url, Status: status, Text: cut(text), Missing: true}
}

// silent is about a server that does not answer. It wraps err.
func (n *network) silent(err error) error {
	return fmt.Errorf("remote: %s does not answer: %w; check model.remote, and that the server runs and can be reached from here", n.url, err)
}

// cut keeps what a server says short.
func cut(text string) string { return text[:min(len(text), 300)] }
