package web

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"inspector"
)

// Everything in this file reads what strangers send.

const (
	maxName = 200  // bytes of a serial, recipe, request, person
	maxNote = 2000 // bytes of a note
)

func wrong(remedy, format string, args ...any) *problem {
	return bad(http.StatusBadRequest, remedy, format, args...)
}

// plain refuses what does not belong in a name.
func plain(what, v string, limit int) error {
	if len(v) > limit || strings.ContainsFunc(v, func(r rune) bool { return unicode.IsControl(r) || r == unicode.ReplacementChar }) {
		return wrong("shorten it, and leave out control characters", "%s: want at most %d bytes of printable UTF-8", what, limit)
	}
	return nil
}

// only refuses parameters that would silently do nothing.
func only(v url.Values, known ...string) error {
	for name, values := range v {
		if !slices.Contains(known, name) {
			return wrong("use only "+strings.Join(known, ", "), "the parameter %q is not known here", name)
		}
		if len(values) > 1 {
			return wrong("give it once", "the parameter %q is given %d times", name, len(values))
		}
		if err := plain(name, values[0], maxName); err != nil {
			return err
		}
	}
	return nil
}

func parseLimit(v string) (int, error) {
	if v == "" {
		return 50, nil
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > 500 {
		return 0, wrong("ask for fewer, and go on with before=", "limit: want 1 to 500, have %q", v)
	}
	return n, nil
}

func parseQuery(v url.Values) (Query, error) {
	if err := only(v, "verdict", "recipe", "before", "limit"); err != nil {
		return Query{}, err
	}
	q := Query{Verdict: inspector.Verdict(v.Get("verdict")), Recipe: v.Get("recipe"), Before: v.Get("before")}
	switch q.Verdict {
	case "", inspector.Pass, inspector.Fail, inspector.Unsure:
	default:
		return Query{}, wrong("use one of them, or leave it out", "verdict: want pass, fail or unsure, have %q", q.Verdict)
	}
	var err error
	q.Limit, err = parseLimit(v.Get("limit"))
	return q, err
}

func parseExecutions(v url.Values) (q ExecutionQuery, err error) {
	if err := only(v, "status", "machine", "since", "until", "prefix", "page", "limit"); err != nil {
		return q, err
	}
	q = ExecutionQuery{Status: v.Get("status"), Machine: v.Get("machine"), Prefix: v.Get("prefix"), Page: v.Get("page")}
	if q.Status != "" && !slices.Contains([]string{"RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED", "PARKED"}, q.Status) {
		return q, wrong("use one of them, or leave it out", "status: want RUNNING, SUCCEEDED, FAILED, TIMED_OUT, ABORTED or PARKED, have %q", q.Status)
	}
	for name, into := range map[string]*time.Time{"since": &q.Since, "until": &q.Until} {
		if *into, err = parseTime(v.Get(name)); err != nil {
			return q, wrong("write it as 2026-03-04T05:06:07Z", "%s: want a time in RFC 3339, have %q", name, v.Get(name))
		}
	}
	q.Limit, err = parseLimit(v.Get("limit"))
	return q, err
}

func parseParked(v url.Values) (q ParkedQuery, err error) {
	if err := only(v, "target", "reason", "page", "limit"); err != nil {
		return q, err
	}
	q = ParkedQuery{Target: v.Get("target"), Reason: v.Get("reason"), Page: v.Get("page")}
	q.Limit, err = parseLimit(v.Get("limit"))
	return q, err
}

// parseTime reads a time; nothing is the zero time.
func parseTime(v string) (time.Time, error) {
	if v == "" {
		return time.Time{}, nil
	}
	return time.Parse(time.RFC3339, v)
}

// decode reads one JSON object into v: no unknown names, nothing after it.
func decode(r io.Reader, v any) error {
	d := json.NewDecoder(r)
	d.DisallowUnknownFields()
	err := d.Decode(v)
	if err == nil {
		if _, after := d.Token(); after == nil {
			err = errors.New("something follows the object")
		} else if !errors.Is(after, io.EOF) {
			err = after
		}
	}
	var tooBig *http.MaxBytesError
	if err != nil && !errors.Is(err, io.EOF) && !errors.As(err, &tooBig) {
		return wrong("send one JSON object as GET /api/v1/openapi.yaml describes it", "the body: %v", err)
	}
	return err
}

// parseTrigger reads the order for one verdict; an empty body is one, too.
func parseTrigger(r io.Reader, now time.Time) (inspector.Trigger, error) {
	var in struct{ Request, Serial, Recipe string }
	if err := decode(r, &in); err != nil && !errors.Is(err, io.EOF) {
		return inspector.Trigger{}, err
	}
	return newTrigger(in.Request, in.Serial, in.Recipe, now)
}

func newTrigger(request, serial, recipe string, now time.Time) (inspector.Trigger, error) {
	err := errors.Join(plain("request", request, maxName), plain("serial", serial, maxName), plain("recipe", recipe, maxName))
	return inspector.Trigger{Source: "http", Request: request, Serial: serial, Recipe: recipe, At: now}, err
}

// parseDisposition reads a person's decision.
func parseDisposition(r io.Reader, now time.Time) (inspector.Disposition, error) {
	var in struct{ Decision, By, Note string }
	if err := decode(r, &in); errors.Is(err, io.EOF) {
		return inspector.Disposition{}, wrong("send decision and by", "the body is empty")
	} else if err != nil {
		return inspector.Disposition{}, err
	}
	d := inspector.Disposition{Decision: in.Decision, By: strings.TrimSpace(in.By), Note: strings.TrimSpace(in.Note), At: now}
	switch {
	case !slices.Contains([]string{"scrap", "rework", "release"}, d.Decision):
		return d, wrong("use one of them", "decision: want scrap, rework or release, have %q", d.Decision)
	case d.By == "":
		return d, wrong("give the name of the person who decides", "by: a decision has a name under it")
	}
	return d, errors.Join(plain("by", d.By, maxName), plain("note", strings.NewReplacer("\n", " ", "\t", " ").Replace(d.Note), maxNote))
}

// parseAcknowledgement reads who has seen a board.
func parseAcknowledgement(r io.Reader, now time.Time) (inspector.Acknowledgement, error) {
	var in struct{ By string }
	if err := decode(r, &in); errors.Is(err, io.EOF) {
		return inspector.Acknowledgement{}, wrong("send by", "the body is empty")
	} else if err != nil {
		return inspector.Acknowledgement{}, err
	}
	a := inspector.Acknowledgement{By: strings.TrimSpace(in.By), At: now.UTC()}
	if a.By == "" {
		return a, wrong("give the name of the person who has seen the board", "by: an acknowledgement has a name under it")
	}
	return a, plain("by", a.By, maxName)
}

// upload reads a posted picture and what the asker says about it: the body is
// the picture, or a form with it in the field image. Query parameters go
// before form fields, those before headers.
func upload(r *http.Request, now time.Time) ([]byte, inspector.Trigger, error) {
	query := r.URL.Query()
	said := map[string]string{"serial": r.Header.Get("X-Serial"), "recipe": r.Header.Get("X-Recipe"), "request": r.Header.Get("Idempotency-Key")}
	if err := only(query, "serial", "recipe", "request"); err != nil {
		return nil, inspector.Trigger{}, err
	}
	kind, params, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	var picture []byte
	var err error
	switch kind {
	case "image/jpeg", "image/png", "application/octet-stream":
		picture, err = io.ReadAll(r.Body)
	case "multipart/form-data":
		picture, err = readForm(multipart.NewReader(r.Body, params["boundary"]), said)
	default:
		err = bad(http.StatusUnsupportedMediaType, "send image/jpeg, image/png or application/octet-stream, or multipart/form-data with the picture in the field image",
			"a body of type %q cannot be inspected", kind)
	}
	if err != nil {
		return nil, inspector.Trigger{}, interrupted(err)
	}
	if len(picture) == 0 {
		return nil, inspector.Trigger{}, bad(http.StatusUnprocessableEntity, "send one whole JPEG or PNG picture", "the picture is empty")
	}
	for name, v := range query {
		said[name] = v[0]
	}
	t, err := newTrigger(said["request"], said["serial"], said["recipe"], now)
	return picture, t, err
}

// interrupted says whose fault it is that a body could not be read: not ours.
func interrupted(err error) error {
	var p *problem
	var tooBig *http.MaxBytesError
	if errors.As(err, &p) || errors.As(err, &tooBig) {
		return err
	}
	return wrong("send it again, whole", "the body cannot be read: %v", err)
}

func readForm(form *multipart.Reader, said map[string]string) (picture []byte, err error) {
	for {
		part, err := form.NextPart()
		if err == io.EOF { //nolint:errorlint // bare: a form that breaks off wraps it
			return picture, nil
		}
		if err != nil {
			return nil, err
		}
		switch name := part.FormName(); name {
		case "image":
			if picture, err = io.ReadAll(part); err != nil {
				return nil, err
			}
		case "serial", "recipe", "request":
			b, err := io.ReadAll(io.LimitReader(part, maxName+1))
			if err != nil {
				return nil, err
			}
			said[name] = string(b)
		default:
			return nil, wrong("use only image, serial, recipe, request", "the form field %q is not known here", name)
		}
	}
}
