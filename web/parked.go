package web

import (
	"context"
	"time"

	"github.com/gin-gonic/gin"
)

// A ParkedTask is work that was refused for good: a person must act.
type ParkedTask struct {
	Execution string    `json:"execution"`
	Command   int64     `json:"command"` // of the task in its execution
	State     string    `json:"state"`
	Target    string    `json:"target"`   // its name in the status; of a lane that is no target's the resource
	Resource  string    `json:"resource"` // the lane
	Since     time.Time `json:"since"`    // when it was asked for
	Reason    string    `json:"reason"`
}

// A ParkedQuery selects parked tasks, those of the oldest execution first.
type ParkedQuery struct {
	Target string // empty: any
	Reason string // is in the reason, in any case of letters
	Page   string // as given with the page before; empty: the first
	Limit  int    // 1 to 500
}

// parked lists what waits for a person.
type parked interface {
	Parked(ctx context.Context, q ParkedQuery) (found []ParkedTask, page string, err error) // page: of the next ones; empty: none
}

func (s *Server) getParked(c *gin.Context) {
	q, err := parseParked(c.Request.URL.Query())
	if err != nil {
		s.fail(c, err)
		return
	}
	found, page, err := s.opt.Parked.Parked(c.Request.Context(), q)
	answer := gin.H{"parked": list(found)}
	if page != "" {
		answer["page"] = page
	}
	s.answer(c, answer, err)
}
