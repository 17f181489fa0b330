package asl

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

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
		if err := w.spend(len(s) / 16); err != nil {
			return false, err
		}
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
	case "==", "!=":
		same, err := w.equal(left, right)
		return same == (f.op == "=="), err
	case "in", "nin":
		list, _ := right.([]any)
		for _, v := range list {
			if same, err := w.equal(left, v); same || err != nil {
				return same == (f.op == "in"), err
			}
		}
		return f.op == "nin", nil
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
