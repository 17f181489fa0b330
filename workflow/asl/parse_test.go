package asl

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// All faults at once, each with its place.
func TestParseReportsEveryFault(t *testing.T) {
	_, err := Parse([]byte(`{"StartAt":"Nowhere","Strange":1,"TimeoutSeconds":0,"States":{
	  "A":{"Type":"Task","Next":"Missing","Retry":[{"ErrorEquals":["States.ALL","X"],"BackoffRate":0.5,"JitterStrategy":"HALF"}],"Catch":[{"ErrorEquals":[]}]},
	  "B/~":{"Type":"Pass","Next":"A","End":true,"Parameters":{"a.$":1,"b.$":"$.x[","c":1,"c.$":"$"},"ResultPath":"$$.x"},
	  "C":{"Type":"Choice","Choices":[{"Variable":"$.a","StringEquals":1,"Next":"A"},{"And":[],"Next":"A"},{"Variable":"$.a","Next":"A"}]},
	  "D":{"Type":"Wait","Seconds":1,"Timestamp":"2020-01-01 00:00:00Z","End":true},
	  "E":{"Type":"Parallel","End":true,"Branches":[{"StartAt":"A","States":{"A":{"Type":"Fail","Next":"A"}}}]},
	  "F":{"Type":"Nothing"},"G":{"Type":"Pass","QueryLanguage":"JSONata","Assign":{},"End":true}}}`))
	var faults Faults
	if !errors.As(err, &faults) {
		t.Fatalf("error %v", err)
	}
	have := map[string]bool{}
	for _, f := range faults {
		have[f.Pointer] = true
	}
	for _, want := range []string{
		"/StartAt", "/Strange", "/TimeoutSeconds", "/States/A", "/States/A/Next", "/States/A/Retry/0/ErrorEquals/0", "/States/A/Retry/0/BackoffRate",
		"/States/A/Retry/0/JitterStrategy", "/States/A/Catch/0", "/States/B~1~0", "/States/B~1~0/Parameters/a.$", "/States/B~1~0/Parameters/b.$",
		"/States/B~1~0/Parameters/c.$", "/States/B~1~0/ResultPath", "/States/C/Choices/0/StringEquals", "/States/C/Choices/1/And", "/States/C/Choices/2",
		"/States/D/Timestamp", "/States/E/Branches/0/States/A", "/States/E/Branches/0/States/A/Next", "/States/F/Type",
		"/States/G/QueryLanguage", "/States/G/Assign",
	} {
		if !have[want] {
			t.Errorf("no fault at %s", want)
		}
		delete(have, want)
	}
	for pointer := range have {
		t.Errorf("a fault at %s that was not expected", pointer)
	}
	for _, f := range faults {
		if f.Unsupported != strings.HasPrefix(f.Pointer, "/States/G/") {
			t.Errorf("%v: unsupported is %v", f, f.Unsupported)
		}
	}
}

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
