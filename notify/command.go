package notify

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"inspector"
)

// The orders that set/NAME takes and state/NAME answers. The trigger has its
// own form.
const (
	OrderTrigger     = "trigger"     // judge the board in front of the camera
	OrderRecipe      = "recipe"      // put another recipe in force
	OrderPause       = "pause"       // judge nothing, or go on
	OrderAcknowledge = "acknowledge" // a person has seen a board that did not pass
	OrderTaken       = "taken"       // the line has taken a verdict
	OrderHeartbeat   = "heartbeat"   // the line is alive; any payload, no answer
)

// A Command is an order other than a trigger. What its name does not need is
// empty.
type Command struct {
	Name       string `json:"name"`
	Request    string `json:"request"` // the sender's own id: asked again, the answer is the same
	By         string `json:"by,omitempty"`
	Recipe     string `json:"recipe,omitempty"`
	Reason     string `json:"reason,omitempty"`
	Inspection string `json:"inspection,omitempty"`
	Paused     bool   `json:"paused,omitempty"`
}

// ParseCommand reads what somebody sent to the topic set/NAME; the forms are
// docs/messages/set-NAME.schema.json. If only the rest is at fault, the
// command still has its request, so that NewReply can refuse it.
func ParseCommand(name string, payload []byte) (Command, error) {
	c := Command{Name: name}
	fields, err := order(payload)
	if err != nil {
		return c, err
	}
	if c.Request, err = request(fields); err != nil {
		return c, err
	}
	read := func(to *string, field string, required bool) {
		s, e := text(fields, field)
		if e == nil && s == "" && required {
			e = fmt.Errorf("there is no %s", field)
		}
		*to, err = s, errors.Join(err, e)
	}
	read(&c.By, "by", name == OrderAcknowledge)
	switch name {
	case OrderRecipe:
		read(&c.Recipe, "recipe", true)
		read(&c.Reason, "reason", false)
	case OrderPause:
		read(&c.Reason, "reason", false)
		var e error
		c.Paused, e = truth(fields, "paused")
		err = errors.Join(err, e)
	case OrderAcknowledge:
		read(&c.Inspection, "inspection", true)
	}
	return c, err
}

// truth gives a field that must be true or false.
func truth(fields map[string]json.RawMessage, name string) (bool, error) {
	switch string(fields[name]) {
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, fmt.Errorf("%s is neither true nor false", name)
}

// A Reply is what the topic state/NAME says about one command. Its form is
// docs/messages/reply.schema.json.
type Reply struct {
	Schema     string            `json:"schema"`
	Command    string            `json:"command"`
	Request    string            `json:"request"` // empty if it could not be read
	At         time.Time         `json:"at"`      // of the deed, or of the refusal
	Done       bool              `json:"done"`
	Reason     string            `json:"reason,omitempty"`     // why it was not done
	By         string            `json:"by,omitempty"`         // who had it done; of an acknowledgement, the first
	Recipe     string            `json:"recipe,omitempty"`     // in force now
	Paused     *bool             `json:"paused,omitempty"`     // of a pause
	Inspection string            `json:"inspection,omitempty"` // of an acknowledgement
	Verdict    inspector.Verdict `json:"verdict,omitempty"`    // of that inspection
}

// NewReply answers a command that was done, or was not because of err.
func NewReply(c Command, at time.Time, err error) Reply {
	r := Reply{Schema: Schema, Command: c.Name, Request: words(c.Request), At: at.UTC(), Done: err == nil}
	if err != nil {
		r.Reason = words(c.Name + " refused: " + err.Error())
	}
	return r
}

// JSON gives the payload.
func (r Reply) JSON() ([]byte, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode the reply to %s %q: %w", r.Command, r.Request, err)
	}
	return b, nil
}
