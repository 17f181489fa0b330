package main

import (
	"strings"
	"testing"

	"inspector/notify"
	"inspector/web"
)

func TestBrokerPart(t *testing.T) {
	for name, c := range map[string]struct {
		client notify.Health
		own    notify.BrokerHealth
		state  web.State
		words  string
	}{
		"well":         {notify.Health{Connected: true}, notify.BrokerHealth{Clients: 2}, web.OK, "connected"},
		"dropped":      {notify.Health{Connected: true}, notify.BrokerHealth{Dropped: 7}, web.Degraded, "7 messages"},
		"away":         {notify.Health{LastError: "refused"}, notify.BrokerHealth{}, web.Down, "refused"},
		"away, and so": {notify.Health{LastError: "refused"}, notify.BrokerHealth{Dropped: 7}, web.Down, "refused"},
	} {
		p := brokerPart(c.client, c.own)
		if p.Name != "broker" || p.State != c.state || !strings.Contains(p.Detail, c.words) || (p.Remedy == "") != (c.state == web.OK) {
			t.Errorf("%s: %+v; want %s with %q", name, p, c.state, c.words)
		}
	}
}
