package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/sync/errgroup"
)

// A Server shows the appliance and takes orders for it.
type Server struct {
	opt      Options
	hub      hub
	metrics  *metrics
	live     atomic.Pointer[picture]
	asked    atomic.Int64  // unix nanoseconds when somebody last looked at the live picture
	uploads  chan struct{} // a place per posted picture in memory
	listener net.Listener
	beat     time.Duration // between looks at the status, for the streams
}

// New returns a server at rest: nothing happens until Listen or Run.
func New(o Options) *Server {
	o.Wait = cmp.Or(o.Wait, 30*time.Second)
	o.Grace = cmp.Or(o.Grace, 5*time.Second)
	o.MaxBody = cmp.Or(o.MaxBody, 64<<20)
	gin.SetMode(gin.ReleaseMode)
	return &Server{opt: o, metrics: newMetrics(), uploads: make(chan struct{}, 4), beat: time.Second}
}

// Listen takes the port, so that a port in use is known before the line
// starts, and gives the address at last. Only one goroutine calls it, before Run.
func (s *Server) Listen() (net.Addr, error) {
	l, err := net.Listen("tcp", s.opt.Listen)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		_, port, _ := net.SplitHostPort(s.opt.Listen)
		return nil, fmt.Errorf("listen on %s: port %s is in use by another program; stop it (ss -ltnp 'sport = :%s' names it) or set web.listen to another port: %w", s.opt.Listen, port, port, err)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("listen on %s: not permitted; set web.listen to a port above 1023: %w", s.opt.Listen, err)
	case err != nil:
		return nil, fmt.Errorf("listen on %q: want HOST:PORT of this machine in web.listen: %w", s.opt.Listen, err)
	}
	s.listener = l
	return l.Addr(), nil
}

// Run serves until ctx ends, then ends the event streams at once and gives the
// other answers the grace to finish. It listens first, if nobody has.
func (s *Server) Run(ctx context.Context) error {
	if s.listener == nil {
		if _, err := s.Listen(); err != nil {
			return err
		}
	}
	h := &http.Server{
		Handler:           s.handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       s.opt.Wait + time.Minute, // net/http reads on while we answer
		WriteTimeout:      s.opt.Wait + time.Minute, // streams extend it
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          quiet(s.opt.Log),
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := h.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			return fmt.Errorf("serve %s: %w", s.listener.Addr(), err)
		}
		return nil
	})
	g.Go(func() error { s.watch(ctx); return nil })
	g.Go(func() error {
		<-ctx.Done()
		s.hub.close()
		late, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.opt.Grace)
		defer cancel()
		if err := h.Shutdown(late); err != nil {
			s.opt.Log.Warn("answers cut off", "grace", s.opt.Grace, "err", err)
			_ = h.Close() // nothing is left to lose: verdicts are durable, askers ask again
		}
		return nil
	})
	return g.Wait()
}

// handler has every route. Those below /api/v1 are in openapi.yaml, too.
func (s *Server) handler() *gin.Engine {
	r := gin.New()
	r.HandleMethodNotAllowed = true
	r.RedirectTrailingSlash = false
	r.Use(s.recovered, headers, s.guard)
	r.NoRoute(func(c *gin.Context) {
		s.fail(c, bad(http.StatusNotFound, "see GET /api/v1/openapi.yaml for what there is", "nothing is at %s", c.Request.URL.Path))
	})
	r.NoMethod(func(c *gin.Context) {
		s.fail(c, bad(http.StatusMethodNotAllowed, "see GET /api/v1/openapi.yaml for what there is", "%s is not for %s", c.Request.Method, c.Request.URL.Path))
	})
	for path, name := range map[string]string{
		"/": "page/index.html", "/app.css": "page/app.css", "/app.js": "page/app.js", "/executions.js": "page/executions.js", "/icon.svg": "page/icon.svg",
	} {
		r.GET(path, s.asset(name))
	}
	r.GET("/healthz", func(c *gin.Context) { s.answer(c, gin.H{"status": "ok"}, nil) })
	r.GET("/readyz", s.getReady)
	r.GET("/metrics", s.getMetrics)

	v1 := r.Group("/api/v1")
	v1.GET("/openapi.yaml", s.asset("openapi.yaml"))
	v1.GET("/status", func(c *gin.Context) { s.answer(c, s.status(c.Request.Context()), nil) })
	v1.GET("/events", s.getEvents)
	v1.GET("/events/tail", s.getTail)
	v1.POST("/functions/:name/invocations", s.postInvocation)
	v1.GET("/live.jpg", s.getLive)
	v1.GET("/inspections", s.getInspections)
	v1.POST("/inspections", s.postInspection)
	v1.GET("/inspections/:id", s.getInspection)
	v1.GET("/inspections/:id/evidence/:kind", s.getEvidence)
	v1.POST("/inspections/:id/disposition", s.postDisposition)
	v1.POST("/inspections/:id/acknowledgement", s.postAcknowledgement)
	v1.PUT("/line", s.putLine)
	v1.POST("/triggers", s.postTrigger)
	v1.GET("/executions", s.getExecutions)
	v1.GET("/executions/:id", s.getExecution)
	v1.GET("/executions/:id/history", s.getHistory)
	v1.GET("/executions/:id/graph.svg", s.getGraph)
	v1.POST("/executions/:id/redrive", s.postRedrive)
	v1.GET("/parked", s.getParked)
	v1.POST("/states/:action", s.postAction)
	v1.GET("/models", s.getModels)
	v1.POST("/models/:name/:action", s.postChange)
	v1.GET("/recipe", s.getRecipe)
	v1.PUT("/recipe", s.putRecipe)
	v1.GET("/disagreements", s.getDisagreements)
	v1.GET("/disagreements/:id/image", s.getDisagreementPicture)
	return r
}

// status asks for it, but not for long.
func (s *Server) status(ctx context.Context) report {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return assess(s.opt.Status.Status(ctx))
}

func (s *Server) getReady(c *gin.Context) {
	r := s.status(c.Request.Context())
	code := http.StatusOK
	if !r.Ready {
		code = http.StatusServiceUnavailable
	}
	s.write(c, code, "application/json", gin.H{"ready": r.Ready, "reasons": r.Reasons})
}
