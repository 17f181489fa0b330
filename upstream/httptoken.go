package upstream

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"inspector"
)

// A token says for a while who we are.
type token struct {
	value inspector.Secret
	until time.Time
}

// early is how long before its end a token is renewed.
const early = 30 * time.Second

// bearer gives a token of the connection: the one that is kept, or a new one.
// One goroutine at a time asks for it.
func (s *service) bearer(ctx context.Context, r *request, scrub *scrubber) (value string, kept bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept = s.token.value != "" && time.Now().Before(s.token.until)
	if !kept {
		if s.token, err = s.ask(ctx, r); err != nil {
			return "", false, err
		}
	}
	scrub.hide(string(s.token.value))
	return string(s.token.value), kept, nil
}

// forget lets the next request ask for a token.
func (s *service) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.token = token{}
}

// ask gets a token by the client's credentials (RFC 6749, 4.4).
func (s *service) ask(ctx context.Context, r *request) (token, error) {
	secret, err := readSecret(s.ClientSecretFile)
	if err != nil {
		return token{}, unconnected("InvalidCredentials", r, fmt.Sprintf("the secret of connection %q cannot be read: %v; correct the file, then redrive", s.name, err))
	}
	var scrub scrubber
	scrub.hide(string(secret))
	form := url.Values{"grant_type": {"client_credentials"}}
	if s.Scope != "" {
		form.Set("scope", s.Scope)
	}
	out, err := http.NewRequestWithContext(ctx, http.MethodPost, s.TokenURL, strings.NewReader(form.Encode()))
	if err != nil {
		return token{}, unconnected("InvalidCredentials", r, fmt.Sprintf("token_url of connection %q is no address; correct it, restart, then redrive", s.name))
	}
	out.Header.Set("Content-Type", formType)
	out.Header.Set("Accept", "application/json")
	out.SetBasicAuth(url.QueryEscape(s.ClientID), url.QueryEscape(string(secret)))
	at := &request{method: out.Method, url: out.URL}
	answer, err := s.client.Do(out)
	if err != nil {
		return token{}, lost(at, err, &scrub)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 64<<10))
	if err != nil {
		return token{}, lost(at, err, &scrub)
	}
	return s.granted(r, at, answer.StatusCode, body)
}

// granted reads the token server's answer, of which only the standard's word
// for an error is passed on: the rest may hold secrets.
func (s *service) granted(r, at *request, status int, body []byte) (token, error) {
	var a struct {
		AccessToken string `json:"access_token"`
		TokenType   string `json:"token_type"`
		ExpiresIn   int64  `json:"expires_in"`
		Error       string `json:"error"`
	}
	err := json.Unmarshal(body, &a)
	switch {
	case status >= 500 || status == http.StatusTooManyRequests:
		return token{}, answered(at, status, http.StatusText(status), "", "")
	case status != http.StatusOK && err == nil && oauthErrors[a.Error]:
		return token{}, unconnected("InvalidCredentials", r, fmt.Sprintf("the token server of connection %q says %s; correct client_id, client_secret_file and scope, then redrive", s.name, a.Error))
	case status != http.StatusOK || err != nil || a.AccessToken == "" || !strings.EqualFold(a.TokenType, "bearer"):
		return token{}, unconnected("InvalidCredentials", r, fmt.Sprintf("the token server of connection %q gave no bearer token (status %d); check token_url, then redrive", s.name, status))
	}
	t := token{value: inspector.Secret(a.AccessToken), until: time.Now().Add(5 * time.Minute)}
	if a.ExpiresIn > 0 {
		t.until = time.Now().Add(time.Duration(min(a.ExpiresIn, 86_400))*time.Second - early)
	}
	return t, nil
}

// oauthErrors are the standard's words (RFC 6749, 5.2).
var oauthErrors = map[string]bool{"invalid_request": true, "invalid_client": true, "invalid_grant": true,
	"unauthorized_client": true, "unsupported_grant_type": true, "invalid_scope": true}
