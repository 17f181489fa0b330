package asl

import (
	"errors"
	"fmt"
	"math"
	"strings"
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
		for l.pos < len(l.text) && strings.IndexByte(".[,) \t\r\n", l.peek()) < 0 {
			l.pos++ // the name of a variable
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

// literal reads a string in single quotes. A backslash stands only before
// ' { } and \.
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
		case c == '\\':
			return nil, errors.New(`a backslash may stand only before ' { } and \`)
		default:
			raw.WriteByte(c)
			plain.WriteByte(c)
		}
	}
	return nil, errors.New("a quote is not closed")
}
