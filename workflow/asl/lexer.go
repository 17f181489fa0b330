package asl

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// A lexer reads paths and the filters in them. maxNest bounds its recursion.
type lexer struct {
	text string
	pos  int
}

const maxNest = 100

func (l *lexer) peek() byte {
	if l.pos < len(l.text) {
		return l.text[l.pos]
	}
	return 0
}

func (l *lexer) take(s string) bool {
	if strings.HasPrefix(l.text[l.pos:], s) {
		l.pos += len(s)
		return true
	}
	return false
}

func (l *lexer) space() {
	for l.peek() == ' ' || l.peek() == '\t' || l.peek() == '\n' || l.peek() == '\r' {
		l.pos++
	}
}

// steps reads as many steps as there are; what follows is the caller's.
func (l *lexer) steps(depth int) (out []step, err error) {
	if depth > maxNest {
		return nil, errors.New("nested too deeply")
	}
	for {
		switch {
		case l.take(".."):
			out = append(out, step{kind: stepDeep})
			if l.peek() == '[' {
				continue
			}
			s, err := l.name()
			if err != nil {
				return nil, err
			}
			out = append(out, s)
		case l.take("."):
			if l.peek() == '[' {
				continue
			}
			s, err := l.name()
			if err != nil {
				return nil, err
			}
			out = append(out, s)
		case l.take("["):
			s, err := l.bracket(depth)
			if err != nil {
				return nil, err
			}
			out = append(out, s)
		default:
			return out, nil
		}
	}
}

// name reads what follows a dot.
func (l *lexer) name() (step, error) {
	if l.take("*") {
		return step{kind: stepAll}, nil
	}
	var b strings.Builder
	for l.pos < len(l.text) {
		c := l.text[l.pos]
		if c == '\\' && l.pos+1 < len(l.text) {
			b.WriteByte(l.text[l.pos+1])
			l.pos += 2
			continue
		}
		if strings.IndexByte(".[]()=!<>~&|,:?@*'\" \t\r\n", c) >= 0 {
			break
		}
		b.WriteByte(c)
		l.pos++
	}
	if b.Len() == 0 {
		return step{}, errors.New("a name is missing after a dot")
	}
	return step{kind: stepNames, names: []string{b.String()}}, nil
}

// bracket reads what follows [ up to and with ].
func (l *lexer) bracket(depth int) (s step, err error) {
	l.space()
	switch c := l.peek(); {
	case c == '*':
		l.pos++
		s = step{kind: stepAll}
	case c == '\'' || c == '"':
		s, err = l.names()
	case c == '?':
		s, err = l.predicate(depth)
	case c == '(':
		end := strings.Index(l.text[l.pos:], ")")
		m := lengthIndex.FindStringSubmatch(l.text[l.pos : l.pos+max(end+1, 0)])
		if m == nil {
			return s, errors.New("only (@.length-N) is understood as a computed index")
		}
		l.pos += end + 1
		n, err := strconv.Atoi(m[1])
		if err != nil || n == 0 {
			return s, errors.New("the computed index is out of range")
		}
		s = step{kind: stepIndex, indexes: []int{-n}}
	default:
		s, err = l.numbers()
	}
	if err != nil {
		return s, err
	}
	l.space()
	if !l.take("]") {
		return s, errors.New("a ] is missing")
	}
	return s, nil
}

var lengthIndex = regexp.MustCompile(`^\(\s*@\.length\s*-\s*(\d{1,9})\s*\)$`)

func (l *lexer) names() (step, error) {
	s := step{kind: stepNames}
	for {
		name, err := l.quoted()
		if err != nil {
			return s, err
		}
		s.names = append(s.names, name)
		l.space()
		if !l.take(",") {
			return s, nil
		}
		l.space()
	}
}

func (l *lexer) quoted() (string, error) {
	quote := l.peek()
	if quote != '\'' && quote != '"' {
		return "", errors.New("a quoted name is missing")
	}
	var b strings.Builder
	for l.pos++; l.pos < len(l.text); l.pos++ {
		switch c := l.text[l.pos]; {
		case c == quote:
			l.pos++
			return b.String(), nil
		case c == '\\' && l.pos+1 < len(l.text):
			l.pos++
			b.WriteByte(l.text[l.pos])
		default:
			b.WriteByte(c)
		}
	}
	return "", errors.New("a quote is not closed")
}

// integer reads one, or gives nil if there is none.
func (l *lexer) integer() (*int, error) {
	l.space()
	start := l.pos
	if l.peek() == '-' {
		l.pos++
	}
	for l.peek() >= '0' && l.peek() <= '9' {
		l.pos++
	}
	text := l.text[start:l.pos]
	l.space()
	if text == "" {
		return nil, nil
	}
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("%q is no index", text)
	}
	i := int(n)
	return &i, nil
}

// numbers reads an index, several, or a slice.
func (l *lexer) numbers() (step, error) {
	first, err := l.integer()
	if err != nil {
		return step{}, err
	}
	if l.take(":") {
		s := step{kind: stepSlice, from: first, stride: 1}
		if s.to, err = l.integer(); err != nil || !l.take(":") {
			return s, err
		}
		stride, err := l.integer()
		if stride != nil {
			s.stride = *stride
		}
		if err == nil && s.stride <= 0 {
			err = errors.New("the step of a slice must be positive")
		}
		return s, err
	}
	s := step{kind: stepIndex}
	for next := first; ; {
		if next == nil {
			return s, errors.New("an index is missing in [ ]")
		}
		s.indexes = append(s.indexes, *next)
		if !l.take(",") {
			return s, nil
		}
		if next, err = l.integer(); err != nil {
			return s, err
		}
	}
}
