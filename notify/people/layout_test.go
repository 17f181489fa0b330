package people

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"inspector"
)

func builtInTest(t *testing.T) *Layout {
	t.Helper()
	l, err := OpenLayout(V1, "")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// evil is a board whose every text wants to be more than text.
func evil() Message {
	const s = "<!channel> <http://evil.example|click> </td><script>alert(1)</script> & \"q\"\r\nBcc: all@example.com"
	i := failed(1)
	i.Serial, i.Recipe, i.Reason, i.Model, i.Defects[0].Class = s, s, s, s, s
	m := OfBoard(i, "k", page)
	m.Links = append(m.Links, Link{"x|y>", "javascript:alert(1)"}, Link{"ok", "https://h/a|b>c\"d"})
	return DigestOf([]Message{m, m}, ByDefect, page).with(m)
}

// with puts the board of another message beside a digest: all parts at once.
func (m Message) with(o Message) Message {
	m.Board, m.What, m.Links, m.Facts = o.Board, o.What, o.Links, []Fact{{"<b>", "<!here>"}}
	return m
}

func TestEscaping(t *testing.T) {
	l, m := builtInTest(t), evil()
	sections, err := l.sections(m)
	if err != nil {
		t.Fatal(err)
	}
	markup := strings.Join(sections, "\n")
	for _, never := range []string{"<!", "<http://evil", "<script", "javascript:"} {
		if strings.Contains(markup, never) {
			t.Errorf("Slack sees %q in %s", never, markup)
		}
	}
	if !strings.Contains(markup, "&lt;!channel&gt;") || !strings.Contains(markup, "<http://192.0.2.10:8080/#inspector1-5f3a9c01-1|Board") {
		t.Errorf("neither text nor link is there: %s", markup)
	}
	page, err := l.HTML(m)
	if err != nil || strings.Contains(page, "<script") || strings.Contains(page, "javascript:") || strings.Contains(page, "<!channel") {
		t.Errorf("%v: %s", err, page)
	}
	subject, err := l.Subject(m)
	if err != nil || strings.ContainsAny(subject, "\r\n") || len([]rune(subject)) > 200 {
		t.Errorf("%v: %q", err, subject)
	}
	b, err := blocks(l, m)
	if err != nil {
		t.Fatal(err)
	}
	text, _ := json.Marshal(b)
	if strings.Contains(string(text), "javascript:") || strings.Contains(string(text), `<!`) {
		t.Errorf("%s", text)
	}
}

func TestCutMarkup(t *testing.T) {
	for _, c := range []struct {
		text  string
		n, of int
		want  []string
	}{
		{"short", 10, 2, []string{"short"}},
		{"one\ntwo\nthree", 8, 2, []string{"one\ntwo\n", "three"}},
		{"one\ntwo\nthree\nfour", 5, 2, []string{"one\n", "two\n"}},
		{"aaaa&amp;aaaaaaa", 8, 2, []string{"aaaa…"}},
		{"aa <http://x|y> z", 8, 2, []string{"aa …"}},
		{"aa <http://x?a&amp;b|y> z", 20, 2, []string{"aa …"}},
		{"aa <x> &amp; bbbbbbbb", 14, 2, []string{"aa <x> &amp; …"}},
	} {
		if got := cutMarkup(c.text, c.n, c.of); strings.Join(got, "§") != strings.Join(c.want, "§") {
			t.Errorf("%q: %q; want %q", c.text, got, c.want)
		}
	}
}

func TestOwnTemplates(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(slackFile, `:warning: {{.Title}} {{range .Links}}<{{.URL}}|{{.Title}}> {{end}}`)
	write(webhookFile, `{"text": "{{.Title}}", "board": {{json .Board}}}`)
	write("README", "not a template")
	l, err := OpenLayout(V1, dir)
	if err != nil {
		t.Fatal(err)
	}
	m := message(1)
	m.Title = `<!here> "quoted"`
	if got, err := l.sections(m); err != nil || got[0] != `:warning: &lt;!here&gt; "quoted" <http://192.0.2.10:8080/#inspector1-5f3a9c01-1|Review> <http://192.0.2.10:8080/api/v1/inspections/inspector1-5f3a9c01-1/evidence/overlay|Picture>` {
		t.Errorf("%q, %v", got, err)
	}
	var own struct {
		Text  string
		Board Board
	}
	if b, err := l.JSON(m); err != nil || json.Unmarshal(b, &own) != nil || own.Text != m.Title {
		t.Errorf("%s, %v", b, err)
	}
	if text, err := l.Text(m); err != nil || !strings.Contains(text, "Verdict: fail") {
		t.Errorf("the built-in text: %v", err)
	}
	for name, bad := range map[string][2]string{
		"syntax":  {slackFile, "{{.Title"},
		"field":   {slackFile, "{{.Nothing}}"},
		"empty":   {textFile, "  "},
		"no JSON": {webhookFile, "{{.Title}}"},
		"endless": {htmlFile, `{{define "a"}}xxxxxxxxxxxxxxxx{{template "a" .}}{{end}}{{template "a" .}}`},
		"unknown": {"sms.tmpl", "x"},
	} {
		dir = t.TempDir()
		write(bad[0], bad[1])
		if _, err := OpenLayout(V1, dir); err == nil || !strings.Contains(err.Error(), bad[0]) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := OpenLayout("v9", ""); err == nil || !strings.Contains(err.Error(), "v1") {
		t.Errorf("layout v9: %v", err)
	}
}

// A template that fails on one message gives way to the built-in one.
func TestTemplateGivesWay(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, textFile), []byte(`{{if eq .Title "boom"}}{{index .Links 99}}{{end}}own`), 0o600); err != nil {
		t.Fatal(err)
	}
	l, err := OpenLayout(V1, dir)
	if err != nil {
		t.Fatal(err)
	}
	m := Test(inspector.Station{}, "line", "k", "", failed(1).At)
	if text, err := l.Text(m); err != nil || text != "own" {
		t.Errorf("%q, %v", text, err)
	}
	m.Title = "boom"
	if text, err := l.Text(m); err != nil || !strings.HasPrefix(text, "boom") {
		t.Errorf("%q, %v", text, err)
	}
}
