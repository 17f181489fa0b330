package notify

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"inspector/certificate/certtest"
)

// A webhook whose certificate does not do is named with what to do, and taken
// once it is right.
func TestWebhookCertificates(t *testing.T) {
	ours, now := certtest.New(t, "ours"), time.Now()
	pem, err := os.ReadFile(ours.File)
	if err != nil {
		t.Fatal(err)
	}
	pair := ours.Issue(t, certtest.Want{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	server.TLS = &tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
		cert, err := tls.LoadX509KeyPair(pair.Cert, pair.Key)
		return &tls.Config{Certificates: []tls.Certificate{cert}}, err
	}}
	server.Config.ErrorLog = nil
	server.StartTLS()
	defer server.Close()
	w := NewWebhook(WebhookConfig{URL: server.URL})
	defer w.Close()
	trust := w.client.Transport.(*http.Transport).TLSClientConfig
	if err := w.Send(t.Context(), "k", nil); err == nil || !strings.Contains(err.Error(), "signed by CN=ours") || !strings.Contains(err.Error(), "add its authority") {
		t.Errorf("an authority that nobody knows: %v", err)
	}
	trust.RootCAs = x509.NewCertPool()
	trust.RootCAs.AppendCertsFromPEM(pem)
	for words, want := range map[string]certtest.Want{
		"expired on":           {NotBefore: now.Add(-2 * time.Hour), NotAfter: now.Add(-time.Hour)},
		"set this machine's":   {NotBefore: now.Add(time.Hour), NotAfter: now.Add(2 * time.Hour)},
		"is for other.example": {Hosts: []string{"other.example"}},
	} {
		ours.Renew(t, pair, want)
		if err := w.Send(t.Context(), "k", nil); permanent(err) || err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%v; want %q", err, words)
		}
		ours.Renew(t, pair, certtest.Want{})
		if err := w.Send(t.Context(), "k", nil); err != nil {
			t.Errorf("once it is right: %v", err)
		}
		w.Close()
	}
}
