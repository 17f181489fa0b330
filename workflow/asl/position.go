package asl

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A node is one value of a definition with its place in the text. Of members
// with the same name only the last stays, as it does when values are read.
type node struct {
	kind    byte   // { [ " 0 t n, as the text begins; t is true or false
	name    string // of a member of an object
	index   int    // of an element of an array
	parent  *node
	at      int // offset of the value
	key     int // offset of its name; where it has none, of the value
	text    string
	members []*node // or elements, in order of the text
}

// member gives nil where there is none.
func (n *node) member(name string) *node {
	if n == nil || n.kind != '{' {
		return nil
	}
	for _, m := range n.members {
		if m.name == name {
			return m
		}
	}
	return nil
}

// pointer is RFC 6901's; location is AWS's: names as they are, [i] for elements.
func (n *node) pointer() string {
	if n.parent == nil {
		return ""
	}
	if n.parent.kind == '[' {
		return n.parent.pointer() + "/" + strconv.Itoa(n.index)
	}
	return pointer(n.parent.pointer(), n.name)
}

func (n *node) location() string {
	switch {
	case n.parent == nil:
		return "/"
	case n.parent.kind == '[':
		return n.parent.location() + "[" + strconv.Itoa(n.index) + "]"
	}
	return strings.TrimSuffix(n.parent.location(), "/") + "/" + n.name
}

// what the value is.
func (n *node) what() string {
	return map[byte]string{'{': "an object", '[': "an array", '"': "a string", '0': "a number", 't': "a boolean", 'n': "null"}[n.kind]
}

// value is what decode gives for the node.
func (n *node) value() any {
	switch n.kind {
	case '"':
		return n.text
	case '0':
		return json.Number(n.text)
	case 't':
		return n.text == "true"
	case '[':
		out := make([]any, len(n.members))
		for i, m := range n.members {
			out[i] = m.value()
		}
		return out
	case '{':
		out := make(map[string]any, len(n.members))
		for _, m := range n.members {
			out[m.name] = m.value()
		}
		return out
	}
	return nil
}

// find gives the node at a pointer, or the nearest above it.
func (n *node) find(pointer string) *node {
	for _, name := range strings.Split(pointer, "/")[1:] {
		m := n.member(strings.NewReplacer("~1", "/", "~0", "~").Replace(name))
		if i, err := strconv.Atoi(name); err == nil && n.kind == '[' && i >= 0 && i < len(n.members) {
			m = n.members[i]
		}
		if m == nil {
			break
		}
		n = m
	}
	return n
}

// locate gives faults that know only their pointer their place in the text.
func (n *node) locate(faults Faults) {
	for i, f := range faults {
		at := n.find(f.Pointer)
		faults[i].offset, faults[i].Location = at.key, at.location()
		if f.Code == "" {
			faults[i].Code = codeSchema
		}
	}
}

// A scanner finds the places of all values of a text that is known to be JSON.
type scanner struct {
	text   []byte
	pos    int
	twice  []*node // members whose name came before
	deeper *node   // the first value nested deeper than maxDepth
}

func (s *scanner) space() {
	for s.pos < len(s.text) && strings.IndexByte(" \t\r\n", s.text[s.pos]) >= 0 {
		s.pos++
	}
}

// value reads the next one. Below maxDepth values are skipped.
func (s *scanner) value(parent *node, depth int) *node {
	s.space()
	n := &node{parent: parent, at: s.pos, key: s.pos, kind: s.text[s.pos]}
	switch n.kind {
	case '{', '[':
		if depth > maxDepth {
			if s.deeper == nil {
				s.deeper = n
			}
			s.skip()
			return n
		}
		s.composite(n, depth)
	case '"':
		n.text = s.string()
	default:
		end := bytes.IndexAny(s.text[s.pos:], ",]} \t\r\n")
		if end < 0 {
			end = len(s.text) - s.pos
		}
		n.text = string(s.text[s.pos : s.pos+end])
		s.pos += end
		switch n.kind {
		case 'f':
			n.kind = 't'
		case 't', 'n':
		default:
			n.kind = '0'
		}
	}
	return n
}

func (s *scanner) composite(n *node, depth int) {
	var known map[string]int
	for s.pos++; ; {
		if s.space(); strings.IndexByte("}]", s.text[s.pos]) >= 0 {
			s.pos++
			return
		}
		if s.text[s.pos] == ',' {
			s.pos++
			s.space()
		}
		key, name := s.pos, ""
		if n.kind == '{' {
			name = s.string()
			s.space()
			s.pos++ // the colon
		}
		m := s.value(n, depth+1)
		m.name, m.index = name, len(n.members)
		if n.kind == '{' {
			m.key = key
			if known == nil {
				known = map[string]int{}
			}
			if i, ok := known[name]; ok {
				s.twice = append(s.twice, m)
				n.members[i] = m
				continue
			}
			known[name] = len(n.members)
		}
		n.members = append(n.members, m)
	}
}

// string reads one with its quotes.
func (s *scanner) string() string {
	start, plain := s.pos, true
	for s.pos++; s.text[s.pos] != '"'; s.pos++ {
		if s.text[s.pos] == '\\' {
			plain = false
			s.pos++
		}
	}
	s.pos++
	raw := s.text[start:s.pos]
	if plain && utf8.Valid(raw) {
		return string(raw[1 : len(raw)-1])
	}
	var out string
	_ = json.Unmarshal(raw, &out) // it is known to be JSON
	return out
}

// skip passes over a composite value without recursion.
func (s *scanner) skip() {
	for depth := 0; ; {
		switch s.text[s.pos] {
		case '"':
			s.string()
			continue
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		if s.pos++; depth == 0 {
			return
		}
	}
}

// places gives every fault the line and column of its offset, both from 1; a
// column counts characters.
func places(text []byte, faults Faults) {
	order := make([]int, len(faults))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return faults[a].offset - faults[b].offset })
	line, column, pos := 1, 1, 0
	for _, i := range order {
		f := &faults[i]
		for to := min(f.offset, len(text)); pos < to; {
			_, size := utf8.DecodeRune(text[pos:])
			if text[pos] == '\n' {
				line, column = line+1, 0
			}
			column++
			pos += size
		}
		f.Line, f.Column = line, column
	}
}
