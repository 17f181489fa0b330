package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxSlackText is how many characters Slack shows of one message.
const maxSlackText = 3000

// A Slack posts to one channel by an incoming webhook. Its methods may be
// called from any goroutine at the same time.
type Slack struct{ hook *Webhook }

// NewSlack takes the file whose first line is the URL of the incoming webhook:
// who has it can post, so it is a secret. It is read at every message.
func NewSlack(urlFile string) *Slack {
	w := NewWebhook(WebhookConfig{URLFile: urlFile})
	w.slack = true
	return &Slack{w}
}

// Close drops idle connections.
func (s *Slack) Close() { s.hook.Close() }

// Send posts payload: a JSON string is the text, an object with text, blocks or
// attachments is a message in Slack's own form, any other JSON is shown as it
// is. Errors are *WebhookError.
func (s *Slack) Send(ctx context.Context, key string, payload []byte) error {
	return s.hook.Send(ctx, key, slackMessage(payload))
}

func slackMessage(payload []byte) []byte {
	var text string
	if json.Unmarshal(payload, &text) == nil {
		return slackText(shorten(text, maxSlackText))
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(payload, &fields) != nil {
		return slackText(fence(payload))
	}
	for _, own := range []string{"text", "blocks", "attachments"} {
		if _, ok := fields[own]; ok {
			return payload
		}
	}
	if title, detail := summary(fields); title != "" {
		return slackText(title + "\n" + fence(detail))
	}
	return slackText(fence(payload))
}

// summary shows an event in words: what, where and when.
func summary(event map[string]json.RawMessage) (title string, detail []byte) {
	word := func(key string) (s string) {
		_ = json.Unmarshal(event[key], &s) // no text is no word
		return s
	}
	if word("detail-type") == "" {
		return "", nil
	}
	return literal(shorten(fmt.Sprintf("*%s* on %s at %s", word("detail-type"), word("account"), word("time")), 99)), event["detail"]
}

// literal is text in which Slack sees no links, mentions or calls to a channel.
func literal(s string) string { return slackSigns.Replace(s) }

var slackSigns = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

func fence(raw []byte) string {
	var b bytes.Buffer
	if json.Indent(&b, raw, "", "  ") != nil {
		b.Write(raw)
	}
	return "```" + literal(shorten(strings.ReplaceAll(b.String(), "```", "'''"), maxSlackText-100)) + "```"
}

func slackText(text string) []byte {
	b, _ := json.Marshal(map[string]string{"text": text}) // texts encode
	return b
}

// shorten keeps at most n characters.
func shorten(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return string([]rune(s)[:n-1]) + "…"
}
