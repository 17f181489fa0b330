package notify

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"time"

	"inspector/certificate"
)

// unreachable says why the broker could not be spoken to, and what to do.
func (c Config) unreachable(u *url.URL, err error) error {
	if bad := c.distrust(u, err); bad != nil {
		return fmt.Errorf("connect to mqtt broker %s: %w", u, bad)
	}
	return fmt.Errorf("connect to mqtt broker %s: %w; is it running, and is the address right?", u, err)
}

// distrust is what is wrong with a certificate, if that is why err happened;
// else nil.
func (c Config) distrust(u *url.URL, err error) error {
	if _, secure, _ := defaultPort(u.Scheme); !secure {
		return nil
	}
	if bad := certificate.Explain(err, time.Now(), certificate.Files{CA: c.CAFile, Cert: c.CertFile}); bad != nil {
		return bad
	}
	return nil
}

// tellingConn says why the other side hung up. With TLS 1.3 it does so after
// we believe that we are connected: what we send fails, and its reason waits to
// be read.
type tellingConn struct{ net.Conn }

func (c *tellingConn) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if err == nil || c.SetReadDeadline(time.Now().Add(200*time.Millisecond)) != nil {
		return n, err
	}
	var said *net.OpError
	if _, reason := c.Read(make([]byte, 1)); errors.As(reason, &said) && said.Op == "remote error" {
		err = reason
	}
	return n, err
}
