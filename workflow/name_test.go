package workflow_test

import (
	"strings"
	"testing"

	"inspector/workflow"
)

func TestNames(t *testing.T) {
	for name, ok := range map[string]bool{
		"board-7_é.x": true, strings.Repeat("n", 80): true, "": false, strings.Repeat("n", 81): false,
		"a b": false, "a\u0085": false, "a/b": false, `a"b`: false, "a\x00": false,
	} {
		_, err := newEngine(newMemory(), nil).CreateMachine(t.Context(), workflow.Machine{Name: name}, []byte(oneTask), false)
		if (err == nil) != ok {
			t.Errorf("%q: %v", name, err)
		}
		if err != nil {
			wantCode(t, err, "InvalidName")
		}
	}
}
