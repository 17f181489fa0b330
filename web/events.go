package web

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/gin-gonic/gin"

	"inspector"
)

// keepAlive is the longest silence on an event stream: proxies cut idle ones.
const keepAlive = 15 * time.Second

// A picture is the newest that the line has shown.
type picture struct {
	seq  uint64
	at   time.Time
	jpeg []byte
}

// Publish tells all pages and the metrics of an inspection that is durable.
// The line calls it exactly once for each. It does not block.
func (s *Server) Publish(i inspector.Inspection) {
	s.metrics.count(i)
	s.Announce(Record{Inspection: i})
}

// Announce tells all pages how a record is now. It is not counted as a verdict.
func (s *Server) Announce(r Record) {
	b, err := json.Marshal(complete(r))
	if err != nil {
		s.opt.Log.Error("an inspection cannot be shown on the pages", "id", r.ID, "err", err)
		return
	}
	s.hub.send(frame("inspection", b))
}

// Show gives the pages a new live picture, taken as frame seq: an encoded JPEG
// that nobody changes from now on. Only the newest is kept; it does not block.
// The page draws the defects of the inspection with that seq on it, so a line
// that judges the frame calls Publish first.
func (s *Server) Show(seq uint64, at time.Time, jpeg []byte) {
	s.live.Store(&picture{seq, at, jpeg})
	s.hub.replace(pictureBox, frame("picture", fmt.Appendf(nil, `{"seq":%d}`, seq)))
}

// Watched reports whether somebody looks at the live picture, so that the line
// need not encode pictures for nobody.
func (s *Server) Watched() bool {
	return s.hub.count() > 0 || time.Since(time.Unix(0, s.asked.Load())) < keepAlive
}

// watch sends the status to the pages when it has changed, and now and then
// when it has not, so that a page knows a dead connection from a quiet line.
func (s *Server) watch(ctx context.Context) {
	tick := time.NewTicker(s.beat)
	defer tick.Stop()
	var last []byte
	for quiet := 0; ; quiet++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if s.hub.count() == 0 {
			continue
		}
		b, err := json.Marshal(s.status(ctx))
		if err != nil {
			s.opt.Log.Error("the status cannot be shown on the pages", "err", err)
			continue
		}
		if quiet >= 5 || !bytes.Equal(b, last) {
			s.hub.replace(statusBox, frame("status", b))
			last, quiet = b, 0
		}
	}
}

// getEvents streams to one page until it leaves, is too slow, or we stop.
func (s *Server) getEvents(c *gin.Context) {
	r, err := s.hub.join()
	if err != nil {
		s.fail(c, err)
		return
	}
	defer s.hub.leave(r)
	first, err := json.Marshal(s.status(c.Request.Context()))
	if err != nil {
		s.fail(c, fmt.Errorf("encode the status: %w", err))
		return
	}
	w := s.eventStream(c)
	if _, err := w.Write(append([]byte("retry: 1000\n\n"), frame("status", first)...)); err != nil {
		return // it left
	}
	stream(c.Request.Context(), w, r)
}

type flusher func([]byte) (int, error)

func (f flusher) Write(b []byte) (int, error) { return f(b) }

// stream copies the reader's events to w until there are no more.
func stream(ctx context.Context, w io.Writer, r *reader) {
	alive := time.NewTicker(keepAlive)
	defer alive.Stop()
	for {
		var b []byte
		var more bool
		select {
		case <-ctx.Done():
			return
		case b, more = <-r.events:
			if !more {
				return
			}
		case b = <-r.status:
		case b = <-r.picture:
		case <-alive.C:
			b = []byte(": keep-alive\n\n")
		}
		if _, err := w.Write(b); err != nil {
			return
		}
		alive.Reset(keepAlive)
	}
}

// getLive gives the newest picture, whatever number n the page has heard of.
func (s *Server) getLive(c *gin.Context) {
	s.asked.Store(time.Now().UnixNano())
	p := s.live.Load()
	if p == nil {
		s.fail(c, bad(http.StatusNotFound, "see the camera's part in GET /api/v1/status", "no picture has been taken yet"))
		return
	}
	c.Header("Cache-Control", "no-store")
	c.Header("Picture-Seq", strconv.FormatUint(p.seq, 10))
	c.Header("Last-Modified", p.at.UTC().Format(http.TimeFormat))
	c.Data(http.StatusOK, "image/jpeg", p.jpeg)
}

// quiet passes what net/http has to say at debug level: it is about peers.
func quiet(l *slog.Logger) *log.Logger { return slog.NewLogLogger(l.Handler(), slog.LevelDebug) }
