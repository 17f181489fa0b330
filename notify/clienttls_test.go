package notify

import (
	"net"
	"strings"
	"testing"
	"time"

	"inspector/certificate/certtest"
)

// wrongCertificate is a broker or a client whose certificate does not do, and
// what the client must say about it.
type wrongCertificate struct {
	broker, client certtest.Want
	other          string // who is signed by an authority that the other end does not know: broker, client
	none           bool   // the client has no certificate
	words          []string
}

func wrongCertificates() map[string]wrongCertificate {
	now := time.Now()
	return map[string]wrongCertificate{
		"broker expired":         {broker: certtest.Want{NotAfter: now.Add(-30 * time.Minute), NotBefore: now.Add(-time.Hour)}, words: []string{"expired on", "30m0s ago", "clock"}},
		"clock an hour late":     {broker: certtest.Want{NotBefore: now.Add(time.Hour), NotAfter: now.Add(2 * time.Hour)}, words: []string{"not valid before", "1h0m0s too early", "set this machine's clock"}},
		"broker is another host": {broker: certtest.Want{Hosts: []string{"scada.example"}}, words: []string{"is for scada.example, not for 127.0.0.1", "set the address"}},
		"broker of other CA":     {other: "broker", words: []string{"signed by CN=stranger", "put the PEM", "CA"}},
		"client has none":        {none: true, words: []string{"wants a certificate of ours", "cert_file and key_file"}},
		"client expired":         {client: certtest.Want{NotAfter: now.Add(-time.Minute), NotBefore: now.Add(-time.Hour)}, words: []string{"our certificate CERT expired", "renewed"}},
		"client not yet valid":   {client: certtest.Want{NotBefore: now.Add(time.Hour), NotAfter: now.Add(2 * time.Hour)}, words: []string{"our certificate CERT is not valid before", "clock"}},
		"client of other CA":     {other: "client", words: []string{"does not accept our certificate CERT", "signed by CN=stranger"}},
	}
}

// Every kind of wrong certificate is named with its file or host and the
// remedy, and once the files are right, the client connects by itself.
func TestWrongCertificates(t *testing.T) {
	for name, start := range map[string]func(*testing.T, certtest.Pair, string) (string, func()){"mosquitto": mosquittoTLS, "embedded": embeddedTLS} {
		for what, w := range wrongCertificates() {
			t.Run(name+"/"+what, func(t *testing.T) {
				t.Parallel()
				w.try(t, start)
			})
		}
	}
}

func (w wrongCertificate) try(t *testing.T, start func(*testing.T, certtest.Pair, string) (string, func())) {
	ours, stranger := certtest.New(t, "ours"), certtest.New(t, "stranger")
	signer := func(who string) *certtest.Authority {
		if w.other == who {
			return stranger
		}
		return ours
	}
	broker, own := signer("broker").Issue(t, w.broker), signer("client").Issue(t, w.client)
	port, reload := start(t, broker, ours.File)
	c := Config{URL: "ssl://127.0.0.1:" + port, ClientID: "test", CAFile: ours.File, CertFile: own.Cert, KeyFile: own.Key}
	if w.none {
		c.CertFile, c.KeyFile = "", ""
	}
	client := NewClient(c, quiet())
	stop := run(t, client.Run)
	says := func() bool {
		last := client.Health().LastError
		for _, words := range w.words {
			if words = strings.NewReplacer("CERT", own.Cert, "CA", ours.File).Replace(words); !strings.Contains(last, words) {
				return false
			}
		}
		return true
	}
	deadline := time.Now().Add(10 * time.Second)
	for !says() && time.Now().Before(deadline) {
		<-time.After(5 * time.Millisecond)
	}
	if !says() {
		t.Fatalf("it says %q; want all of %q", client.Health().LastError, w.words)
	}
	if w.none { // the configuration itself must change
		if err := stop(); err != nil {
			t.Error(err)
		}
		return
	}
	ours.Renew(t, broker, certtest.Want{})
	ours.Renew(t, own, certtest.Want{})
	reload()
	connected(t, client)
}

// mosquittoTLS runs the real broker; reload has it read its files again.
func mosquittoTLS(t *testing.T, p certtest.Pair, ca string) (port string, reload func()) {
	port, reload = startReloadable(t, "cafile "+ca, "certfile "+p.Cert, "keyfile "+p.Key, "require_certificate true", "allow_anonymous true")
	return port, reload
}

func embeddedTLS(t *testing.T, p certtest.Pair, ca string) (port string, reload func()) {
	b := startSecure(t, BrokerConfig{CertFile: p.Cert, KeyFile: p.Key, ClientCAFile: ca})
	return portOf(t, b, keyListenTLS), func() {}
}

// startSecure runs an embedded broker that listens in every way on ports of
// its own.
func startSecure(t *testing.T, c BrokerConfig) *Broker {
	t.Helper()
	c.Listen, c.Dir = "127.0.0.1:0", t.TempDir()
	if c.CertFile != "" {
		c.ListenTLS = "127.0.0.1:0"
	}
	c.ListenWebSocket = "127.0.0.1:0"
	b := NewBroker(c, quiet())
	if err := b.Listen(); err != nil {
		t.Fatal(err)
	}
	run(t, b.Run)
	return b
}

// portOf is the port of one of the listeners.
func portOf(t *testing.T, b *Broker, key string) string {
	t.Helper()
	for _, l := range b.net {
		if l.id == key {
			_, port, err := net.SplitHostPort(l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			return port
		}
	}
	t.Fatalf("nobody listens for %s", key)
	return ""
}
