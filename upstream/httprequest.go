package upstream

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"net/textproto"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// A request is an HTTP task's input, checked.
type request struct {
	arn         string // connection's ARN, or its name
	method      string
	url         *url.URL
	query       map[string][]string
	headers     map[string][]string
	contentType string // unless the task or the connection says another
	body        []byte // empty: none
}

// input is an HTTP task's input as the States Language has it.
type input struct {
	ApiEndpoint      string //nolint:revive // as AWS writes it
	Method           string
	Authentication   struct{ ConnectionArn string }
	InvocationConfig struct{ ConnectionArn string }
	Headers          map[string]any
	QueryParameters  map[string]any
	RequestBody      json.RawMessage
	Transform        struct {
		RequestBodyEncoding    string
		RequestEncodingOptions struct{ ArrayFormat string }
	}
}

var methods = []string{"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"}

// parseRequest reads an HTTP task's input, strictly. Errors are *HTTPError.
func parseRequest(raw json.RawMessage) (*request, error) {
	var in input
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	d.UseNumber()
	if err := d.Decode(&in); err != nil {
		return nil, misfit("%v", err)
	}
	r := &request{arn: cmp.Or(in.Authentication.ConnectionArn, in.InvocationConfig.ConnectionArn), method: strings.ToUpper(in.Method), headers: map[string][]string{}, query: map[string][]string{}}
	if !slices.Contains(methods, r.method) {
		return nil, misfit("Method %q; want one of %s", in.Method, strings.Join(methods, ", "))
	}
	u, err := url.Parse(in.ApiEndpoint)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, misfit("ApiEndpoint; want https://HOST/PATH") // without its text, which may hold a secret
	}
	if u.User != nil || u.Fragment != "" {
		return nil, misfit("ApiEndpoint holds a user, password or fragment; who we are is in the connection")
	}
	r.url = u
	if err := r.fields(in); err != nil {
		return nil, err
	}
	return r, r.encode(in)
}

// ConnectionOf names the connection that an HTTP task's input asks for; empty
// if it names none.
func ConnectionOf(raw json.RawMessage) string {
	var in struct {
		Authentication   struct{ ConnectionArn string }
		InvocationConfig struct{ ConnectionArn string }
	}
	_ = json.Unmarshal(raw, &in) // an input that does not fit names none
	return connectionName(cmp.Or(in.Authentication.ConnectionArn, in.InvocationConfig.ConnectionArn))
}

// fields reads headers and query.
func (r *request) fields(in input) (err error) {
	for _, name := range slices.Sorted(maps.Keys(in.QueryParameters)) {
		if r.query[name], err = texts("QueryParameters."+name, in.QueryParameters[name]); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(in.Headers)) {
		values, err := texts("Headers."+name, in.Headers[name])
		if err != nil {
			return err
		}
		if forbiddenHeader(name) || !headerName.MatchString(name) {
			return misfit("Headers.%s: it may not be set by a task", name)
		}
		for _, v := range values {
			if strings.ContainsFunc(v, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
				return misfit("Headers.%s: its value has signs that a header cannot carry", name)
			}
		}
		r.headers[textproto.CanonicalMIMEHeaderKey(name)] = values
	}
	return nil
}

// texts are a scalar, or a list of them, as text.
func texts(what string, v any) (out []string, err error) {
	switch v := v.(type) {
	case string:
		return []string{v}, nil
	case json.Number, bool:
		return []string{fmt.Sprint(v)}, nil
	case []any:
		for _, e := range v {
			if _, nested := e.([]any); nested {
				return nil, misfit("%s: want a text, number or boolean, or a list of them", what)
			}
			t, err := texts(what, e)
			if err != nil {
				return nil, err
			}
			out = append(out, t...)
		}
		return out, nil
	}
	return nil, misfit("%s: want a text, number or boolean, or a list of them", what)
}

// encode makes the body.
func (r *request) encode(in input) error {
	given := ""
	if values := r.headers["Content-Type"]; len(values) > 0 {
		given = values[0]
	}
	kind, _, _ := mime.ParseMediaType(given)
	format := in.Transform.RequestEncodingOptions.ArrayFormat
	switch in.Transform.RequestBodyEncoding {
	case "", "NONE":
		if format != "" {
			return misfit("Transform: ArrayFormat is only for RequestBodyEncoding URL_ENCODED")
		}
		if len(in.RequestBody) > 0 {
			r.plain(in.RequestBody, kind)
		}
	case "URL_ENCODED":
		if given != "" && kind != formType {
			return misfit("Transform: RequestBodyEncoding URL_ENCODED needs the header Content-Type %s, not %s", formType, kind)
		}
		r.contentType = formType
		body, err := encodeForm(in.RequestBody, format)
		if err != nil {
			return err
		}
		r.body = []byte(body)
	default:
		return misfit("Transform: RequestBodyEncoding %q; want NONE or URL_ENCODED", in.Transform.RequestBodyEncoding)
	}
	if len(r.body) > maxPayload {
		return misfit("RequestBody has %d bytes of at most %d", len(r.body), maxPayload)
	}
	return nil
}

const formType = "application/x-www-form-urlencoded"

// plain sends JSON as it is; a text for a server that wants no JSON is itself.
func (r *request) plain(body json.RawMessage, kind string) {
	var text string
	if kind != "" && !isJSON(kind) && json.Unmarshal(body, &text) == nil {
		r.body = []byte(text)
		return
	}
	r.body, r.contentType = body, "application/json"
}

// connection is the name in the ARN: arn:aws:events:REGION:ACCOUNT:connection/NAME/ID,
// or the name itself.
func (r *request) connection() string { return connectionName(r.arn) }

func connectionName(arn string) string {
	_, resource, ok := strings.Cut(arn, ":connection/")
	if !ok {
		return arn
	}
	name, _, _ := strings.Cut(resource, "/")
	return name
}

// connectionForm is what a connection can be called: the name of its file.
var connectionForm = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)

var headerName = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")

// forbidden are headers that no task may set: AWS's list, and those that say
// who we are.
var forbidden = strings.Fields(`A-Im Accept-Charset Accept-Datetime Accept-Encoding Authorization Cache-Control Connection Content-Encoding
	Content-Length Content-Md5 Date Expect Forwarded From Host Http2-Settings If-Match If-Modified-Since If-None-Match If-Range If-Unmodified-Since
	Max-Forwards Origin Pragma Proxy-Authorization Referer Server Te Trailer Transfer-Encoding Upgrade Via Warning`)

func forbiddenHeader(name string) bool {
	name = textproto.CanonicalMIMEHeaderKey(strings.ToLower(name))
	return slices.Contains(forbidden, name) || slices.ContainsFunc([]string{"X-Forwarded-", "X-Amz-", "X-Amzn-"}, func(p string) bool { return strings.HasPrefix(name, p) })
}
