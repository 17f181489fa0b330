package temporal

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestConfigFaults(t *testing.T) {
	good := Config{Address: "h:1", Namespace: "n", TaskQueue: "q"}
	for name, c := range map[string]struct {
		change func(*Config)
		want   string // empty: nothing is wrong
	}{
		"good":         {func(*Config) {}, ""},
		"no port":      {func(c *Config) { c.Address = "h" }, "address:"},
		"no namespace": {func(c *Config) { c.Namespace = "" }, "namespace:"},
		"no queue":     {func(c *Config) { c.TaskQueue = "" }, "task_queue:"},
		"queue":        {func(c *Config) { c.TaskQueue = "a@b" }, "task_queue:"},
		"half a pair":  {func(c *Config) { c.CertFile = "x" }, "key_file:"},
	} {
		k := good
		c.change(&k)
		if err := k.Validate(); (err == nil) != (c.want == "") || err != nil && !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, change := range []func(*Config){
		func(c *Config) { c.CAFile = empty }, func(c *Config) { c.CAFile = "nowhere" }, func(c *Config) { c.APIKeyFile = empty },
		func(c *Config) { c.CertFile, c.KeyFile = empty, empty },
	} {
		k := good
		change(&k)
		if _, err := New(k, slog.New(slog.DiscardHandler)); err == nil || !strings.Contains(err.Error(), "temporal: ") {
			t.Errorf("%+v: %v", k, err)
		}
	}
	plain, err := good.options()
	if err != nil || plain.ConnectionOptions.TLS != nil {
		t.Errorf("without files: %+v, %v", plain.ConnectionOptions, err)
	}
	good.TLS = true
	if o, err := good.options(); err != nil || o.ConnectionOptions.TLS == nil || o.ConnectionOptions.TLSDisabled {
		t.Errorf("with tls: %+v, %v", o.ConnectionOptions, err)
	}
}

// The connection is encrypted, and both sides show who they are.
func TestSecured(t *testing.T) {
	s := newServer(t)
	dir := t.TempDir()
	pair := certificate(t, dir)
	front := guard(t, s.Address, pair)
	config := testConfig(front)
	config.CAFile = filepath.Join(dir, "cert.pem")
	for name, c := range map[string]struct {
		certificate bool
		ok          bool
	}{"with our certificate": {true, true}, "without": {false, false}} {
		if config.CertFile, config.KeyFile = "", ""; c.certificate {
			config.CertFile, config.KeyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
		}
		client, err := New(config, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		if err := client.Check(ctx); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
		client.Close()
	}
}

// certificate makes one that is its own authority, as cert.pem and key.pem.
func certificate(t *testing.T, dir string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pair, err := tls.LoadX509KeyPair(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// guard is TLS in front of a server: it lets in who has the certificate.
func guard(t *testing.T, address string, pair tls.Certificate) string {
	t.Helper()
	trusted := x509.NewCertPool()
	trusted.AddCert(pair.Leaf)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: trusted, ClientAuth: tls.RequireAndVerifyClientCert, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", address)
			if err != nil {
				in.Close()
				continue
			}
			go func() { _, _ = io.Copy(out, in); out.Close() }()
			go func() { _, _ = io.Copy(in, out); in.Close() }()
		}
	}()
	return l.Addr().String()
}
