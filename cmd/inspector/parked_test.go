package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"inspector/store"
	"inspector/web"
)

// An office is an appliance of which some deliveries are refused for good: two
// objects of evidence that there is not, and a request whose password is
// missing.
type office struct {
	*appliance
	t      *testing.T
	data   string
	secret string
}

func newOffice(t *testing.T) office {
	t.Helper()
	mes := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(mes.Close)
	connections := t.TempDir()
	o := office{t: t, data: t.TempDir(), secret: filepath.Join(connections, "password")}
	vault := "hosts: ['" + strings.TrimPrefix(mes.URL, "http://") + "']\nplain_http: true\nauthorization: basic\nusername: inspector\npassword_file: " + o.secret + "\n"
	for file, text := range map[string]string{o.secret: "secret", filepath.Join(connections, "vault.yaml"): vault} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o.appliance = startAppliance(t, o.data, "INSPECTOR_CAMERA_PERIOD=5s", "INSPECTOR_CONNECTIONS="+connections)
	if err := os.Remove(o.secret); err != nil {
		t.Fatal(err)
	}
	for name, state := range map[string]string{
		"keep": `"Resource":"arn:aws:states:::aws-sdk:s3:putObject","Parameters":{"Bucket":"inspections","Key.$":"$$.Execution.Name","Body":"evidence:elsewhere"}`,
		"ask":  `"Resource":"arn:aws:states:::http:invoke","Parameters":{"ApiEndpoint":"` + mes.URL + `/","Method":"GET","Authentication":{"ConnectionArn":"vault"}}`,
	} {
		o.order("CreateStateMachine", `{"name":"`+name+`","definition":{"StartAt":"Do","States":{"Do":{"Type":"Task",`+state+`,"End":true}}}}`)
	}
	for _, name := range []string{"keep-1", "keep-2", "ask-1"} {
		machine, _, _ := strings.Cut(name, "-")
		o.order("StartExecution", `{"stateMachine":"`+machine+`","name":"`+name+`"}`)
	}
	o.until("they are parked", func() bool {
		return len(get[struct{ Parked []web.ParkedTask }](o.appliance, "/api/v1/parked").Parked) == 3
	})
	return o
}

func (o office) order(action, body string) {
	o.t.Helper()
	if code, answer := o.do(http.MethodPost, "/api/v1/states/"+action, "application/json", strings.NewReader(body)); code != http.StatusOK {
		o.t.Fatalf("%s: %d %s", action, code, answer)
	}
}

// workflow runs inspector workflow WORDS.
func (o office) workflow(args ...string) (string, int) {
	o.t.Helper()
	var out bytes.Buffer
	code := command(o.t.Context(), append(append([]string{"workflow"}, args...), "--address", o.page), func(string) string { return "" }, &out, &out)
	return out.String(), code
}

// What is parked is listed by target with its reason, edited and tried again,
// one piece or many; status, metrics and doctor say the same.
func TestParkedWork(t *testing.T) {
	o := newOffice(t)
	says := func(want string, args ...string) {
		t.Helper()
		if out, code := o.workflow(args...); code != 0 || !regexp.MustCompile(want).MatchString(out) {
			t.Errorf("%v: exit code %d:\n%s\nwant %s", args, code, out, want)
		}
	}
	refuses := func(exit int, want string, args ...string) {
		t.Helper()
		if out, code := o.workflow(args...); code != exit || !strings.Contains(out, want) {
			t.Errorf("%v: exit code %d, want %d:\n%s\nwant %s", args, code, exit, out, want)
		}
	}
	says(`(?s)TARGET +SINCE.*folder evidence  +20\S+ \S+  keep-1 +Do 1 +.*elsewhere.*http vault .* ask-1 `, "parked")
	says(`^(?s)TARGET[^\n]*\nhttp vault[^\n]*password[^\n]*\n$`, "parked", "--target", "http vault")
	says(`^(?s)TARGET.*keep-1.*keep-2[^\n]*\n$`, "parked", "--reason", "ELSEWHERE")
	says(`nothing is parked`, "parked", "--target", "mqtt alerts")
	says(`(?s)"Body": "evidence:elsewhere".*"Key": "keep-1"`, "amend", "keep-1")

	of := func(name string) web.Target {
		t.Helper()
		for _, x := range o.status().Targets {
			if x.Name == name {
				return x
			}
		}
		t.Fatalf("there is no target %q", name)
		return web.Target{}
	}
	if e := of("folder evidence"); e.State != web.TargetParked || e.Parked != 2 || !strings.Contains(e.Error, "elsewhere") || !strings.Contains(e.Remedy, "--target 'folder evidence' --redrive") || e.Oldest <= 0 {
		t.Errorf("%+v", e)
	}
	if _, b := o.do(http.MethodGet, "/metrics", "", nil); !strings.Contains(string(b), `inspector_target_parked{target="folder evidence"} 2`) || !strings.Contains(string(b), `inspector_target_depth{target="mqtt alerts"} `) {
		t.Errorf("the metrics do not tell of targets")
	}
	doctor := func() string {
		var out bytes.Buffer
		d := program(t, []string{"INSPECTOR_DATA=" + o.data, "INSPECTOR_MQTT_LISTEN=127.0.0.1:" + o.broker, "INSPECTOR_WEB_LISTEN=" + strings.TrimPrefix(o.page, "http://"), "INSPECTOR_CONNECTIONS=" + filepath.Dir(o.secret)}, "doctor")
		d.Stdout = &out
		_ = d.Run() // the words tell
		return out.String()
	}
	if have := doctor(); !regexp.MustCompile(`(?m)^target +FAULT +folder evidence: 0 waiting,.* 2 parked: .*elsewhere.*--redrive$`).MatchString(have) || !regexp.MustCompile(`(?m)^target +ok +mqtt alerts: `).MatchString(have) {
		t.Errorf("the doctor says\n%s", have)
	}

	refuses(1, "$.Key is missing", "amend", "keep-1", "--input", `{"Bucket":"inspections","Body":"x"}`)
	refuses(2, "is not JSON", "amend", "keep-1", "--input", `{"Bucket":`)
	refuses(1, "no such task of it is parked", "amend", "keep-1", "--command", "7")
	refuses(2, "say --all", "parked", "--redrive")
	file := filepath.Join(t.TempDir(), "input.json")
	if err := os.WriteFile(file, []byte(`{"Bucket":"inspections","Key":"keep-1","Body":"x"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	says(`Do of keep-1 is tried again`, "amend", "keep-1", "--input", "@"+file, "--by", "Ann")
	o.until("it is delivered", func() bool {
		return get[web.Execution](o.appliance, "/api/v1/executions/keep-1").Status == "SUCCEEDED"
	})
	says(`TaskAmended .*by=Ann.*inspections`, "history", "keep-1", "--data")
	says(`0 redriven, 0 not`, "parked", "--redrive", "--target", "mqtt alerts")
	if err := os.WriteFile(o.secret, []byte("secret"), 0o600); err != nil { // read again
		t.Fatal(err)
	}
	says(`1 redriven, 0 not`, "parked", "--redrive", "--reason", "password", "--by", "Ann")
	o.until("it is asked", func() bool {
		return get[web.Execution](o.appliance, "/api/v1/executions/ask-1").Status == "SUCCEEDED"
	})
	if n := of("folder evidence").Parked; n != 1 {
		t.Errorf("%d parked for the folder, want what was not chosen", n)
	}
	says(`1 redriven, 0 not`, "parked", "--redrive", "--all")
	o.until("it is parked again", func() bool { return of("folder evidence").Parked == 1 })
	o.stop()
	if have := doctor(); !regexp.MustCompile(`(?m)^target +FAULT +folder evidence: 0 waiting, 1 parked; start the appliance.*\(the appliance does not run\)$`).MatchString(have) {
		t.Errorf("without the appliance the doctor says\n%s", have)
	}
	s, err := store.Open(t.Context(), o.data, "inspector1")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	trail, err := s.Trail(t.Context(), "keep-1", 9)
	if words := fmt.Sprintf("%s", trail); err != nil || !strings.Contains(words, "amend-task") || !strings.Contains(words, "Ann") || !strings.Contains(words, "elsewhere") {
		t.Errorf("the audit trail says %s (%v)", words, err)
	}
}

// A target that takes nothing is failing, with the error in words and no end
// in sight; once it takes work again the backlog goes out, at a pace that is
// told.
func TestTargetFailsAndDrains(t *testing.T) {
	var up atomic.Bool
	var taken atomic.Int64
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if up.Load() {
			taken.Add(1)
			return
		}
		if c, _, err := w.(http.Hijacker).Hijack(); err == nil {
			c.Close() // as if the cable was pulled
		}
	}))
	t.Cleanup(hook.Close)
	rules := folder(t, map[string]string{"all.yaml": "pattern: {source: [inspector]}\ntargets: {hook: {webhook: {url: '" + hook.URL + "'}}}\n"})
	a := startAppliance(t, t.TempDir(), "INSPECTOR_EVENTS_RULES="+rules)
	of := func() (x web.Target) {
		for _, x = range a.status().Targets {
			if x.Name == "rule all/hook" {
				return x
			}
		}
		t.Fatal("the rule's target is not among them")
		return x
	}
	var x web.Target
	a.until("it is failing, and a backlog grows", func() bool {
		x = of()
		return x.State == web.TargetFailing && x.Depth > 30
	})
	if x.Error == "" || x.Remedy == "" || x.Delivered != 0 || x.Rate != 0 || x.Drain != nil || x.Oldest <= 0 {
		t.Errorf("failing: %+v", x)
	}
	if _, b := a.do(http.MethodGet, "/metrics", "", nil); !strings.Contains(string(b), `inspector_target_failing{target="rule all/hook"} 1`) || strings.Contains(string(b), `inspector_target_drain_seconds{target="rule all/hook"}`) {
		t.Error("the metrics do not tell of it")
	}
	up.Store(true)
	a.until("the backlog is gone", func() bool {
		x = of()
		return x.State == web.TargetOK && x.Depth < 10 && x.Delivered > 30 && x.Rate > 0 && x.Drain != nil
	})
	if x.Error != "" || uint64(taken.Load()) < x.Delivered {
		t.Errorf("of %d taken: %+v", taken.Load(), x)
	}
	a.stop()
}
