package web

import (
	"bytes"
	"errors"
	"mime/multipart"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"inspector"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// statusOf is the code of the answer to err, 0 for none.
func statusOf(err error) int {
	if err == nil {
		return 0
	}
	return diagnose(err).Status
}

func TestParseQuery(t *testing.T) {
	for in, want := range map[string]struct {
		q    Query
		code int
	}{
		"":                                   {Query{Limit: 50}, 0},
		"verdict=fail&recipe=a&limit=1":      {Query{Verdict: inspector.Fail, Recipe: "a", Limit: 1}, 0},
		"before=aoi-00000001-7&limit=500":    {Query{Before: "aoi-00000001-7", Limit: 500}, 0},
		"verdict=good":                       {Query{}, 400},
		"verdict=PASS":                       {Query{}, 400},
		"limit=0":                            {Query{}, 400},
		"limit=501":                          {Query{}, 400},
		"limit=1e2":                          {Query{}, 400},
		"limit=99999999999999999999":         {Query{}, 400},
		"verdit=fail":                        {Query{}, 400},
		"verdict=fail&verdict=pass":          {Query{}, 400},
		"recipe=%00":                         {Query{}, 400},
		"recipe=" + strings.Repeat("x", 201): {Query{}, 400},
	} {
		v, err := url.ParseQuery(in)
		if err != nil {
			t.Fatal(err)
		}
		q, err := parseQuery(v)
		if statusOf(err) != want.code || (err == nil && q != want.q) {
			t.Errorf("%q: %+v, %v; want %+v, %d", in, q, err, want.q, want.code)
		}
	}
}

func TestParseTrigger(t *testing.T) {
	for in, want := range map[string]int{
		``:                                     0,
		`{}`:                                   0,
		`{"request":"r1","serial":"ünï-1"}`:    0,
		`{"request":"r1","Serial":"s"}` + "\n": 0,
		`null`:                                 0,
		`{`:                                    400,
		`[]`:                                   400,
		`{"request":7}`:                        400,
		`{"requests":"r"}`:                     400,
		`{} {}`:                                400,
		`{} x`:                                 400,
		`{"serial":"a\nb"}`:                    400,
		"{\"serial\":\"\xff\"}":                400,
		`{"serial":"` + strings.Repeat("x", 201) + `"}`: 400,
	} {
		if tr, err := parseTrigger(strings.NewReader(in), noon); statusOf(err) != want {
			t.Errorf("%q: %+v, %v; want %d", in, tr, err, want)
		}
	}
	got, err := parseTrigger(strings.NewReader(`{"request":"r1","serial":"s1","recipe":"bare"}`), noon)
	if want := (inspector.Trigger{Source: "http", Request: "r1", Serial: "s1", Recipe: "bare", At: noon}); got != want || err != nil {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
}

func TestParseDisposition(t *testing.T) {
	for in, want := range map[string]int{
		`{"decision":"scrap","by":"Ana"}`:                       0,
		`{"decision":"release","by":"Ana","note":"two\nlines"}`: 0,
		``:                                     400,
		`{"decision":"scrap"}`:                 400,
		`{"decision":"scrap","by":"  "}`:       400,
		`{"decision":"keep","by":"Ana"}`:       400,
		`{"decision":"Scrap","by":"Ana"}`:      400,
		`{"decision":"scrap","by":"A\u0007"}`:  400,
		`{"decision":"scrap","by":"A","at":1}`: 400,
		`{"decision":"scrap","by":"A","note":"` + strings.Repeat("n", 2001) + `"}`: 400,
	} {
		if d, err := parseDisposition(strings.NewReader(in), noon); statusOf(err) != want {
			t.Errorf("%q: %+v, %v; want %d", in, d, err, want)
		}
	}
}

func TestParseAcknowledgement(t *testing.T) {
	for in, want := range map[string]int{
		`{"by":"Ana"}`: 0, `{"by":" Ana "}`: 0,
		``: 400, `{}`: 400, `{"by":"  "}`: 400, `{"by":"A\u0007"}`: 400, `{"by":"A","at":1}`: 400, `{"by":1}`: 400, `[]`: 400,
		`{"by":"` + strings.Repeat("n", 300) + `"}`: 400,
	} {
		a, err := parseAcknowledgement(strings.NewReader(in), noon)
		if statusOf(err) != want || want == 0 && (a != inspector.Acknowledgement{By: "Ana", At: noon.UTC()}) {
			t.Errorf("%q: %+v, %v; want %d", in, a, err, want)
		}
	}
}

func TestParsePause(t *testing.T) {
	for in, want := range map[string]int{
		`{"paused":true,"by":"Ana"}`: 0, `{"paused":false,"by":" Ana ","reason":"done"}`: 0,
		``: 400, `{}`: 400, `{"by":"Ana"}`: 400, `{"paused":1,"by":"Ana"}`: 400, `{"paused":true}`: 400, `{"paused":true,"by":"A\u0007"}`: 400, `{"paused":true,"by":"A","at":1}`: 400,
	} {
		p, err := parsePause(strings.NewReader(in))
		if statusOf(err) != want || want == 0 && p.By != "Ana" {
			t.Errorf("%q: %+v, %v; want %d", in, p, err, want)
		}
	}
}

// form is a multipart body of name, value pairs and its type.
func form(t testing.TB, fields ...string) (string, string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for i := 0; i+1 < len(fields); i += 2 {
		if err := w.WriteField(fields[i], fields[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String(), w.FormDataContentType()
}

func TestUpload(t *testing.T) {
	whole, kind := form(t, "serial", "s1", "image", "JPEG", "recipe", "r")
	strange, strangeKind := form(t, "picture", "JPEG")
	long, longKind := form(t, "serial", strings.Repeat("s", 300), "image", "JPEG")
	for name, c := range map[string]struct {
		query, kind, body string
		headers           []string
		want              inspector.Trigger
		code              int
	}{
		"plain":               {kind: "image/jpeg", body: "JPEG"},
		"with a parameter":    {kind: "image/png; x=y", body: "JPEG"},
		"bytes":               {kind: "application/octet-stream", body: "JPEG"},
		"query":               {query: "serial=a&recipe=b&request=c", kind: "image/jpeg", body: "JPEG", want: inspector.Trigger{Serial: "a", Recipe: "b", Request: "c"}},
		"headers":             {kind: "image/jpeg", body: "JPEG", headers: []string{"X-Serial", "a", "X-Recipe", "b", "Idempotency-Key", "c"}, want: inspector.Trigger{Serial: "a", Recipe: "b", Request: "c"}},
		"query over header":   {query: "serial=a", kind: "image/jpeg", body: "JPEG", headers: []string{"X-Serial", "b"}, want: inspector.Trigger{Serial: "a"}},
		"form":                {kind: kind, body: whole, want: inspector.Trigger{Serial: "s1", Recipe: "r"}},
		"query over form":     {query: "serial=a", kind: kind, body: whole, want: inspector.Trigger{Serial: "a", Recipe: "r"}},
		"empty":               {kind: "image/jpeg", code: 422},
		"form cut short":      {kind: kind, body: whole[:len(whole)/2], code: 422}, // before the picture
		"picture cut short":   {kind: kind, body: whole[:strings.Index(whole, "JPEG")+3], code: 400},
		"form without bounds": {kind: "multipart/form-data", body: whole, code: 400},
		"unknown field":       {kind: strangeKind, body: strange, code: 400},
		"long field":          {kind: longKind, body: long, code: 400},
		"unknown parameter":   {query: "seriel=a", kind: "image/jpeg", body: "JPEG", code: 400},
		"no type":             {body: "JPEG", code: 415},
		"text":                {kind: "text/plain", body: "JPEG", code: 415},
		"bad serial":          {kind: "image/jpeg", body: "JPEG", headers: []string{"X-Serial", "a\x7f"}, code: 400},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/api/v1/inspections?"+c.query, strings.NewReader(c.body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", c.kind)
			for i := 0; i+1 < len(c.headers); i += 2 {
				r.Header.Set(c.headers[i], c.headers[i+1])
			}
			picture, got, err := upload(r, noon)
			if statusOf(err) != c.code {
				t.Fatalf("%v; want %d", err, c.code)
			}
			c.want.Source, c.want.At = "http", noon
			if err == nil && (string(picture) != "JPEG" || got != c.want) {
				t.Errorf("%q, %+v; want %+v", picture, got, c.want)
			}
		})
	}
}

func TestDiagnoseTellsWhatToDo(t *testing.T) {
	for _, err := range []error{ErrNotFound, ErrConflict, ErrPicture, ErrUnavailable, errors.New("x"), &http.MaxBytesError{Limit: 3}} {
		p := diagnose(errors.Join(errors.New("while asking"), err))
		if p.Remedy == "" || p.Title == "" || p.Status < 400 || p.Detail == "" {
			t.Errorf("%v: %+v", err, p)
		}
	}
}

func FuzzParseTrigger(f *testing.F) {
	for _, s := range []string{``, `{}`, `{"request":"r","serial":"s","recipe":"x"}`, `{"serial":"\u0000"}`, `{} {}`, "{\"serial\":\"\xff\"}"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		tr, err := parseTrigger(bytes.NewReader(in), noon)
		if err != nil {
			if p := diagnose(err); p.Status != http.StatusBadRequest {
				t.Fatalf("%q: %d %v", in, p.Status, err)
			}
			return
		}
		for _, s := range []string{tr.Request, tr.Serial, tr.Recipe} {
			if len(s) > maxName || !utf8.ValidString(s) || strings.ContainsAny(s, "\x00\n\r\x1b") {
				t.Fatalf("let %q in", s)
			}
		}
	})
}

func FuzzParseQuery(f *testing.F) {
	f.Add("verdict=fail&recipe=a&before=x-00000000-1&limit=10")
	f.Add("limit=-1&limit=2;a=b")
	f.Fuzz(func(t *testing.T, in string) {
		v, err := url.ParseQuery(in)
		if err != nil {
			return
		}
		q, err := parseQuery(v)
		if err != nil {
			if p := diagnose(err); p.Status != http.StatusBadRequest {
				t.Fatalf("%q: %d %v", in, p.Status, err)
			}
			return
		}
		if q.Limit < 1 || q.Limit > 500 || len(q.Recipe) > maxName || len(q.Before) > maxName {
			t.Fatalf("%q: let %+v in", in, q)
		}
		if again, err := parseQuery(v); err != nil || !reflect.DeepEqual(q, again) {
			t.Fatalf("%q: %+v, then %+v, %v", in, q, again, err)
		}
	})
}

func FuzzUpload(f *testing.F) {
	body, kind := form(f, "image", "JPEG", "serial", "s")
	f.Add(kind, []byte(body))
	f.Add("image/jpeg", []byte("JPEG"))
	f.Add("multipart/form-data; boundary=", []byte("--\r\n\r\n"))
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/api/v1/inspections", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", kind)
		picture, tr, err := upload(r, noon)
		if err != nil {
			if p := diagnose(err); p.Status < 400 || p.Status >= 500 {
				t.Fatalf("our fault? %d %v", p.Status, err)
			}
			return
		}
		if len(picture) == 0 || len(picture) > len(body) || len(tr.Serial) > maxName {
			t.Fatalf("let in %d bytes of %d, %+v", len(picture), len(body), tr)
		}
	})
}

func FuzzParseAcknowledgement(f *testing.F) {
	f.Add([]byte(`{"by":"Ana"}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		a, err := parseAcknowledgement(bytes.NewReader(in), noon)
		if err == nil && (a.By == "" || len(a.By) > maxName || !a.At.Equal(noon)) {
			t.Fatalf("%q: let %+v in", in, a)
		}
	})
}

func FuzzParseDisposition(f *testing.F) {
	f.Add([]byte(`{"decision":"scrap","by":"Ana","note":"n"}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		d, err := parseDisposition(bytes.NewReader(in), noon)
		if err == nil && (d.By == "" || len(d.Note) > maxNote || d.At != noon) {
			t.Fatalf("%q: let %+v in", in, d)
		}
	})
}
