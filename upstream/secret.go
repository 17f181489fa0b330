package upstream

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"

	"inspector"
)

// readSecret gives the first line of the file.
func readSecret(file string) (inspector.Secret, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	line, _, _ := strings.Cut(string(text), "\n")
	if line = strings.TrimSpace(line); line == "" {
		return "", fmt.Errorf("%s is empty; write the secret on its first line", file)
	}
	return inspector.Secret(line), nil
}

// A scrubber puts stars in place of secrets that a server sends back, in the
// forms that they can have in an answer.
type scrubber struct{ secrets []string }

// shortestSecret is what is looked for: stars for each "a" would hide nothing.
const shortestSecret = 4

func (s *scrubber) hide(secret string) {
	quoted, _ := json.Marshal(secret)
	forms := []string{secret, url.QueryEscape(secret), url.PathEscape(secret), string(quoted[1 : len(quoted)-1])}
	if _, credentials, ok := strings.Cut(secret, " "); ok {
		forms = append(forms, credentials) // of a scheme: Bearer CREDENTIALS
	}
	for _, form := range forms {
		if len(form) >= shortestSecret && !slices.Contains(s.secrets, form) {
			s.secrets = append(s.secrets, form)
		}
	}
	// The longest first: a token may begin with another secret.
	slices.SortFunc(s.secrets, func(a, b string) int { return len(b) - len(a) })
}

func (s *scrubber) text(t string) string {
	for _, secret := range s.secrets {
		t = strings.ReplaceAll(t, secret, "***")
	}
	return t
}

// answer scrubs an answer of that kind. JSON can write a secret in more forms
// than those that are looked for; where it does, it is written anew.
func (s *scrubber) answer(body []byte, kind string) string {
	if v, err := parseJSON(body); err == nil && isJSON(kind) {
		if clean := s.value(v); !reflect.DeepEqual(clean, v) {
			if text, err := json.Marshal(clean); err == nil {
				return s.text(string(text))
			}
		}
	}
	return s.text(string(body))
}

// value scrubs all texts of a JSON value, and numbers that are a secret.
func (s *scrubber) value(v any) any {
	switch v := v.(type) {
	case string:
		return s.text(v)
	case json.Number:
		if slices.Contains(s.secrets, string(v)) {
			return "***"
		}
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = s.value(e)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[s.text(k)] = s.value(e)
		}
		return out
	}
	return v
}
