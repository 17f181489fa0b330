package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"

	"github.com/gin-gonic/gin"

	"inspector"
)

// A problem is an answer that is not what was asked for, as RFC 9457 has it,
// with what to do about it. It is an error, so that parsers can return it.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Remedy string `json:"remedy"`
	Code   string `json:"code,omitempty"` // the name that Step Functions gives it

	// Of a trigger that was not answered with a verdict: what the line must do.
	Verdict inspector.Verdict `json:"verdict,omitempty"` // unsure
	Reject  bool              `json:"reject,omitempty"`
}

func (p *problem) Error() string { return p.Detail }

func bad(status int, remedy, format string, args ...any) *problem {
	return &problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: fmt.Sprintf(format, args...), Remedy: remedy}
}

// diagnose turns an error into the answer for it.
func diagnose(err error) *problem {
	var p *problem
	var tooBig *http.MaxBytesError
	var coded *CodedError
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &coded):
		p = bad(coded.status(), "mend what the detail says, and ask again", "%v", err)
		p.Code = coded.Code
		return p
	case errors.As(err, &tooBig):
		return bad(http.StatusRequestEntityTooLarge, fmt.Sprintf("send at most %d bytes", tooBig.Limit),
			"the request is larger than %d bytes", tooBig.Limit)
	case errors.Is(err, ErrNotFound):
		return bad(http.StatusNotFound, "ask for one that there is: GET lists them", "%v", err)
	case errors.Is(err, ErrConflict), errors.Is(err, ErrUnchanged):
		return bad(http.StatusConflict, "look how it stands now", "%v", err)
	case errors.Is(err, ErrPicture):
		return bad(http.StatusUnprocessableEntity, "send one whole JPEG or PNG picture, as the camera gave it", "%v", err)
	case errors.Is(err, ErrPattern):
		return bad(http.StatusUnprocessableEntity, "correct the pattern: inspector events test says what fits it", "%v", err)
	case errors.Is(err, ErrRefused):
		return bad(http.StatusUnprocessableEntity, "mend what the detail says, and ask again; the model before it goes on judging", "%v", err)
	case errors.Is(err, context.DeadlineExceeded):
		return bad(http.StatusGatewayTimeout, "ask again with the same request id: the answer will be that of this one", "no answer in time: %v", err)
	case errors.Is(err, ErrNoRoom):
		return bad(http.StatusServiceUnavailable, "free space on the disk that holds the data, then ask again: GET /api/v1/status says how much", "%v", err)
	case errors.Is(err, ErrUnavailable):
		return bad(http.StatusServiceUnavailable, "see GET /readyz for the reason, and ask again", "%v", err)
	}
	return bad(http.StatusInternalServerError, "read the appliance's log, and ask again", "%v", err)
}

// fail answers with err. What is the appliance's own fault is also logged.
func (s *Server) fail(c *gin.Context, err error) {
	s.failed(c, err, diagnose(err))
}

// failed answers with the problem that err is.
func (s *Server) failed(c *gin.Context, err error, p *problem) {
	if c.Request.Context().Err() == nil && p.Status == http.StatusInternalServerError {
		s.opt.Log.Error("request failed", "method", c.Request.Method, "path", c.Request.URL.Path, "err", err)
	}
	if p.Status == http.StatusServiceUnavailable {
		c.Header("Retry-After", "1")
	}
	c.Abort()
	s.write(c, p.Status, "application/problem+json", p)
}

// answer gives v as JSON, or err as a problem.
func (s *Server) answer(c *gin.Context, v any, err error) {
	if err != nil {
		s.fail(c, err)
		return
	}
	s.write(c, http.StatusOK, "application/json", v)
}

func (s *Server) write(c *gin.Context, status int, kind string, v any) {
	b, err := json.Marshal(v)
	if err != nil { // a NaN, say
		s.fail(c, fmt.Errorf("encode the answer: %w", err))
		return
	}
	c.Header("Cache-Control", "no-store")
	c.Data(status, kind, b)
}

// recovered keeps one request's panic from ending the line.
func (s *Server) recovered(c *gin.Context) {
	defer func() {
		switch v := recover(); v {
		case nil:
		case http.ErrAbortHandler:
			panic(v)
		default:
			s.opt.Log.Error("panic in a request", "method", c.Request.Method, "path", c.Request.URL.Path, "panic", v, "stack", string(debug.Stack()))
			if c.Abort(); !c.Writer.Written() {
				s.write(c, http.StatusInternalServerError, "application/problem+json", diagnose(errors.New("a fault in the appliance")))
			}
		}
	}()
	c.Next()
}
