// Package asltest is for tests of whatever drives the interpreter of the States
// Language: executions as they were recorded, who answered their tasks, and
// how to compare. It does not know the interpreter.
package asltest

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Corpus reads one file of the recorded truth, or skips. Its folder is that of
// INSPECTOR_CORPORA; where that is not set, root, the way to the project's
// root, says where shared/corpora is beside it.
func Corpus(t testing.TB, root, name string, into any) {
	t.Helper()
	folder := os.Getenv("INSPECTOR_CORPORA")
	if folder == "" {
		folder = filepath.Join(root, "..", "shared", "corpora")
	}
	raw, err := os.ReadFile(filepath.Join(folder, name))
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("the corpora are not here: %v; set INSPECTOR_CORPORA to their folder", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatal(err)
	}
}

// A Case is one recorded execution.
type Case struct {
	Name       string
	Definition json.RawMessage
	Input      json.RawMessage
	Status     string            `json:"expected_status"`
	Output     json.RawMessage   `json:"expected_output"`
	Error      *string           `json:"expected_error"`
	Cause      any               `json:"expected_cause"` // text, or what the text held if that was JSON
	Wildcards  []string          `json:"output_wildcards"`
	Handlers   map[string]string `json:"task_handlers"`
	Resources  []string          `json:"task_resources"`
	Objects    []Object          `json:"s3_objects"`
	History    []HistoryEvent
}

// A Result is how an execution ended.
type Result struct {
	Status       string
	Output       json.RawMessage
	Error, Cause string
}

// Functions reports whether Answer knows all that the tasks invoke.
func (c Case) Functions() bool {
	for _, r := range c.Resources {
		if !strings.HasPrefix(r, "arn:aws:lambda:") && r != invoke {
			return false
		}
	}
	return true
}

const invoke = "arn:aws:states:::lambda:invoke"
