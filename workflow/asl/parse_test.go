package asl

import (
	"encoding/json"
	"path/filepath"
	"regexp"
	"testing"
)

func TestParseNeedsAnObject(t *testing.T) {
	for _, bad := range []string{"", "null", "[]", "{", "{} {}", `"x"`, "{}"} {
		if _, err := Parse([]byte(bad)); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

// Published, working samples are accepted.
func TestParseAcceptsPublishedDefinitions(t *testing.T) {
	var list []struct {
		Name       string
		Definition json.RawMessage
	}
	corpus(t, filepath.Join("asl-workflows-collection", "definitions.json"), &list)
	accepted, refused := 0, 0
	for _, c := range list {
		if c.Name == "shared-fallback-state-jsonata/statemachine/statemachine.asl.json" {
			continue // has its QueryLanguage among the states
		}
		text := pathSubstitution.ReplaceAllString(string(c.Definition), "$$.x")
		text = substitution.ReplaceAllString(text, "arn:aws:lambda:us-east-1:123456789012:function:f")
		if _, err := Parse([]byte(text)); err != nil {
			t.Errorf("%s: %v", c.Name, err)
			refused++
			continue
		}
		accepted++
	}
	t.Logf("%d definitions: %d accepted, %d refused", len(list), accepted, refused)
}

var (
	substitution     = regexp.MustCompile(`\$\{[^}]*\}`)
	pathSubstitution = regexp.MustCompile(`\$\.\$\{[^}]*\}`)
)
