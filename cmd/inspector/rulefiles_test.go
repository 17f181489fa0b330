package main

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"inspector/notify/rule"
)

// The example explains every key of a rule and of a function, and what it
// shows is valid.
func TestExampleRules(t *testing.T) {
	text, err := os.ReadFile("../../inspector.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, kind := range []string{"rule", "function"} {
		_, shown, ok := strings.Cut(string(text), "# A "+kind+" is a file of its own")
		if !ok {
			t.Fatalf("the example does not say which keys a %s has", kind)
		}
		_, shown, _ = strings.Cut(shown, "\n#\n")
		shown, _, _ = strings.Cut(shown, "\n\n")
		shown = regexp.MustCompile(`(?m)^#( |$)`).ReplaceAllString(shown, "")
		folder := filepath.Join(dir, kind)
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, "shown.yaml"), []byte(shown), 0o600); err != nil {
			t.Fatal(err)
		}
		want := keysOfType[rule.Rule]()
		if kind == "function" {
			want = keysOfType[rule.Function]()
		}
		for _, key := range want {
			if !strings.Contains(shown, key+":") {
				t.Errorf("the example does not explain %s of a %s", key, kind)
			}
		}
	}
	c := defaults()
	c.Events.Rules, c.Events.Functions = filepath.Join(dir, "rule"), filepath.Join(dir, "function")
	if rules, functions, err := c.readRules(); err != nil || len(rules) != 1 || len(functions) != 1 {
		t.Errorf("%d rules, %d functions: %v", len(rules), len(functions), err)
	}
}

// keysOfType are the keys of a file that is read into a T.
func keysOfType[T any]() (keys []string) {
	for f := range reflect.TypeFor[T]().Fields() {
		if key, _, _ := strings.Cut(f.Tag.Get("yaml"), ","); key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}
