package people

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"time"
	"unicode/utf8"
)

//go:embed templates
var builtIn embed.FS

// The templates of a layout, by the names of their files.
const (
	slackFile   = "slack.tmpl"      // mrkdwn of Slack
	subjectFile = "subject.tmpl"    // one line
	textFile    = "email.txt.tmpl"  // plain text
	htmlFile    = "email.html.tmpl" // HTML
	webhookFile = "webhook.tmpl"    // JSON; there is none unless somebody writes it
)

// files are all of them.
func files() []string { return []string{slackFile, subjectFile, textFile, htmlFile, webhookFile} }

// maxRendered bounds what a template may give, in bytes.
const maxRendered = 256 << 10

// A Layout makes texts of messages. It never changes.
type Layout struct {
	own   map[string]executor // by file
	basis *Layout             // takes over where own fails; nil: this is the built-in one
}

type executor interface {
	Execute(w io.Writer, data any) error
}

// OpenLayout gives the built-in layout of a version, less those of its
// templates that a folder has a file for; empty is no folder. Each is tried: the
// error lists everything that is wrong.
func OpenLayout(version, dir string) (*Layout, error) {
	basis, err := builtInLayout(version)
	if err != nil || dir == "" {
		return basis, err
	}
	l := &Layout{own: map[string]executor{}, basis: basis}
	found, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("%w; create the folder or leave it out", err)
	}
	var errs []error
	for _, f := range found {
		name := f.Name()
		if !strings.HasSuffix(name, ".tmpl") {
			continue
		}
		if !slices.Contains(files(), name) {
			errs = append(errs, fmt.Errorf("%s: it is no template of the layout; want one of %s", filepath.Join(dir, name), strings.Join(files(), ", ")))
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			l.own[name], err = parse(name, string(text))
		}
		if err == nil {
			err = l.try(name)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", filepath.Join(dir, name), err))
		}
	}
	return l, errors.Join(errs...)
}

func builtInLayout(version string) (*Layout, error) {
	l := &Layout{own: map[string]executor{}}
	for _, name := range files() {
		text, err := builtIn.ReadFile("templates/" + version + "/" + name)
		if name == webhookFile && err != nil {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("layout %q is unknown; want %s", version, V1)
		}
		if l.own[name], err = parse(name, string(text)); err != nil {
			return nil, fmt.Errorf("layout %s: %s: %w", version, name, err)
		}
	}
	return l, nil
}

// parse compiles a template. That of HTML escapes what it is given by itself;
// the others are given what is escaped already.
func parse(name, text string) (executor, error) {
	functions := map[string]any{"time": clock, "percent": percent, "upper": strings.ToUpper, "json": jsonOf}
	if name == htmlFile {
		return htmltemplate.New(name).Funcs(functions).Option("missingkey=error").Parse(text)
	}
	return template.New(name).Funcs(functions).Option("missingkey=error").Parse(text)
}

// clock is a time for people, where the appliance is.
func clock(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05 MST") }

func percent(f float64) string { return fmt.Sprintf("%.0f %%", 100*f) }

// jsonOf is v as JSON, for templates of it.
func jsonOf(v any) (string, error) {
	b, err := json.Marshal(v)
	return string(b), err
}

// try has the template lay out the fullest messages.
func (l *Layout) try(name string) error {
	for _, m := range samples() {
		out, err := l.render(name, m)
		if err != nil {
			return err
		}
		if name == webhookFile && !json.Valid([]byte(out)) {
			return errors.New("it gives no JSON")
		}
		if strings.TrimSpace(out) == "" {
			return fmt.Errorf("it gives nothing for a %s", m.Kind)
		}
	}
	return nil
}

// text lays out the message. Where a template of the folder fails, the built-in
// one takes over: a message that looks plain is better than none.
func (l *Layout) text(name string, m Message) (string, error) {
	if l.own[name] != nil {
		out, err := l.render(name, m)
		if err == nil || l.basis == nil {
			return out, err
		}
	}
	return l.basis.text(name, m)
}

// has reports whether there is such a template.
func (l *Layout) has(name string) bool {
	return l.own[name] != nil || l.basis != nil && l.basis.has(name)
}

func (l *Layout) render(name string, m Message) (string, error) {
	escape := func(s string) string { return s }
	switch name {
	case slackFile:
		escape = slackEscape
	case webhookFile:
		escape = jsonEscape
	}
	out := &bounded{left: maxRendered}
	if err := l.own[name].Execute(out, escaped(m, escape)); err != nil {
		return "", err
	}
	return strings.ToValidUTF8(out.String(), "\uFFFD"), nil
}

// A bounded buffer takes so many bytes and no more.
type bounded struct {
	bytes.Buffer
	left int
}

func (b *bounded) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, fmt.Errorf("it gives more than %d KiB", maxRendered>>10)
	}
	return b.Buffer.Write(p)
}

// slackEscape makes text in which Slack sees no links, mentions or calls to a
// channel.
func slackEscape(s string) string { return slackSigns.Replace(s) }

var (
	slackSigns = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	linkSigns  = strings.NewReplacer("|", "%7C", "<", "%3C", ">", "%3E", "\"", "%22")
)

// jsonEscape is a text as it stands between the quotes of a string of JSON.
func jsonEscape(s string) string {
	b, _ := json.Marshal(s) // texts encode
	return string(b[1 : len(b)-1])
}

// Subject is the message in one line of at most 200 characters, without
// anything that could end the line.
func (l *Layout) Subject(m Message) (string, error) {
	s, err := l.text(subjectFile, m)
	return line(s, 200), err
}

// Text is the message as plain text.
func (l *Layout) Text(m Message) (string, error) { return l.text(textFile, m) }

// HTML is the message as a page.
func (l *Layout) HTML(m Message) (string, error) { return l.text(htmlFile, m) }

// JSON is the message for machines: itself, or what the folder's template says.
func (l *Layout) JSON(m Message) ([]byte, error) {
	if l.has(webhookFile) {
		if out, err := l.render(webhookFile, m); err == nil && json.Valid([]byte(out)) {
			return []byte(out), nil
		}
	}
	return json.Marshal(m)
}

// sections is the message in Slack's markup, in parts that Slack takes.
func (l *Layout) sections(m Message) ([]string, error) {
	text, err := l.text(slackFile, m)
	if err != nil {
		return nil, err
	}
	return cutMarkup(text, 2900, 4), nil
}

// cutMarkup splits a text at line ends into at most parts of at most n
// characters; what is longer ends with …, never within &amp; or <link>.
func cutMarkup(text string, n, parts int) (out []string) {
	part := ""
	for l := range strings.Lines(strings.TrimSpace(text)) {
		if utf8.RuneCountInString(l) > n {
			l = string([]rune(l)[:n-1])
			for _, pair := range []string{"<>", "&;"} {
				if at := strings.LastIndexByte(l, pair[0]); at >= 0 && strings.IndexByte(l[at:], pair[1]) < 0 {
					l = l[:at]
				}
			}
			l += "…"
		}
		if part != "" && utf8.RuneCountInString(part)+utf8.RuneCountInString(l) > n {
			if out = append(out, part); len(out) == parts {
				return out
			}
			part = ""
		}
		part += l
	}
	return append(out, part)
}
