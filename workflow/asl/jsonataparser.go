package asl

import (
	"fmt"
	"strings"
)

// A queryParser reads a JSONata expression once, at create time. It finds
// what the expression uses, refuses what AWS refuses there, and writes the
// expression anew with every operation whose cost is not bounded by the
// number of steps handed to functions of our own, which count it: & = != in
// and .. , and whatever goes into an array or object. The rest stays as it is.
type queryParser struct {
	lexer      queryLexer
	token      queryToken
	depth      int
	parents    int  // % so far
	plainSteps bool // steps stay as they are: % looks through them
	inside     int  // of a path, predicate or the like: $ and bare names have a meaning
	uses       queryUses
}

// queryUses is what an expression reads.
type queryUses struct {
	variables map[string]bool // by name, without $
	states    map[string]bool // fields of $states; "" is all of it
	bare      string          // first reference to what is not there at top level
}

// own marks the names of our own functions: no user may write it.
const own = "∷"

const (
	maxQuery      = 64 << 10 // bytes of an expression
	maxQueryDepth = 250      // of its syntax
)

var queryPower = map[string]int{
	".": 75, "[": 80, "{": 70, "(": 80, "@": 80, "#": 80, "?": 20,
	"+": 50, "-": 50, "*": 60, "/": 60, "%": 60, "=": 40, "<": 40, ">": 40, "^": 40,
	":=": 10, "!=": 40, "<=": 40, ">=": 40, "~>": 40, "and": 30, "or": 25, "in": 40, "&": 50,
}

// parseQuery gives the expression as it is to be compiled.
func parseQuery(text string) (string, queryUses, error) {
	if len(text) > maxQuery {
		return "", queryUses{}, queryFault("", fmt.Sprintf("the expression is longer than %d bytes", maxQuery))
	}
	p := newQueryParser(text)
	out, err := p.whole()
	if err == nil && p.parents > 0 {
		p = newQueryParser(text)
		p.plainSteps = true
		out, err = p.whole()
	}
	return out, p.uses, err
}

func newQueryParser(text string) *queryParser {
	return &queryParser{lexer: queryLexer{text: text}, uses: queryUses{variables: map[string]bool{}, states: map[string]bool{}}}
}

func (p *queryParser) whole() (string, error) {
	if err := p.advance(true); err != nil {
		return "", err
	}
	out, err := p.expression(0)
	if err == nil && p.token.kind != tokenEnd {
		err = queryFault("S0201", fmt.Sprintf("Syntax error: %q", p.token.text))
	}
	return out.text, err
}

// A queryPart is a part of the expression as written anew.
type queryPart struct {
	text   string
	kind   string   // "[" for an array constructor
	items  []string // of a chain of &
	parent bool     // it holds a %, which finds its way only through the library's own forms
}

func (p *queryParser) advance(operand bool) (err error) {
	p.token, err = p.lexer.next(operand)
	return err
}

func (p *queryParser) at(op string) bool { return p.token.kind == tokenOperator && p.token.text == op }

// expect passes over an operator.
func (p *queryParser) expect(op string, operand bool) error {
	switch {
	case p.at(op):
		return p.advance(operand)
	case p.token.kind == tokenEnd:
		return queryFault("S0203", fmt.Sprintf("Expected %q before end of expression", op))
	}
	return queryFault("S0202", fmt.Sprintf("Expected %q, got %q", op, p.token.text))
}

func (p *queryParser) expression(power int) (left queryPart, err error) {
	if p.depth++; p.depth > maxQueryDepth {
		return left, queryFault("", "the expression is nested too deeply")
	}
	before := p.parents
	defer func() {
		p.depth--
		left.parent = p.parents > before
	}()
	if left, err = p.operand(); err != nil {
		return left, err
	}
	chain := 0
	for {
		op := p.token.text
		infix := p.token.kind == tokenOperator || p.token.kind == tokenName && (op == "and" || op == "or" || op == "in")
		if !infix || power >= queryPower[op] {
			return left, nil
		}
		if chain++; chain > maxChain {
			return left, queryFault("", "the expression has too many operators in a row")
		}
		left.parent = p.parents > before
		if left, err = p.infix(left, op); err != nil {
			return left, err
		}
	}
}

const maxChain = 2_000

// operand reads what stands at the beginning of an expression.
func (p *queryParser) operand() (queryPart, error) {
	t := p.token
	switch t.kind {
	case tokenEnd:
		return queryPart{}, queryFault("S0207", "Unexpected end of expression")
	case tokenLiteral:
		return queryPart{text: t.text}, p.advance(false)
	case tokenVariable:
		return p.variable(t)
	case tokenName:
		if err := p.advance(false); err != nil {
			return queryPart{}, err
		}
		if (t.text == "function" || t.text == "λ") && p.at("(") {
			return p.lambda()
		}
		p.bareName(t.value)
		return queryPart{text: t.text}, nil
	}
	switch t.text {
	case "-":
		if err := p.advance(true); err != nil {
			return queryPart{}, err
		}
		of, err := p.expression(70)
		return queryPart{text: "-" + of.text}, err
	case "*", "**", "%":
		if t.text == "%" {
			p.parents++
		}
		p.bareName(t.text)
		return queryPart{text: t.text}, p.advance(false)
	case "?":
		return queryPart{text: "?"}, p.advance(false)
	case "(":
		return p.block()
	case "[":
		return p.array()
	case "{":
		pairs, err := p.pairs()
		return queryPart{text: "{" + pairs + "}"}, err
	case "|":
		return p.transform()
	}
	return queryPart{}, queryFault("S0211", fmt.Sprintf("The symbol %q cannot be used as a unary operator", t.text))
}

// bareName notes a reference to a context that is not there.
func (p *queryParser) bareName(name string) {
	if p.inside == 0 && p.uses.bare == "" {
		p.uses.bare = name
	}
}

// variable reads one; of $states it notes which field.
func (p *queryParser) variable(t queryToken) (queryPart, error) {
	if t.value == "" || t.value == "$" {
		if p.inside == 0 || t.value == "$" {
			p.uses.bareDollar(t.text)
		}
		return queryPart{text: t.text}, p.advance(false)
	}
	p.uses.variables[t.value] = true
	if err := p.advance(false); err != nil {
		return queryPart{}, err
	}
	if t.value == "states" {
		field := ""
		if p.at(".") {
			mark := p.lexer
			if n, err := p.lexer.next(true); err == nil && n.kind == tokenName {
				field = n.value
			}
			p.lexer = mark
		}
		p.uses.states[field] = true
	}
	return queryPart{text: t.text}, nil
}

func (u *queryUses) bareDollar(name string) {
	if u.bare == "" {
		u.bare = name
	}
}

// list reads expressions up to the closing bracket, which it passes over.
func (p *queryParser) list(separator, end string, each func() error) error {
	for !p.at(end) {
		if err := each(); err != nil {
			return err
		}
		if !p.at(separator) {
			break
		}
		if err := p.advance(true); err != nil {
			return err
		}
		if separator == "," && p.at(end) {
			return queryFault("S0211", fmt.Sprintf("The symbol %q cannot be used as a unary operator", end))
		}
	}
	return p.expect(end, false)
}

func (p *queryParser) block() (queryPart, error) {
	if err := p.advance(true); err != nil {
		return queryPart{}, err
	}
	var parts []string
	err := p.list(";", ")", func() error {
		part, err := p.expression(0)
		parts = append(parts, part.text)
		return err
	})
	return queryPart{text: "(" + strings.Join(parts, "; ") + ")"}, err
}

// array reads an array constructor. What goes in is counted, but for a
// constructor in a constructor, which must stay one, and which counts itself.
func (p *queryParser) array() (queryPart, error) {
	if err := p.advance(true); err != nil {
		return queryPart{}, err
	}
	var parts []string
	err := p.list(",", "]", func() error {
		part, err := p.expression(0)
		if err != nil {
			return err
		}
		if !p.at("..") {
			parts = append(parts, counted(part))
			return nil
		}
		if err = p.advance(true); err != nil {
			return err
		}
		to, err := p.expression(0)
		parts = append(parts, "$"+own+"range("+part.text+", "+to.text+")")
		return err
	})
	return queryPart{text: "[" + strings.Join(parts, ", ") + "]", kind: "["}, err
}

// pairs reads what stands between { and }.
func (p *queryParser) pairs() (string, error) {
	if err := p.advance(true); err != nil {
		return "", err
	}
	var parts []string
	err := p.list(",", "}", func() error {
		key, err := p.expression(0)
		if err != nil {
			return err
		}
		if err = p.expect(":", true); err != nil {
			return err
		}
		value, err := p.expression(0)
		parts = append(parts, key.text+": "+counted(value))
		return err
	})
	return strings.Join(parts, ", "), err
}
