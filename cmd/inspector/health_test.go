package main

import (
	"strings"
	"testing"
	"time"

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
		"well":            {notify.Health{Connected: true}, notify.BrokerHealth{Clients: 2}, web.OK, "connected"},
		"dropped":         {notify.Health{Connected: true}, notify.BrokerHealth{Dropped: 7}, web.Degraded, "7 messages"},
		"a rival":         {notify.Health{Connected: true, Rival: true, LastError: "another client uses the id x"}, notify.BrokerHealth{}, web.Degraded, "another client"},
		"a rival, away":   {notify.Health{Rival: true, LastError: "another client uses the id x"}, notify.BrokerHealth{}, web.Down, "another client"},
		"may not listen":  {notify.Health{Connected: true, LastError: "the broker refused"}, notify.BrokerHealth{}, web.Degraded, "but the broker refused"},
		"retained orders": {notify.Health{Connected: true, Retained: []string{"a/set/pause"}}, notify.BrokerHealth{}, web.Degraded, "a/set/pause"},
		"away":            {notify.Health{LastError: "refused"}, notify.BrokerHealth{}, web.Down, "refused"},
		"away, and so":    {notify.Health{LastError: "refused"}, notify.BrokerHealth{Dropped: 7}, web.Down, "refused"},
		"denied":          {notify.Health{Connected: true}, notify.BrokerHealth{Denied: notify.Trouble{Times: 3, Last: "client plc to x", At: time.Now()}}, web.Degraded, "3 messages or subscriptions denied, the last: client plc to x"},
		"long ago":        {notify.Health{Connected: true}, notify.BrokerHealth{Failed: notify.Trouble{Times: 3, Last: "x", At: time.Now().Add(-time.Hour)}}, web.OK, "connected"},
	} {
		p := brokerPart(c.client, c.own)
		if p.Name != "broker" || p.State != c.state || !strings.Contains(p.Detail, c.words) || (p.Remedy == "") != (c.state == web.OK) {
			t.Errorf("%s: %+v; want %s with %q", name, p, c.state, c.words)
		}
	}
}
