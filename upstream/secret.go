package upstream

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
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
	for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret), string(quoted[1 : len(quoted)-1])} {
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

// value scrubs all texts of a JSON value.
func (s *scrubber) value(v any) any {
	switch v := v.(type) {
	case string:
		return s.text(v)
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
