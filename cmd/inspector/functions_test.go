package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"inspector"
	"inspector/notify"
	"inspector/store"
	"inspector/upstream"
	"inspector/workflow"
	"inspector/workflow/asl"
)

func TestFunctionsAreHandlers(t *testing.T) {
	f := functions{}
	r := f.of(workflow.New(nil, slog.New(slog.DiscardHandler), workflow.Options{}))
	for _, resource := range []string{"inspector:publish", "inspector:command:weigh", "inspector:command:a.b", "inspector:command:publish", putObject, httpInvoke, httpLane + "mes"} {
		r.Handle(resource, 1, nil)
	}
	const arn = "arn:aws:lambda:eu-west-1:123456789012:function:"
	for _, c := range []struct{ resource, input, want string }{
		{arn + "inspector-publish", `{}`, "inspector:publish"},
		{arn + "inspector-publish:live", `{}`, "inspector:publish"},
		{arn + "inspector-command-weigh", `{}`, "inspector:command:weigh"},
		{arn + "inspector-command-a-b", `{}`, "inspector:command:a.b"},
		{arn + "command-weigh", `{}`, "inspector:command:weigh"},
		{arn + "weigh", `{}`, "inspector:command:weigh"},
		{arn + "publish", `{}`, "inspector:command:publish"},
		{arn + "nobody", `{}`, "inspector:command:nobody"},
		{arn + "inspector-command-nobody", `{}`, "inspector:command:nobody"},
		{lambdaInvoke, `{"FunctionName":"inspector-publish"}`, "inspector:publish"},
		{lambdaInvoke, `{"FunctionName":"123456789012:function:weigh:1"}`, "inspector:command:weigh"},
		{lambdaInvoke, `{"FunctionName":"` + arn + `inspector-publish"}`, "inspector:publish"},
		{lambdaInvoke, `{"FunctionName":"` + lambdaName(putObject) + `"}`, "inspector:command:" + lambdaName(putObject)},
		{lambdaInvoke, `{"Payload":1}`, lambdaInvoke},
		{lambdaInvoke, `[]`, lambdaInvoke},
		{putObject, `{"FunctionName":"weigh"}`, putObject},
		{"inspector:publish", `{}`, "inspector:publish"},
		{httpInvoke, `{"Authentication":{"ConnectionArn":"mes"}}`, httpLane + "mes"},
		{httpInvoke, `{"InvocationConfig":{"ConnectionArn":"arn:aws:events:eu-west-1:123456789012:connection/mes/5c"}}`, httpLane + "mes"},
		{httpInvoke, `{"Authentication":{"ConnectionArn":"nobody"}}`, httpInvoke},
		{httpInvoke, `[]`, httpInvoke},
	} {
		if have := f.lane(c.resource, json.RawMessage(c.input)); have != c.want {
			t.Errorf("%s %s is done by %s, want %s", c.resource, c.input, have, c.want)
		}
	}
}

// A definition written for AWS runs a local program as its function.
func TestFunctionsRun(t *testing.T) {
	c := defaults()
	c.Commands = folder(t, map[string]string{"weigh.yaml": "argv: [/bin/cat]\ndir: /\n", "broken.yaml": "argv: [/bin/false]\ndir: /\n"})
	const arn = `arn:aws:lambda:x:123456789012:function:`
	d := execute(t, c, `{"StartAt":"A","States":{
		"A":{"Type":"Task","Resource":"`+lambdaInvoke+`","Parameters":{"FunctionName":"`+arn+`weigh:live","Payload":{"g.$":"$.g"}},"ResultPath":"$.a","Next":"B"},
		"B":{"Type":"Task","Resource":"`+lambdaInvoke+`","Parameters":{"FunctionName":"weigh"},"ResultPath":"$.b","Next":"C"},
		"C":{"Type":"Task","Resource":"`+arn+`weigh","InputPath":"$.g","ResultPath":"$.c","Next":"D"},
		"D":{"Type":"Task","Resource":"`+lambdaInvoke+`","Parameters":{"FunctionName":"broken"},"Catch":[{"ErrorEquals":["Command.Failed"],"ResultPath":null,"Next":"E"}],"End":true},
		"E":{"Type":"Succeed"}}}`, `{"g":7}`)
	const want = `{"a":{"ExecutedVersion":"$LATEST","Payload":{"g":7},"StatusCode":200},"b":{"ExecutedVersion":"$LATEST","Payload":{},"StatusCode":200},"c":7,"g":7}`
	if d.Status != asl.StatusSucceeded || string(d.Output) != want {
		t.Errorf("%s %s %s %s, want %s", d.Status, d.Error, d.Cause, d.Output, want)
	}
	for input, said := range map[string]string{`"FunctionName":"heat"`: "write heat.yaml", `"Payload":1`: "give a FunctionName"} {
		d := execute(t, c, `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"`+lambdaInvoke+`","Parameters":{`+input+`},"End":true}}}`, `{}`)
		if !strings.Contains(d.Parked, said) {
			t.Errorf("%s: parked %q, want %q", input, d.Parked, said)
		}
	}
}

// The shipped definition, exported for AWS, does here what the shipped one does.
func TestExportedDefinitionRunsHere(t *testing.T) {
	code, exported, said := ran(t, "workflow", "export", "--aws", "--region", "eu-central-1", "--account", "123456789012")
	if code != 0 {
		t.Fatal(code, said)
	}
	disk, err := store.Open(t.Context(), t.TempDir(), "test")
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	up := t.TempDir()
	keeps, err := upstream.NewFolder(upstream.FolderConfig{Dir: up, Bucket: "boards", Queue: "results"})
	if err != nil {
		t.Fatal(err)
	}
	named := functions{}
	e := workflow.New(disk, slog.New(slog.DiscardHandler), workflow.Options{Lane: named.lane})
	(&tasks{store: disk, upstream: keeps}).register(named.of(e))
	var mu sync.Mutex
	var told []string
	for _, resource := range []string{publishResult, publishAlert} { // there is no broker
		named.of(e).Handle(resource, 1, func(_ context.Context, task workflow.Task) (json.RawMessage, error) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, task.Resource)
			return nil, nil
		})
	}
	machine, err := e.Deploy(t.Context(), []byte(exported))
	if err != nil {
		t.Fatal(err)
	}
	c := defaults()
	c.Upstream.Bucket, c.Upstream.Prefix, c.Upstream.QueueURL = "boards", "b", "results"
	i := inspector.Inspection{ID: disk.NextID().String(), Seq: 1, At: time.Now().UTC(), Recipe: "main", Model: "m/1@00", Verdict: inspector.Fail, Reason: "test", Width: 640, Height: 640}
	i, err = disk.Accept(t.Context(), i, []store.Evidence{{Kind: "image", Type: "image/png", Data: []byte(picture)}}, func(i inspector.Inspection) ([]workflow.Transition, error) {
		return begin(e, machine, c, notify.Topics{Result: "b/result", Alert: "b/alert"}, i)
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	ended := make(chan error)
	go func() { ended <- e.Run(ctx) }()
	if err := (&accident{}).untilEnded(ctx, e, i.ID); err != nil {
		t.Error(err)
	}
	stop()
	<-ended
	if slices.Sort(told); !slices.Equal(told, []string{publishAlert, publishResult}) || !isFile(t, up, "boards", c.Upstream.keys(i)["image"]) {
		t.Errorf("told %v; the picture is kept: %v", told, isFile(t, up, "boards", c.Upstream.keys(i)["image"]))
	}
}
