package asl

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Values are what encoding/json gives with UseNumber: nil, bool, json.Number,
// string, []any and map[string]any. They are never changed once made, so they
// are shared freely between states, branches and history.

const (
	maxPayload = 262_144 // bytes of JSON at every border of a state, as on AWS
	maxDepth   = 1_000   // nesting of a value: far from what a decoder refuses
)

var errTooLarge = errors.New("a value exceeds the maximum number of bytes service limit")

// decode reads exactly one JSON value; no bytes at all are null.
func decode(raw []byte) (any, error) {
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON value")
	}
	return v, nil
}

// encode gives v as compact JSON, keys sorted, without HTML escaping.
func encode(v any) []byte { return appendJSON(nil, v) }

func appendJSON(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case bool:
		return strconv.AppendBool(b, v)
	case json.Number:
		return append(b, v...)
	case string:
		return appendString(b, v)
	case []any:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, e)
		}
		return append(b, ']')
	case map[string]any:
		b = append(b, '{')
		for i, k := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(appendString(b, k), ':')
			b = appendJSON(b, v[k])
		}
		return append(b, '}')
	}
	panic(fmt.Sprintf("asl: %T is no JSON value", v)) // a programming error: decode and the functions here make no other
}

func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\r':
			b = append(b, '\\', 'r')
		case c == '\t':
			b = append(b, '\\', 't')
		case c < 0x20:
			b = append(b, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// fits reports whether v is at most maxPayload bytes of JSON and not nested
// beyond maxDepth. It stops looking as soon as it is not, so that a value
// which shares its parts a thousandfold costs no more than a large one.
func fits(v any) bool { return measure(v, maxPayload, maxDepth) >= 0 }

// measure gives how many of the left bytes remain after v, or a negative.
func measure(v any, left, depth int) int {
	if depth == 0 {
		return -1
	}
	switch v := v.(type) {
	case nil:
		return left - 4
	case bool:
		return left - 4
	case json.Number:
		return left - len(v)
	case string:
		return left - len(v) - 2 - escapes(v)
	case []any:
		left -= 1 + max(1, len(v))
		for _, e := range v {
			if left = measure(e, left, depth-1); left < 0 {
				return left
			}
		}
		return left
	case map[string]any:
		left -= 1 + max(1, len(v))
		for k, e := range v {
			if left = measure(e, left-len(k)-3-escapes(k), depth-1); left < 0 {
				return left
			}
		}
		return left
	}
	return -1
}

func escapes(s string) (n int) {
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\' || c == '\n' || c == '\r' || c == '\t':
			n++
		case c < 0x20:
			n += 5
		}
	}
	return n
}

// equal is JSON equality: numbers by value, objects without order.
func equal(a, b any) bool {
	switch a := a.(type) {
	case json.Number:
		b, ok := b.(json.Number)
		return ok && compareNumbers(a, b) == 0
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, equal)
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && maps.EqualFunc(a, b, equal)
	}
	switch b.(type) {
	case []any, map[string]any:
		return false
	}
	return a == b
}

// compareNumbers is -1, 0 or 1; integers of 64 bits are compared exactly,
// others as floats of 64 bits.
func compareNumbers(a, b json.Number) int {
	i, errI := strconv.ParseInt(string(a), 10, 64)
	j, errJ := strconv.ParseInt(string(b), 10, 64)
	if errI == nil && errJ == nil {
		return compareOrdered(i, j)
	}
	return compareOrdered(toFloat(a), toFloat(b))
}

func compareOrdered[T int64 | float64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// toFloat is the nearest float; beyond its range, an infinity.
func toFloat(n json.Number) float64 {
	f, _ := strconv.ParseFloat(string(n), 64)
	return f
}

// toInt gives n if it is an integer of 64 bits, written with or without
// fraction and exponent.
func toInt(n json.Number) (int64, bool) {
	if i, err := strconv.ParseInt(string(n), 10, 64); err == nil {
		return i, true
	}
	f := toFloat(n)
	if f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return 0, false
	}
	return int64(f), true
}

// canonical gives values that are equal the same form.
func canonical(v any) any {
	switch v := v.(type) {
	case json.Number:
		if i, ok := toInt(v); ok {
			return number(i)
		}
		return json.Number(strconv.FormatFloat(toFloat(v), 'g', -1, 64))
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = canonical(e)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = canonical(e)
		}
		return out
	}
	return v
}

func number(i int64) json.Number { return json.Number(strconv.FormatInt(i, 10)) }

// javaText prints v as States.Format does: strings bare, objects and arrays
// as Java's maps and lists.
func javaText(b *strings.Builder, v any) error {
	if b.Len() > maxPayload {
		return errTooLarge
	}
	switch v := v.(type) {
	case string:
		b.WriteString(v)
	case []any:
		b.WriteByte('[')
		for i, e := range v {
			if i > 0 {
				b.WriteString(", ")
			}
			if err := javaText(b, e); err != nil {
				return err
			}
		}
		b.WriteByte(']')
	case map[string]any:
		b.WriteByte('{')
		for i, k := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(k + "=")
			if err := javaText(b, v[k]); err != nil {
				return err
			}
		}
		b.WriteByte('}')
	default:
		b.Write(encode(v))
	}
	return nil
}

// runes counts characters as people do.
func runes(s string) int { return utf8.RuneCountInString(s) }
