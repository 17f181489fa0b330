package main

import (
	"encoding/json"
	"fmt"
	"sync"

	"inspector/notify/pattern"
	"inspector/web"
)

// The bounds of a bus: readers at once, and events that one may lag behind.
const (
	busReaders = 32
	busBacklog = 256
)

// A bus shows events to whoever looks at them now. It keeps nothing and waits
// for nobody.
type bus struct {
	mu      sync.Mutex
	readers map[*busReader]struct{}
}

type busReader struct {
	pattern *pattern.Pattern // nil: all
	events  chan []byte      // closed when the reader is dropped
}

// Tail gives the events that match the pattern from now on, all if it is empty.
// The channel is closed when the reader has lagged behind too far; leave ends
// it otherwise.
func (b *bus) Tail(text []byte) (events <-chan []byte, leave func(), err error) {
	r := &busReader{events: make(chan []byte, busBacklog)}
	if len(text) > 0 {
		if r.pattern, err = pattern.Parse(text); err != nil {
			return nil, nil, fmt.Errorf("%w: %w", web.ErrPattern, err)
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.readers) >= busReaders {
		return nil, nil, fmt.Errorf("%w: %d readers follow the events already", web.ErrUnavailable, busReaders)
	}
	if b.readers == nil {
		b.readers = map[*busReader]struct{}{}
	}
	b.readers[r] = struct{}{}
	return r.events, func() { b.leave(r) }, nil
}

func (b *bus) leave(r *busReader) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.drop(r)
}

// drop needs mu; again is harmless.
func (b *bus) drop(r *busReader) {
	if _, ok := b.readers[r]; ok {
		delete(b.readers, r)
		close(r.events)
	}
}

// watched reports whether anybody looks.
func (b *bus) watched() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.readers) > 0
}

// show gives the event to the readers that want it.
func (b *bus) show(event json.RawMessage) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.readers) == 0 {
		return
	}
	e, err := pattern.ReadEvent(event)
	if err != nil {
		return // it is ours, so it reads
	}
	for r := range b.readers {
		if r.pattern != nil && !r.pattern.Matches(e) {
			continue
		}
		select {
		case r.events <- event:
		default:
			b.drop(r)
		}
	}
}
