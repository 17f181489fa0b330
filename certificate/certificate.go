// Package certificate says in words why two ends of an encrypted connection do
// not trust each other, and what a person can do: which file, which host, whose
// clock.
package certificate

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"
)

// Files are what our end was given; empty: nothing of the kind.
type Files struct {
	CA   string // PEM of the authorities that we trust; empty: the system's
	Cert string // PEM of our own certificate
}

// An Error is a connection that failed for a certificate.
type Error struct {
	Reason string // what is wrong with whose certificate
	Remedy string // what a person can do
	Err    error  // the cause
}

func (e *Error) Error() string { return e.Reason + "; " + e.Remedy }

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Explain returns what is wrong if err is about a certificate, and nil if it is
// not, or nobody can tell. now is what the clock says. It reads our own
// certificate's file.
func Explain(err error, now time.Time, f Files) *Error {
	var (
		invalid x509.CertificateInvalidError
		host    x509.HostnameError
		unknown x509.UnknownAuthorityError
		remote  *net.OpError
	)
	e := &Error{Err: err}
	switch {
	case err == nil:
		return nil
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		e.outdated("the other side's certificate ("+subject(invalid.Cert)+")", invalid.Cert, now, "renew it there")
	case errors.As(err, &host):
		e.Reason = fmt.Sprintf("the other side's certificate is for %s, not for %s", names(host.Certificate), host.Host)
		e.Remedy = "set the address to a name that the certificate has, or have a certificate made for " + host.Host
	case errors.As(err, &unknown):
		e.Reason = "the other side's certificate (" + signed(err) + ") is signed by nobody whom we trust: we trust " + trusted(f.CA)
		e.Remedy = "set ca_file to the PEM file of the authority that signed it"
		if f.CA != "" {
			e.Remedy = "put the PEM of the authority that signed it into " + f.CA
		}
	case errors.As(err, &remote) && remote.Op == "remote error":
		return e.refused(strings.TrimPrefix(remote.Err.Error(), "tls: "), now, f)
	default:
		return nil
	}
	return e
}

// refused explains the alert that the other side sent about our certificate.
func (e *Error) refused(alert string, now time.Time, f Files) *Error {
	if !strings.Contains(alert, "certificate") && alert != "handshake failure" && alert != "access denied" {
		return nil
	}
	if f.Cert == "" {
		e.Reason = "the other side wants a certificate of ours (" + alert + "), and there is none"
		e.Remedy = "set cert_file and key_file"
		return e
	}
	own := leaf(f.Cert)
	if own != nil && (now.Before(own.NotBefore) || now.After(own.NotAfter)) {
		e.outdated("our certificate "+f.Cert, own, now, "write a renewed one to that file; it is read at the next attempt")
		return e
	}
	e.Reason = fmt.Sprintf("the other side does not accept our certificate %s (%s)", f.Cert, alert)
	if own != nil {
		e.Reason = fmt.Sprintf("the other side does not accept our certificate %s of %s, signed by %s (%s)", f.Cert, subject(own), own.Issuer, alert)
	}
	e.Remedy = "have it signed by an authority that the other side trusts, and check the other side's clock; the file is read at the next attempt"
	return e
}

// outdated explains a certificate outside its time. Either it or the clock is
// wrong, and nobody here knows which.
func (e *Error) outdated(whose string, c *x509.Certificate, now time.Time, renew string) {
	const form = "2006-01-02 15:04 MST"
	clock := now.UTC().Format(form)
	if now.Before(c.NotBefore) {
		e.Reason = fmt.Sprintf("%s is not valid before %s, and this machine's clock says %s, %v too early", whose, c.NotBefore.UTC().Format(form), clock, rough(c.NotBefore.Sub(now)))
		e.Remedy = "set this machine's clock (timedatectl); if it is right, the certificate was made under a wrong one: " + renew
		return
	}
	e.Reason = fmt.Sprintf("%s expired on %s, %v ago by this machine's clock, which says %s", whose, c.NotAfter.UTC().Format(form), rough(now.Sub(c.NotAfter)), clock)
	e.Remedy = renew + "; if this machine's clock is wrong, set it (timedatectl)"
}

func rough(d time.Duration) time.Duration {
	return max(d.Round(time.Minute), time.Minute)
}

func subject(c *x509.Certificate) string {
	if c.Subject.CommonName != "" {
		return c.Subject.CommonName
	}
	return names(c)
}

// names are the hosts that the certificate is for.
func names(c *x509.Certificate) string {
	all := append([]string{}, c.DNSNames...)
	for _, ip := range c.IPAddresses {
		all = append(all, ip.String())
	}
	if len(all) == 0 {
		return "no host"
	}
	return strings.Join(all, ", ")
}

func signed(err error) string {
	var bad *tls.CertificateVerificationError
	if !errors.As(err, &bad) || len(bad.UnverifiedCertificates) == 0 {
		return "unknown"
	}
	c := bad.UnverifiedCertificates[0]
	return fmt.Sprintf("%s, signed by %s", subject(c), c.Issuer)
}

func trusted(file string) string {
	if file == "" {
		return "the authorities of this machine"
	}
	return "those in " + file
}

// leaf is the first certificate of a PEM file; nil if there is none.
func leaf(file string) *x509.Certificate {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	for block, rest := pem.Decode(b); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "CERTIFICATE" {
			c, _ := x509.ParseCertificate(block.Bytes)
			return c
		}
	}
	return nil
}
