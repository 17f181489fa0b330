package pattern

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// kind is what a token is.
type kind uint8

const (
	end kind = iota // of the text, outside of everything
	startObject
	endObject
	startArray
	endArray
	field
	text
	number
	yes
	no
	null
)

func (k kind) scalar() bool { return k >= text }

// maxDepth bounds nesting, as AWS's parser does.
const maxDepth = 1000

// A scanner gives the tokens of a JSON text one after the other. AWS's errors
// name the place that its parser has reached, so this one keeps that place
// alike: a string counts as read to its opening quote until its value is asked
// for, and the name of a field includes the first token of its value.
type scanner struct {
	src   string
	pos   int  // the next byte to read
	at    int  // the place that an error names
	late  bool // the string at pos has not been read beyond its quote
	ahead kind // of the value after a field's name; end: none
	name  string
	value string // of a number, literal or string
	stack []open
}

type open struct {
	object bool
	start  int
	filled bool // it has an entry, so the next needs a comma
}

// A bail is a fault on its way to whoever recovers it.
type bail struct{ message string }

// fail ends the reading with a message and the place reached.
func (s *scanner) fail(format string, args ...any) {
	panic(bail{fmt.Sprintf(format, args...) + "\n at " + s.place(s.at)})
}

// unexpected fails on the character at pos.
func (s *scanner) unexpected(words string) {
	r, n := utf8.DecodeRuneInString(s.src[s.pos:])
	s.at = s.pos + n
	shown := fmt.Sprintf("'%c' (code %d)", r, r)
	if r < ' ' {
		shown = fmt.Sprintf("(CTRL-CHAR, code %d)", r)
	}
	s.fail("Unexpected character (%s): %s", shown, words)
}

// place writes a position as AWS's parser does: lines and UTF-16 columns from 1.
func (s *scanner) place(at int) string {
	line, begin := 1, 0
	for i := range at {
		if s.src[i] == '\n' || s.src[i] == '\r' && (i+1 == len(s.src) || s.src[i+1] != '\n') {
			line, begin = line+1, i+1
		}
	}
	shown, more := s.src, ""
	if units := utf16.Encode([]rune(s.src)); len(units) > 500 {
		shown, more = string(utf16.Decode(units[:500])), fmt.Sprintf("[truncated %d chars]", len(units)-500)
	}
	return fmt.Sprintf(`[Source: (String)"%s"%s; line: %d, column: %d]`, shown, more, line, len(utf16.Encode([]rune(s.src[begin:at])))+1)
}

func (s *scanner) space() {
	for s.pos < len(s.src) && strings.IndexByte(" \t\r\n", s.src[s.pos]) >= 0 {
		s.pos++
	}
}

// next gives the next token.
func (s *scanner) next() kind {
	if k := s.ahead; k != end { // late is about it, if at all
		s.ahead = end
		return k
	}
	if s.late {
		s.finish()
	}
	s.space()
	if len(s.stack) == 0 {
		if s.pos == len(s.src) {
			return end
		}
		return s.begin()
	}
	top := &s.stack[len(s.stack)-1]
	s.more("expected close marker for %s (start marker at %s)", top.word(), s.place(top.start))
	if c := s.src[s.pos]; c == '}' || c == ']' {
		return s.close(c == '}')
	}
	if top.filled {
		if s.src[s.pos] != ',' {
			s.unexpected("was expecting comma to separate " + top.word() + " entries")
		}
		s.pos++
		s.space()
		s.more("expected a value")
	}
	top.filled = true
	if !top.object {
		return s.begin()
	}
	s.readName()
	s.ahead = s.begin()
	return field
}

func (o *open) word() string {
	if o.object {
		return "Object"
	}
	return "Array"
}

// more fails at the end of the text.
func (s *scanner) more(format string, args ...any) {
	if s.pos == len(s.src) {
		s.at = s.pos
		s.fail("Unexpected end-of-input: "+format, args...)
	}
}

func (s *scanner) readName() {
	if s.src[s.pos] != '"' {
		s.unexpected("was expecting double-quote to start field name")
	}
	s.pos++
	s.name = s.quoted("in field name")
	s.space()
	s.more("was expecting a colon to separate field name and value")
	if s.src[s.pos] != ':' {
		s.unexpected("was expecting a colon to separate field name and value")
	}
	s.pos++
	s.space()
	s.more("expected a value")
}

func (s *scanner) close(object bool) kind {
	top := s.stack[len(s.stack)-1]
	s.pos++
	s.at = s.pos
	if top.object != object {
		want := "]"
		if top.object {
			want = "}"
		}
		s.fail("Unexpected close marker '%c': expected '%s' (for %s starting at %s)", s.src[s.pos-1], want, top.word(), s.place(top.start))
	}
	s.stack = s.stack[:len(s.stack)-1]
	if object {
		return endObject
	}
	return endArray
}

// begin reads the first token of a value.
func (s *scanner) begin() kind {
	c := s.src[s.pos]
	switch {
	case c == '"':
		s.pos++
		s.at, s.late = s.pos, true
		return text
	case c == '{' || c == '[':
		if len(s.stack) == maxDepth {
			s.fail("Document nesting depth (%d) exceeds the maximum allowed (%d)", maxDepth+1, maxDepth)
		}
		s.stack = append(s.stack, open{object: c == '{', start: s.pos})
		s.pos++
		s.at = s.pos
		if c == '{' {
			return startObject
		}
		return startArray
	case c == '-' || '0' <= c && c <= '9':
		return s.number()
	case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z':
		return s.literal()
	}
	s.unexpected("expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')")
	return end
}

func (s *scanner) number() kind {
	i := s.pos
	digits := func() (n int) {
		for ; i < len(s.src) && '0' <= s.src[i] && s.src[i] <= '9'; i++ {
			n++
		}
		return n
	}
	optional := func(set string) bool {
		if i < len(s.src) && strings.IndexByte(set, s.src[i]) >= 0 {
			i++
			return true
		}
		return false
	}
	optional("-")
	first := i
	whole := digits()
	ok := whole == 1 || whole > 1 && s.src[first] != '0'
	if ok && optional(".") {
		ok = digits() > 0
	}
	if ok && optional("eE") {
		optional("+-")
		ok = digits() > 0
	}
	s.at = i
	if !ok {
		s.fail("Invalid numeric value: %q", s.src[s.pos:i])
	}
	s.value, s.pos = s.src[s.pos:i], i
	return number
}

func (s *scanner) literal() kind {
	i := s.pos
	for ; i < len(s.src) && (s.src[i] >= utf8.RuneSelf || 'a' <= s.src[i]|0x20 && s.src[i]|0x20 <= 'z' || '0' <= s.src[i] && s.src[i] <= '9' || s.src[i] == '_'); i++ {
	}
	word := s.src[s.pos:i]
	s.at = i
	k := map[string]kind{"true": yes, "false": no, "null": null}[word]
	if k == end {
		s.fail("Unrecognized token '%s': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')", word)
	}
	s.value, s.pos = word, i
	return k
}

// words is the value of the token: of a string, which it reads to its end, of
// a number or of a literal.
func (s *scanner) words() string {
	if s.late {
		s.finish()
	}
	return s.value
}

func (s *scanner) finish() {
	s.late = false
	s.value = s.quoted("for a string value")
	s.at = s.pos
}

// quoted reads a string from behind its opening quote.
func (s *scanner) quoted(where string) string {
	var b strings.Builder
	for {
		if s.pos == len(s.src) {
			s.at = s.pos
			s.fail("Unexpected end-of-input: was expecting closing quote %s", where)
		}
		switch c := s.src[s.pos]; {
		case c == '"':
			s.pos++
			return b.String()
		case c == '\\':
			b.WriteString(s.escape())
		case c < ' ':
			s.pos++
			s.at = s.pos
			s.fail("Illegal unquoted character ((CTRL-CHAR, code %d)): has to be escaped using backslash to be included in string value", c)
		default:
			b.WriteByte(c)
			s.pos++
		}
	}
}

func (s *scanner) escape() string {
	s.pos++
	s.more("in character escape sequence")
	r, n := utf8.DecodeRuneInString(s.src[s.pos:])
	s.pos += n
	if i := strings.IndexRune(`"\/bfnrt`, r); i >= 0 {
		return "\"\\/\b\f\n\r\t"[i : i+1]
	}
	if r != 'u' {
		s.at = s.pos
		s.fail("Unrecognized character escape '%c' (code %d)", r, r)
	}
	first := s.unit()
	if utf16.IsSurrogate(first) && strings.HasPrefix(s.src[s.pos:], `\u`) {
		before := s.pos
		s.pos += 2
		if both := utf16.DecodeRune(first, s.unit()); both != utf8.RuneError {
			return string(both)
		}
		s.pos = before
	}
	return string(first)
}

// unit reads the four digits of an escaped UTF-16 unit.
func (s *scanner) unit() rune {
	i := min(s.pos+4, len(s.src))
	v, err := strconv.ParseUint(s.src[s.pos:i], 16, 16)
	if err != nil || i < s.pos+4 {
		s.at = i
		s.fail("Unexpected character in a \\u escape: expected four hex-digits")
	}
	s.pos = i
	return rune(v)
}
