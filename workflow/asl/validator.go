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

const (
	Standard Type = "STANDARD"
	Express  Type = "EXPRESS"
)

// Check gives all faults and warnings of a definition for machines of the
// type, each with its place in the text. What is wrong in a branch of the
// definition that cannot be told apart from what is around it is said once.
func Check(definition []byte, t Type) Faults {
	v, _ := check(definition, t)
	return v.faults
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
	depth    int  // of blocks, at the state being checked
}

// maxFaults bounds what is kept: who has that many needs no more of them.
const maxFaults = 1_000

// check gives the root as well; nil if the text is no JSON object.
func check(definition []byte, t Type) (v *validator, root *node) {
	v = &validator{express: t == Express, seen: map[string]bool{}, labels: map[string]bool{}}
	defer func() { places(definition, v.faults) }()
	whole := &node{kind: '{'}
	if len(definition) > maxDefinition {
		v.fault(whole, codeSchema, fmt.Sprintf("Definition is larger than %d bytes", maxDefinition))
		return v, nil
	}
	if strings.TrimSpace(string(definition)) == "" {
		v.fault(whole, codeEmpty, "Definition is empty")
		return v, nil
	}
	var raw json.RawMessage
	if err := json.Unmarshal(definition, &raw); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			whole.at = max(int(syntax.Offset)-1, 0)
			whole.key = whole.at
		}
		v.fault(whole, codeJSON, err.Error()).Location = ""
		return v, nil
	}
	s := &scanner{text: definition}
	root = s.value(nil, 0)
	v.twice = s.twice
	switch {
	case root.kind != '{':
		v.wrongType(root, "an object")
		return v, nil
	case s.deeper != nil:
		v.fault(s.deeper, codeDepth, fmt.Sprintf("Values are nested deeper than %d", maxDepth))
		return v, nil
	}
	v.validate(root)
	return v, root
}

// fault notes what is wrong with n, and gives the note for more to be said.
func (v *validator) fault(n *node, code, message string) *Fault {
	offset := n.at
	if n.kind == '{' || n.kind == '[' {
		offset = n.key
	}
	return v.note(Fault{Pointer: n.pointer(), Location: n.location(), Code: code, Message: message, offset: offset})
}

// faultKey is about the name of m.
func (v *validator) faultKey(m *node, code, message string) *Fault {
	return v.note(Fault{Pointer: m.pointer(), Location: m.location(), Code: code, Message: message, offset: m.key})
}

// faultIn is about the member m of n; AWS says n.
func (v *validator) faultIn(n, m *node, code, message string) *Fault {
	return v.note(Fault{Pointer: m.pointer(), Location: n.location(), Code: code, Message: message, offset: m.key})
}

func (v *validator) warn(n *node, code, message string) *Fault {
	return v.note(Fault{Pointer: n.pointer(), Location: n.location(), Code: code, Message: message, offset: n.key, Warning: true})
}

func (v *validator) note(f Fault) *Fault {
	if len(v.faults) == maxFaults {
		return &f
	}
	v.faults = append(v.faults, f)
	return &v.faults[len(v.faults)-1]
}

func (v *validator) wrongType(n *node, want string) {
	v.fault(n, codeSchema, fmt.Sprintf("Value must be %s, but is %s", want, kindOf(n.value())))
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
