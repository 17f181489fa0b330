package web

import (
	"errors"
	"io"
	"strings"
	"time"

	"github.com/gin-gonic/gin"
)

// A Pause says whether the line judges boards.
type Pause struct {
	Paused bool      `json:"paused"`
	By     string    `json:"by"`
	Reason string    `json:"reason,omitempty"`
	At     time.Time `json:"at"`
}

func (s *Server) putLine(c *gin.Context) {
	body, err := s.order(c)
	if err != nil {
		s.fail(c, err)
		return
	}
	p, err := parsePause(body)
	if err != nil {
		s.fail(c, err)
		return
	}
	done, err := s.opt.Desk.Pause(c.Request.Context(), p)
	s.answer(c, done, err)
}

// parsePause reads the order to pause or to go on.
func parsePause(r io.Reader) (Pause, error) {
	var in struct {
		Paused     *bool
		By, Reason string
	}
	if err := decode(r, &in); errors.Is(err, io.EOF) {
		return Pause{}, wrong("send paused and by", "the body is empty")
	} else if err != nil {
		return Pause{}, err
	}
	p := Pause{By: strings.TrimSpace(in.By), Reason: strings.TrimSpace(in.Reason)}
	switch {
	case in.Paused == nil:
		return p, wrong("use true or false", "paused: it is not said whether the line shall pause")
	case p.By == "":
		return p, wrong("give the name of the person", "by: an order has a name under it")
	}
	p.Paused = *in.Paused
	return p, errors.Join(plain("by", p.By, maxName), plain("reason", p.Reason, maxNote))
}
