package notify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode"
	"unicode/utf8"

	"inspector"
)

// MaxOrder is the longest trigger or command that is read, in bytes.
const MaxOrder = 4 << 10

// ParseTrigger reads what somebody sent to the topic set/trigger; at is when.
// Its form is docs/messages/trigger.schema.json: a JSON object with request (1
// to 128 characters, the asker's own id: asked again, the answer is the same),
// serial and recipe (at most 128 characters, both optional). Other fields are
// for others. If only the rest is at fault, the trigger still has its request,
// so that Refused can answer it.
func ParseTrigger(payload []byte, at time.Time) (inspector.Trigger, error) {
	t := inspector.Trigger{Source: "mqtt", At: at}
	fields, err := order(payload)
	if err != nil {
		return t, err
	}
	if t.Request, err = request(fields); err != nil {
		return t, err
	}
	var serial, recipe error
	t.Serial, serial = text(fields, "serial")
	t.Recipe, recipe = text(fields, "recipe")
	return t, errors.Join(serial, recipe)
}

// order reads the fields of a trigger or command.
func order(payload []byte) (map[string]json.RawMessage, error) {
	if len(payload) > MaxOrder {
		return nil, fmt.Errorf("it has more than %d bytes", MaxOrder)
	}
	if !utf8.Valid(payload) {
		return nil, errors.New("it is not UTF-8")
	}
	fields, err := object(payload)
	if err != nil {
		return nil, fmt.Errorf(`it is not a JSON object such as {"request":"42"}: %w`, err)
	}
	return fields, nil
}

// request is the asker's own id, which must be there.
func request(fields map[string]json.RawMessage) (string, error) {
	s, err := text(fields, "request")
	if err == nil && s == "" {
		err = errors.New("there is no request: give each order an id of yours")
	}
	return s, err
}

// object reads the fields of the one JSON object that b must be. encoding/json
// alone would match names in any case and let the last of equal ones win.
func object(b []byte) (map[string]json.RawMessage, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	if open, err := d.Token(); err != nil {
		return nil, err
	} else if open != json.Delim('{') {
		return nil, fmt.Errorf("it begins with %v", open)
	}
	fields := map[string]json.RawMessage{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, err
		}
		key, _ := name.(string)
		if _, twice := fields[key]; twice {
			return nil, fmt.Errorf("%.40q is there twice", key)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, err
		}
		fields[key] = value
	}
	if _, err := d.Token(); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more follows it")
	}
	return fields, nil
}

// text gives the field as a line of at most 128 characters; empty if absent.
func text(fields map[string]json.RawMessage, name string) (string, error) {
	raw, ok := fields[name]
	if !ok {
		return "", nil
	}
	var s *string
	if err := json.Unmarshal(raw, &s); err != nil || s == nil {
		return "", fmt.Errorf("%s is not a string", name)
	}
	if n := utf8.RuneCountInString(*s); n > 128 {
		return "", fmt.Errorf("%s has %d characters; at most 128", name, n)
	}
	for _, r := range *s {
		if unicode.IsControl(r) || r == utf8.RuneError {
			return "", fmt.Errorf("%s has control characters", name)
		}
	}
	return *s, nil
}

// An Answer is what the topic state/trigger says about one trigger. Its form
// is docs/messages/answer.schema.json. Asked again, the answer is the same.
type Answer struct {
	Schema      string            `json:"schema"`
	Request     string            `json:"request"`      // of the trigger; empty if it could not be read
	ID          string            `json:"id,omitempty"` // of the inspection; empty if there is none
	Serial      string            `json:"serial,omitempty"`
	Recipe      string            `json:"recipe,omitempty"`
	At          time.Time         `json:"at"`
	Verdict     inspector.Verdict `json:"verdict"`
	Reject      bool              `json:"reject"` // the line must take the board out: all but pass
	Reason      string            `json:"reason"`
	DefectCount int               `json:"defect_count"`
	Page        string            `json:"page,omitempty"`
}

// NewAnswer answers the trigger of the inspection.
func NewAnswer(i inspector.Inspection, base string) Answer {
	return Answer{
		Schema: Schema, Request: words(i.Trigger.Request), ID: i.ID, Serial: words(i.Serial), Recipe: words(i.Recipe),
		At: i.At.UTC(), Verdict: verdict(i.Verdict), Reject: reject(i.Verdict), Reason: words(i.Reason), DefectCount: len(i.Defects), Page: page(base, i.ID),
	}
}

// Refused answers a trigger that cannot be followed: unsure, and why.
func Refused(t inspector.Trigger, err error) Answer {
	return Answer{
		Schema: Schema, Request: words(t.Request), Serial: words(t.Serial), Recipe: words(t.Recipe),
		At: t.At.UTC(), Verdict: inspector.Unsure, Reject: true, Reason: words("trigger refused: " + err.Error()),
	}
}

// JSON gives the payload.
func (a Answer) JSON() ([]byte, error) {
	b, err := json.Marshal(a)
	if err != nil {
		return nil, fmt.Errorf("encode answer to %q: %w", a.Request, err)
	}
	return b, nil
}
