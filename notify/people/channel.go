package people

import (
	"cmp"
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// A Channel is a way to people: its file, NAME.yaml, which never changes while
// the appliance runs. Secrets are in files of their own, read at every message.
type Channel struct {
	Slack   *Slack   `yaml:"slack"`
	Webhook *Webhook `yaml:"webhook"`
	Email   *Email   `yaml:"email"`

	Layout    string `yaml:"layout"`    // v1
	Templates string `yaml:"templates"` // folder of templates in place of the built-in ones; empty: none
	Picture   bool   `yaml:"picture"`   // show the board, where the channel can

	Group  Group  `yaml:"group"`
	Quiet  Quiet  `yaml:"quiet"`
	Remind Remind `yaml:"remind"`
}

// Slack is an incoming webhook, or an app with its bot token.
type Slack struct {
	URLFile   string `yaml:"url_file"`   // first line: the incoming webhook's URL, a secret
	TokenFile string `yaml:"token_file"` // first line: the bot token, a secret
	Channel   string `yaml:"channel"`    // with the token: ID, or name of a public channel
	API       string `yaml:"api"`        // with the token: where Slack's methods are
}

// Webhook is any address that takes JSON.
type Webhook struct {
	URL         string            `yaml:"url"`
	URLFile     string            `yaml:"url_file"` // first line: the URL, if it is a secret
	Headers     map[string]string `yaml:"headers"`
	HeaderFiles map[string]string `yaml:"header_files"` // name: the file whose first line is the value
	SecretFile  string            `yaml:"secret_file"`  // first line: what messages are signed with; empty: they are not
	CloudEvents string            `yaml:"cloudevents"`  // none, structured, binary
}

// Email is mail by SMTP.
type Email struct {
	Server       string   `yaml:"server"`   // HOST:PORT
	Security     string   `yaml:"security"` // starttls, tls, none
	CAFile       string   `yaml:"ca_file"`  // PEM of the server's authority; empty: the system's
	Username     string   `yaml:"username"`
	PasswordFile string   `yaml:"password_file"` // first line
	From         string   `yaml:"from"`
	To           []string `yaml:"to"`
	ReplyTo      string   `yaml:"reply_to"`
}

// Group says how messages are gathered: the first goes at once, those that
// come before Every is over go together.
type Group struct {
	Every time.Duration `yaml:"every"`
	By    string        `yaml:"by"` // sections of a digest: severity, recipe, defect, rule
}

// Remind says how long people are told of a board again, until somebody
// acknowledges it or decides.
type Remind struct {
	Every time.Duration `yaml:"every"` // 0: never
	Times int           `yaml:"times"` // at most
}

// Envelopes of CloudEvents.
const (
	envelopeNone       = "none"
	envelopeStructured = "structured"
	envelopeBinary     = "binary"
)

// How a mail server is spoken to.
const (
	securityStartTLS = "starttls"
	securityTLS      = "tls"
	securityNone     = "none"
)

// Default is a channel of which the file says nothing yet.
func Default() Channel {
	return Channel{Layout: V1, Picture: true, Group: Group{Every: 5 * time.Minute, By: BySeverity}, Quiet: Quiet{Zone: "Local", Except: []Severity{Trouble}}, Remind: Remind{Times: 10}}
}

// Kind is slack, webhook or email.
func (c Channel) Kind() string {
	switch {
	case c.Slack != nil:
		return "slack"
	case c.Webhook != nil:
		return "webhook"
	}
	return "email"
}

// A report takes what is wrong, and with which key.
type report func(key, problem string)

func (r report) want(ok bool, key, format string, args ...any) {
	if !ok {
		r(key, fmt.Sprintf(format, args...))
	}
}

// Faults says everything that is wrong with the channel, its templates included.
func (c Channel) Faults(report func(key, problem string)) { c.faults(report) }

func (c Channel) faults(r report) {
	kinds := 0
	for _, is := range []bool{c.Slack != nil, c.Webhook != nil, c.Email != nil} {
		if is {
			kinds++
		}
	}
	r.want(kinds == 1, "slack", "want exactly one of slack, webhook, email; have %d", kinds)
	if c.Slack != nil {
		c.Slack.faults(r)
	}
	if c.Webhook != nil {
		c.Webhook.faults(r)
	}
	if c.Email != nil {
		c.Email.faults(r)
	}
	if _, err := builtInLayout(c.Layout); err != nil {
		r("layout", err.Error())
	} else if _, err := OpenLayout(c.Layout, c.Templates); err != nil {
		for l := range strings.SplitSeq(err.Error(), "\n") {
			r("templates", l)
		}
	}
	g := c.Group
	r.want(g.Every == 0 || g.Every >= time.Second && g.Every <= 24*time.Hour, "group.every", "%v is not within 1s to 24h, nor 0 for every message by itself", g.Every)
	r.oneOf("group.by", g.By, BySeverity, ByRecipe, ByDefect, ByRule)
	c.Quiet.faults(r)
	r.want(c.Remind.Every == 0 || c.Remind.Every >= time.Minute && c.Remind.Every <= 7*24*time.Hour, "remind.every", "%v is not within 1m to 168h, nor 0 for never", c.Remind.Every)
	r.want(c.Remind.Times >= 1 && c.Remind.Times <= 1000, "remind.times", "%d is not within 1 to 1000", c.Remind.Times)
}

func (r report) oneOf(key, have string, allowed ...string) {
	r.want(slices.Contains(allowed, have), key, "%q is unknown; want one of %s", have, strings.Join(allowed, ", "))
}

func (s Slack) faults(r report) {
	r.want((s.URLFile == "") != (s.TokenFile == ""), "slack", "want url_file (an incoming webhook) or token_file (a bot token), one of both")
	r.want(s.TokenFile == "" || channelForm.MatchString(s.Channel), "slack.channel", "%q is no ID such as C0123456789, nor a name such as #line1", s.Channel)
	r.want(s.TokenFile != "" || s.Channel == "", "slack.channel", "an incoming webhook has its channel; leave it out, or use token_file")
	r.want(s.API == "" || s.TokenFile != "", "slack.api", "it is for token_file only")
	r.want(s.API == "" || safeURL(s.API) == nil, "slack.api", "%v", safeURL(s.API))
}

var channelForm = regexp.MustCompile(`^(#?[\p{L}\p{N}_-]{1,80})$`)

func (w Webhook) faults(r report) {
	r.want((w.URL == "") != (w.URLFile == ""), "webhook", "want url or url_file, one of both")
	if w.URL != "" {
		err := safeURL(w.URL)
		r.want(err == nil, "webhook.url", "%v", err)
	}
	for name, value := range w.Headers {
		_, twice := w.HeaderFiles[name]
		r.want(headerForm.MatchString(name) && !twice && !strings.ContainsFunc(value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }),
			"webhook.headers", "%q: want a name of letters, digits and - that is not in header_files, too, and a value of one line", name)
	}
	for name, file := range w.HeaderFiles {
		r.want(headerForm.MatchString(name) && file != "", "webhook.header_files", "%q: want a name of letters, digits and -, and a file", name)
	}
	r.oneOf("webhook.cloudevents", cmp.Or(w.CloudEvents, envelopeNone), envelopeNone, envelopeStructured, envelopeBinary)
}

var headerForm = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

// safeURL wants https, or http to this machine. It does not show the address.
func safeURL(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Hostname() == "":
		return fmt.Errorf("it is not a URL such as https://HOST/PATH")
	case u.Scheme != "https" && (u.Scheme != "http" || !thisMachine(u.Hostname())):
		return fmt.Errorf("scheme %q: want https (http only to this machine)", u.Scheme)
	case u.User != nil:
		return fmt.Errorf("take user and password out of the address; put an Authorization header into a file (header_files)")
	}
	return nil
}

func thisMachine(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (e Email) faults(r report) {
	host, port, err := net.SplitHostPort(e.Server)
	r.want(err == nil && host != "" && port != "", "email.server", "%q is not HOST:PORT, such as smtp.example.com:587", e.Server)
	security := cmp.Or(e.Security, securityStartTLS)
	r.oneOf("email.security", security, securityStartTLS, securityTLS, securityNone)
	r.want(security != securityNone || thisMachine(host), "email.security", "none is for a server on this machine only: others would read along")
	r.want((e.Username == "") == (e.PasswordFile == ""), "email.username", "username and password_file go together")
	r.want(security != securityNone || e.Username == "", "email.username", "a password goes over an encrypted connection only: starttls or tls")
	for _, a := range []struct{ key, address string }{{"email.from", e.From}, {"email.reply_to", e.ReplyTo}} {
		if a.key == "email.reply_to" && a.address == "" {
			continue
		}
		r.want(addressForm(a.address), a.key, "%q is no address of mail", a.address)
	}
	r.want(len(e.To) > 0 && len(e.To) <= 50, "email.to", "want 1 to 50 addresses, have %d", len(e.To))
	for _, to := range e.To {
		r.want(addressForm(to), "email.to", "%q is no address of mail", to)
	}
}

func addressForm(s string) bool {
	_, err := mail.ParseAddress(s)
	return err == nil && !strings.ContainsAny(s, "\r\n")
}
