package sqstest

import (
	"io"
	"net"
	"net/http"
)

// A Mishap is what happens to a call that is neither answered nor refused.
type Mishap int

// The mishaps.
const (
	Reset      Mishap = iota // the connection breaks before anything is done
	LoseAnswer               // all is done, then the connection breaks
	Silence                  // all is done, and nothing is ever said
	Page                     // something in between answers 200 and HTML
)

// Befall lets the mishap happen to the next n calls, whatever they are.
func (s *Server) Befall(n int, m Mishap) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		s.mishaps = append(s.mishaps, m)
	}
}

func (s *Server) mishap() (m Mishap, befallen bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.mishaps) == 0 {
		return 0, false
	}
	m, s.mishaps = s.mishaps[0], s.mishaps[1:]
	return m, true
}

// before reports whether the call ends before it is carried out.
func (m Mishap) before(w http.ResponseWriter, _ *http.Request) bool {
	switch m {
	case Reset:
		hangUp(w)
	case Page:
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<html><body>Please log in to the guest network.</body></html>")
	default:
		return false
	}
	return true
}

// after is what happens instead of an answer.
func (m Mishap) after(w http.ResponseWriter, r *http.Request) {
	if m == Silence {
		<-r.Context().Done()
	}
	hangUp(w)
}

// hangUp breaks the connection with a reset.
func hangUp(w http.ResponseWriter) {
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}
