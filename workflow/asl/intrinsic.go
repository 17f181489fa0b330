package asl

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"maps"
	"math"
	"math/rand/v2"
	"strings"
	"unicode/utf8"
)

func (c call) eval(s *scope) (any, error) {
	args := make([]any, len(c.args))
	for i, a := range c.args {
		var err error
		if args[i], err = a.eval(s); err != nil {
			return nil, err
		}
	}
	v, err := c.apply(s, args)
	if err == nil && !fits(v) {
		err = errTooLarge
	}
	if err != nil {
		return nil, &stateError{errIntrinsic, fmt.Sprintf("The function '%s' had the following error: %v", c.text, err)}
	}
	return v, nil
}

func (c call) apply(s *scope, args []any) (any, error) {
	switch c.name {
	case "States.Format":
		return format(c.args[0], args)
	case "States.Array":
		return args, nil
	case "States.UUID":
		return uuid(s.draw()), nil
	case "States.StringToJson":
		text, err := argument[string](args, 0)
		if err != nil {
			return nil, err
		}
		return decode([]byte(text))
	case "States.JsonToString":
		return string(encode(args[0])), nil
	case "States.JsonMerge":
		return merge(args)
	case "States.MathAdd":
		a, b, err := integers(args)
		return number(a + b), err
	case "States.MathRandom":
		return random(s, args)
	case "States.StringSplit":
		return split(args)
	case "States.Base64Encode", "States.Base64Decode", "States.Hash":
		return c.bytes(args)
	}
	return c.array(args)
}

// argument gives the i-th argument if it is of the type.
func argument[T any](args []any, i int) (T, error) {
	v, ok := args[i].(T)
	if !ok {
		return v, fmt.Errorf("argument %d must be %s", i+1, kindOf(any(v)))
	}
	return v, nil
}

func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case json.Number:
		return "a number"
	case string:
		return "a string"
	case []any:
		return "an array"
	}
	return "an object"
}

// integer rounds as Java's Math.round: half up.
func integer(args []any, i int) (int64, error) {
	n, err := argument[json.Number](args, i)
	if err != nil {
		return 0, err
	}
	if v, ok := toInt(n); ok {
		return v, nil
	}
	f := math.Floor(toFloat(n) + 0.5)
	if math.IsNaN(f) || math.Abs(f) > 1<<53 {
		return 0, fmt.Errorf("%s is out of range", n)
	}
	return int64(f), nil
}

func integers(args []any) (a, b int64, err error) {
	if a, err = integer(args, 0); err == nil {
		b, err = integer(args, 1)
	}
	return a, b, err
}

func format(first expr, args []any) (any, error) {
	pattern, err := argument[string](args, 0)
	if err != nil {
		return nil, err
	}
	if t, ok := first.(textLiteral); ok {
		pattern = t.raw
	} else {
		pattern = strings.ReplaceAll(pattern, `\`, `\\`)
	}
	var b strings.Builder
	next := 1
	for i := 0; i < len(pattern); i++ {
		switch {
		case pattern[i] == '\\' && i+1 < len(pattern):
			i++
			b.WriteByte(pattern[i])
		case strings.HasPrefix(pattern[i:], "{}"):
			if next == len(args) {
				return nil, errors.New("there are more {} than arguments")
			}
			if err := javaText(&b, args[next]); err != nil {
				return nil, err
			}
			next++
			i++
		default:
			b.WriteByte(pattern[i])
		}
	}
	if next != len(args) {
		return nil, errors.New("there are more arguments than {}")
	}
	return b.String(), nil
}

func merge(args []any) (any, error) {
	a, err := argument[map[string]any](args, 0)
	if err != nil {
		return nil, err
	}
	b, err := argument[map[string]any](args, 1)
	if err != nil {
		return nil, err
	}
	if args[2] != false {
		return nil, errors.New("only the shallow merge is there: argument 3 must be false")
	}
	out := maps.Clone(a)
	if out == nil {
		out = map[string]any{}
	}
	maps.Copy(out, b)
	return out, nil
}

func random(s *scope, args []any) (any, error) {
	from, to, err := integers(args)
	if err != nil {
		return nil, err
	}
	if to <= from || to-from <= 0 {
		return nil, errors.New("the end must be above the start")
	}
	seed := s.draw()
	if len(args) == 3 {
		given, err := integer(args, 2)
		if err != nil {
			return nil, err
		}
		seed = sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(given)))
	}
	return number(from + rand.New(rand.NewChaCha8(seed)).Int64N(to-from)), nil
}

func split(args []any) (any, error) {
	text, err := argument[string](args, 0)
	if err != nil {
		return nil, err
	}
	delimiters, err := argument[string](args, 1)
	if err != nil {
		return nil, err
	}
	out := []any{}
	for _, piece := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(delimiters, r) }) {
		out = append(out, piece)
	}
	return out, nil
}

const maxText = 10_000 // characters for Base64 and Hash, as on AWS

func (c call) bytes(args []any) (any, error) {
	text, ok := args[0].(string)
	if !ok && c.name == "States.Hash" {
		text = string(encode(args[0]))
	} else if !ok {
		return nil, errors.New("argument 1 must be a string")
	}
	if runes(text) > maxText {
		return nil, fmt.Errorf("argument 1 is longer than %d characters", maxText)
	}
	switch c.name {
	case "States.Base64Encode":
		return base64.StdEncoding.EncodeToString([]byte(text)), nil
	case "States.Base64Decode":
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, err
		}
		if !utf8.Valid(b) {
			b = []byte(strings.ToValidUTF8(string(b), "\uFFFD"))
		}
		return string(b), nil
	}
	name, err := argument[string](args, 1)
	if err != nil {
		return nil, err
	}
	sum, ok := hashes[name]
	if !ok {
		return nil, fmt.Errorf("there is no algorithm %q", name)
	}
	h := sum()
	h.Write([]byte(text))
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}

var hashes = map[string]func() hash.Hash{"MD5": md5.New, "SHA-1": sha1.New, "SHA-256": sha256.New, "SHA-384": sha512.New384, "SHA-512": sha512.New}

// uuid forms a version 4 UUID of drawn bytes.
func uuid(b [32]byte) string {
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}
