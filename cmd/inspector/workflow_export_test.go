package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"inspector/workflow"
	"inspector/workflow/asl"
)

// ran runs a command in this process.
func ran(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = command(t.Context(), args, func(string) string { return "" }, &out, &errs)
	return code, out.String(), errs.String()
}

func definitionFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "machine.asl.json")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestExportOfTheShippedDefinition(t *testing.T) {
	code, out, said := ran(t, "workflow", "export", "--aws", "--region", "eu-central-1", "--account", "123456789012")
	if code != 0 {
		t.Fatal(code, said)
	}
	m, err := asl.Parse([]byte(out))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range m.Resources() {
		if !strings.HasPrefix(r, "arn:aws:") {
			t.Errorf("AWS does not know %s", r)
		}
	}
	for _, want := range []string{
		`"Resource": "arn:aws:lambda:eu-central-1:123456789012:function:inspector-publish"`,
		"\"Resource\": \"arn:aws:states:::lambda:invoke.waitForTaskToken\",\n      \"Parameters\": {\n        \"FunctionName\": \"arn:aws:lambda:eu-central-1:123456789012:function:inspector-review\",\n        \"Payload\": {\n          \"token.$\": \"$$.Task.Token\"",
		`"Resource": "arn:aws:states:::aws-sdk:s3:putObject"`, `"MaxAttempts": 99999999`,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("it lacks %s", want)
		}
	}
	for _, want := range []string{"must exist there: Lambda function arn:aws:lambda:eu-central-1:123456789012:function:inspector-alert, which does what inspector:alert does here\n",
		"its role must be allowed: s3:putObject\n", "its role must be allowed: s3:putObjectTagging\n", "its role must be allowed: sqs:sendMessage\n", "note: ForwardImage: a Body evidence:PATH or overlay:ID"} {
		if !strings.Contains(said, want) || strings.Count(said, want) > 1 {
			t.Errorf("it does not say once: %s; it says\n%s", want, said)
		}
	}
	if before, after := strings.Index(out, `"CheckVerdict": {`), strings.Index(out, `"Close": {`); before < 0 || before > after {
		t.Error("the order of the states is lost")
	}
}

func TestExport(t *testing.T) {
	const region, account = "--region=eu-west-1", "--account=123456789012"
	state := func(fields string) string {
		return `{"StartAt":"A","States":{"A":{"Type":"Task",` + fields + `,"End":true}}}`
	}
	for name, c := range map[string]struct {
		definition string
		flags      []string
		want       string // in the definition, without white space
		said       string
	}{
		"a command":        {state(`"Resource":"inspector:command:weigh"`), []string{region, account}, `"Resource":"arn:aws:lambda:eu-west-1:123456789012:function:inspector-command-weigh"`, "which does what inspector:command:weigh does here"},
		"mapped":           {state(`"Resource":"inspector:publish"`), []string{"--map", "inspector:publish=arn:aws:lambda:x:1:function:p"}, `"Resource":"arn:aws:lambda:x:1:function:p"`, "function:p,"},
		"a service":        {state(`"Resource":"inspector:publish","Parameters":{"TopicArn":"x","Message":"y"}`), []string{"--map=inspector:publish=arn:aws:states:::sns:publish"}, `"Resource":"arn:aws:states:::sns:publish","Parameters":{"TopicArn":"x","Message":"y"}`, "sns:publish"},
		"a token, mapped":  {state(`"Resource":"inspector:review.waitForTaskToken","Parameters":{"t.$":"$$.Task.Token"}`), []string{"--map=inspector:review=arn:aws:lambda:x:1:function:r"}, `"Parameters":{"FunctionName":"arn:aws:lambda:x:1:function:r","Payload":{"t.$":"$$.Task.Token"}}`, "function:r"},
		"a token, bare":    {state(`"Resource":"inspector:review.waitForTaskToken"`), []string{region, account}, `"Payload.$":"$"`, "nobody could answer"},
		"a connection":     {state(`"Resource":"arn:aws:states:::http:invoke","Parameters":{"ApiEndpoint":"https://mes.example.com/a","Method":"GET","Authentication":{"ConnectionArn":"mes"}}`), []string{region, account}, `"Authentication":{"ConnectionArn":"arn:aws:events:eu-west-1:123456789012:connection/mes"}`, "--map connection:mes=ARN"},
		"connection known": {state(`"Resource":"arn:aws:states:::http:invoke","Parameters":{"ApiEndpoint":"https://mes.example.com/a","Method":"GET","Authentication":{"ConnectionArn":"mes"}}`), []string{"--map=connection:mes=arn:aws:events:r:1:connection/mes/1f"}, `"ConnectionArn":"arn:aws:events:r:1:connection/mes/1f"`, "connection/mes/1f"},
		"text stays":       {state(`"Resource":"arn:aws:states:::sqs:sendMessage","Parameters":{"QueueUrl":"q","MessageBody":"<&>"},"TimeoutSeconds":99999999`), nil, `"MessageBody":"<&>"},"TimeoutSeconds":99999999`, "sqs:sendMessage"},
		"inside a branch":  {`{"StartAt":"P","States":{"P":{"Type":"Parallel","End":true,"Branches":[` + state(`"Resource":"inspector:close"`) + `]}}}`, []string{region, account}, "function:inspector-close", "inspector-close"},
	} {
		code, out, said := ran(t, append([]string{"workflow", "export", "--aws", definitionFile(t, c.definition)}, c.flags...)...)
		if code != 0 || !strings.Contains(strings.Join(strings.Fields(out), ""), strings.ReplaceAll(c.want, " ", "")) || !strings.Contains(said, c.said) {
			t.Errorf("%s: %d\n%s\n%s", name, code, out, said)
		}
	}
}

func TestExportRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		code int
		said string
	}{
		"no account":       {nil, 2, "say --region and --account, or --map RESOURCE=ARN, for inspector:alert, inspector:close"},
		"wrong account":    {[]string{"--account=12"}, 2, "12 digits"},
		"wrong map":        {[]string{"--map=inspector:publish"}, 2, "want RESOURCE=ARN"},
		"no file":          {[]string{"nobody.json"}, 2, "there is no file nobody.json"},
		"not valid":        {[]string{definitionFile(t, `{"StartAt":"A","States":{}}`)}, 1, "not valid"},
		"over AWS's limit": {[]string{definitionFile(t, `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage","Retry":[{"ErrorEquals":["States.ALL"],"MaxAttempts":100000000}],"End":true}}}`)}, 1, "99999999"},
		"no definition":    {[]string{definitionFile(t, `hello`)}, 1, "not JSON"},
		"two":              {[]string{"a", "b"}, 2, "name one definition"},
	} {
		if code, out, said := ran(t, append([]string{"workflow", "export", "--aws"}, c.args...)...); code != c.code || out != "" || !strings.Contains(said, c.said) {
			t.Errorf("%s: %d %q %q", name, code, out, said)
		}
	}
}

func TestGraphOfFiles(t *testing.T) {
	if code, out, said := ran(t, "workflow", "graph"); code != 0 || !strings.Contains(out, `data-state="WaitForDisposition"`) {
		t.Error(code, said)
	}
	file := filepath.Join(t.TempDir(), "out.svg")
	if code, out, said := ran(t, "workflow", "graph", "-o", file, definitionFile(t, string(workflow.Inspection))); code != 0 || out != "" {
		t.Error(code, out, said)
	}
	if b, err := os.ReadFile(file); err != nil || !bytes.HasPrefix(b, []byte("<svg")) {
		t.Errorf("%.40s %v", b, err)
	}
	for want, args := range map[string][]string{
		"there is no file x.json": {"x.json"}, "no States": {definitionFile(t, `{}`)}, "name one definition": {"a", "b"}, "no appliance answers": {"--address=http://127.0.0.1:1", "--execution=x"},
	} {
		if code, out, said := ran(t, append([]string{"workflow", "graph"}, args...)...); code == 0 || out != "" || !strings.Contains(said, want) {
			t.Errorf("%s: %d %q %q", want, code, out, said)
		}
	}
}

func TestWorkflowHelp(t *testing.T) {
	_, all, _ := ran(t, "workflow", "help")
	for _, v := range workflowVerbs() {
		if !strings.Contains(all, "\n  "+v.name) {
			t.Errorf("the help lacks %s", v.name)
		}
		if code, out, _ := ran(t, "workflow", v.name, "--help"); code != 0 || !strings.Contains(out, v.help) {
			t.Errorf("%s --help: %d %s", v.name, code, out)
		}
	}
	if code, _, said := ran(t, "workflow", "nothing"); code != 2 || !strings.Contains(said, "unknown command") {
		t.Error(code, said)
	}
	if code, _, said := ran(t, "workflow"); code != 2 || !strings.Contains(said, "usage:") {
		t.Error(code, said)
	}
}
