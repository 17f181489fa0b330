package remote

import "fmt"

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
