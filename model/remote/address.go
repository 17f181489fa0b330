package remote

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// An address says where a model is and how to speak to it.
type address struct {
	*url.URL
	model, version string // of a gRPC address
	shown          string // for errors: without a password
}

// CheckURL reports why no model can be there.
func CheckURL(text string) error {
	_, err := parseAddress(text, "model")
	return err
}

var modelPath = regexp.MustCompile(`^/v2/models/([^/]+)(?:/versions/([^/]+))?$`)

// parseAddress reads an URL of Options; name is that of the model if it says
// none.
func parseAddress(text, name string) (address, error) {
	u, err := url.Parse(strings.TrimSuffix(text, "/"))
	if err != nil {
		return address{}, fmt.Errorf("remote: model.remote is no address; want SCHEME://HOST:PORT/v2/models/NAME") // the text may hold a password
	}
	a := address{URL: u, shown: u.Redacted()}
	bad := func(format string, args ...any) (address, error) {
		return a, fmt.Errorf("remote: model.remote %q: %s", a.shown, fmt.Sprintf(format, args...))
	}
	switch {
	case !slices.Contains([]string{"http", "https", "grpc", "grpcs"}, u.Scheme):
		return bad("scheme %q; want http, https, grpc or grpcs", u.Scheme)
	case u.Host == "" || u.RawQuery != "" || u.Fragment != "":
		return bad("want SCHEME://HOST:PORT/v2/models/NAME")
	}
	if u.Path == "" {
		u.Path = "/v2/models/" + name
	}
	if !a.overGRPC() {
		return a, nil
	}
	found := modelPath.FindStringSubmatch(u.Path)
	switch {
	case u.Port() == "":
		return bad("want a port, such as %s:8001", u.Host)
	case u.User != nil:
		return bad("a user is for http and https")
	case found == nil:
		return bad("path %q; want /v2/models/NAME, or with /versions/VERSION", u.Path)
	}
	a.model, a.version = found[1], found[2]
	return a, nil
}

func (a address) overGRPC() bool  { return strings.HasPrefix(a.Scheme, "grpc") }
func (a address) encrypted() bool { return strings.HasSuffix(a.Scheme, "s") }
