package upstream

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"crypto/tls"
	"crypto/x509"
	"os"

	"inspector/certificate/certtest"
)

// A server whose certificate does not do is a fault that names what to do, and
// is tried again.
func TestFaultOfCertificates(t *testing.T) {
	ours, now := certtest.New(t, "ours"), time.Now()
	pem, err := os.ReadFile(ours.File)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	for words, c := range map[string]struct {
		want certtest.Want
		pool *x509.CertPool
	}{
		"expired on":               {certtest.Want{NotBefore: now.Add(-2 * time.Hour), NotAfter: now.Add(-time.Hour)}, pool},
		"set this machine's clock": {certtest.Want{NotBefore: now.Add(time.Hour), NotAfter: now.Add(2 * time.Hour)}, pool},
		"is for other.example":     {certtest.Want{Hosts: []string{"other.example"}}, pool},
		"AWS_CA_BUNDLE":            {certtest.Want{}, x509.NewCertPool()},
	} {
		pair := ours.Issue(t, c.want)
		cert, err := tls.LoadX509KeyPair(pair.Cert, pair.Key)
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewUnstartedServer(http.NotFoundHandler())
		server.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
		server.StartTLS()
		client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: c.pool}}}
		_, err = client.Get(server.URL) //nolint:bodyclose // there is none
		if f := classify("put", "s3://b/k", err); f.Code != "UntrustedServer" || f.Permanent() || !strings.Contains(f.Error(), words) {
			t.Errorf("%v; want %q", f, words)
		}
		client.CloseIdleConnections()
		server.Close()
	}
}
