package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
)

// An orderedObject is a JSON object whose members keep their order. The
// methods that read take nil for an empty one.
type orderedObject struct{ members []orderedMember }

type orderedMember struct {
	key   string
	value any
}

// get is the member's value; nil if there is none.
func (o *orderedObject) get(key string) any {
	if o != nil {
		for _, m := range o.members {
			if m.key == key {
				return m.value
			}
		}
	}
	return nil
}

func (o *orderedObject) text(key string) string {
	s, _ := o.get(key).(string)
	return s
}

// set changes the member where it stands, or puts a new one at the end.
func (o *orderedObject) set(key string, value any) {
	for n := range o.members {
		if o.members[n].key == key {
			o.members[n].value = value
			return
		}
	}
	o.members = append(o.members, orderedMember{key, value})
}

// MarshalJSON keeps the order.
func (o *orderedObject) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for n, m := range o.members {
		if n > 0 {
			b.WriteByte(',')
		}
		for k, v := range []any{m.key, m.value} {
			text, err := compact(v)
			if err != nil {
				return nil, err
			}
			if k == 1 {
				b.WriteByte(':')
			}
			b.Write(text)
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// compact is v as JSON in which < > & stay as they are.
func compact(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSpace(b.Bytes()), err
}

// readOrdered reads one JSON value; numbers stay as they are written.
func readOrdered(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := readValue(d)
	if err == nil {
		if _, after := d.Token(); after != io.EOF { //nolint:errorlint // bare, as documented
			err = fmt.Errorf("something follows the definition")
		}
	}
	return v, err
}

func readValue(d *json.Decoder) (any, error) {
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t {
	case json.Delim('{'):
		o := &orderedObject{}
		for d.More() {
			key, err := d.Token()
			if err != nil {
				return nil, err
			}
			v, err := readValue(d)
			if err != nil {
				return nil, err
			}
			o.set(key.(string), v) // a Decoder gives nothing else there
		}
		_, err = d.Token()
		return o, err
	case json.Delim('['):
		list := []any{}
		for d.More() {
			v, err := readValue(d)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err = d.Token()
		return list, err
	}
	return t, nil
}

// writeOrdered is the value as people read it.
func writeOrdered(v any) ([]byte, error) {
	text, err := compact(v)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = json.Indent(&b, text, "", "  ")
	b.WriteByte('\n')
	return b.Bytes(), err
}
