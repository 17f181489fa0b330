package web

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"testing"

	"inspector"
)

func TestAdmit(t *testing.T) {
	const token inspector.Secret = "s3same"
	here, there := "127.0.0.1:40000", "192.0.2.7:40000"
	for name, c := range map[string]struct {
		method, peer, at, host string
		headers                []string
		token                  inspector.Secret
		want                   int // 0: admitted
	}{
		"read from here":                  {method: "GET", peer: here, at: "127.0.0.1:8080", host: "localhost:8080"},
		"read from there":                 {method: "GET", peer: there, at: "192.0.2.1:8080", host: "inspector.factory"},
		"read across origins":             {method: "GET", peer: there, at: "192.0.2.1:8080", host: "inspector.factory", headers: []string{"Origin", "https://evil.example"}},
		"read by a rebound name":          {method: "GET", peer: here, at: "127.0.0.1:8080", host: "evil.example:8080", want: 421},
		"change by a rebound name":        {method: "POST", peer: here, at: "127.0.0.1:8080", host: "evil.example:8080", headers: []string{"Origin", "http://evil.example:8080"}, want: 421},
		"no host":                         {method: "GET", peer: here, at: "127.0.0.1:8080", want: 421},
		"name that only begins locally":   {method: "GET", peer: here, at: "127.0.0.1:8080", host: "127.0.0.1.evil.example", want: 421},
		"change from here":                {method: "POST", peer: here, at: "127.0.0.1:8080", host: "127.0.0.1:8080"},
		"change from here, IPv6":          {method: "POST", peer: "[::1]:40000", at: "[::1]:8080", host: "[::1]:8080"},
		"change from here, mapped":        {method: "POST", peer: "[::ffff:127.0.0.1]:40000", at: "[::ffff:127.0.0.1]:8080", host: "localhost"},
		"change by our page":              {method: "POST", peer: here, at: "127.0.0.1:8080", host: "localhost:8080", headers: []string{"Origin", "http://localhost:8080", "Sec-Fetch-Site", "same-origin"}},
		"change across origins":           {method: "POST", peer: here, at: "127.0.0.1:8080", host: "localhost:8080", headers: []string{"Origin", "https://evil.example"}, want: 403},
		"change by another port's page":   {method: "POST", peer: here, at: "127.0.0.1:8080", host: "localhost:8080", headers: []string{"Origin", "http://localhost:3000"}, want: 403},
		"change across sites":             {method: "POST", peer: here, at: "127.0.0.1:8080", host: "localhost:8080", headers: []string{"Sec-Fetch-Site", "cross-site"}, want: 403},
		"change from a file's page":       {method: "POST", peer: here, at: "127.0.0.1:8080", host: "localhost:8080", headers: []string{"Origin", "null"}, want: 403},
		"change through a proxy":          {method: "POST", peer: here, at: "127.0.0.1:8080", host: "localhost:8080", headers: []string{"X-Forwarded-For", "192.0.2.9"}, want: 403},
		"through a proxy, token not sent": {method: "POST", peer: here, at: "127.0.0.1:8080", host: "localhost:8080", headers: []string{"Forwarded", "for=192.0.2.9"}, token: token, want: 401},
		"change from there, no token set": {method: "POST", peer: there, at: "192.0.2.1:8080", host: "inspector", want: 403},
		"an empty token is none":          {method: "POST", peer: there, at: "192.0.2.1:8080", host: "inspector", headers: []string{"Authorization", "Bearer "}, want: 403},
		"change from there, not sent":     {method: "POST", peer: there, at: "192.0.2.1:8080", host: "inspector", token: token, want: 401},
		"change from there, wrong":        {method: "POST", peer: there, at: "192.0.2.1:8080", host: "inspector", token: token, headers: []string{"Authorization", "Bearer s3samf"}, want: 401},
		"change from there, longer":       {method: "POST", peer: there, at: "192.0.2.1:8080", host: "inspector", token: token, headers: []string{"Authorization", "Bearer s3samee"}, want: 401},
		"change from there, basic":        {method: "POST", peer: there, at: "192.0.2.1:8080", host: "inspector", token: token, headers: []string{"Authorization", "Basic s3same"}, want: 401},
		"change from there, right":        {method: "POST", peer: there, at: "192.0.2.1:8080", host: "inspector", token: token, headers: []string{"Authorization", "Bearer s3same"}},
		"change from here, wrong":         {method: "POST", peer: here, at: "127.0.0.1:8080", host: "localhost", token: token, headers: []string{"Authorization", "Bearer x"}, want: 401},
		"own outer address":               {method: "POST", peer: "192.0.2.1:40000", at: "192.0.2.1:8080", host: "192.0.2.1:8080", want: 403},
		"other methods":                   {method: "DELETE", peer: there, at: "192.0.2.1:8080", host: "inspector", want: 403},
	} {
		t.Run(name, func(t *testing.T) {
			at := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(c.at))
			r, err := http.NewRequestWithContext(context.WithValue(t.Context(), http.LocalAddrContextKey, at), c.method, "/api/v1/triggers", nil)
			if err != nil {
				t.Fatal(err)
			}
			r.RemoteAddr, r.Host = c.peer, c.host
			for i := 0; i+1 < len(c.headers); i += 2 {
				r.Header.Set(c.headers[i], c.headers[i+1])
			}
			p := admit(r, c.token)
			got := 0
			if p != nil {
				got = p.Status
				if p.Remedy == "" || p.Detail == "" {
					t.Errorf("no word on what to do: %+v", p)
				}
			}
			if got != c.want {
				t.Errorf("got %d, want %d: %v", got, c.want, p)
			}
		})
	}
}
