package notify

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
)

// brokerTLS is the broker's end of encrypted connections. Its files are read
// for each connection, so renewed ones need no restart.
type brokerTLS struct{ cert, key, clientCA string }

// config reads the files.
func (t brokerTLS) config() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(t.cert, t.key)
	if err != nil {
		return nil, fmt.Errorf("mqtt.server_cert_file %s with mqtt.server_key_file %s: %w; both are PEM, and belong to each other", t.cert, t.key, err)
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	if t.clientCA != "" {
		pem, err := os.ReadFile(t.clientCA)
		if err != nil {
			return nil, fmt.Errorf("mqtt.client_ca_file: %w", err)
		}
		c.ClientCAs, c.ClientAuth = x509.NewCertPool(), tls.RequireAndVerifyClientCert
		if !c.ClientCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("mqtt.client_ca_file: %s holds no PEM certificate", t.clientCA)
		}
	}
	return c, nil
}

// accept makes the connection an encrypted one. Its deadline is set.
func (t brokerTLS) accept(conn net.Conn) (net.Conn, error) {
	c, err := t.config()
	if err != nil {
		return nil, err
	}
	secure := tls.Server(conn, c)
	if err := secure.Handshake(); err != nil { // the deadline ends it
		var bad *tls.CertificateVerificationError
		if errors.As(err, &bad) && len(bad.UnverifiedCertificates) > 0 {
			return nil, fmt.Errorf("the certificate of %q: %w", bad.UnverifiedCertificates[0].Subject.CommonName, bad.Err)
		}
		return nil, err
	}
	return secure, nil
}
