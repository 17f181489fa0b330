package asl

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
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

func (l *lexer) predicate(depth int) (step, error) {
	l.pos++ // ?
	l.space()
	if !l.take("(") {
		return step{}, errors.New("a ( is missing after ?")
	}
	f, err := l.or(depth + 1)
	if err != nil {
		return step{}, err
	}
	if l.space(); !l.take(")") {
		return step{}, errors.New("a ) is missing in a filter")
	}
	return step{kind: stepFilter, filter: f}, nil
}

// A filter decides about one candidate.
type filter interface {
	holds(w *walk, candidate any) (bool, error)
}

type anyOf []filter
type allOf []filter
type not struct{ of filter }

func (f anyOf) holds(w *walk, v any) (bool, error) {
	for _, g := range f {
		if ok, err := g.holds(w, v); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

func (f allOf) holds(w *walk, v any) (bool, error) {
	for _, g := range f {
		if ok, err := g.holds(w, v); !ok || err != nil {
			return false, err
		}
	}
	return true, nil
}

func (f not) holds(w *walk, v any) (bool, error) {
	ok, err := f.of.holds(w, v)
	return !ok, err
}

func (l *lexer) or(depth int) (filter, error) {
	return l.chain(depth, "||", l.and, func(f []filter) filter { return anyOf(f) })
}

func (l *lexer) and(depth int) (filter, error) {
	return l.chain(depth, "&&", l.unary, func(f []filter) filter { return allOf(f) })
}

func (l *lexer) chain(depth int, op string, part func(int) (filter, error), join func([]filter) filter) (filter, error) {
	var parts []filter
	for {
		f, err := part(depth)
		if err != nil {
			return nil, err
		}
		parts = append(parts, f)
		if l.space(); !l.take(op) {
			break
		}
	}
	if len(parts) == 1 {
		return parts[0], nil
	}
	return join(parts), nil
}

func (l *lexer) unary(depth int) (filter, error) {
	if depth > maxNest {
		return nil, errors.New("nested too deeply")
	}
	l.space()
	if l.take("!") {
		f, err := l.unary(depth + 1)
		return not{f}, err
	}
	if l.take("(") {
		f, err := l.or(depth + 1)
		if err != nil {
			return nil, err
		}
		if l.space(); !l.take(")") {
			return nil, errors.New("a ) is missing in a filter")
		}
		return f, nil
	}
	return l.comparison(depth)
}

type operand struct {
	path  *path // of the candidate, or of the root
	root  bool
	value any
}

func (o operand) get(w *walk, candidate any) (v any, found bool, err error) {
	if o.path == nil {
		return o.value, true, nil
	}
	from := candidate
	if o.root {
		from = w.root
	}
	v, err = w.find(o.path, from)
	if errors.As(err, new(errNotFound)) {
		return nil, false, nil
	}
	return v, err == nil, err
}

type comparison struct {
	left  operand
	op    string // empty: the left one exists
	right operand
	match *regexp.Regexp
}

func (l *lexer) comparison(depth int) (f comparison, err error) {
	if f.left, err = l.operand(depth); err != nil {
		return f, err
	}
	l.space()
	comparisons := []string{"==", "!=", "<=", ">=", "=~", "<", ">", "in ", "nin "}
	i := slices.IndexFunc(comparisons, l.take)
	if i < 0 {
		if f.left.path == nil {
			return f, errors.New("a filter needs a path of @")
		}
		return f, nil
	}
	f.op = strings.TrimSpace(comparisons[i])
	l.space()
	if f.op == "=~" {
		f.match, err = l.regexp()
		return f, err
	}
	f.right, err = l.operand(depth)
	return f, err
}

func (l *lexer) regexp() (*regexp.Regexp, error) {
	end := strings.LastIndexByte(l.text[l.pos:], '/')
	if l.peek() != '/' || end < 1 {
		return nil, errors.New("=~ needs /an expression/")
	}
	text := l.text[l.pos+1 : l.pos+end]
	if l.pos += end + 1; l.take("i") {
		text = "(?i)" + text
	}
	return regexp.Compile("^(?:" + text + ")$")
}

func (l *lexer) operand(depth int) (o operand, err error) {
	switch c := l.peek(); {
	case c == '@' || c == '$':
		start := l.pos
		l.pos++
		p := &path{}
		if p.steps, err = l.steps(depth + 1); err != nil {
			return o, err
		}
		p.text, p.definite = l.text[start:l.pos], isDefinite(p.steps)
		return operand{path: p, root: c == '$'}, nil
	case c == '\'' || c == '"':
		o.value, err = l.quoted()
		return o, err
	}
	start := l.pos
	if l.peek() == '[' { // a list for in and nin
		for l.pos < len(l.text) && l.peek() != ']' {
			l.pos++
		}
		l.take("]")
	} else {
		for l.pos < len(l.text) && strings.IndexByte(" )=!<>&|", l.peek()) < 0 {
			l.pos++
		}
	}
	text := l.text[start:l.pos]
	if strings.HasPrefix(text, "[") {
		text = strings.ReplaceAll(text, "'", `"`)
	}
	if o.value, err = decode([]byte(text)); err != nil || text == "" {
		return o, fmt.Errorf("%q is no value", text)
	}
	return o, nil
}

func (f comparison) holds(w *walk, candidate any) (bool, error) {
	left, found, err := f.left.get(w, candidate)
	if err != nil || f.op == "" {
		return found, err
	}
	if f.op == "=~" {
		s, ok := left.(string)
		return ok && f.match.MatchString(s), nil
	}
	right, ok, err := f.right.get(w, candidate)
	if err != nil {
		return false, err
	}
	if !found || !ok {
		return f.op == "!=" && found != ok, nil
	}
	switch f.op {
	case "==":
		return equal(left, right), nil
	case "!=":
		return !equal(left, right), nil
	case "in", "nin":
		list, _ := right.([]any)
		w.visits += len(list)
		return slices.ContainsFunc(list, func(v any) bool { return equal(v, left) }) == (f.op == "in"), nil
	}
	return ordered(left, right, f.op), nil
}

// ordered compares two numbers or two strings; others have no order.
func ordered(a, b any, op string) bool {
	var c int
	switch a := a.(type) {
	case json.Number:
		b, ok := b.(json.Number)
		if !ok {
			return false
		}
		c = compareNumbers(a, b)
	case string:
		b, ok := b.(string)
		if !ok {
			return false
		}
		c = strings.Compare(a, b)
	default:
		return false
	}
	switch op {
	case "<":
		return c < 0
	case "<=":
		return c <= 0
	case ">":
		return c > 0
	case ">=":
		return c >= 0
	}
	return c == 0
}
