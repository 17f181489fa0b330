package upstream

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
)

// A Connection says which hosts HTTP tasks may reach through it, and who we
// are there. It holds no secret: these are in files, which are read for each
// request, so that a corrected one needs no restart.
type Connection struct {
	Hosts            []string          `yaml:"hosts"`         // HOST (any port), HOST:PORT, *.DOMAIN
	PlainHTTP        bool              `yaml:"plain_http"`    // allow http://, where anybody on the way reads along
	CAFile           string            `yaml:"ca_file"`       // PEM of the authority to trust; empty: the system's
	Authorization    string            `yaml:"authorization"` // none, basic, api-key, oauth; empty: none
	Username         string            `yaml:"username"`
	PasswordFile     string            `yaml:"password_file"`
	Header           string            `yaml:"header"` // of api-key
	KeyFile          string            `yaml:"key_file"`
	TokenURL         string            `yaml:"token_url"` // of oauth, grant client_credentials
	ClientID         string            `yaml:"client_id"`
	ClientSecretFile string            `yaml:"client_secret_file"`
	Scope            string            `yaml:"scope"`
	Headers          map[string]string `yaml:"headers"` // win over those of the task
	Query            map[string]string `yaml:"query"`   // win over those of the task
}

// Faults tells report everything that is wrong, each with its key.
func (c Connection) Faults(report func(key, problem string)) {
	want := func(ok bool, key, format string, args ...any) {
		if !ok {
			report(key, fmt.Sprintf(format, args...))
		}
	}
	want(len(c.Hosts) > 0, "hosts", "name the hosts that may be reached, such as [mes.example.com]")
	for _, h := range c.Hosts {
		want(h != "" && !strings.ContainsAny(h, "/@?# ") && !strings.Contains(strings.TrimPrefix(h, "*."), "*"), "hosts", "%q: want HOST, HOST:PORT or *.DOMAIN", h)
	}
	needs := map[string][]string{"": {}, "none": {}, "basic": {"username", "password_file"}, "api-key": {"header", "key_file"}, "oauth": {"token_url", "client_id", "client_secret_file"}}
	required, known := needs[c.Authorization]
	want(known, "authorization", "%q is unknown; want one of none, basic, api-key, oauth", c.Authorization)
	have := map[string]string{"username": c.Username, "password_file": c.PasswordFile, "header": c.Header, "key_file": c.KeyFile,
		"token_url": c.TokenURL, "client_id": c.ClientID, "client_secret_file": c.ClientSecretFile}
	for _, key := range slices.Sorted(maps.Keys(have)) {
		needed := slices.Contains(required, key)
		want(!needed || have[key] != "", key, "authorization %s needs it", c.Authorization)
		want(!known || needed || have[key] == "", key, "authorization %q does not use it", c.Authorization)
		if have[key] != "" && strings.HasSuffix(key, "_file") {
			_, err := readSecret(have[key])
			want(err == nil, key, "%v", err)
		}
	}
	want(!strings.Contains(c.Username, ":"), "username", "it holds a colon, which basic authorization cannot carry")
	u, err := url.Parse(c.TokenURL)
	want(err == nil && u.User == nil && (c.TokenURL == "" || u.Host != "" && (u.Scheme == "https" || u.Scheme == "http" && c.PlainHTTP)),
		"token_url", "want https://HOST/PATH, without user or password")
	for name := range c.Headers {
		want(headerName.MatchString(name) && !forbiddenHeader(name), "headers", "%q may not be set", name)
	}
	want(c.Header == "" || headerName.MatchString(c.Header) && !forbiddenHeader(c.Header) || strings.EqualFold(c.Header, "Authorization"), "header", "%q may not be set", c.Header)
	if c.CAFile != "" {
		_, err := readAuthority(c.CAFile)
		want(err == nil, "ca_file", "%v", err)
	}
}

// allows reports whether the connection may be used for u.
func (c Connection) allows(u *url.URL) bool {
	host, hostPort := strings.ToLower(u.Hostname()), strings.ToLower(net.JoinHostPort(u.Hostname(), port(u)))
	return slices.ContainsFunc(c.Hosts, func(h string) bool {
		h = strings.ToLower(h)
		if domain, ok := strings.CutPrefix(h, "*"); ok {
			return strings.HasSuffix(host, domain) && len(host) > len(domain)
		}
		return h == host || h == hostPort
	})
}

func port(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "http":
		return "80"
	}
	return "443"
}

func readAuthority(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate; want PEM", file)
	}
	return pool, nil
}

// client makes the connection's HTTP client, with connections of its own. It
// follows no redirect, which could carry credentials elsewhere.
func (c Connection) client() (*http.Client, error) {
	t := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext,
		TLSHandshakeTimeout: 10 * time.Second, IdleConnTimeout: 90 * time.Second, MaxIdleConnsPerHost: 8,
		MaxResponseHeaderBytes: 64 << 10, ForceAttemptHTTP2: true,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
	}
	if c.CAFile != "" {
		pool, err := readAuthority(c.CAFile)
		if err != nil {
			return nil, err
		}
		t.TLSClientConfig.RootCAs = pool
	}
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, nil
}

// services are the connections of the configuration, each with its client.
func services(all map[string]Connection) (map[string]*service, error) {
	out := map[string]*service{}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(all)) {
		c := all[name]
		c.Faults(func(key, problem string) {
			errs = append(errs, fmt.Errorf("connection %s: %s: %s", name, key, problem))
		})
		client, err := c.client()
		if err != nil {
			continue // Faults has said so
		}
		out[name] = &service{Connection: c, name: name, client: client}
	}
	return out, errors.Join(errs...)
}
