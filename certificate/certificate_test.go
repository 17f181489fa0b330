package certificate_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"inspector/certificate"
	"inspector/certificate/certtest"
)

// shake lets both ends of a connection get to know each other, and gives what
// the client made of it.
func shake(t *testing.T, server *tls.Config, client *tls.Config) error {
	t.Helper()
	l, err := tls.Listen("tcp", "127.0.0.1:0", server)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		conn, err := l.Accept()
		if err == nil {
			_ = conn.(*tls.Conn).Handshake()
			conn.Close()
		}
	}()
	conn, err := tls.Dial("tcp", l.Addr().String(), client)
	if err == nil {
		_, err = conn.Read(make([]byte, 1)) // with TLS 1.3 the answer comes late
		conn.Close()
	}
	<-ended
	return err
}

func TestExplain(t *testing.T) {
	ours, stranger, now := certtest.New(t, "ours"), certtest.New(t, "stranger"), time.Now()
	pool := x509.NewCertPool()
	pem, err := os.ReadFile(ours.File)
	if err != nil || !pool.AppendCertsFromPEM(pem) {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		server certtest.Want
		other  bool // signs the server
		client *certtest.Want
		mutual bool
		words  []string // REASON: of the file of our certificate
	}{
		"well":            {words: nil},
		"expired":         {server: certtest.Want{NotBefore: now.Add(-2 * time.Hour), NotAfter: now.Add(-time.Hour)}, words: []string{"expired on", "1h0m0s ago", "renew it there", "timedatectl"}},
		"not yet valid":   {server: certtest.Want{NotBefore: now.Add(time.Hour), NotAfter: now.Add(2 * time.Hour)}, words: []string{"not valid before", "1h0m0s too early", "set this machine's clock"}},
		"other host":      {server: certtest.Want{Hosts: []string{"a.example", "b.example"}}, words: []string{"for a.example, b.example, not for 127.0.0.1"}},
		"other authority": {other: true, words: []string{"signed by CN=stranger", "CAFILE"}},
		"none of ours":    {mutual: true, words: []string{"wants a certificate of ours", "cert_file"}},
		"ours expired":    {mutual: true, client: &certtest.Want{NotBefore: now.Add(-2 * time.Hour), NotAfter: now.Add(-time.Hour)}, words: []string{"our certificate OWN expired"}},
		"ours of nobody":  {mutual: true, other: true, client: &certtest.Want{}, words: []string{"CN=stranger"}},
	} {
		signer := ours
		if c.other {
			signer = stranger
		}
		pair := signer.Issue(t, c.server)
		cert, err := tls.LoadX509KeyPair(pair.Cert, pair.Key)
		if err != nil {
			t.Fatal(err)
		}
		server, client := &tls.Config{Certificates: []tls.Certificate{cert}}, &tls.Config{RootCAs: pool}
		files := certificate.Files{CA: ours.File}
		if c.mutual {
			server.ClientCAs, server.ClientAuth = pool, tls.RequireAndVerifyClientCert
		}
		if c.client != nil {
			own := ours.Issue(t, *c.client)
			files.Cert = own.Cert
			cert, err := tls.LoadX509KeyPair(own.Cert, own.Key)
			if err != nil {
				t.Fatal(err)
			}
			client.Certificates = []tls.Certificate{cert}
		}
		got := certificate.Explain(shake(t, server, client), now, files)
		if (got == nil) != (c.words == nil) {
			t.Errorf("%s: %v", name, got)
			continue
		}
		for _, w := range c.words {
			if w = strings.NewReplacer("OWN", files.Cert, "CAFILE", files.CA).Replace(w); !strings.Contains(got.Error(), w) {
				t.Errorf("%s: %v; want %q", name, got, w)
			}
		}
	}
	for _, err := range []error{nil, errors.New("x"), &net.OpError{Op: "remote error", Err: errors.New("tls: internal error")}} {
		if got := certificate.Explain(err, now, certificate.Files{}); got != nil {
			t.Errorf("%v: %v; want nothing", err, got)
		}
	}
}
