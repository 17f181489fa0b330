package asl

import (
	"fmt"
	"strings"
)

// infix reads what follows left.
func (p *queryParser) infix(left queryPart, op string) (queryPart, error) {
	switch op {
	case "(":
		return p.call(left)
	case "[":
		return p.predicate(left)
	case "{":
		p.inside++
		defer func() { p.inside-- }()
		pairs, err := p.pairs()
		return queryPart{text: left.text + "{" + pairs + "}"}, err
	case "^":
		return p.order(left)
	case "?":
		return p.condition(left)
	}
	if err := p.advance(true); err != nil {
		return left, err
	}
	switch op {
	case "@", "#":
		t := p.token
		if t.kind != tokenVariable {
			return left, queryFault("S0214", fmt.Sprintf("The right side of %q must be a variable name (start with $)", op))
		}
		return queryPart{text: left.text + op + t.text}, p.advance(false)
	case ".":
		return p.step(left)
	}
	power := queryPower[op]
	if op == ":=" {
		if power--; !strings.HasPrefix(left.text, "$") || strings.ContainsAny(left.text, " ([{.") {
			return left, queryFault("S0212", "The left side of := must be a variable name (start with $)")
		}
	}
	right, err := p.expression(power)
	return operation(left, op, right), err
}

// step reads what follows a dot. It runs for every item on the left: what may
// be large without being made there is counted each time.
func (p *queryParser) step(left queryPart) (queryPart, error) {
	p.inside++
	defer func() { p.inside-- }()
	right, err := p.expression(queryPower["."])
	if !p.plainSteps && (right.text == "*" || right.text == "**") && !strings.ContainsAny(left.text[:1], `"'`) {
		left.text = counted(left) // all of it is about to be visited
	}
	if !p.plainSteps && (strings.HasPrefix(right.text, "(") || strings.HasPrefix(right.text, "$") && right.text != "$") {
		right.text = counted(right)
	}
	return queryPart{text: left.text + "." + right.text}, err
}

// operation writes an operation anew.
func operation(left queryPart, op string, right queryPart) queryPart {
	plain := queryPart{text: left.text + " " + op + " " + right.text}
	if left.parent || right.parent {
		return plain
	}
	switch op {
	case "&":
		items := left.items
		if items == nil {
			items = []string{left.text}
		}
		items = append(items, right.text)
		return queryPart{text: "$" + own + "join(" + strings.Join(items, ", ") + ")", items: items}
	case "=", "!=", "in":
		name := map[string]string{"=": "equal", "!=": "differ", "in": "in"}[op]
		return queryPart{text: "$" + own + name + "(" + left.text + ", " + right.text + ")"}
	}
	return plain
}

func (p *queryParser) call(left queryPart) (queryPart, error) {
	if err := p.advance(true); err != nil {
		return left, err
	}
	var parts []string
	err := p.list(",", ")", func() error {
		if p.at("?") {
			parts = append(parts, "?")
			return p.advance(false)
		}
		part, err := p.expression(0)
		parts = append(parts, part.text)
		return err
	})
	return queryPart{text: left.text + "(" + strings.Join(parts, ", ") + ")"}, err
}

func (p *queryParser) predicate(left queryPart) (queryPart, error) {
	p.inside++
	defer func() { p.inside-- }()
	if err := p.advance(true); err != nil {
		return left, err
	}
	if p.at("]") { // an array is wanted even of one
		return queryPart{text: left.text + "[]"}, p.advance(false)
	}
	part, err := p.expression(0)
	if err != nil {
		return left, err
	}
	return queryPart{text: left.text + "[" + part.text + "]"}, p.expect("]", false)
}

func (p *queryParser) order(left queryPart) (queryPart, error) {
	p.inside++
	defer func() { p.inside-- }()
	if err := p.advance(true); err != nil {
		return left, err
	}
	if err := p.expect("(", true); err != nil {
		return left, err
	}
	var terms []string
	err := p.list(",", ")", func() error {
		sign := ""
		if p.at("<") || p.at(">") {
			sign = p.token.text
			if err := p.advance(true); err != nil {
				return err
			}
		}
		term, err := p.expression(0)
		terms = append(terms, sign+term.text)
		return err
	})
	return queryPart{text: left.text + "^(" + strings.Join(terms, ", ") + ")"}, err
}

func (p *queryParser) condition(left queryPart) (queryPart, error) {
	if err := p.advance(true); err != nil {
		return left, err
	}
	yes, err := p.expression(0)
	if err != nil {
		return left, err
	}
	text := left.text + " ? " + yes.text
	if p.at(":") {
		if err := p.advance(true); err != nil {
			return left, err
		}
		no, err := p.expression(0)
		if err != nil {
			return left, err
		}
		text += " : " + no.text
	}
	return queryPart{text: text}, nil
}

// lambda reads a function after its keyword.
func (p *queryParser) lambda() (queryPart, error) {
	if err := p.advance(true); err != nil {
		return queryPart{}, err
	}
	var names []string
	err := p.list(",", ")", func() error {
		if p.token.kind != tokenVariable {
			return queryFault("S0208", fmt.Sprintf("Parameter %q of function definition must be a variable name (start with $)", p.token.text))
		}
		names = append(names, p.token.text)
		return p.advance(false)
	})
	if err != nil {
		return queryPart{}, err
	}
	text := "function(" + strings.Join(names, ", ") + ")"
	if p.at("<") {
		signature, err := p.signature()
		if err != nil {
			return queryPart{}, err
		}
		text += signature
	}
	if err := p.expect("{", true); err != nil {
		return queryPart{}, err
	}
	body, err := p.expression(0)
	if err != nil {
		return queryPart{}, err
	}
	return queryPart{text: text + "{" + body.text + "}"}, p.expect("}", false)
}

// signature passes over <...>.
func (p *queryParser) signature() (string, error) {
	var b strings.Builder
	for depth := 0; p.token.kind != tokenEnd; {
		b.WriteString(p.token.text)
		switch p.token.text {
		case "<":
			depth++
		case ">":
			depth--
		}
		if err := p.advance(false); err != nil {
			return "", err
		}
		if depth == 0 {
			return b.String(), nil
		}
	}
	return "", queryFault("S0203", `Expected ">" before end of expression`)
}

// transform reads | pattern | update, delete |.
func (p *queryParser) transform() (queryPart, error) {
	p.inside++
	defer func() { p.inside-- }()
	var parts [3]queryPart
	n := 0
	for range 2 {
		if err := p.advance(true); err != nil {
			return queryPart{}, err
		}
		part, err := p.expression(0)
		if err != nil {
			return part, err
		}
		parts[n] = part
		n++
		if n == 2 && p.at(",") {
			if err := p.advance(true); err != nil {
				return part, err
			}
			if parts[n], err = p.expression(0); err != nil {
				return part, err
			}
			n++
		}
		if !p.at("|") {
			return part, p.expect("|", true)
		}
	}
	text := "|" + parts[0].text + "|" + parts[1].text
	if n == 3 {
		text += ", " + parts[2].text
	}
	if p.parents > 0 { // it would look through the function made here
		return queryPart{}, queryFault("", "the operators % and | cannot stand in one expression")
	}
	// An object that was put into itself would have no end.
	v := "$" + own + "v"
	text = "(function(" + v + "){$" + own + "count($" + own + "count(" + v + ") ~> " + text + "|)})"
	return queryPart{text: text}, p.advance(false)
}

// counted hands what goes into a larger value to the function that counts it.
func counted(part queryPart) string {
	if part.kind == "[" || part.parent {
		return part.text
	}
	return "$" + own + "count(" + part.text + ")"
}
