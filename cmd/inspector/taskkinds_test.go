package main

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"inspector/store"
	"inspector/workflow"
	"inspector/workflow/asl"
)

// folder makes a folder of the files, and gives its path.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// execute runs a definition on the real journal until it has ended or waits
// for a person.
func execute(t *testing.T, c Config, definition, input string) workflow.Description {
	t.Helper()
	disk, err := store.Open(t.Context(), t.TempDir(), "test")
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	o, err := openOutside(c)
	if err != nil {
		t.Fatal(err)
	}
	defer o.http.Close()
	named := functions{}
	e := workflow.New(disk, slog.New(slog.DiscardHandler), workflow.Options{Remedy: remedy, Lane: named.lane})
	o.register(named.of(e))
	hash, err := e.Deploy(t.Context(), []byte(definition))
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Start(t.Context(), hash, "x", json.RawMessage(input)); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- e.Run(ctx) }()
	defer func() { cancel(); <-ended }()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		d, err := e.Describe(t.Context(), "x")
		if err != nil {
			t.Fatal(err)
		}
		if d.Status != asl.StatusRunning || d.Parked != "" {
			return d
		}
		if time.Now().After(deadline) {
			t.Fatalf("it does not end: %+v", d)
		}
	}
}

func TestTasksReachOthers(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"key":"`+r.Header.Get("Idempotency-Key")+`","body":`+string(body)+`}`)
	}))
	defer server.Close()
	c := defaults()
	c.Connections = folder(t, map[string]string{"mes.yaml": "hosts: ['" + strings.TrimPrefix(server.URL, "http://") + "']\nplain_http: true\n"})
	c.Commands = folder(t, map[string]string{"label.yaml": "argv: [/bin/cat]\ndir: /\n", "broken.yaml": "argv: [/bin/false]\ndir: /\n"})
	d := execute(t, c, `{"StartAt":"Label","States":{
		"Label":{"Type":"Task","Resource":"inspector:command:label","ResultPath":"$.label","Next":"Tell"},
		"Tell":{"Type":"Task","Resource":"arn:aws:states:::http:invoke","Parameters":{"ApiEndpoint.$":"$.api","Method":"POST","Authentication":{"ConnectionArn":"mes"},"RequestBody.$":"$.label"},
			"ResultSelector":{"said.$":"$.ResponseBody"},"Next":"Fail"},
		"Fail":{"Type":"Task","Resource":"inspector:command:broken","ResultPath":null,"Catch":[{"ErrorEquals":["Command.Failed"],"ResultPath":"$.error","Next":"Done"}],"End":true},
		"Done":{"Type":"Succeed"}}}`, `{"api":"`+server.URL+`"}`)
	var out struct {
		Said struct {
			Key  string
			Body struct{ API string }
		}
		Error struct{ Error, Cause string }
	}
	if err := json.Unmarshal(d.Output, &out); d.Status != asl.StatusSucceeded || err != nil {
		t.Fatalf("%s %s %s %v", d.Status, d.Error, d.Cause, err)
	}
	if !strings.Contains(out.Said.Key, "x") || out.Said.Body.API != server.URL || out.Error.Error != "Command.Failed" || !strings.Contains(out.Error.Cause, "exit status 1") {
		t.Errorf("%s", d.Output)
	}
}

// What is not in the configuration parks with what a person can do.
func TestTasksThatAreNotAllowedPark(t *testing.T) {
	for resource, want := range map[string]string{
		"inspector:command:label":      "write label.yaml into the folder",
		"inspector:command:../bin/sh":  "stop the execution",
		"arn:aws:states:::http:invoke": "write mes.yaml into the folder of connections",
		"arn:aws:states:::sns:publish": "correct the definition's Resource",
	} {
		d := execute(t, defaults(), `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"`+resource+`","Parameters":{"ApiEndpoint":"https://mes/","Method":"GET","Authentication":{"ConnectionArn":"mes"}},"Catch":[{"ErrorEquals":["States.ALL"],"Next":"B"}],"End":true},"B":{"Type":"Succeed"}}}`, "{}")
		if !strings.Contains(d.Parked, want) {
			t.Errorf("%s: %s, parked: %s", resource, d.Status, d.Parked)
		}
	}
}

func TestFoldersOfTasksReportEveryFault(t *testing.T) {
	c := defaults()
	c.Connections = folder(t, map[string]string{"mes.yaml": "hosts: []\nauthorization: digest\n", "erp.yaml": "host: x\n", "no spaces.yaml": "hosts: [x]\n"})
	c.Commands = folder(t, map[string]string{"label.yaml": "argv: [sh]\ndir: /\ntimeout: 3\n", "print.yaml": "argv: [/bin/cat]\nmemory: -1\n"})
	err := checkOutside(c)
	if err == nil {
		t.Fatal("no fault")
	}
	for _, want := range []string{`mes.yaml:1: hosts:`, `mes.yaml:2: authorization: "digest"`, `erp.yaml:1: unknown key "host"`, "no spaces.yaml: want 1 to 64", `label.yaml:3: timeout: "3" is not a duration`, "print.yaml: dir:", "print.yaml:2: memory:"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in:\n%v", want, err)
		}
	}
}

var fenced = regexp.MustCompile("(?s)```json\n(\\{\\s*\"(?:Comment|StartAt|QueryLanguage)\".*?)```")

// Every definition of the page about tasks is one.
func TestDefinitionsOfTheTasksPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/workflow-tasks.md")
	if err != nil {
		t.Fatal(err)
	}
	found := fenced.FindAllSubmatch(page, -1)
	if len(found) < 3 {
		t.Errorf("%d definitions", len(found))
	}
	for _, f := range found {
		if _, err := asl.Parse(f[1]); err != nil {
			t.Errorf("%v in\n%s", err, f[1])
		}
	}
}
