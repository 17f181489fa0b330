package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
)

// An HTTPError is an HTTP task that did not succeed. Its text is the cause
// that the workflow sees; it never has a secret of the connection.
type HTTPError struct {
	name      string
	cause     string
	permanent bool
	answered  bool
}

// Error is the cause. An answer in JSON is the cause itself, so that a
// workflow can parse it.
func (e *HTTPError) Error() string { return e.cause }

// Name is the error's name for Retry and Catch: States.Http.StatusCode.NNN,
// States.Http.Socket, States.Timeout, States.Runtime of a request that AWS
// would not send either, States.DataLimitExceeded, and
// Events.ConnectionResource.… for what is wrong with the connection.
func (e *HTTPError) Name() string { return e.name }

// Permanent reports that a person must correct the connection.
func (e *HTTPError) Permanent() bool { return e.permanent }

// Answered reports that the server did answer: it is there, whatever it said.
func (e *HTTPError) Answered() bool { return e.answered }

// maxSaid is how much of a refusal becomes the cause, in bytes.
const maxSaid = 8 << 10

// misfit is an input that is no request.
func misfit(format string, args ...any) *HTTPError {
	return &HTTPError{name: "States.Runtime", cause: "http:invoke: its input does not fit: " + fmt.Sprintf(format, args...), answered: true}
}

// refused is a request, or an answer, that is not for a workflow.
func refused(r *request, why string) *HTTPError {
	return &HTTPError{name: "States.Runtime", cause: r.target() + ": " + why, answered: true}
}

// unconnected is something wrong with the connection, in AWS's word for it.
func unconnected(what string, r *request, why string) *HTTPError {
	return &HTTPError{name: "Events.ConnectionResource." + what, cause: r.target() + ": " + why, permanent: true}
}

func tooLarge(target string) *HTTPError {
	return &HTTPError{name: "States.DataLimitExceeded", answered: true,
		cause: fmt.Sprintf("%s: the answer has more than %d bytes; ask the server for less", target, maxPayload)}
}

// answered is an answer that is no success. Overload and trouble of the
// server say nothing good about it.
func answered(r *request, status int, text, kind, body string) *HTTPError {
	e := &HTTPError{name: fmt.Sprintf("States.Http.StatusCode.%d", status), cause: body,
		answered: status < 500 && status != http.StatusRequestTimeout && status != http.StatusTooManyRequests}
	if !isJSON(kind) || !json.Valid([]byte(body)) {
		e.cause = fmt.Sprintf("%s: %d %s", r.target(), status, text)
		if body != "" {
			e.cause += ": " + body
		}
	}
	return e
}

// lost is a request without an answer.
func lost(r *request, err error, scrub *scrubber) *HTTPError {
	f := &Fault{Op: r.method, Target: r.target()[len(r.method)+1:], Err: err}
	name := "States.Http.Socket"
	var timeout net.Error
	switch {
	case errors.Is(err, context.Canceled):
		f.Code, f.Remedy = "Canceled", "it will be repeated"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		f.Code, f.Remedy = "Timeout", "check the network and the server; it may have done what was asked, which the key tells it"
	default:
		f.onNetwork(err)
		if f.Code == "UntrustedServer" {
			f.Remedy = "check the clock, and name the authority's file in ca_file of the connection"
		}
	}
	return &HTTPError{name: name, cause: scrub.text(f.Error())}
}
