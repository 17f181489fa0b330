package web

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
)

// A CodedError is a refusal by the name that Step Functions gives it:
// ExecutionDoesNotExist, InvalidName, TaskTimedOut.
type CodedError struct {
	Code string
	Err  error
}

func (e *CodedError) Error() string { return e.Err.Error() }
func (e *CodedError) Unwrap() error { return e.Err }

// status is the HTTP status for the code.
func (e *CodedError) status() int {
	switch {
	case strings.HasSuffix(e.Code, "DoesNotExist"), e.Code == "ResourceNotFound":
		return http.StatusNotFound
	case strings.HasSuffix(e.Code, "AlreadyExists"), e.Code == "Conflict", e.Code == "ExecutionNotRedrivable", e.Code == "TaskTimedOut":
		return http.StatusConflict
	}
	return http.StatusBadRequest
}

// states carries out the actions of Step Functions' API, and those that the
// appliance has beside it.
type states interface {
	// Act answers with what becomes a JSON object. body is one, or empty. An
	// action that there is not is ErrNotFound.
	Act(ctx context.Context, action string, body json.RawMessage) (any, error)
}

// maxAction bounds the body of an action: a definition of 1 MiB, as on AWS,
// inside a JSON string.
const maxAction = 8 << 20

// postAction carries out one action on machines and executions.
func (s *Server) postAction(c *gin.Context) {
	var body []byte
	r, err := ordered(c, maxAction)
	if err == nil {
		body, err = io.ReadAll(r)
	}
	if err != nil {
		s.fail(c, interrupted(err))
		return
	}
	done, err := s.opt.States.Act(c.Request.Context(), c.Param("action"), body)
	if errors.Is(err, ErrNotFound) {
		var coded *CodedError
		if !errors.As(err, &coded) {
			err = bad(http.StatusNotFound, "see GET /api/v1/openapi.yaml for the actions that there are", "%v", err)
		}
	}
	s.answer(c, done, err)
}
