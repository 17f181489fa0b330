package notify

import (
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/mochi-mqtt/server/v2/listeners"
)

// listener hands connections to mochi and, unlike mochi's own, bounds their
// number and the time until they say who they are, and waits for their end.
type listener struct {
	net.Listener
	id      string                           // for mochi: one of a kind
	most    int                              // connections
	prepare func(net.Conn) (net.Conn, error) // what comes before CONNECT: encryption, WebSocket; nil: nothing
	failed  func(remote net.Addr, err error) // told when that failed

	mu     sync.Mutex
	open   map[net.Conn]struct{}
	closed bool
	serves sync.WaitGroup
}

// handshake is how long a connection may stay silent before its CONNECT.
const handshake = 10 * time.Second

func (l *listener) ID() string              { return l.id }
func (l *listener) Address() string         { return l.Addr().String() }
func (l *listener) Protocol() string        { return l.id }
func (l *listener) Init(*slog.Logger) error { return nil }

// Serve accepts until Close.
func (l *listener) Serve(establish listeners.EstablishFn) {
	if !l.add(nil) {
		return
	}
	defer l.serves.Done()
	for {
		conn, err := l.Accept()
		if err != nil {
			if l.ended() {
				return
			}
			time.Sleep(50 * time.Millisecond) // out of file descriptors: others may close theirs
			continue
		}
		if !l.add(conn) {
			_ = conn.Close()
			continue
		}
		go func() {
			defer l.remove(conn)
			_ = conn.SetDeadline(time.Now().Add(handshake))
			talk, err := conn, error(nil)
			if l.prepare != nil {
				talk, err = l.prepare(conn)
			}
			if err != nil {
				l.failed(conn.RemoteAddr(), err)
				return
			}
			_ = conn.SetDeadline(time.Now().Add(handshake)) // a WebSocket's beginning took it away
			_ = establish(l.ID(), talk)                     // why a client left is the client's to say
		}()
	}
}

// add counts conn, or the accepting loop, among those that Close waits for.
func (l *listener) add(conn net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || len(l.open) >= l.most {
		return false
	}
	if conn != nil {
		l.open[conn] = struct{}{}
	}
	l.serves.Add(1)
	return true
}

func (l *listener) remove(conn net.Conn) {
	_ = conn.Close()
	l.mu.Lock()
	delete(l.open, conn)
	l.mu.Unlock()
	l.serves.Done()
}

func (l *listener) ended() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

// Close ends all connections and returns when their goroutines have.
func (l *listener) Close(clients listeners.CloseFn) {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	_ = l.Listener.Close()
	clients(l.ID())
	l.mu.Lock()
	for conn := range l.open {
		_ = conn.Close()
	}
	l.mu.Unlock()
	l.serves.Wait()
}
