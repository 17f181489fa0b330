package asl

import (
	"encoding/json"
	"errors"
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

// Published, working samples are accepted, but for what is not supported yet.
func TestParseAcceptsPublishedDefinitions(t *testing.T) {
	var list []struct {
		Name       string
		Definition json.RawMessage
	}
	corpus(t, filepath.Join("asl-workflows-collection", "definitions.json"), &list)
	accepted, unsupported := 0, 0
	for _, c := range list {
		if c.Name == "shared-fallback-state-jsonata/statemachine/statemachine.asl.json" {
			continue // has its QueryLanguage among the states
		}
		text := pathSubstitution.ReplaceAllString(string(c.Definition), "$$.x")
		text = substitution.ReplaceAllString(text, "arn:aws:lambda:us-east-1:123456789012:function:f")
		_, err := Parse([]byte(text))
		var faults Faults
		errors.As(err, &faults)
		wrong := false
		for _, f := range faults {
			wrong = wrong || !f.Unsupported
		}
		switch {
		case err == nil:
			accepted++
		case !wrong:
			unsupported++
		default:
			t.Logf("%s: %v", c.Name, err)
		}
	}
	t.Logf("%d definitions: %d accepted, %d use what is not supported yet", len(list), accepted, unsupported)
	if bad := len(list) - 1 - accepted - unsupported; bad > 0 {
		t.Errorf("%d published definitions are refused", bad)
	}
}

var (
	substitution     = regexp.MustCompile(`\$\{[^}]*\}`)
	pathSubstitution = regexp.MustCompile(`\$\.\$\{[^}]*\}`)
)
