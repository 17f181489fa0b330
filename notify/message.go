package notify

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"inspector"
)

// Schema is the version of all messages: it changes when a field changes its
// meaning or goes, not when one is added.
const Schema = "inspector/1"

// The kinds of messages about a board.
const (
	KindResult = "result" // every verdict
	KindAlert  = "alert"  // a verdict that needs somebody
)

// What bounds a message, so that it never is too long to be published.
const (
	maxDefects  = 128
	maxEvidence = 8
	maxClass    = 64   // bytes
	maxWords    = 1024 // bytes of any other text
)

// A Message is all that a subscriber needs to know about one board. Its form
// is docs/messages/board.schema.json. The key is the same whenever the message
// is sent again: subscribers must use it to drop repetitions.
type Message struct {
	Schema  string            `json:"schema"`
	Type    string            `json:"type"` // result, alert
	Key     string            `json:"key"`
	ID      string            `json:"id"`
	Station inspector.Station `json:"station"`
	At      time.Time         `json:"at"`
	Seq     uint64            `json:"seq"`
	Missed  uint64            `json:"missed"`
	Serial  string            `json:"serial,omitempty"`
	Request string            `json:"request,omitempty"` // the trigger's own id
	Recipe  string            `json:"recipe"`
	Model   string            `json:"model"`
	Verdict inspector.Verdict `json:"verdict"`
	Reject  bool              `json:"reject"` // the line must take the board out: all but pass
	Reason  string            `json:"reason"`
	Score   float32           `json:"score"`
	Picture Picture           `json:"picture"`

	DefectCount int        `json:"defect_count"` // all of them
	Defects     []Defect   `json:"defects"`      // the worst 128
	Evidence    []Evidence `json:"evidence"`
	Page        string     `json:"page,omitempty"` // address for a person
}

// Picture is the size of the picture that the boxes refer to, in pixels.
type Picture struct {
	Width  int `json:"width"`
	Height int `json:"height"`
}

// Defect is one deviation from the golden board, without its outline.
type Defect struct {
	Class string        `json:"class"`
	Score float32       `json:"score"`
	Box   inspector.Box `json:"box"`
}

// Evidence names a picture that the appliance keeps.
type Evidence struct {
	Kind   string `json:"kind"`
	Path   string `json:"path"`
	Type   string `json:"media_type"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
	URL    string `json:"url,omitempty"`
}

// NewMessage builds the message of the kind about a board. key names this
// effect for ever; base is how subscribers reach the appliance's page, empty
// if they cannot. The same arguments give the same bytes. Texts are cut to
// 1024 bytes, and numbers that are none become 0; of more than 128 defects the
// worst remain.
func NewMessage(kind string, i inspector.Inspection, key, base string) Message {
	m := Message{
		Schema: Schema, Type: kind, Key: key, ID: i.ID, Station: i.Station,
		At: i.At.UTC(), Seq: i.Seq, Missed: i.Missed,
		Serial: words(i.Serial), Request: words(i.Trigger.Request), Recipe: words(i.Recipe), Model: words(i.Model),
		Verdict: verdict(i.Verdict), Reject: reject(i.Verdict), Reason: words(i.Reason), Score: share(i.Score),
		Picture:     Picture{max(i.Width, 0), max(i.Height, 0)},
		DefectCount: len(i.Defects), Defects: []Defect{}, Evidence: []Evidence{},
		Page: page(base, i.ID),
	}
	for _, d := range worst(i.Defects) {
		b := inspector.Box{Left: finite(d.Box.Left), Top: finite(d.Box.Top), Right: finite(d.Box.Right), Bottom: finite(d.Box.Bottom)}
		m.Defects = append(m.Defects, Defect{cut(d.Class, maxClass), share(d.Score), b})
	}
	for _, e := range i.Evidence[:min(len(i.Evidence), maxEvidence)] {
		m.Evidence = append(m.Evidence, Evidence{e.Kind, e.Path, e.Type, e.Size, e.SHA256, evidence(base, i.ID, e.Kind)})
	}
	return m
}

// JSON gives the payload.
func (m Message) JSON() ([]byte, error) {
	b, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode message %s: %w", m.Key, err)
	}
	return b, nil
}

// verdict lets nothing pass that is not a verdict.
func verdict(v inspector.Verdict) inspector.Verdict {
	if v == inspector.Pass || v == inspector.Fail {
		return v
	}
	return inspector.Unsure
}

// reject says whether the line must take the board out. Only a pass may go on.
func reject(v inspector.Verdict) bool { return v != inspector.Pass }

// page is where a person looks at the board.
func page(base, id string) string {
	if base == "" || id == "" {
		return ""
	}
	return strings.TrimRight(base, "/") + "/#" + url.PathEscape(id)
}

func evidence(base, id, kind string) string {
	if base == "" || id == "" {
		return ""
	}
	return strings.TrimRight(base, "/") + "/api/v1/inspections/" + url.PathEscape(id) + "/evidence/" + url.PathEscape(kind)
}

// worst gives the defects that a message has room for.
func worst(all []inspector.Defect) []inspector.Defect {
	if len(all) <= maxDefects {
		return all
	}
	all = slices.Clone(all)
	slices.SortStableFunc(all, func(a, b inspector.Defect) int { return cmp.Compare(share(b.Score), share(a.Score)) })
	return all[:maxDefects]
}

func words(s string) string { return cut(s, maxWords) }

// cut shortens a text to so many bytes of valid UTF-8.
func cut(s string, limit int) string {
	if s = strings.ToValidUTF8(s, "\uFFFD"); len(s) <= limit {
		return s
	}
	end := limit - len("…")
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}

// finite makes a number of what is none.
func finite(f float32) float32 {
	if f-f != 0 { // NaN or infinite
		return 0
	}
	return f
}

// share is f within 0 to 1.
func share(f float32) float32 { return min(max(finite(f), 0), 1) }
