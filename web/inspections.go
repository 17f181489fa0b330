package web

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"inspector"
)

const maxOrder = 64 << 10 // bytes of a JSON body

func (s *Server) getInspections(c *gin.Context) {
	q, err := parseQuery(c.Request.URL.Query())
	if err != nil {
		s.fail(c, err)
		return
	}
	found, err := s.opt.Archive.Inspections(c.Request.Context(), q)
	page := struct {
		Inspections []Record `json:"inspections"`
		Next        string   `json:"next,omitempty"` // before= of the next page
	}{Inspections: make([]Record, len(found))}
	for n, r := range found {
		page.Inspections[n] = complete(r)
	}
	if len(found) == q.Limit {
		page.Next = found[q.Limit-1].ID
	}
	s.answer(c, page, err)
}

func (s *Server) getInspection(c *gin.Context) {
	r, err := s.opt.Archive.Inspection(c.Request.Context(), c.Param("id"))
	s.answer(c, complete(r), err)
}

// getEvidence gives the bytes of a blob, which never change.
func (s *Server) getEvidence(c *gin.Context) {
	kind := c.Param("kind")
	if kind != "image" && kind != "overlay" {
		s.fail(c, fmt.Errorf("%w: evidence is image or overlay, not %q", ErrNotFound, kind))
		return
	}
	blob, about, err := s.opt.Archive.Evidence(c.Request.Context(), c.Param("id"), kind)
	if err != nil {
		s.fail(c, err)
		return
	}
	defer func() { _ = blob.Close() }() // only read
	switch about.Type {
	case "image/jpeg", "image/png":
		c.Header("Content-Type", about.Type)
	default: // nothing that a browser would run
		c.Header("Content-Type", "application/octet-stream")
		c.Header("Content-Disposition", "attachment")
	}
	c.Header("ETag", `"`+about.SHA256+`"`)
	c.Header("Cache-Control", "private, max-age=31536000, immutable")
	http.ServeContent(c.Writer, c.Request, "", time.Time{}, blob)
}

// postInspection judges a picture.
func (s *Server) postInspection(c *gin.Context) {
	select {
	case s.uploads <- struct{}{}:
		defer func() { <-s.uploads }()
	default:
		s.unjudged(c, fmt.Errorf("%w: %d posted pictures are being judged already", ErrUnavailable, cap(s.uploads)))
		return
	}
	c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, s.opt.MaxBody)
	picture, t, err := upload(c.Request, time.Now())
	if err != nil {
		s.unjudged(c, err)
		return
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), s.opt.Wait)
	defer cancel()
	i, err := s.opt.Line.Inspect(ctx, t, picture)
	s.judged(c, i, err)
}

// postTrigger has the board under the camera judged.
func (s *Server) postTrigger(c *gin.Context) {
	body, err := s.order(c)
	if err != nil {
		s.unjudged(c, err)
		return
	}
	t, err := parseTrigger(body, time.Now())
	if err != nil {
		s.unjudged(c, err)
		return
	}
	ctx, cancel := context.WithTimeout(c.Request.Context(), s.opt.Wait)
	defer cancel()
	i, err := s.opt.Line.Trigger(ctx, t)
	s.judged(c, i, err)
}

// judged answers with the verdict.
func (s *Server) judged(c *gin.Context, i inspector.Inspection, err error) {
	if err != nil {
		s.unjudged(c, err)
		return
	}
	c.Header("Content-Location", "/api/v1/inspections/"+i.ID)
	s.answer(c, struct {
		Record
		Reject bool `json:"reject"` // the line must take the board out: all but pass
	}{complete(Record{Inspection: i}), i.Verdict != inspector.Pass}, nil)
}

// unjudged answers a trigger that got no verdict: whatever the reason, the
// board is unsure and the line must not let it pass.
func (s *Server) unjudged(c *gin.Context, err error) {
	p := *diagnose(err)
	p.Verdict, p.Reject = inspector.Unsure, true
	s.failed(c, err, &p)
}

func (s *Server) postDisposition(c *gin.Context) {
	body, err := s.order(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	d, err := parseDisposition(body, time.Now())
	if err != nil {
		s.fail(c, err)
		return
	}
	r, err := s.opt.Desk.Dispose(c.Request.Context(), c.Param("id"), d)
	if err == nil {
		s.Announce(r)
	}
	s.answer(c, complete(r), err)
}

func (s *Server) postAcknowledgement(c *gin.Context) {
	body, err := s.order(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	a, err := parseAcknowledgement(body, time.Now())
	if err != nil {
		s.fail(c, err)
		return
	}
	r, err := s.opt.Desk.Acknowledge(c.Request.Context(), c.Param("id"), a)
	if err == nil {
		s.Announce(r)
	}
	s.answer(c, complete(r), err)
}

// order is the body of a request that is a few words of JSON. It must say so,
// as the forms of foreign web pages cannot; an empty one need not.
func (s *Server) order(c *gin.Context) (io.Reader, error) { return ordered(c, maxOrder) }

func ordered(c *gin.Context, limit int64) (io.Reader, error) {
	if c.Request.ContentLength != 0 && c.ContentType() != "application/json" {
		return nil, bad(http.StatusUnsupportedMediaType, "send Content-Type: application/json", "a body of type %q is not understood here", c.ContentType())
	}
	return http.MaxBytesReader(c.Writer, c.Request.Body, limit), nil
}
