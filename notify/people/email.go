package people

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/textproto"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"
)

// A mailer sends mail, each over a connection of its own.
type mailer struct {
	config Email
	layout *Layout
}

func (m *mailer) send(ctx context.Context, msg Message) (Receipt, error) {
	letter, id, err := m.letter(msg)
	if err != nil {
		return Receipt{}, &Error{To: m.host(), Reason: "the message cannot be written: " + err.Error(), Remedy: "correct the channel's addresses, then redrive", permanent: true}
	}
	c, err := m.client()
	if err != nil {
		return Receipt{}, err
	}
	if err := c.DialAndSendWithContext(ctx, letter); err != nil && !letter.IsDelivered() {
		return Receipt{}, m.failure(err)
	}
	return Receipt{ID: id}, nil // what went wrong after the server had it is no matter
}

func (m *mailer) host() string {
	host, _, err := net.SplitHostPort(m.config.Server)
	if err != nil {
		return "the mail server"
	}
	return host
}

// letter is the message as mail. Its Message-ID is made of the key: a repeat is
// the same mail.
func (m *mailer) letter(msg Message) (*mail.Msg, string, error) {
	subject, err := m.layout.Subject(msg)
	if err != nil {
		return nil, "", err
	}
	text, err := m.layout.Text(msg)
	if err != nil {
		return nil, "", err
	}
	page, err := m.layout.HTML(msg)
	if err != nil {
		return nil, "", err
	}
	l := mail.NewMsg(mail.WithNoDefaultUserAgent())
	errs := []error{l.From(m.config.From), l.To(m.config.To...)}
	if m.config.ReplyTo != "" {
		errs = append(errs, l.ReplyTo(m.config.ReplyTo))
	}
	id := messageID(msg.Key, m.config.From)
	l.SetMessageIDWithValue(id)
	l.Subject(subject)
	l.SetDateWithValue(msg.At)
	l.SetGenHeader("Auto-Submitted", "auto-generated")
	l.SetGenHeader("X-Inspector-Key", line(msg.Key, 300))
	l.SetBodyString(mail.TypeTextPlain, text)
	l.AddAlternativeString(mail.TypeTextHTML, page)
	if p := msg.Picture; p != nil {
		errs = append(errs, l.EmbedReader(p.Name, bytes.NewReader(p.Data), mail.WithFileContentID("picture"), mail.WithFileContentType(mail.ContentType(p.Type))))
	}
	return l, "<" + id + ">", errors.Join(errs...)
}

// messageID is made of the key and the sender's domain, without brackets.
func messageID(key, from string) string {
	domain := "inspector.invalid"
	if a, err := netmail.ParseAddress(from); err == nil {
		_, domain, _ = strings.Cut(a.Address, "@")
	}
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:16]) + "@" + domain
}

// client is made anew for each mail, with the secrets of now.
func (m *mailer) client() (*mail.Client, error) {
	host, port, err := net.SplitHostPort(m.config.Server)
	if err != nil {
		return nil, err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return nil, &Error{To: host, Reason: "its port is no number", Remedy: "correct email.server", permanent: true}
	}
	t := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if m.config.CAFile != "" {
		pem, err := os.ReadFile(m.config.CAFile)
		if err != nil {
			return nil, &Error{To: host, Reason: err.Error(), Remedy: "put the authority's PEM there; it will be repeated"}
		}
		if t.RootCAs = x509.NewCertPool(); !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, &Error{To: host, Reason: "email.ca_file holds no certificate", Remedy: "put the authority's PEM there; it will be repeated"}
		}
	}
	o := []mail.Option{mail.WithPort(number), mail.WithTLSConfig(t), mail.WithTimeout(sendIn / 2)}
	switch cmp.Or(m.config.Security, securityStartTLS) {
	case securityTLS:
		o = append(o, mail.WithSSL())
	case securityNone:
		o = append(o, mail.WithTLSPolicy(mail.NoTLS))
	default:
		o = append(o, mail.WithTLSPolicy(mail.TLSMandatory))
	}
	if m.config.Username != "" {
		password, err := secret(m.config.PasswordFile)
		if err != nil {
			return nil, &Error{To: host, Reason: err.Error(), Remedy: "write the password on the first line of that file; it will be repeated"}
		}
		o = append(o, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(m.config.Username), mail.WithPassword(string(password)))
	}
	return mail.NewClient(host, o...)
}

// failure rules on what the server or the way to it said. Nothing of the
// server's words is shown but its codes: they may echo what it was sent.
func (m *mailer) failure(err error) error {
	e := &Error{To: m.host(), Remedy: "it will be repeated"}
	code := codeOf(err)
	var bad *tls.CertificateVerificationError
	var unreached *net.OpError
	switch {
	case errors.As(err, &bad):
		e.Reason, e.Remedy = "its certificate is not trusted: "+bad.Err.Error(), "name its authority in email.ca_file, and check the clock and the server's name; it will be repeated"
	case code >= 500 && (code == 535 || code == 534 || code == 530 || code == 538):
		e.Reason, e.Remedy, e.permanent = fmt.Sprintf("it refused user or password (%d)", code), "correct email.username and the password in its file, then redrive", true
	case code >= 500:
		e.Reason, e.Remedy, e.permanent = fmt.Sprintf("it refused the mail (%d)", code), "check that it lets email.from send to every address of email.to, then redrive", true
	case code >= 400:
		e.Reason = fmt.Sprintf("not now, it says (%d)", code)
	case errors.Is(err, context.Canceled):
		e.Reason = "interrupted"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		e.Reason = "no answer in time"
	case errors.As(err, &unreached):
		e.Reason, e.Remedy = unreached.Error(), "check email.server and the network; it will be repeated"
	case strings.Contains(err.Error(), "STARTTLS"):
		e.Reason, e.Remedy = "it offers no STARTTLS", "set email.security to tls, or use the port for submission (587); it will be repeated"
	case errors.Is(err, smtp.ErrUnencrypted), errors.Is(err, mail.ErrPlainAuthNotSupported), errors.Is(err, mail.ErrNoSupportedAuthDiscovered):
		e.Reason, e.Remedy = "it takes no password in a way that we have", "check email.security and email.username; it will be repeated"
	default:
		e.Reason = "the connection broke"
	}
	return e
}

var leadingCode = regexp.MustCompile(`(?:^|: )([45]\d\d)[ -]`)

// codeOf is the server's answer as a number; 0: none.
func codeOf(err error) int {
	var s *mail.SendError
	if errors.As(err, &s) && s.ErrorCode() != 0 {
		return s.ErrorCode()
	}
	var p *textproto.Error
	if errors.As(err, &p) {
		return p.Code
	}
	if found := leadingCode.FindStringSubmatch(err.Error()); found != nil {
		n, _ := strconv.Atoi(found[1]) // the expression allows no other
		return n
	}
	return 0
}
