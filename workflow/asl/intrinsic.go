package asl

import (
	"crypto/md5"  //nolint:gosec // States.Hash offers it
	"crypto/sha1" //nolint:gosec // States.Hash offers it
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

// A call is one intrinsic function with its arguments. The functions are in
// https://states-language.net/#appendix-b.
type call struct {
	name string
	text string
	args []expr
}

// text is a literal string argument. States.Format must still tell {} from
// \{\}, so both forms are kept.
type textLiteral struct{ raw, plain string }

func (t textLiteral) eval(*scope) (any, error) { return t.plain, nil }

const maxCalls = 10 // nesting of intrinsic functions, as on AWS

type callLexer struct{ lexer }

func parseCall(text string) (expr, error) {
	l := &callLexer{lexer{text: text}}
	e, err := l.call(1)
	if err == nil {
		if l.space(); l.pos < len(text) {
			err = fmt.Errorf("unexpected %q after the function", text[l.pos:])
		}
	}
	if errors.Is(err, errNoVariables) {
		return nil, err
	}
	if err != nil {
		return nil, fmt.Errorf("%q is no intrinsic function: %w", text, err)
	}
	return e, nil
}

func (l *callLexer) call(depth int) (expr, error) {
	if depth > maxCalls {
		return nil, fmt.Errorf("more than %d functions are nested", maxCalls)
	}
	start := l.pos
	for c := l.peek(); c == '.' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'; c = l.peek() {
		l.pos++
	}
	c := call{name: l.text[start:l.pos]}
	least, most, ok := arity(c.name)
	if !ok {
		return nil, fmt.Errorf("there is no function %q", c.name)
	}
	if l.space(); !l.take("(") {
		return nil, errors.New("a ( is missing")
	}
	for l.space(); !l.take(")"); l.space() {
		if len(c.args) > 0 && !l.take(",") {
			return nil, errors.New("a , or ) is missing")
		}
		l.space()
		a, err := l.argument(depth)
		if err != nil {
			return nil, err
		}
		c.args = append(c.args, a)
	}
	if len(c.args) < least || len(c.args) > most {
		return nil, fmt.Errorf("%s does not take %d arguments", c.name, len(c.args))
	}
	c.text = l.text[start:l.pos]
	return c, nil
}

const many = math.MaxInt

// arity is the least and the largest number of arguments; ok if there is such
// a function.
func arity(name string) (least, most int, ok bool) {
	switch name {
	case "States.Format":
		return 1, many, true
	case "States.Array":
		return 0, many, true
	case "States.UUID":
		return 0, 0, true
	case "States.StringToJson", "States.JsonToString", "States.ArrayLength", "States.ArrayUnique", "States.Base64Encode", "States.Base64Decode":
		return 1, 1, true
	case "States.ArrayPartition", "States.ArrayContains", "States.ArrayGetItem", "States.Hash", "States.MathAdd", "States.StringSplit":
		return 2, 2, true
	case "States.MathRandom":
		return 2, 3, true
	case "States.JsonMerge", "States.ArrayRange":
		return 3, 3, true
	}
	return 0, 0, false
}

func (l *callLexer) argument(depth int) (expr, error) {
	switch c := l.peek(); {
	case c == '\'':
		return l.literal()
	case c == '$':
		start := l.pos
		for l.take("$") {
		}
		if c := l.peek(); c != '.' && c != '[' && c != ',' && c != ')' && c != ' ' && c != 0 {
			return nil, errNoVariables
		}
		if _, err := l.steps(0); err != nil {
			return nil, err
		}
		return parsePath(l.text[start:l.pos])
	case strings.HasPrefix(l.text[l.pos:], "States."):
		return l.call(depth + 1)
	}
	start := l.pos
	for l.pos < len(l.text) && strings.IndexByte(",) \t\r\n", l.peek()) < 0 {
		l.pos++
	}
	text := l.text[start:l.pos]
	v, err := decode([]byte(text))
	if err != nil || text == "" {
		return nil, fmt.Errorf("%q is no argument: strings stand in single quotes", text)
	}
	return literal{v}, nil
}

// literal reads a string in single quotes. Only ' { } and \ need a backslash;
// before anything else it stands for itself.
func (l *callLexer) literal() (expr, error) {
	var raw, plain strings.Builder
	for l.pos++; l.pos < len(l.text); l.pos++ {
		c := l.text[l.pos]
		switch {
		case c == '\'':
			l.pos++
			return textLiteral{raw.String(), plain.String()}, nil
		case c == '\\' && l.pos+1 < len(l.text) && strings.IndexByte(`'{}\`, l.text[l.pos+1]) >= 0:
			l.pos++
			raw.WriteByte('\\')
			raw.WriteByte(l.text[l.pos])
			plain.WriteByte(l.text[l.pos])
		default:
			raw.WriteByte(c)
			plain.WriteByte(c)
		}
	}
	return nil, errors.New("a quote is not closed")
}

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
		seed = sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(given))) //nolint:gosec // any 64 bits are a seed
	}
	return number(from + rand.New(rand.NewChaCha8(seed)).Int64N(to-from)), nil //nolint:gosec // a seeded function cannot be secret
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
	sums := map[string]func() hash.Hash{"MD5": md5.New, "SHA-1": sha1.New, "SHA-256": sha256.New, "SHA-384": sha512.New384, "SHA-512": sha512.New}
	sum, ok := sums[name]
	if !ok {
		return nil, fmt.Errorf("there is no algorithm %q", name)
	}
	h := sum()
	h.Write([]byte(text))
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}

// uuid forms a version 4 UUID of drawn bytes.
func uuid(b [32]byte) string {
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[0:4], b[4:6], b[6:8], b[8:10], b[10:16])
}
