// Package rule decides what happens with events: it writes them in the form of
// Amazon EventBridge, matches them with rules, makes of them what a target is
// sent, and writes the state machine that delivers it. It does no I/O.
package rule

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// An Origin is where events come from.
type Origin struct {
	Account string // the device: never an AWS account
	Region  string // the site
	States  string // source of status changes: aws.states, as there
}

// Own is the source of this appliance's own events.
const Own = "inspector"

// An Event is the envelope of EventBridge.
type Event struct {
	Version    string   `json:"version"` // "0"
	ID         string   `json:"id"`      // the same whenever the same event is told again
	DetailType string   `json:"detail-type"`
	Source     string   `json:"source"`
	Account    string   `json:"account"`
	Time       string   `json:"time"` // RFC 3339, seconds, UTC
	Region     string   `json:"region"`
	Resources  []string `json:"resources"`
	Detail     any      `json:"detail"`
}

// Event is one of the appliance's own. What has the same key, kind and time is
// the same event and has the same ID.
func (o Origin) Event(kind, key string, at time.Time, detail any) Event {
	return o.event(Own, kind, key+at.UTC().Format(time.RFC3339Nano), at, []string{}, detail)
}

func (o Origin) event(source, kind, key string, at time.Time, resources []string, detail any) Event {
	return Event{
		Version: "0", ID: uuid(source, kind, key), DetailType: kind, Source: source, Account: o.Account, Region: o.Region,
		Time: at.UTC().Format("2006-01-02T15:04:05Z"), Resources: resources, Detail: detail,
	}
}

// JSON is the text of the event.
func (e Event) JSON() (json.RawMessage, error) { return encode(e) }

// encode writes v as AWS does: < and & stay as they are.
func encode(v any) (json.RawMessage, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(b.Bytes(), "\n"), nil
}

// uuid derives a version 8 UUID from the parts.
func uuid(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	u := sum[:16]
	u[6], u[8] = u[6]&0x0f|0x80, u[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}
