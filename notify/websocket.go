package notify

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"

	"github.com/gorilla/websocket"
)

// webSocket turns connections into WebSockets that carry MQTT.
type webSocket struct {
	origins []string // of pages in browsers that may connect
	most    int64    // bytes of a frame
}

// accept answers the request of a WebSocket client. A browser says where the
// page comes from that wants to connect: without leave, any page in the world
// could speak to the broker through somebody's browser here. Programs say
// nothing.
func (w webSocket) accept(conn net.Conn) (net.Conn, error) {
	in := bufio.NewReader(io.LimitReader(conn, 16<<10))
	request, err := http.ReadRequest(in)
	if err != nil {
		return nil, fmt.Errorf("no request for a WebSocket: %w", err)
	}
	origin := request.Header.Get("Origin")
	answer := &upgrade{conn: conn, in: bufio.NewReader(conn), header: http.Header{}}
	up := websocket.Upgrader{
		Subprotocols: []string{"mqtt", "mqttv3.1"},
		CheckOrigin:  func(*http.Request) bool { return origin == "" || slices.Contains(w.origins, origin) },
		Error:        func(http.ResponseWriter, *http.Request, int, error) {},
	}
	if in.Buffered() > 0 { // a client waits for the answer before it speaks
		return nil, errors.New("it speaks before it may")
	}
	ws, err := up.Upgrade(answer, request, nil)
	if err != nil {
		const words = "This is an MQTT broker: connect with a WebSocket client of MQTT.\n"
		fmt.Fprintf(conn, "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", len(words), words)
		if origin != "" && !slices.Contains(w.origins, origin) {
			err = fmt.Errorf("a page of %.80q: add it to mqtt.websocket_origins if it may connect", origin)
		}
		return nil, err
	}
	ws.SetReadLimit(w.most)
	return &webConn{Conn: conn, ws: ws}, nil
}

// upgrade gives the upgrader the connection.
type upgrade struct {
	conn   net.Conn
	in     *bufio.Reader
	header http.Header
}

func (u *upgrade) Header() http.Header         { return u.header }
func (u *upgrade) Write(b []byte) (int, error) { return len(b), nil }
func (u *upgrade) WriteHeader(int)             {}

func (u *upgrade) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return u.conn, bufio.NewReadWriter(u.in, bufio.NewWriter(u.conn)), nil
}

// webConn is a WebSocket as a stream of bytes. One goroutine may read while
// another writes.
type webConn struct {
	net.Conn // the one below: for addresses, deadlines and Close
	ws       *websocket.Conn
	message  io.Reader // being read; nil between two
}

func (c *webConn) Read(p []byte) (int, error) {
	for {
		if c.message == nil {
			kind, r, err := c.ws.NextReader()
			if err != nil {
				return 0, err
			}
			if kind != websocket.BinaryMessage {
				return 0, errors.New("a WebSocket message that is not binary")
			}
			c.message = r
		}
		n, err := c.message.Read(p)
		if errors.Is(err, io.EOF) {
			c.message, err = nil, nil
		}
		if n > 0 || err != nil || len(p) == 0 {
			return n, err
		}
	}
}

func (c *webConn) Write(p []byte) (int, error) {
	if err := c.ws.WriteMessage(websocket.BinaryMessage, p); err != nil {
		return 0, err
	}
	return len(p), nil
}
