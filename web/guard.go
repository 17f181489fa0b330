package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/gin-gonic/gin"

	"inspector"
)

// csp lets the page load only what this server serves, and nobody frame it.
const csp = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// headers that every answer has.
func headers(c *gin.Context) {
	h := c.Writer.Header()
	h.Set("Content-Security-Policy", csp)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
}

// guard lets a request in or not.
func (s *Server) guard(c *gin.Context) {
	if p := admit(c.Request, s.opt.Token); p != nil {
		if p.Status == http.StatusUnauthorized {
			c.Header("WWW-Authenticate", `Bearer realm="inspector"`)
		}
		s.fail(c, p)
	}
}

// admit decides whether r may be served; nil if so. Reading is open. Changing
// is for this machine, and for whoever has the token. Two tricks of foreign
// web pages against a browser on this machine are refused: sending a request
// across origins, and rebinding their own name to the loopback address.
func admit(r *http.Request, token inspector.Secret) *problem {
	here := loopback(r.RemoteAddr) && loopback(localAddr(r))
	if here && !localName(r.Host) {
		return bad(http.StatusMisdirectedRequest, "use http://localhost, or listen on this machine's own address (web.listen)",
			"the name %q does not belong to this machine's loopback address", r.Host)
	}
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return nil
	}
	given, bearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if token != "" && bearer {
		if !same(given, string(token)) {
			return bad(http.StatusUnauthorized, "use the token in the file that web.token_file names", "the token is wrong")
		}
		return nil // no browser adds it by itself
	}
	var origin http.CrossOriginProtection
	if err := origin.Check(r); err != nil {
		return bad(http.StatusForbidden, "send it from the inspector's own page, or without a browser", "refused: %v", err)
	}
	switch {
	case here && !proxied(r):
		return nil
	case token != "":
		return bad(http.StatusUnauthorized, "send the header Authorization: Bearer TOKEN, with the token in the file that web.token_file names",
			"changing something from another machine takes the token")
	}
	return bad(http.StatusForbidden, "set web.token_file in the configuration and send its token, or ask from the appliance itself",
		"changing something from another machine takes a token, and none is configured")
}

// same takes the same time whatever the two are.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// localAddr is the end of the connection that is ours.
func localAddr(r *http.Request) string {
	if a, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok {
		return a.String()
	}
	return ""
}

func loopback(addr string) bool {
	a, err := netip.ParseAddrPort(addr)
	return err == nil && a.Addr().Unmap().IsLoopback()
}

// localName reports whether a Host header can only mean this machine.
func localName(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Unmap().IsLoopback()
	}
	return strings.EqualFold(host, "localhost")
}

// proxied reports whether somebody else is behind the peer.
func proxied(r *http.Request) bool {
	for _, h := range []string{"Forwarded", "X-Forwarded-For", "X-Real-Ip", "Via"} {
		if r.Header.Get(h) != "" {
			return true
		}
	}
	return false
}
