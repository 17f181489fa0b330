package people

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"mime"
	"mime/multipart"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
)

const mailPassword = "correct-horse-battery"

// mailServer is a real SMTP server that keeps what it is sent.
type mailServer struct {
	mu      sync.Mutex
	mails   []string
	from    string
	to      []string
	refuse  error // of MAIL
	address string
	ca      string // file
}

func (m *mailServer) NewSession(*smtp.Conn) (smtp.Session, error) { return &mailSession{m: m}, nil }

type mailSession struct {
	m      *mailServer
	authed bool
}

func (s *mailSession) AuthMechanisms() []string { return []string{sasl.Plain} }

func (s *mailSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "inspector" || password != mailPassword {
			return &smtp.SMTPError{Code: 535, EnhancedCode: smtp.EnhancedCode{5, 7, 8}, Message: "no: " + password}
		}
		s.authed = true
		return nil
	}), nil
}

func (s *mailSession) Mail(from string, _ *smtp.MailOptions) error {
	if s.m.refuse != nil {
		return s.m.refuse
	}
	if !s.authed {
		return smtp.ErrAuthRequired
	}
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	s.m.from, s.m.to = from, nil
	return nil
}

func (s *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if strings.HasPrefix(to, "nobody") {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
	}
	s.m.to = append(s.m.to, to)
	return nil
}

func (s *mailSession) Data(r io.Reader) error {
	b, err := io.ReadAll(r)
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	s.m.mails = append(s.m.mails, string(b))
	return err
}

func (s *mailSession) Reset()        {}
func (s *mailSession) Logout() error { return nil }

// newMail starts a server that asks for STARTTLS, or speaks TLS at once.
func newMail(t *testing.T, implicit bool) *mailServer {
	t.Helper()
	m := &mailServer{}
	certificate, ca := authority(t)
	m.ca = file(t, "ca.pem", ca)
	config := &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}
	s := smtp.NewServer(m)
	s.Domain, s.TLSConfig = "localhost", config
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.address = l.Addr().String()
	if implicit {
		l = tls.NewListener(l, config)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(l) }()
	t.Cleanup(func() {
		_ = s.Close()
		_ = l.Close() // of a server that was not running yet
		<-ended
	})
	return m
}

// authority makes a certificate for this machine, and gives it as its own CA.
func authority(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature, IPAddresses: []net.IP{net.ParseIP("127.0.0.1")},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func (m *mailServer) channel(t *testing.T, security string) Channel {
	c := Default()
	c.Email = &Email{
		Server: m.address, Security: security, CAFile: m.ca, Username: "inspector", PasswordFile: file(t, "password", mailPassword+"\n"),
		From: "Line 2 <line2@example.com>", To: []string{"quality@example.com", "Shift <shift@example.com>"},
	}
	return c
}

func TestEmail(t *testing.T) {
	for security, implicit := range map[string]bool{securityStartTLS: false, securityTLS: true} {
		s := newMail(t, implicit)
		o := open(t, s.channel(t, security))
		m := message(1)
		m.Title = "Prüfung\r\nBcc: everybody@example.com\r\n\r\nowned"
		m.Picture = &Picture{"board.jpg", "image/jpeg", bytes.Repeat([]byte("picture"), 1000)}
		var ids []string
		for range 2 {
			r, err := o.Send(t.Context(), m)
			if err != nil {
				t.Fatal(err)
			}
			ids = append(ids, r.ID)
		}
		s.mu.Lock()
		if s.from != "line2@example.com" || strings.Join(s.to, " ") != "quality@example.com shift@example.com" {
			t.Errorf("from %s to %v", s.from, s.to)
		}
		read, err := mail.ReadMessage(strings.NewReader(s.mails[0]))
		s.mu.Unlock()
		if err != nil {
			t.Fatal(err)
		}
		subject, err := new(mime.WordDecoder).DecodeHeader(read.Header.Get("Subject"))
		if err != nil || subject != "Prüfung Bcc: everybody@example.com owned [smt2]" {
			t.Errorf("subject %q, %v", subject, err)
		}
		if read.Header.Get("Bcc") != "" || read.Header.Get("Message-Id") != ids[0] || ids[0] != ids[1] || !strings.HasSuffix(ids[0], "@example.com>") {
			t.Errorf("%v, ids %v", read.Header, ids)
		}
		parts := partsOf(t, read.Header.Get("Content-Type"), read.Body)
		if !strings.Contains(parts["text/plain"], "Verdict: fail") || !strings.Contains(parts["text/html"], "cid:picture") || parts["image/jpeg"] == "" {
			t.Errorf("parts %v", parts)
		}
	}
}

// partsOf gives the parts of a mail by type, undecoded.
func partsOf(t *testing.T, kind string, body io.Reader) map[string]string {
	t.Helper()
	media, params, err := mime.ParseMediaType(kind)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(media, "multipart/") {
		b, _ := io.ReadAll(body)
		return map[string]string{media: string(b)}
	}
	out := map[string]string{}
	for r := multipart.NewReader(body, params["boundary"]); ; {
		p, err := r.NextPart()
		if errors.Is(err, io.EOF) {
			return out
		} else if err != nil {
			t.Fatal(err)
		}
		for k, v := range partsOf(t, p.Header.Get("Content-Type"), p) {
			out[k] = v
		}
	}
}

func TestEmailRefusals(t *testing.T) {
	for _, c := range []struct {
		name      string
		change    func(s *mailServer, e *Email)
		permanent bool
		words     string
	}{
		{"password", func(_ *mailServer, e *Email) { e.PasswordFile = file(t, "p", "wrong-horse") }, true, "refused user or password (535)"},
		{"busy", func(s *mailServer, _ *Email) { s.refuse = &smtp.SMTPError{Code: 451, Message: "later " + mailPassword} }, false, "not now, it says (451)"},
		{"sender", func(s *mailServer, _ *Email) { s.refuse = &smtp.SMTPError{Code: 553, Message: "no " + mailPassword} }, true, "refused the mail (553)"},
		{"receiver", func(_ *mailServer, e *Email) { e.To = []string{"nobody@example.com"} }, true, "refused the mail (550)"},
		{"authority", func(_ *mailServer, e *Email) { e.CAFile = "" }, false, "certificate is not trusted"},
		{"nobody", func(_ *mailServer, e *Email) { e.Server = "127.0.0.1:1" }, false, "refused"},
		{"plain", func(_ *mailServer, e *Email) { e.Security = securityTLS }, false, "mail"},
		{"no file", func(_ *mailServer, e *Email) { e.PasswordFile = "/nowhere/password" }, false, "/nowhere/password"},
	} {
		s := newMail(t, false)
		ch := s.channel(t, securityStartTLS)
		c.change(s, ch.Email)
		_, err := open(t, ch).Send(t.Context(), message(1))
		var e *Error
		if err == nil || !as(err, &e) || e.Permanent() != c.permanent || c.name != "plain" && !strings.Contains(err.Error(), c.words) {
			t.Errorf("%s: %v", c.name, err)
		}
		hides(t, err, mailPassword, "wrong-horse")
	}
}
