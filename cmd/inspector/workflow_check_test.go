package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWorkflowCheck(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"good.asl.json":  `{"StartAt":"A","States":{"A":{"Type":"Succeed"}}}`,
		"bad.asl.json":   "{\"StartAt\":\"A\",\"States\":{\n  \"A\":{\"Type\":\"Pass\",\"Next\":\"<B>\",\"Parameters\":{\"a\":\"$.b\"}}}}",
		"token.asl.json": `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"r.waitForTaskToken","End":true}}}`,
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		args string
		code int
		want string
	}{
		{"good.asl.json", 0, "good.asl.json: valid\n"},
		{"good.asl.json bad.asl.json", 1, "good.asl.json: valid\n" +
			"bad.asl.json:1:1: Workflow has no terminal state\n" +
			"bad.asl.json:2:29: /States/A/Next: Missing 'Next' target: <B>\n" +
			"bad.asl.json:2:49: warning: /States/A/Parameters/a: No .$ on a field that appears to be a JSONPath or an intrinsic function\n"},
		{"--json good.asl.json", 0, `{"result":"OK","diagnostics":[],"truncated":false}` + "\n"},
		{"--json bad.asl.json", 1, `{"result":"FAIL","diagnostics":[` +
			`{"severity":"WARNING","code":"NO_DOLLAR","message":"No .$ on a field that appears to be a JSONPath or an intrinsic function","location":"/States/A/Parameters/a"},` +
			`{"severity":"ERROR","code":"MISSING_TRANSITION_TARGET","message":"Missing 'Next' target: <B>","location":"/States/A/Next"},` +
			`{"severity":"ERROR","code":"MISSING_END_STATE","message":"Workflow has no terminal state"}],"truncated":false}` + "\n"},
		{"token.asl.json", 0, "token.asl.json: valid\n"},
		{"token.asl.json --type express", 1, "token.asl.json:1:56: /States/A/Resource: Express state machine does not support '.waitForTaskToken' service integration\n"},
		{"", 2, ""},
		{"--type FAST good.asl.json", 2, ""},
		{"none.asl.json", 2, ""},
	} {
		var out, errs bytes.Buffer
		code := command(t.Context(), append([]string{"workflow", "check"}, strings.Fields(c.args)...), noEnvironment, &out, &errs)
		if code != c.code || out.String() != c.want {
			t.Errorf("%s: exit %d, want %d: %s\n  have %s\n  want %s", c.args, code, c.code, &errs, &out, c.want)
		}
		if (code == 2) != (errs.Len() > 0) {
			t.Errorf("%s: exit %d, and on stderr: %s", c.args, code, &errs)
		}
	}
}

// The shipped definitions are without a fault, and without a warning.
func TestShippedDefinitionsAreValid(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "workflow", "*.asl.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no definitions: %v", err)
	}
	var out bytes.Buffer
	if code := command(t.Context(), append([]string{"workflow", "check"}, files...), noEnvironment, &out, &out); code != 0 || strings.Contains(out.String(), "warning") {
		t.Errorf("exit %d: %s", code, &out)
	}
}
