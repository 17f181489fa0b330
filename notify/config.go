package notify

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"

	"inspector"
)

// Config says which broker the client speaks to, and as whom. It never
// changes; the files that it names are read again at every connection, so a
// renewed password or certificate needs no restart.
type Config struct {
	URL          string // tcp://, mqtt://, ssl://, mqtts://, ws:// or wss:// HOST[:PORT]
	ClientID     string // two clients with one ID keep throwing each other out
	Availability string // topic of the retained availability; empty: none

	Username     string
	PasswordFile string           // its first line is the password
	Password     inspector.Secret // used if there is no PasswordFile

	CAFile   string // PEM of the broker's authority; empty: the system's
	CertFile string // PEM of our certificate, with KeyFile; empty: none
	KeyFile  string
}

// schemes and the port of each if the URL names none.
func defaultPort(scheme string) (port string, secure, ok bool) {
	switch scheme {
	case "tcp", "mqtt":
		return "1883", false, true
	case "ssl", "mqtts":
		return "8883", true, true
	case "ws":
		return "80", false, true
	case "wss":
		return "443", true, true
	}
	return "", false, false
}

// Validate reports every fault at once. It reads no file.
func (c Config) Validate() error {
	var errs []error
	want := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	if u, err := url.Parse(c.URL); err != nil || u.Hostname() == "" {
		want(false, "mqtt broker: the address is not a URL such as tcp://HOST:1883") // it may hold a password: not shown
	} else {
		_, secure, ok := defaultPort(u.Scheme)
		want(ok, "mqtt broker: scheme %q of the address; want tcp, mqtt, ssl, mqtts, ws or wss", u.Scheme)
		want(u.User == nil, "mqtt broker: take user and password out of the address; set username and password_file instead")
		want(secure || c.CAFile+c.CertFile+c.KeyFile == "", "mqtt broker: certificates are set, but %s:// is not encrypted; use ssl:// or wss://", u.Scheme)
	}
	want(c.ClientID != "" && len(c.ClientID) <= 128, "mqtt client ID: %d bytes; want 1 to 128", len(c.ClientID))
	want((c.CertFile == "") == (c.KeyFile == ""), "mqtt certificate: cert_file and key_file need each other")
	want(c.Username != "" || c.PasswordFile == "" && c.Password == "", "mqtt password: a password without a username")
	if c.Availability != "" {
		if err := checkTopic(c.Availability); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// address gives the URL with its port. c must be valid.
func (c Config) address() (*url.URL, error) {
	u, err := url.Parse(c.URL)
	if err != nil {
		return nil, errors.New("mqtt broker: the address is not a URL")
	}
	if u.Port() == "" {
		port, _, _ := defaultPort(u.Scheme)
		u.Host = net.JoinHostPort(u.Hostname(), port)
	}
	return u, nil
}

// password reads the password; empty if there is none.
func (c Config) password() (inspector.Secret, error) {
	if c.PasswordFile == "" {
		return c.Password, nil
	}
	b, err := os.ReadFile(c.PasswordFile)
	if err != nil {
		return "", fmt.Errorf("read mqtt password file: %w", err)
	}
	line, _, _ := bufio.NewReader(bytes.NewReader(b)).ReadLine()
	if len(line) == 0 {
		return "", fmt.Errorf("mqtt password file %s: its first line is empty; it must hold the password", c.PasswordFile)
	}
	return inspector.Secret(line), nil
}

// tls gives what encrypted schemes need, nil for the others.
func (c Config) tls(u *url.URL) (*tls.Config, error) {
	if _, secure, _ := defaultPort(u.Scheme); !secure {
		return nil, nil
	}
	t := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: u.Hostname()}
	if c.CAFile != "" {
		pem, err := os.ReadFile(c.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read mqtt authority: %w", err)
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("mqtt authority %s holds no PEM certificate", c.CAFile)
		}
	}
	if c.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("load mqtt certificate %s with key %s: %w", c.CertFile, c.KeyFile, err)
		}
		t.Certificates = []tls.Certificate{pair}
	}
	return t, nil
}
