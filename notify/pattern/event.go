package pattern

import (
	"errors"
	"slices"
	"strings"
)

// An Event is what patterns see of an event: the values of its fields, by the
// dotted path of their names. It never changes.
type Event struct {
	fields map[string][]value
}

// A value is a scalar of an event.
type value struct {
	kind  kind
	text  string // of a string: without quotes
	lists places
}

// places are the elements of arrays around a value: which array, which
// element, by array in ascending order.
type places []struct{ array, element int }

// ReadEvent reads an event from JSON. A key that is written twice has both
// values.
func ReadEvent(raw []byte) (e *Event, err error) {
	r := &reader{scanner: scanner{src: string(raw)}, fields: map[string][]value{}}
	defer func() {
		if p := recover(); p != nil {
			b, ok := p.(bail)
			if !ok {
				panic(p)
			}
			e, err = nil, errors.New("read event: "+b.message)
		}
	}()
	if r.next() != startObject {
		return nil, errors.New("the event is not a JSON object")
	}
	r.object(nil, nil)
	if r.next() != end {
		return nil, errors.New("read event: something follows behind its end")
	}
	return &Event{r.fields}, nil
}

type reader struct {
	scanner
	fields map[string][]value
	arrays int
}

func (r *reader) object(path []string, at places) {
	for r.next() != endObject {
		here := slices.Concat(path, []string{r.name})
		r.value(r.next(), here, at)
	}
}

func (r *reader) value(k kind, path []string, at places) {
	switch k {
	case startObject:
		r.object(path, at)
	case startArray:
		r.array(path, at)
	default:
		name := strings.Join(path, ".")
		r.fields[name] = append(r.fields[name], value{k, r.words(), at})
	}
}

func (r *reader) array(path []string, at places) {
	id := r.arrays
	r.arrays++
	for n := 0; ; n++ {
		k := r.next()
		if k == endArray {
			return
		}
		inside := at
		if k == startObject || k == startArray {
			inside = slices.Concat(at, places{{id, n}})
		}
		r.value(k, path, inside)
	}
}
