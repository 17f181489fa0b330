package notify

import (
	"fmt"
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
