package web

import (
	"bytes"
	"fmt"
	"sync"
)

// backlog is how many events a reader may lag behind before it is dropped.
const backlog = 64

// maxReaders bounds the open event streams.
const maxReaders = 64

// A reader is one open event stream.
type reader struct {
	events  chan []byte // each one counts; closed when the reader is too slow or the server stops
	status  chan []byte // a mailbox of one: newest wins
	picture chan []byte // a mailbox of one: newest wins
}

// hub hands events to all readers and never waits for one of them.
type hub struct {
	mu      sync.Mutex
	readers map[*reader]struct{}
	closed  bool
}

// join adds a reader; an error if there are too many or the server stops.
func (h *hub) join() (*reader, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed || len(h.readers) >= maxReaders {
		return nil, fmt.Errorf("%w: %d event streams are open, or the appliance is stopping", ErrUnavailable, len(h.readers))
	}
	r := &reader{make(chan []byte, backlog), make(chan []byte, 1), make(chan []byte, 1)}
	if h.readers == nil {
		h.readers = map[*reader]struct{}{}
	}
	h.readers[r] = struct{}{}
	return r, nil
}

// leave removes a reader; again is harmless.
func (h *hub) leave(r *reader) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.drop(r)
}

// drop needs mu.
func (h *hub) drop(r *reader) {
	if _, ok := h.readers[r]; ok {
		delete(h.readers, r)
		close(r.events)
	}
}

// send gives an event to all, and drops the readers whose backlog is full:
// their browser connects again and loads what it missed.
func (h *hub) send(event []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for r := range h.readers {
		select {
		case r.events <- event:
		default:
			h.drop(r)
		}
	}
}

// replace puts an event into the box of every reader, in place of one that
// was not taken.
func (h *hub) replace(box func(*reader) chan []byte, event []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for r := range h.readers {
		b := box(r)
		select {
		case <-b:
		default:
		}
		b <- event // mu is held: nobody else puts
	}
}

func (h *hub) count() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.readers)
}

// close ends all streams, and lets nobody in again.
func (h *hub) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	for r := range h.readers {
		h.drop(r)
	}
}

func statusBox(r *reader) chan []byte  { return r.status }
func pictureBox(r *reader) chan []byte { return r.picture }

// frame writes a server-sent event. JSON has no raw line ends, so one data
// line does.
func frame(event string, data []byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "event: %s\ndata: %s\n\n", event, data)
	return b.Bytes()
}
