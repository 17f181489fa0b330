package asltest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Outcome is what differs at level 1: status, error name and output. Empty is
// nothing.
func (c Case) Outcome(have Result) string {
	name := ""
	if c.Error != nil {
		name = *c.Error
	}
	if have.Status != c.Status || !masked(name) && have.Error != name {
		return fmt.Sprintf("ended %s %s (%s), want %s %s", have.Status, have.Error, have.Cause, c.Status, name)
	}
	if c.Status == "SUCCEEDED" && !alike(value(c.Output), value(have.Output), "", c.Wildcards) {
		return fmt.Sprintf("gave %s, want %s", have.Output, c.Output)
	}
	return ""
}

// SameCause compares at level 2: the cause's text, where it is recorded.
func (c Case) SameCause(have string) bool { return sameText(c.Cause, have) }

// sameText compares a text with a recorded one, in which <…> stands for any,
// or with what a recorded text of JSON held.
func sameText(recorded any, have string) bool {
	want, ok := recorded.(string)
	if said, isObject := recorded.(map[string]any); isObject && said["errorMessage"] == nil {
		raw, _ := json.Marshal(recorded)
		return alike(value(raw), value(json.RawMessage(have)), "", nil)
	}
	if !ok {
		return true // the function's own words, with its request
	}
	if !masked(want) {
		return want == have
	}
	if slices.Contains(placeholders, want) {
		return true
	}
	parts := maskedText.Split(want, -1)
	for i, p := range parts {
		parts[i] = regexp.QuoteMeta(p)
	}
	return regexp.MustCompile("(?s)^" + strings.Join(parts, ".*") + "$").MatchString(have)
}

// Event is one history event as level 3 compares it: its type, with the name
// where recordings have one.
func Event(kind, name string) string {
	if !strings.Contains(kind, "StateE") && !strings.HasPrefix(kind, "MapIteration") && kind != "MapRunStarted" {
		name = ""
	}
	return strings.TrimSuffix(kind+" "+name, " ")
}

// masked reports whether the recording hides a part of the text: <uuid>,
// <arn…>.
func masked(s string) bool { return maskedText.MatchString(s) || slices.Contains(placeholders, s) }

// placeholders stand for a whole text.
var placeholders = []string{"date", "timestamp", "snf_role_arn"}

var maskedText = regexp.MustCompile(`<[A-Za-z][^<>]*>`)

func alike(want, have any, at string, wildcards []string) bool {
	if slices.Contains(wildcards, at) || strings.HasSuffix(at, "/SdkHttpMetadata") || strings.HasSuffix(at, "/SdkResponseMetadata") {
		return true
	}
	switch want := want.(type) {
	case string:
		if strings.HasSuffix(want, "EventDetails.output") {
			return true // hidden whatever it was
		}
		if masked(want) {
			_, ok := have.(string)
			return ok
		}
	case []any:
		list, ok := have.([]any)
		if !ok || len(list) != len(want) {
			return false
		}
		for i := range want {
			if !alike(want[i], list[i], at+"/"+strconv.Itoa(i), wildcards) {
				return false
			}
		}
		return true
	case map[string]any:
		return sameObject(want, have, at, wildcards)
	}
	return Same(want, have)
}

func sameObject(want map[string]any, have any, at string, wildcards []string) bool {
	object, ok := have.(map[string]any)
	if _, recorded := want["RedriveCount"]; !recorded { // who recorded it left it out
		object = maps.Clone(object)
		delete(object, "RedriveCount")
	}
	if !ok || len(object) != len(want) {
		return false
	}
	for k := range want {
		v, ok := object[k]
		if _, isText := v.(string); isText && (k == "Cause" && wordsOfHandler(want[k]) || strings.HasPrefix(k, "FunctionName")) {
			continue // a function's name is recorded as a placeholder
		}
		key := strings.NewReplacer("~", "~0", "/", "~1").Replace(k)
		if !ok || !alike(want[k], v, at+"/"+key, wildcards) {
			return false
		}
	}
	return true
}

// wordsOfHandler says that a cause is the function's, not the interpreter's.
func wordsOfHandler(cause any) bool {
	s, _ := cause.(string)
	return strings.HasPrefix(s, "{") || strings.HasPrefix(s, "Function not found")
}

// Same compares two JSON values, numbers by value.
func Same(a, b any) bool {
	switch a := a.(type) {
	case json.Number:
		b, ok := b.(json.Number)
		return ok && (a == b || number(a) == number(b))
	case []any:
		b, ok := b.([]any)
		return ok && slices.EqualFunc(a, b, Same)
	case map[string]any:
		b, ok := b.(map[string]any)
		return ok && maps.EqualFunc(a, b, Same)
	case nil:
		return b == nil
	case bool:
		b, ok := b.(bool)
		return ok && a == b
	case string:
		b, ok := b.(string)
		return ok && a == b
	}
	return false
}

// number is n in one form: exact where it is a whole number of 64 bits.
func number(n json.Number) any {
	if i, err := strconv.ParseInt(string(n), 10, 64); err == nil {
		return float64(i)
	}
	f, _ := strconv.ParseFloat(string(n), 64)
	return f
}

// value decodes JSON; no bytes are null.
func value(raw json.RawMessage) (v any) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	_ = d.Decode(&v)
	return v
}
