package people

import (
	"slices"
	"testing"
	"time"
)

func TestChannelFaults(t *testing.T) {
	slack := func(change func(c *Channel)) Channel {
		c := Default()
		c.Slack = &Slack{URLFile: "f"}
		change(&c)
		return c
	}
	for name, c := range map[string]struct {
		channel Channel
		keys    []string
	}{
		"slack":    {slack(func(*Channel) {}), nil},
		"none":     {Default(), []string{"slack"}},
		"two":      {slack(func(c *Channel) { c.Webhook = &Webhook{URL: "https://h/"} }), []string{"slack"}},
		"both":     {slack(func(c *Channel) { c.Slack.TokenFile = "t" }), []string{"slack", "slack.channel"}},
		"channel":  {slack(func(c *Channel) { *c.Slack = Slack{TokenFile: "t", Channel: "a b"} }), []string{"slack.channel"}},
		"hook's":   {slack(func(c *Channel) { c.Slack.Channel = "C1" }), []string{"slack.channel"}},
		"api":      {slack(func(c *Channel) { *c.Slack = Slack{TokenFile: "t", Channel: "C1", API: "http://example.com"} }), []string{"slack.api"}},
		"layout":   {slack(func(c *Channel) { c.Layout = "v2" }), []string{"layout"}},
		"folder":   {slack(func(c *Channel) { c.Templates = "/nowhere" }), []string{"templates"}},
		"group":    {slack(func(c *Channel) { c.Group = Group{Every: time.Millisecond, By: "moon"} }), []string{"group.every", "group.by"}},
		"each":     {slack(func(c *Channel) { c.Group.Every = 0 }), nil},
		"remind":   {slack(func(c *Channel) { c.Remind = Remind{Every: time.Second} }), []string{"remind.every", "remind.times"}},
		"webhook":  {Channel{Layout: V1, Webhook: &Webhook{URL: "http://example.com/", CloudEvents: "2.0", Headers: map[string]string{"A B": "x"}, HeaderFiles: map[string]string{"C": ""}}, Remind: Remind{Times: 1}, Group: Group{By: ByRule}}, []string{"webhook.url", "webhook.headers", "webhook.header_files", "webhook.cloudevents"}},
		"secret":   {Channel{Layout: V1, Webhook: &Webhook{URL: "https://user:pass@h/"}, Remind: Remind{Times: 1}, Group: Group{By: ByRule}}, []string{"webhook.url"}},
		"email":    {Channel{Layout: V1, Email: &Email{Server: "smtp.example.com", Security: "ssl", Username: "u", From: "x", To: []string{"y\r\nBcc: z@h"}, ReplyTo: "q"}, Remind: Remind{Times: 1}, Group: Group{By: ByRule}}, []string{"email.server", "email.security", "email.username", "email.from", "email.reply_to", "email.to"}},
		"open":     {Channel{Layout: V1, Email: &Email{Server: "smtp.example.com:25", Security: "none", From: "a@h", To: []string{"b@h"}}, Remind: Remind{Times: 1}, Group: Group{By: ByRule}}, []string{"email.security"}},
		"password": {Channel{Layout: V1, Email: &Email{Server: "localhost:25", Security: "none", Username: "u", PasswordFile: "f", From: "a@h", To: []string{"b@h"}}, Remind: Remind{Times: 1}, Group: Group{By: ByRule}}, []string{"email.username"}},
	} {
		var keys []string
		c.channel.Faults(func(key, _ string) { keys = append(keys, key) })
		if !slices.Equal(keys, c.keys) {
			t.Errorf("%s: faults of %v; want %v", name, keys, c.keys)
		}
	}
}
