package pattern

import (
	"net/netip"
	"strings"
	"unicode"
)

// A test is one entry of a list in a pattern.
type test struct {
	absent bool             // it holds where the field is not there
	holds  func(value) bool // of one value that is there; nil: never
}

// expression compiles the entry that begins with {.
func (c *compiler) expression() test {
	if c.next() != field {
		c.fail("Match expression name not found")
	}
	switch name := c.name; name {
	case "exactly":
		s := c.string("exact match pattern must be a string")
		return c.only(stringTest(func(v string) bool { return v == s }))
	case "prefix":
		return c.affix("prefix", "Prefix", strings.HasPrefix, hasPrefixFold)
	case "suffix":
		return c.affix("suffix", "Suffix", strings.HasSuffix, hasSuffixFold)
	case "equals-ignore-case":
		s := c.string("equals-ignore-case match pattern must be a string")
		return c.only(stringTest(func(v string) bool { return equalFold(v, s) }))
	case "wildcard":
		return c.only(stringTest(c.wildcard(c.string(notString)).matches))
	case "numeric":
		if c.next() != startArray {
			c.fail("Value of numeric must be an array.")
		}
		return c.closed(c.numeric())
	case "anything-but":
		return c.anythingBut()
	case "exists":
		switch c.next() {
		case yes:
			return c.only(test{holds: func(value) bool { return true }})
		case no:
			return c.only(test{absent: true})
		}
		c.fail("exists match pattern must be either true or false.")
	case "cidr":
		s := c.string("prefix match pattern must be a string")
		p, fault := network(s)
		if fault != "" {
			panic(bail{fault}) // AWS names no place here
		}
		return c.only(addressTest(p))
	default:
		c.fail("Unrecognized match type %s", name)
	}
	return test{}
}

const notString = "wildcard match pattern must be a string"

// string reads the value of the next token, which must be one.
func (c *compiler) string(fault string) string {
	if c.next() != text {
		c.fail("%s", fault)
	}
	return c.words()
}

// only is t at the end of its expression.
func (c *compiler) only(t test) test {
	if c.next() != endObject {
		c.fail("Only one key allowed in match expression")
	}
	return t
}

// closed is only in AWS's words for the operators of lists.
func (c *compiler) closed(t test) test {
	if c.next() != endObject {
		c.fail("Too many elements in numeric expression")
	}
	return t
}

func (c *compiler) affix(name, title string, exact, fold func(s, affix string) bool) test {
	switch c.next() {
	case text:
		s := c.words()
		return c.only(stringTest(func(v string) bool { return exact(v, s) }))
	case startObject:
		if c.next() != field {
			c.fail("%s expression name not found", title)
		}
		if c.name != "equals-ignore-case" {
			c.fail("Unsupported %s pattern: %s", name, c.name)
		}
		s := c.string("equals-ignore-case match pattern must be a string")
		return c.only(c.only(stringTest(func(v string) bool { return fold(v, s) })))
	}
	c.fail("%s match pattern must be a string", name)
	return test{}
}

func (c *compiler) wildcard(s string) wildcard {
	w, fault := wildcardOf(s)
	if fault != "" {
		c.fail("%s", fault)
	}
	if c.refused == "" && w.complex() {
		c.refused = tooComplex // AWS says so only of a pattern that is otherwise valid
	}
	return w
}

// anythingBut holds for every value that is there and is none of the listed.
func (c *compiler) anythingBut() test {
	k, operator := c.next(), ""
	if k == startObject {
		if c.next() != field {
			c.fail("Anything-But expression name not found")
		}
		switch operator = c.name; operator {
		case "prefix", "suffix", "equals-ignore-case", "wildcard":
		default:
			c.fail("Unsupported anything-but pattern: %s", operator)
		}
		k = c.next()
	}
	var values []scalar
	switch k {
	case startArray:
		c.twice(func() { values = c.list(operator) })
	case text, number:
		values = []scalar{c.excluded(k, operator)}
	default:
		c.fail("Value of anything-but must be an array or single string/number value.")
	}
	var listed []test
	for _, v := range values {
		listed = append(listed, c.like(v, operator))
	}
	t := c.closed(test{holds: func(v value) bool {
		for _, l := range listed {
			if l.holds(v) {
				return false
			}
		}
		return true
	}})
	if operator != "" {
		c.closed(t)
	}
	return t
}

// twice runs f; a fault in it gets the place a second time, as AWS does.
func (c *compiler) twice(f func()) {
	defer func() {
		if r := recover(); r != nil {
			b, ok := r.(bail)
			if !ok {
				panic(r)
			}
			c.fail("%s", b.message)
		}
	}()
	f()
}

// list reads the values of an anything-but up to the end of their list.
func (c *compiler) list(operator string) (out []scalar) {
	kinds := map[kind]bool{}
	for k := c.next(); k != endArray; k = c.next() {
		out = append(out, c.excluded(k, operator))
		kinds[k] = true
	}
	if operator == "" && len(kinds) != 1 {
		c.fail("Inside anything but list, either all values are number or string, mixed type is not supported")
	}
	return out
}

// A scalar is a string or a number of a pattern.
type scalar struct {
	kind kind
	text string
}

// excluded is one value of an anything-but.
func (c *compiler) excluded(k kind, operator string) scalar {
	if operator != "" && k != text || !k.scalar() || k > number {
		c.fail("%s", map[string]string{
			"":                   "Inside anything but list, start|null|boolean is not supported.",
			"prefix":             "prefix/suffix match pattern must be a string",
			"suffix":             "prefix/suffix match pattern must be a string",
			"equals-ignore-case": "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported.",
			"wildcard":           notString,
		}[operator])
	}
	s := c.words()
	if s == "" && (operator == "prefix" || operator == "suffix") {
		c.fail("Null prefix/suffix not allowed")
	}
	return scalar{k, s}
}

// like holds for what the operator makes of the value; without one, for the
// value itself.
func (c *compiler) like(v scalar, operator string) test {
	s := v.text
	switch {
	case v.kind == number:
		return numberTest(c.decimal(s), func(order int) bool { return order == 0 })
	case operator == "prefix":
		return stringTest(func(v string) bool { return strings.HasPrefix(v, s) })
	case operator == "suffix":
		return stringTest(func(v string) bool { return strings.HasSuffix(v, s) })
	case operator == "equals-ignore-case":
		return stringTest(func(v string) bool { return equalFold(v, s) })
	case operator == "wildcard":
		return stringTest(c.wildcard(s).matches)
	}
	return exactly(text, s)
}

// numeric compiles the list behind its [.
func (c *compiler) numeric() test {
	if k := c.next(); k != text {
		c.fail("Invalid member in numeric match: %s", c.token(k))
	}
	operator := c.words()
	named := operator
	switch operator {
	case "=":
		named = "equals"
	case "<", "<=", ">", ">=":
	default:
		c.next()
		c.fail("Unrecognized numeric range operator: %s", operator)
	}
	if c.next() != number {
		c.fail("Value of %s must be numeric", named)
	}
	bound := c.words()
	k := c.next()
	if k == endArray {
		return numberTest(c.decimal(bound), order(operator))
	}
	if operator[0] != '>' {
		c.fail("Too many elements in numeric expression")
	}
	return c.between(k, operator, bound)
}

// between compiles the upper end of a range whose first token is k.
func (c *compiler) between(k kind, operator, bound string) test {
	if k != text {
		c.fail("Bad value in numeric range: %s", c.token(k))
	}
	upper := c.words()
	if upper != "<" && upper != "<=" {
		c.fail("Bad numeric range operator: %s", upper)
	}
	if c.next() != number {
		c.fail("Value of %s must be numeric", upper)
	}
	top := c.words()
	if c.next() != endArray {
		c.fail("Too many terms in numeric range expression")
	}
	bottom, ceiling := c.decimal(bound), c.decimal(top)
	if bottom.compare(ceiling) >= 0 {
		c.fail("Bottom must be less than top")
	}
	above, below := numberTest(bottom, order(operator)), numberTest(ceiling, order(upper))
	return test{holds: func(v value) bool { return above.holds(v) && below.holds(v) }}
}

func (c *compiler) decimal(s string) decimal {
	d, ok := decimalOf(s)
	if !ok {
		c.fail("Cannot compare number : %s", s)
	}
	return d
}

// token is how a token shows in an error.
func (c *compiler) token(k kind) string {
	switch k {
	case startObject:
		return "{"
	case startArray:
		return "["
	case endArray:
		return "]"
	}
	return c.words()
}

func order(operator string) func(int) bool {
	return map[string]func(int) bool{
		"=":  func(o int) bool { return o == 0 },
		"<":  func(o int) bool { return o < 0 },
		"<=": func(o int) bool { return o <= 0 },
		">":  func(o int) bool { return o > 0 },
		">=": func(o int) bool { return o >= 0 },
	}[operator]
}

func stringTest(holds func(string) bool) test {
	return test{holds: func(v value) bool { return v.kind == text && holds(v.text) }}
}

func numberTest(d decimal, holds func(order int) bool) test {
	return test{holds: func(v value) bool {
		have, ok := decimalOf(v.text)
		return v.kind == number && ok && holds(have.compare(d))
	}}
}

func addressTest(p netip.Prefix) test {
	return stringTest(func(v string) bool {
		a, ok := address(v)
		return ok && p.Contains(a)
	})
}

// exactly holds for the value itself: an address and a number by value, all
// else as written.
func exactly(k kind, s string) test {
	if a, ok := address(s); ok && k == text {
		return addressTest(netip.PrefixFrom(a, a.BitLen()))
	}
	d, comparable := decimalOf(s)
	return test{holds: func(v value) bool {
		if v.kind != k {
			return false
		}
		if k == number && comparable {
			have, ok := decimalOf(v.text)
			return ok && have.compare(d) == 0
		}
		return v.text == s
	}}
}

func equalFold(v, s string) bool { return hasPrefixFold(v, s) && len([]rune(v)) == len([]rune(s)) }

func hasPrefixFold(v, s string) bool {
	have, want := []rune(v), []rune(s)
	return len(have) >= len(want) && foldEqual(have[:len(want)], want)
}

func hasSuffixFold(v, s string) bool {
	have, want := []rune(v), []rune(s)
	return len(have) >= len(want) && foldEqual(have[len(have)-len(want):], want)
}

func foldEqual(have, want []rune) bool {
	for i, w := range want {
		if h := have[i]; h != w && h != unicode.ToLower(w) && h != unicode.ToUpper(w) {
			return false
		}
	}
	return true
}
