package asl

import (
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"inspector/workflow/asl/asltest"
)

var testedAt = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// TestConformanceTestState asks what was asked of AWS's TestState.
func TestConformanceTestState(t *testing.T) {
	var cases []struct {
		Name     string
		Request  TestRequest
		Expected json.RawMessage
	}
	corpus(t, filepath.Join("asl-localstack", "cases_teststate.json"), &cases)
	passed := 0
	for _, c := range cases {
		c.Request.At, c.Request.Seed = testedAt, "seed"
		result, err := TestState(c.Request)
		if have, ok := likeRecorded(result, err, c.Expected); ok {
			passed++
		} else {
			t.Logf("%s:\n  request %s\n  have %s\n  want %s", c.Name, encode(jsonOf(c.Request)), have, c.Expected)
		}
	}
	asltest.Report(t, asltest.Score{Corpus: "asl-localstack/cases_teststate.json", Level: "responses", Passed: passed, Total: len(cases), Floor: 95})
}

func jsonOf(v any) any {
	b, _ := json.Marshal(v)
	out, _ := decode(b)
	return out
}

// likeRecorded compares an answer; JSON in texts is compared as JSON.
func likeRecorded(r TestResult, err error, expected json.RawMessage) (have []byte, ok bool) {
	want, _ := decode(expected)
	o := want.(map[string]any)
	var refused *TestError
	if errors.As(err, &refused) {
		have = encode(map[string]any{"Code": refused.Code, "Message": refused.Message})
		if e, ok := o["Error"].(map[string]any); ok {
			return have, e["Code"] == refused.Code && e["Message"] == refused.Message
		}
		text := refused.Message
		if refused.Code != "ParamValidationError" {
			text = fmt.Sprintf("An error occurred (%s) when calling the TestState operation: %s", refused.Code, refused.Message)
		}
		return have, o["exception_typename"] == refused.Code && o["exception_value"] == text
	}
	got := jsonOf(r).(map[string]any)
	return encode(got), sameRecorded(opened(want), opened(got))
}

// opened has the JSON of texts in place of the texts.
func opened(v any) any {
	switch v := v.(type) {
	case string:
		if inner, err := decode([]byte(v)); err == nil {
			if _, isText := inner.(json.Number); !isText {
				return opened(inner)
			}
		}
	case map[string]any:
		out := map[string]any{}
		for k, e := range v {
			out[k] = opened(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = opened(e)
		}
		return out
	}
	return v
}

var hidden = regexp.MustCompile(`<[a-z0-9_]+(:\d+)?>`)

func sameRecorded(want, have any) bool {
	switch w := want.(type) {
	case string:
		h, ok := have.(string)
		if ok && (w == "date" || hidden.MatchString(w)) {
			parts := hidden.Split(w, -1)
			for i, p := range parts {
				parts[i] = regexp.QuoteMeta(p)
			}
			return w == "date" || strings.Contains(w, "arn:") && strings.HasPrefix(h, "arn:") || regexp.MustCompile("(?s)^"+strings.Join(parts, ".*")+"$").MatchString(h)
		}
		return ok && w == h
	case map[string]any:
		h, ok := have.(map[string]any)
		if !ok || len(h) != len(w) {
			return false
		}
		for k := range w {
			v, there := h[k]
			if !there || !sameRecorded(w[k], v) {
				return false
			}
		}
		return true
	case []any:
		h, ok := have.([]any)
		if !ok || len(h) != len(w) {
			return false
		}
		for i := range w {
			if !sameRecorded(w[i], h[i]) {
				return false
			}
		}
		return true
	}
	return asltest.Same(want, have)
}

func textOf(s string) *Text { t := Text(s); return &t }

// What the recordings do not show.
func TestTestStateDecides(t *testing.T) {
	task := `{"Type":"Task","Resource":"r","Retry":[{"ErrorEquals":["A"],"IntervalSeconds":2,"MaxAttempts":2},{"ErrorEquals":["States.ALL"],"MaxAttempts":99999999}],"Catch":[{"ErrorEquals":["B"],"Next":"X"},{"ErrorEquals":["States.ALL"],"Next":"Y"}],"Next":"Z"}`
	two := int64(2)
	for _, x := range []struct {
		what       string
		r          TestRequest
		want, next string
	}{
		{"a retrier that is used up leads to a catcher", TestRequest{Definition: Text(task), Mock: &Mock{Error: &MockError{Error: "A"}}, Configuration: &TestCase{RetryCount: &two}}, TestCaught, "Y"},
		{"the first retrier that matches", TestRequest{Definition: Text(task), Mock: &Mock{Error: &MockError{Error: "B"}}}, TestRetriable, ""},
		{"States.Runtime is never caught", TestRequest{Definition: Text(task), Mock: &Mock{Error: &MockError{Error: "States.Runtime"}}}, "FAILED", ""},
		{"a selector that finds nothing", TestRequest{Definition: `{"Type":"Task","Resource":"r","ResultSelector":{"a.$":"$.b"},"End":true}`, Mock: &Mock{Result: textOf("{}")}}, "FAILED", ""},
		{"a Wait ends", TestRequest{Definition: `{"Type":"Wait","Seconds":9,"Next":"X"}`}, "SUCCEEDED", "X"},
	} {
		x.r.At, x.r.Seed, x.r.RoleArn = testedAt, "seed", "role"
		have, err := TestState(x.r)
		if err != nil || have.Status != x.want || have.NextState != x.next {
			t.Errorf("%s: %+v %v, want %s to %q", x.what, have, err, x.want, x.next)
		}
	}
}

func FuzzTestState(f *testing.F) {
	f.Add(`{"Type":"Map","ItemsPath":"$.a","ItemSelector":{"i.$":"$$.Map.Item.Index"},"ItemProcessor":{"StartAt":"A","States":{"A":{"Type":"Succeed"}}},"ToleratedFailurePercentage":1,"End":true}`, `{"a":[1]}`, `[1]`)
	f.Add(`{"Type":"Pass","QueryLanguage":"JSONata","Output":"{% $states.context %}","End":true}`, `1`, ``)
	f.Fuzz(func(t *testing.T, definition, input, mock string) {
		n := int64(1)
		r := TestRequest{Definition: Text(definition), Input: Text(input), InspectionLevel: "TRACE", RoleArn: "r", At: testedAt}
		if mock != "" {
			r.Mock, r.Configuration = &Mock{Result: textOf(mock)}, &TestCase{FailureCount: &n}
		}
		if _, err := TestState(r); err != nil && !errors.As(err, new(*TestError)) {
			t.Error(err)
		}
	})
}
