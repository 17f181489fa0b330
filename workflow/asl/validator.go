package asl

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode"
)

// A Type says what executions of a machine are: durable and observable step
// by step, or short and cheap.
type Type string

// The types.
const (
	Standard Type = "STANDARD"
	Express  Type = "EXPRESS"
)

// Check gives all faults and warnings of a definition for machines of the
// type, each with its place in the text: at most 1,000.
func Check(definition []byte, t Type) Faults {
	v, root := check(definition, t)
	if len(v.faults.Errors()) > 0 {
		return v.faults
	}
	_, faults := compile(definition, root)
	return append(v.faults, faults...)
}

// A validator collects what is wrong with a definition.
type validator struct {
	faults   Faults
	express  bool
	seen     map[string]bool // names of states: unique in the whole machine
	labels   map[string]bool
	twice    []*node
	terminal bool // there is a state that ends the execution or a branch
	lost     []*node
	machine  bool // the machine's query language is JSONata
	words    int  // bytes of the faults
}

// These bound what is kept: who has that many faults needs no more of them.
const (
	maxFaults = 1_000
	maxWords  = 8 << 20 // bytes of all faults
)

// check gives the root as well; nil if the text is no JSON object.
func check(definition []byte, t Type) (v *validator, root *node) {
	v = &validator{express: t == Express, seen: map[string]bool{}, labels: map[string]bool{}}
	defer func() { places(definition, v.faults) }()
	if root = v.read(definition); root != nil {
		v.validate(root)
	}
	return v, root
}

// read gives the object that the definition is, or nil and a fault.
func (v *validator) read(definition []byte) *node {
	whole := &node{kind: '{'}
	if len(definition) > maxDefinition {
		v.fault(whole, codeSchema, fmt.Sprintf("Definition is larger than %d bytes", maxDefinition))
		return nil
	}
	if strings.TrimSpace(string(definition)) == "" {
		v.fault(whole, codeEmpty, "Definition is empty")
		return nil
	}
	var raw json.RawMessage
	if err := json.Unmarshal(definition, &raw); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			whole.at = max(int(syntax.Offset)-1, 0)
			whole.key = whole.at
		}
		v.fault(whole, codeJSON, err.Error()).Location = ""
		return nil
	}
	s := &scanner{text: definition}
	root := s.value(nil, 0)
	v.twice = s.twice
	switch {
	case root.kind != '{':
		v.wrongType(root, "an object")
		return nil
	case s.deeper != nil:
		v.fault(s.deeper, codeDepth, fmt.Sprintf("Values are nested deeper than %d", maxDepth))
		return nil
	}
	return root
}

// fault notes what is wrong with n, and gives the note for more to be said.
func (v *validator) fault(n *node, code, message string) *Fault {
	offset := n.at
	if n.kind == '{' || n.kind == '[' {
		offset = n.key
	}
	return v.note(n, n, offset, Fault{Code: code, Message: message})
}

// faultKey is about the name of m.
func (v *validator) faultKey(m *node, code, message string) *Fault {
	return v.note(m, m, m.key, Fault{Code: code, Message: message})
}

// faultIn is about the member m of n; AWS says n.
func (v *validator) faultIn(n, m *node, code, message string) *Fault {
	return v.note(m, n, m.key, Fault{Code: code, Message: message})
}

func (v *validator) warn(n *node, code, message string) *Fault {
	return v.note(n, n, n.key, Fault{Code: code, Message: message, Warning: true})
}

// note keeps f, unless there are too many or their words too long: names in
// a definition may be as long as itself. One error is always kept.
func (v *validator) note(at, location *node, offset int, f Fault) *Fault {
	if len(v.faults) > maxFaults || v.words > maxWords {
		return &f
	}
	f.Pointer, f.Location, f.offset = at.pointer(), location.location(), offset
	v.words += len(f.Pointer) + len(f.Location) + len(f.Message)
	v.faults = append(v.faults, f)
	return &v.faults[len(v.faults)-1]
}

func (v *validator) wrongType(n *node, want string) {
	v.fault(n, codeSchema, fmt.Sprintf("Value must be %s, but is %s", want, n.what()))
}

func (v *validator) oneOf(n *node, words []string) {
	v.fault(n, codeSchema, fmt.Sprintf("The field '%s' should have one of these values: [%s]", n.name, strings.Join(words, ", ")))
}

func numberOf(n *node) json.Number {
	if n.kind != '0' {
		return ""
	}
	return json.Number(n.text)
}

// elements are those of an array.
func elements(n *node) []*node {
	if n.kind != '[' {
		return nil
	}
	return n.members
}

func isLetter(r rune) bool { return unicode.IsLetter(r) || unicode.Is(unicode.Nl, r) }

func isDigit(r rune) bool {
	return unicode.IsDigit(r) || unicode.In(r, unicode.Mn, unicode.Mc, unicode.Pc)
}

// filledList reports whether n is an array, and says so if it is not, or is empty.
func (v *validator) filledList(n *node) bool {
	if n.kind != '[' {
		v.wrongType(n, "an array")
		return false
	}
	if len(n.members) == 0 {
		v.fault(n, codeSchema, "Value cannot be empty")
	}
	return true
}
