package people

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"inspector"
	"inspector/notify"
)

// A signed webhook posts messages as JSON, alone or as CloudEvents 1.0, signed
// as Standard Webhooks are.
type signed struct {
	config Webhook
	layout *Layout
	hook   *notify.Webhook
}

func newSigned(c Webhook, l *Layout) *signed {
	return &signed{c, l, notify.NewWebhook(notify.WebhookConfig{URL: c.URL, URLFile: c.URLFile, Headers: c.Headers, HeaderFiles: c.HeaderFiles})}
}

func (s *signed) files() []string {
	out := []string{s.config.URLFile, s.config.SecretFile}
	for _, f := range s.config.HeaderFiles {
		out = append(out, f)
	}
	return out
}

func (s *signed) send(ctx context.Context, m Message) (Receipt, error) {
	data, err := s.layout.JSON(m)
	if err != nil {
		return Receipt{}, err
	}
	body, header, err := enveloped(cmp.Or(s.config.CloudEvents, envelopeNone), m, data)
	if err != nil {
		return Receipt{}, err
	}
	if s.config.SecretFile != "" {
		key, err := secret(s.config.SecretFile)
		if err != nil {
			return Receipt{}, &Error{To: "webhook", Reason: err.Error(), Remedy: "write the secret on the first line of that file; it will be repeated"}
		}
		sign(header, key, m.Key, body, time.Now())
	}
	return Receipt{}, s.hook.Post(ctx, m.Key, body, header)
}

// sign adds who sent the body, and when: webhook-signature is the HMAC-SHA256 of
// "ID.TIMESTAMP.BODY". The id is the same on every attempt.
func sign(h http.Header, secret inspector.Secret, key string, body []byte, now time.Time) {
	sum := sha256.Sum256([]byte(key))
	id, at := "msg_"+hex.EncodeToString(sum[:16]), strconv.FormatInt(now.Unix(), 10)
	mac := hmac.New(sha256.New, signingKey(secret))
	fmt.Fprintf(mac, "%s.%s.", id, at)
	mac.Write(body)
	h.Set("webhook-id", id)
	h.Set("webhook-timestamp", at)
	h.Set("webhook-signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
}

// signingKey is the secret's bytes: those after whsec_ in base64, else the text.
func signingKey(s inspector.Secret) []byte {
	if rest, ok := strings.CutPrefix(string(s), "whsec_"); ok {
		if key, err := base64.StdEncoding.DecodeString(rest); err == nil {
			return key
		}
	}
	return []byte(s)
}

// A cloudEvent is the message's envelope in CloudEvents 1.0.
type cloudEvent struct {
	SpecVersion string          `json:"specversion"`
	ID          string          `json:"id"`
	Source      string          `json:"source"`
	Type        string          `json:"type"`
	Subject     string          `json:"subject,omitempty"`
	Time        string          `json:"time"`
	ContentType string          `json:"datacontenttype"`
	Data        json.RawMessage `json:"data"`
}

// enveloped gives the body of the request and the headers that belong to it.
func enveloped(how string, m Message, data []byte) ([]byte, http.Header, error) {
	h := http.Header{}
	e := cloudEvent{
		SpecVersion: "1.0", ID: m.Key, Type: "inspector." + m.Kind + "." + m.Layout, Time: m.At.Format(time.RFC3339), ContentType: "application/json", Data: data,
		Source: "/inspector/" + url.PathEscape(m.Station.Site) + "/" + url.PathEscape(m.Station.Line) + "/" + url.PathEscape(m.Station.Device),
	}
	if m.Board != nil {
		e.Subject = m.Board.ID
	}
	switch how {
	case envelopeStructured:
		h.Set("Content-Type", "application/cloudevents+json; charset=utf-8")
		body, err := json.Marshal(e)
		return body, h, err
	case envelopeBinary:
		for name, value := range map[string]string{"specversion": e.SpecVersion, "id": e.ID, "source": e.Source, "type": e.Type, "subject": e.Subject, "time": e.Time} {
			if value != "" {
				h.Set("ce-"+name, headerValue(value))
			}
		}
	}
	h.Set("Content-Type", "application/json")
	return data, h, nil
}

// headerValue is a text as CloudEvents has it in a header of HTTP: what is not
// printable ASCII, and space, quote and percent, as %XX.
func headerValue(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == '"' || c == '%' || c >= 0x7f {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
