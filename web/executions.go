package web

import (
	"net/http"

	"github.com/gin-gonic/gin"
)

func (s *Server) getExecutions(c *gin.Context) {
	q, err := parseExecutions(c.Request.URL.Query())
	if err != nil {
		s.fail(c, err)
		return
	}
	found, page, err := s.opt.Executions.Executions(c.Request.Context(), q)
	for n := range found {
		found[n].States = list(found[n].States)
	}
	answer := gin.H{"executions": list(found)}
	if page != "" {
		answer["page"] = page
	}
	s.answer(c, answer, err)
}

func (s *Server) getExecution(c *gin.Context) {
	x, err := s.opt.Executions.Execution(c.Request.Context(), c.Param("id"))
	x.States = list(x.States)
	s.answer(c, x, err)
}

func (s *Server) getHistory(c *gin.Context) {
	events, err := s.opt.Executions.History(c.Request.Context(), c.Param("id"))
	s.answer(c, gin.H{"events": list(events)}, err)
}

// getGraph draws the execution. The picture brings its own colours, and may
// do nothing else.
func (s *Server) getGraph(c *gin.Context) {
	svg, err := s.opt.Graphs.Graph(c.Request.Context(), c.Param("id"))
	if err != nil {
		s.fail(c, err)
		return
	}
	c.Header("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox")
	c.Header("Cache-Control", "no-store")
	c.Data(http.StatusOK, "image/svg+xml", svg)
}

// postRedrive lets a parked or failed execution go on.
func (s *Server) postRedrive(c *gin.Context) {
	id := c.Param("id")
	if err := s.opt.Desk.Redrive(c.Request.Context(), id); err != nil {
		s.fail(c, err)
		return
	}
	s.getExecution(c)
}
