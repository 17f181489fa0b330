package asl

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// AppendJSON appends the event as encoding/json would write it, or something
// that it reads as the same: a journal writes one for each transition.
func (e *Event) AppendJSON(b []byte) ([]byte, error) {
	b = appendString(append(b, `{"kind":`...), valid(string(e.Kind)))
	b, err := e.At.AppendText(append(b, `,"at":"`...))
	if err != nil {
		return nil, err
	}
	b = append(b, '"')
	if e.Command != 0 {
		b = strconv.AppendInt(append(b, `,"command":`...), e.Command, 10)
	}
	if b, err = appendRaw(b, `,"input":`, e.Input); err != nil {
		return nil, fmt.Errorf("input: %w", err)
	}
	if b, err = appendRaw(b, `,"output":`, e.Output); err != nil {
		return nil, fmt.Errorf("output: %w", err)
	}
	b = appendText(b, `,"error":`, e.Error)
	b = appendText(b, `,"cause":`, e.Cause)
	if e.Random != 0 {
		random, err := json.Marshal(e.Random)
		if err != nil {
			return nil, err
		}
		b = append(append(b, `,"random":`...), random...)
	}
	b = appendText(b, `,"name":`, e.Name)
	b = appendText(b, `,"arn":`, e.Arn)
	b = appendText(b, `,"by":`, e.By)
	b = appendText(b, `,"seed":`, e.Seed)
	return append(b, '}'), nil
}

// appendRaw appends the field unless it is empty, compacted.
func appendRaw(b []byte, field string, raw json.RawMessage) ([]byte, error) {
	if len(raw) == 0 {
		return b, nil
	}
	to := bytes.NewBuffer(append(b, field...))
	err := json.Compact(to, raw)
	return to.Bytes(), err
}

// appendText appends the field unless it is empty.
func appendText(b []byte, field, s string) []byte {
	if s == "" {
		return b
	}
	return appendString(append(b, field...), valid(s))
}

// valid replaces what is no UTF-8 as encoding/json does.
func valid(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return string([]rune(s))
}
