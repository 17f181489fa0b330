package web

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
)

// tailer shows events as they come to whoever follows them.
type tailer interface {
	// Tail gives the events, JSON, that match the pattern from now on, all of
	// them if it is empty; ErrPattern if it is none. The channel is closed when
	// the reader lags behind too far; leave ends it otherwise, again is harmless.
	Tail(pattern []byte) (events <-chan []byte, leave func(), err error)
}

// functions are invoked without anybody waiting for them.
type functions interface {
	// Invoke makes the invocation durable and gives its request ID; ErrNotFound
	// if there is no such function.
	Invoke(ctx context.Context, name string, payload json.RawMessage) (requestID string, err error)
}

// maxPayload is how many bytes an invocation may bring: what a state may hold,
// with room for its record.
const maxPayload = 120 << 10

// getTail streams events, one a message, until the reader leaves, is too slow
// or we stop.
func (s *Server) getTail(c *gin.Context) {
	for name, values := range c.Request.URL.Query() {
		if name != "pattern" || len(values) > 1 {
			s.fail(c, wrong("give pattern, once, or nothing", "the parameter %q is not known here, or given twice", name))
			return
		}
	}
	events, leave, err := s.opt.Tailer.Tail([]byte(c.Query("pattern")))
	if err != nil {
		s.fail(c, err)
		return
	}
	defer leave()
	r, err := s.hub.join() // so that it ends when the others do
	if err != nil {
		s.fail(c, err)
		return
	}
	defer s.hub.leave(r)
	w := s.eventStream(c)
	if _, err := w.Write([]byte("retry: 1000\n\n")); err != nil {
		return // it left
	}
	follow(c.Request.Context(), w, events, r)
}

// follow copies events to w. Of the page's events it takes only their end.
func follow(ctx context.Context, w io.Writer, events <-chan []byte, page *reader) {
	alive := time.NewTicker(keepAlive)
	defer alive.Stop()
	for {
		var b []byte
		select {
		case <-ctx.Done():
			return
		case _, more := <-page.events:
			if !more {
				_, _ = w.Write(frame("end", []byte(`{"reason":"the appliance is stopping"}`))) // it leaves anyway
				return
			}
			continue
		case <-page.status:
			continue
		case <-page.picture:
			continue
		case event, more := <-events:
			if !more {
				_, _ = w.Write(frame("end", []byte(`{"reason":"dropped: the reader is too slow; choose fewer events with a pattern"}`)))
				return
			}
			b = frame("event", event)
		case <-alive.C:
			b = []byte(": keep-alive\n\n")
		}
		if _, err := w.Write(b); err != nil {
			return
		}
	}
}

// eventStream begins an answer of server-sent events; each write goes out at
// once or fails within 10 s.
func (s *Server) eventStream(c *gin.Context) io.Writer {
	c.Header("Content-Type", "text/event-stream")
	c.Header("Cache-Control", "no-store")
	c.Header("X-Accel-Buffering", "no")
	out := http.NewResponseController(c.Writer)
	_ = out.SetReadDeadline(time.Time{}) // the body is over; the stream may last
	return flusher(func(b []byte) (int, error) {
		_ = out.SetWriteDeadline(time.Now().Add(10 * time.Second)) // a dead peer must not hold us
		n, err := c.Writer.Write(b)
		if err == nil {
			err = out.Flush()
		}
		return n, err
	})
}

// postInvocation invokes a function as AWS Lambda's Invoke does with
// X-Amz-Invocation-Type: Event.
func (s *Server) postInvocation(c *gin.Context) {
	if kind := c.GetHeader("X-Amz-Invocation-Type"); !strings.EqualFold(kind, "Event") {
		s.fail(c, bad(http.StatusBadRequest, "send the header X-Amz-Invocation-Type: Event", "invocations are asynchronous here; %q is not offered", kind))
		return
	}
	payload, err := io.ReadAll(http.MaxBytesReader(c.Writer, c.Request.Body, maxPayload))
	if err != nil {
		s.fail(c, err)
		return
	}
	if len(payload) == 0 {
		payload = []byte("{}")
	}
	if !json.Valid(payload) {
		s.fail(c, bad(http.StatusBadRequest, "send JSON, or nothing", "the payload is not JSON"))
		return
	}
	id, err := s.opt.Functions.Invoke(c.Request.Context(), c.Param("name"), payload)
	if err != nil {
		s.fail(c, err)
		return
	}
	c.Header("X-Amzn-Requestid", id)
	s.write(c, http.StatusAccepted, "application/json", gin.H{"requestId": id})
}
