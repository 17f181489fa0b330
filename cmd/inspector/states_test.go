package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"inspector/store"
	"inspector/web"
	"inspector/workflow"
)

// well is the status of an appliance that is.
type well struct{}

func (well) Status(context.Context) web.Status { return web.Status{} }

// statesServer is the part of an appliance that runs machines. fails decides
// about each attempt of the resource r; what token holds is sent to tokens.
func statesServer(t *testing.T, fails func() bool) (address string, a *statesAPI, tokens chan string) {
	t.Helper()
	disk, err := store.Open(t.Context(), t.TempDir(), "dev")
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	e := workflow.New(disk, log, workflow.Options{})
	tokens = make(chan string, 9)
	e.Handle("r", 1, func(_ context.Context, task workflow.Task) (json.RawMessage, error) {
		if fails() {
			return nil, errors.New("broken")
		}
		return task.Input, nil
	})
	e.Handle("ask", 1, func(_ context.Context, task workflow.Task) (json.RawMessage, error) {
		tokens <- task.Token
		return nil, nil
	})
	if _, err := e.Ship(t.Context(), workflow.InspectionMachine, workflow.Inspection); err != nil {
		t.Fatal(err)
	}
	a = newStatesAPI(executions{Engine: e}, disk, &parked{disk, executions{Engine: e}, targetsOf(defaults(), nil, nil, nil, nil)}, log)
	server := web.New(web.Options{Listen: "127.0.0.1:0", Status: well{}, States: a, Log: log})
	at, err := server.Listen()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	go func() { ended <- e.Run(ctx) }()
	go func() { ended <- server.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := errors.Join(<-ended, <-ended, disk.Close()); err != nil {
			t.Error(err)
		}
	})
	return "http://" + at.String(), a, tokens
}

// A workflow on the command line, from its definition to its end, its failure
// and its redrive.
func TestWorkflowCommands(t *testing.T) {
	broken := true
	address, _, tokens := statesServer(t, func() bool { return broken })
	dir := t.TempDir()
	file := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	try := func(words string, args ...string) (string, error) {
		t.Helper()
		var out, problems bytes.Buffer
		all := append(strings.Fields(words), args...)
		err := workflowCommand(t.Context(), append(all, "--address", address), func(string) string { return "" }, &out, &problems)
		return out.String() + problems.String(), err
	}
	does := func(want, words string, args ...string) string {
		t.Helper()
		out, err := try(words, args...)
		if err != nil || !strings.Contains(out, want) {
			t.Fatalf("%s %v: %v\n%s\nwant %q", words, args, err, out, want)
		}
		return out
	}
	refuses := func(want, words string, args ...string) {
		t.Helper()
		if out, err := try(words, args...); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s %v: %v\n%s\nwant %s", words, args, err, out, want)
		}
	}
	until := func(want, words string) {
		t.Helper()
		deadline := time.Now().Add(time.Minute)
		for {
			out, err := try(words)
			if err == nil && strings.Contains(out, want) {
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: %v\n%s\nwant %q", words, err, out, want)
			}
			<-time.After(20 * time.Millisecond)
		}
	}
	task := file("task.json", `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"r","End":true}}}`)
	ask := file("ask.json", `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"ask.waitForTaskToken","Parameters":{"t.$":"$$.Task.Token"},"End":true}}}`)
	does("newest version 1", "create m", task, "--publish")
	refuses("StateMachineAlreadyExists", "create m", ask)
	refuses("InvalidDefinition", "update m", file("bad.json", `{"StartAt":"A","States":{}}`))
	refuses("InvalidName", "create a/b", task)
	does("live  1=100", "alias m live 1")
	does("live  1=100", "alias m")
	refuses("ResourceNotFound", "alias m live 2")
	does("spare  1=100", "alias m spare 1")
	refuses("name the machine and the alias", "alias m --delete")
	if out := does("m  revision", "alias m spare --delete"); strings.Contains(out, "spare") {
		t.Errorf("the alias is still there: %s", out)
	}
	does("inspection", "machines")
	does(`"Resource": "r"`, "definition m:1")
	refuses("ResourceNotFound", "definition m:9")
	refuses("arguments are missing", "definition")
	does("x  RUNNING", "start m:live --name x --input", `{"a":1}`)
	until("FAILED", "show x")
	does("version 1, by live", "show x")
	refuses("ExecutionAlreadyExists", "start m:live --name x --input", `{"a":1}`)
	does("x", "list --machine m --status failed --since 1h --prefix x")
	does("TaskFailed", "history x --reverse")
	refuses("ExecutionDoesNotExist", "show nobody")
	refuses("ExecutionDoesNotExist", "stop nobody")
	broken = false
	does("1 redriven, 0 not", "redrive --status FAILED --machine m")
	until("SUCCEEDED", "show x")
	does("ExecutionRedriven", "history x")
	long := `{"text":"` + strings.Repeat("ä", 300) + `"}`
	does("RUNNING", "start m --name long --input", long)
	until("SUCCEEDED", "show long")
	does("…", "history long")
	does(long, "history long --data")
	refuses("ExecutionNotRedrivable", "redrive x")

	does("revision", "create ask", ask)
	does("RUNNING", "start ask --name y")
	does("revision", "create none", file("none.json", `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"none","End":true}}}`))
	does("RUNNING", "start none --name unhandled")
	until("PARKED", "list --status PARKED")
	refuses("ExecutionNotRedrivable", "redrive unhandled")
	refuses("nobody handles", "redrive unhandled")
	does("ABORTED", "stop unhandled")
	token := <-tokens
	does("answered", "send-heartbeat", token)
	does("answered", "send-success --output", `{"b":2}`, token)
	until(`{"b":2}`, "show y")
	refuses("TaskTimedOut", "send-failure --error E", token)
	refuses("InvalidToken", "send-failure --error E x")

	does("m  paused", "pause m --by Ana")
	does("RUNNING", "start m --name z")
	does("paused", "machines")
	does("all draining, 1 left", "drain --all --by Ana")
	does("ABORTED", "stop z --error E --cause why")
	does("m  paused", "resume --all")
	does("nothing is held", "resume m")
	does("nothing is held", "resume m") // again is harmless
	refuses("StateMachineDoesNotExist", "resume nobody")
	refuses("say --all", "pause")
	does("is deleted", "delete ask")
	refuses("StateMachineDoesNotExist", "start ask")
	refuses("Conflict", "delete inspection")
}

func TestActionsAreAudited(t *testing.T) {
	_, a, _ := statesServer(t, func() bool { return false })
	for action, body := range map[string]string{
		"CreateStateMachine": `{"name":"m","definition":{"StartAt":"A","States":{"A":{"Type":"Succeed"}}},"by":"Ana"}`,
		"Pause":              `{"by":"Ana"}`,
	} {
		if _, err := a.Act(t.Context(), action, json.RawMessage(body)); err != nil {
			t.Errorf("%s: %v", action, err)
		}
	}
	trail, err := a.store.Trail(t.Context(), "", 9)
	if err != nil || len(trail) != 2 || trail[0].Who != "Ana" || trail[1].Who != "Ana" {
		t.Errorf("audited %+v, %v", trail, err)
	}
	for action, body := range map[string]string{"Pause": `{"machine":"m"}`, "ListExecutions": `{"maxResults":1001}`, "GetExecutionHistory": `[]`, "StartExecution": `{} {}`, "RedriveExecutions": `{}`} {
		_, err := a.Act(t.Context(), action, json.RawMessage(body))
		var coded *web.CodedError
		if !errors.As(err, &coded) || coded.Code != "ValidationException" {
			t.Errorf("%s %s: %v", action, body, err)
		}
	}
	if _, err := a.Act(t.Context(), "Dance", nil); !errors.Is(err, web.ErrNotFound) {
		t.Errorf("unknown action: %v", err)
	}
}
