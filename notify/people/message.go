// Package people writes to people: one message for every channel, laid out for
// each of them, when it may be sent, and who takes it. What waits to be sent
// waits elsewhere: nothing here remembers a message.
package people

import (
	"cmp"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"inspector"
)

// V1 is the version of the layout that Message is of: templates written for it
// find every field of it in every release that knows the version.
const V1 = "v1"

// A Severity says how much a message matters; quiet hours name those that they
// do not hold back.
type Severity string

// The severities, the gravest first.
const (
	Trouble Severity = "trouble" // the appliance, a lane or an execution needs somebody
	Fail    Severity = "fail"    // a board failed
	Unsure  Severity = "unsure"  // a person must look at a board
	Info    Severity = "info"    // anything else
)

// severities are all of them, the gravest first.
func severities() []Severity { return []Severity{Trouble, Fail, Unsure, Info} }

// The kinds of messages.
const (
	KindBoard  = "board"
	KindEvent  = "event"
	KindDigest = "digest"
	KindTest   = "test"
)

// A Message is what people are told: the one layout of all channels. Texts are
// of one line (What may have several), bounded, and not escaped yet.
type Message struct {
	Layout   string            `json:"layout"` // v1
	Key      string            `json:"key"`    // the same on every attempt
	Kind     string            `json:"kind"`   // board, event, digest, test
	Severity Severity          `json:"severity"`
	Title    string            `json:"title"`
	What     string            `json:"what,omitempty"`
	Where    string            `json:"where"`
	Station  inspector.Station `json:"station"`
	At       time.Time         `json:"at"`
	Reminder int               `json:"reminder,omitempty"` // 0: told for the first time
	Rule     string            `json:"rule,omitempty"`
	Board    *Board            `json:"board,omitempty"`
	Digest   *Digest           `json:"digest,omitempty"`
	Facts    []Fact            `json:"facts,omitempty"` // of an event
	Links    []Link            `json:"links"`

	Picture *Picture `json:"-"` // for channels that show one
}

// A Board is the verdict about one board.
type Board struct {
	ID      string            `json:"id"`
	Serial  string            `json:"serial,omitempty"`
	Recipe  string            `json:"recipe"`
	Model   string            `json:"model"`
	Verdict inspector.Verdict `json:"verdict"`
	Reason  string            `json:"reason"`
	Score   float64           `json:"score"`
	Count   int               `json:"defect_count"` // all of them
	Defects []Defect          `json:"defects"`      // the worst
}

// A Defect is one deviation from the golden board, in pixels of the picture.
type Defect struct {
	Class  string  `json:"class"`
	Score  float64 `json:"score"`
	Left   int     `json:"left"`
	Top    int     `json:"top"`
	Width  int     `json:"width"`
	Height int     `json:"height"`
}

// A Fact is a value of an event, and its name.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// A Link leads a person on.
type Link struct {
	Title string `json:"title"`
	URL   string `json:"url"`
}

// A Picture is an image to show.
type Picture struct {
	Name string // of the file
	Type string // image/jpeg
	Data []byte
}

// What bounds a message.
const (
	maxTitle   = 150  // characters
	maxWhat    = 1000 // characters
	maxWord    = 100  // characters of any other text
	maxDefects = 8
	maxFacts   = 12
)

// OfBoard tells of an inspection. key names the message for ever; base is how
// people reach the page, empty if they cannot.
func OfBoard(i inspector.Inspection, key, base string) Message {
	b := &Board{
		ID: line(i.ID, maxWord), Serial: line(i.Serial, maxWord), Recipe: line(i.Recipe, maxWord), Model: line(i.Model, maxWord),
		Verdict: i.Verdict, Reason: line(i.Reason, maxWhat), Score: share(i.Score), Count: len(i.Defects), Defects: []Defect{},
	}
	m := Message{
		Layout: V1, Key: key, Kind: KindBoard, Station: plain(i.Station), Where: where(i.Station), At: i.At.UTC(), Board: b, What: b.Reason, Links: []Link{},
	}
	name, outcome := "Board "+cmp.Or(b.Serial, b.ID), "is unsure: a person must look"
	m.Severity = Unsure
	switch i.Verdict {
	case inspector.Fail:
		m.Severity, outcome = Fail, "failed"
	case inspector.Pass:
		m.Severity, outcome = Info, "passed"
	default:
		b.Verdict = inspector.Unsure
	}
	if classes := classesOf(i.Defects); classes != "" {
		outcome += ": " + classes
	}
	m.Title = line(name+" "+outcome, maxTitle)
	for _, d := range worst(i.Defects) {
		b.Defects = append(b.Defects, Defect{
			line(d.Class, maxWord), share(d.Score), whole(d.Box.Left), whole(d.Box.Top), whole(d.Box.Right - d.Box.Left), whole(d.Box.Bottom - d.Box.Top),
		})
	}
	m.Links = boardLinks(base, i.ID, hasPicture(i))
	return m
}

// Test is a message for whoever tries a channel.
func Test(station inspector.Station, channel, key, base string, at time.Time) Message {
	m := Message{
		Layout: V1, Key: key, Kind: KindTest, Severity: Info, Title: "Test of channel " + line(channel, maxWord), What: "If you can read this, the channel works. Nobody needs to act.",
		Station: plain(station), Where: where(station), At: at.UTC(), Links: []Link{},
	}
	if base != "" {
		m.Links = []Link{{"Page", strings.TrimRight(base, "/") + "/"}}
	}
	return m
}

func hasPicture(i inspector.Inspection) bool {
	return slices.ContainsFunc(i.Evidence, func(b inspector.Blob) bool { return b.Kind == "image" })
}

func boardLinks(base, id string, picture bool) []Link {
	if base == "" || id == "" {
		return []Link{}
	}
	base = strings.TrimRight(base, "/")
	out := []Link{{"Review", base + "/#" + url.PathEscape(id)}}
	if picture {
		out = append(out, Link{"Picture", base + "/api/v1/inspections/" + url.PathEscape(id) + "/evidence/overlay"})
	}
	return out
}

// classesOf says how many defects of which class there are: 2 short, 1 open.
func classesOf(all []inspector.Defect) string {
	count := map[string]int{}
	for _, d := range all {
		count[line(d.Class, maxWord)]++
	}
	names := byCount(count)
	out := []string{}
	for _, n := range names[:min(len(names), 4)] {
		out = append(out, fmt.Sprintf("%d %s", count[n], n))
	}
	if more := len(names) - len(out); more > 0 {
		out = append(out, fmt.Sprintf("%d other kinds", more))
	}
	return strings.Join(out, ", ")
}

// byCount gives the names, the most frequent first.
func byCount(count map[string]int) []string {
	names := make([]string, 0, len(count))
	for n := range count {
		names = append(names, n)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(count[b]-count[a], strings.Compare(a, b)) })
	return names
}

func worst(all []inspector.Defect) []inspector.Defect {
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b inspector.Defect) int { return cmp.Compare(share(b.Score), share(a.Score)) })
	return all[:min(len(all), maxDefects)]
}

// plain is a station in words of one short line.
func plain(s inspector.Station) inspector.Station {
	return inspector.Station{Site: line(s.Site, maxWord), Line: line(s.Line, maxWord), Device: line(s.Device, maxWord)}
}

func where(s inspector.Station) string {
	s = plain(s)
	return s.Site + " / " + s.Line + " / " + s.Device
}

// line makes one line of at most n characters of a text from anywhere.
func line(s string, n int) string {
	s = s[:min(len(s), 16*n)] // the rest would be cut
	return shorten(strings.Join(strings.Fields(printable(s)), " "), n)
}

// lines keeps the lines of a text of at most n characters.
func lines(s string, n int) string {
	out := []string{}
	for l := range strings.SplitSeq(s[:min(len(s), 16*n)], "\n") {
		out = append(out, strings.TrimSpace(printable(l)))
	}
	return shorten(strings.TrimSpace(strings.Join(out, "\n")), n)
}

// printable makes spaces of what no reader sees, or sees in another order than
// it is written.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError:
			return '\uFFFD'
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == '\u2028', r == '\u2029':
			return ' '
		}
		return r
	}, s)
}

// shorten keeps at most n characters.
func shorten(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}

// share is f within 0 to 1; of what is no number, 0.
func share(f float32) float64 {
	if f != f {
		return 0
	}
	return math.Round(float64(min(max(f, 0), 1))*1e4) / 1e4
}

// whole is f in whole pixels; of what is no number, 0.
func whole(f float32) int {
	if f != f || f > 1e6 || f < -1e6 {
		return 0
	}
	return int(math.Round(float64(f)))
}
