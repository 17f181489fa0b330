package asl

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// A queryToken is one word of a JSONata expression.
type queryToken struct {
	kind  byte   // a letter for what it is: see below
	text  string // as written
	value string // of a name or variable, without backquotes and $
}

// Kinds of tokens.
const (
	tokenEnd      = 'e'
	tokenName     = 'n'
	tokenVariable = 'v'
	tokenLiteral  = 'l' // number, string, true, false, null, regular expression
	tokenOperator = 'o'
)

// A queryLexer splits a JSONata expression as jsonata.org's tokenizer does.
type queryLexer struct {
	text string
	pos  int
}

var (
	queryNumber = regexp.MustCompile(`^(0|[1-9][0-9]*)(\.[0-9]+)?([Ee][-+]?[0-9]+)?`)
	queryPairs  = []string{"..", ":=", "!=", ">=", "<=", "**", "~>"}
)

const (
	querySingles = ".[]{}(),@#;:?+-*/%|=<>^&!~"
	querySpaces  = " \t\n\r\v"
)

// skip passes over white space and comments; false if one has no end.
func (l *queryLexer) skip() error {
	for l.pos < len(l.text) {
		switch {
		case strings.IndexByte(querySpaces, l.text[l.pos]) >= 0:
			l.pos++
		case strings.HasPrefix(l.text[l.pos:], "/*"):
			end := strings.Index(l.text[l.pos+2:], "*/")
			if end < 0 {
				return queryFault("S0106", "Comment has no closing tag")
			}
			l.pos += end + 4
		default:
			return nil
		}
	}
	return nil
}

// next gives the next token. Before an operand, / begins a regular expression.
func (l *queryLexer) next(operand bool) (queryToken, error) {
	if err := l.skip(); err != nil || l.pos >= len(l.text) {
		return queryToken{kind: tokenEnd}, err
	}
	rest := l.text[l.pos:]
	take := func(n int, kind byte) (queryToken, error) {
		l.pos += n
		return queryToken{kind: kind, text: rest[:n], value: rest[:n]}, nil
	}
	if rest[0] == '/' && operand {
		n, err := regexpEnd(rest)
		if err != nil {
			return queryToken{}, err
		}
		return take(n, tokenLiteral)
	}
	for _, pair := range queryPairs {
		if strings.HasPrefix(rest, pair) {
			return take(2, tokenOperator)
		}
	}
	switch c := rest[0]; {
	case c == '!' || c == '~':
		return queryToken{}, queryFault("S0204", "Unknown operator: "+rest[:1])
	case strings.IndexByte(querySingles, c) >= 0:
		return take(1, tokenOperator)
	case c == '"' || c == '\'':
		n := quotedEnd(rest, c)
		if n < 0 {
			return queryToken{}, queryFault("S0101", "String literal must be terminated by a matching quote")
		}
		return take(n, tokenLiteral)
	case c >= '0' && c <= '9':
		return take(len(queryNumber.FindString(rest)), tokenLiteral)
	case c == '`':
		end := strings.IndexByte(rest[1:], '`')
		if end < 0 {
			return queryToken{}, queryFault("S0105", "Quoted property name must be terminated with a backquote (`)")
		}
		t, _ := take(end+2, tokenName)
		t.value = t.text[1 : end+1]
		return t, nil
	}
	n := strings.IndexAny(rest, querySpaces+querySingles)
	if n < 0 {
		n = len(rest)
	}
	return l.word(rest[:n])
}

// word tells names, variables and literals apart.
func (l *queryLexer) word(text string) (queryToken, error) {
	l.pos += len(text)
	t := queryToken{kind: tokenName, text: text, value: text}
	switch {
	case !utf8.ValidString(text) || strings.Contains(text, own):
		return t, queryFault("S0204", "Unknown operator: "+text)
	case text[0] == '$':
		t.kind, t.value = tokenVariable, text[1:]
	case text == "true" || text == "false" || text == "null":
		t.kind = tokenLiteral
	}
	return t, nil
}

func quotedEnd(s string, quote byte) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case quote:
			return i + 1
		}
	}
	return -1
}

// regexpEnd is where a regular expression with its flags ends.
func regexpEnd(s string) (int, error) {
	depth := 0
	for i := 1; i < len(s); i++ {
		c, escaped := s[i], s[i-1] == '\\'
		switch {
		case escaped:
		case strings.IndexByte("([{", c) >= 0:
			depth++
		case strings.IndexByte(")]}", c) >= 0:
			depth--
		}
		if c != '/' || escaped || depth != 0 {
			continue
		}
		if i == 1 {
			return 0, queryFault("S0301", "Empty regular expressions are not allowed")
		}
		for i++; i < len(s) && (s[i] == 'i' || s[i] == 'm'); i++ {
		}
		return i, nil
	}
	return 0, queryFault("S0302", "No terminating / in regular expression")
}

// A queryError is a failure of JSONata with its code; without a code it is a
// bound that was met.
type queryError struct{ code, message string }

func (e *queryError) Error() string {
	if e.code == "" {
		return e.message
	}
	return e.code + ": " + e.message
}

func queryFault(code, message string) error { return &queryError{code, message} }
