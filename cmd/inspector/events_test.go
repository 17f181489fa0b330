package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"inspector"
	"inspector/notify"
	"inspector/notify/rule"
	"inspector/store"
	"inspector/upstream/sqstest"
	"inspector/workflow"
	"inspector/workflow/asl"
)

// eventful is a store and an engine with rules and functions from files, and
// what they send to.
type eventful struct {
	t      *testing.T
	dir    string
	config Config
	disk   *store.Store
	events *events
	engine *workflow.Engine
	client *notify.Client
	heard  chan string // MQTT: topic and payload
	hooked chan *http.Request
	bodies chan string
	people *channels
	before func(*events) // between reading and deploying; nil: nothing
	refuse atomic.Int32  // status that the web server answers with; 0: 200
}

// newEventful makes the folders; files come before start.
func newEventful(t *testing.T) *eventful {
	t.Helper()
	dir := t.TempDir()
	f := &eventful{t: t, dir: dir, config: defaults(), heard: make(chan string, 64), hooked: make(chan *http.Request, 64), bodies: make(chan string, 64)}
	f.config.Data = filepath.Join(dir, "data")
	f.config.Events.Rules, f.config.Events.Functions = filepath.Join(dir, "rules"), filepath.Join(dir, "functions")
	f.config.Events.Channels = filepath.Join(dir, "channels")
	return f
}

func (f *eventful) write(name, text string) string {
	f.t.Helper()
	file := filepath.Join(f.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		f.t.Fatal(err)
	}
	return file
}

// web is a server that takes webhooks.
func (f *eventful) web() string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		if status := f.refuse.Load(); status != 0 {
			w.WriteHeader(int(status))
			return
		}
		f.hooked <- r
		f.bodies <- string(b)
	}))
	f.t.Cleanup(s.Close)
	return s.URL
}

// answers is a server that answers as h does.
func (f *eventful) answers(h http.HandlerFunc) string {
	s := httptest.NewServer(h)
	f.t.Cleanup(s.Close)
	return s.URL
}

// start runs everything until the test ends.
func (f *eventful) start() {
	t := f.t
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	disk, err := store.Open(t.Context(), f.config.Data, f.config.Station.Device)
	if err != nil {
		t.Fatal(err)
	}
	f.disk = disk
	if f.events, err = newEvents(f.config, log); err != nil {
		t.Fatal(err)
	}
	if f.before != nil {
		f.before(f.events)
	}
	itself := func(resource string, _ json.RawMessage) string { return resource }
	f.engine = workflow.New(disk, log, workflow.Options{Emit: f.events.emit, Lane: f.events.lane(itself)})
	if err := f.events.deploy(t.Context(), f.engine); err != nil {
		t.Fatal(err)
	}
	f.config.MQTT.Listen = "127.0.0.1:0"
	broker, client, err := openMessaging(f.config, notify.Topics{}, log)
	if err != nil {
		t.Fatal(err)
	}
	f.client = client
	client.Subscribe("told/#", func(_ context.Context, topic string, payload []byte) { f.heard <- topic + " " + string(payload) })
	up, closeUp, err := openUpstream(f.config)
	if err != nil {
		t.Fatal(err)
	}
	to := &sinks{config: f.config, mqtt: client, keeper: up, engine: f.engine, invoked: f.events.invoked}
	if err := f.events.handle(to); err != nil {
		t.Fatal(err)
	}
	if f.people, err = openChannels(f.events, disk, f.config.Station, "http://192.0.2.10:8080"); err != nil {
		t.Fatal(err)
	}
	f.people.register(f.engine)
	f.engine.Handle("test:echo", 2, func(_ context.Context, task workflow.Task) (json.RawMessage, error) { return task.Input, nil })
	f.engine.Handle("test:fail", 2, func(context.Context, workflow.Task) (json.RawMessage, error) { return nil, errors.New("broken") })
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 3)
	for _, part := range []func(context.Context) error{broker.Run, client.Run, afterwards(client.Tried(), f.engine.Run)} {
		go func() { ended <- part(ctx) }()
	}
	t.Cleanup(func() {
		stop()
		for range 3 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		closeUp()
		if err := errors.Join(to.close(), f.people.close(), disk.Close()); err != nil {
			t.Error(err)
		}
	})
}

// within is what comes from c, or the end of the test.
func within[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(20 * time.Second):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

// until asks again until ok, or fails the test.
func (f *eventful) until(what string, ok func() bool) {
	f.t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); {
		if time.Now().After(end) {
			f.t.Fatalf("not within 20 s: %s", what)
		}
		select { // the disk and the queue tell nobody
		case <-f.t.Context().Done():
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (f *eventful) fails(id string) inspector.Inspection {
	return inspector.Inspection{ID: id, Station: f.config.Station, At: time.Now(), Verdict: inspector.Fail, Reason: "an open", Defects: []inspector.Defect{{Class: "open"}, {Class: "open"}}}
}

func (f *eventful) tell(i inspector.Inspection) {
	f.t.Helper()
	e := f.events.judgedEvent(i)
	if err := f.events.tell(f.t.Context(), e.DetailType, i.ID, i.At, e.Detail); err != nil {
		f.t.Fatal(err)
	}
}

// One event goes to every kind of target, each as its transformer says, and
// told again it goes nowhere again.
func TestRulesReachEveryTarget(t *testing.T) {
	f := newEventful(t)
	address := f.web()
	const keyID, secret = "AKIDTEST", "secret"
	sent := sqstest.New(keyID, secret)
	server := httptest.NewServer(sent)
	t.Cleanup(server.Close)
	t.Setenv("AWS_ACCESS_KEY_ID", keyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", secret)
	queue := sqs.New(sqs.Options{Region: "us-east-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider(keyID, secret, "")})
	if _, err := queue.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("failed")}); err != nil {
		t.Fatal(err)
	}
	token := f.write("token", "Bearer s3cret\n")
	slack := f.write("slack", address+"/slack\n")
	f.write("rules/failed.yaml", `
description: boards that failed
pattern:
  source: [inspector]
  detail-type: [Inspection Judged]
  detail: {verdict: [fail]}
targets:
  topic: {mqtt: {topic: told/failed}, input_path: $.detail.inspection}
  hook:
    webhook: {url: `+address+`/hook, header_files: {Authorization: `+token+`}}
    transformer:
      paths: {id: $.detail.inspection, n: $.detail.defects.open}
      template: '{"board": <id>, "opens": <n>, "rule": "<aws.events.rule-name>"}'
  chat:
    slack: {url_file: `+slack+`}
    transformer: {paths: {id: $.detail.inspection}, template: "board <id> failed"}
  files: {sqs: {queue: failures}}
  queue: {sqs: {queue: '`+server.URL+"/"+sqstest.Account+`/failed'}}
  objects: {object: {prefix: events}, input: {constant: true}}
  folder: {folder: `+filepath.Join(f.dir, "outbox")+`}
  other: {execution: {machine: MACHINE}}
`)
	echo := `{"StartAt":"E","States":{"E":{"Type":"Task","Resource":"test:echo","End":true}}}`
	f.write("rules/failed.yaml", strings.ReplaceAll(read(t, filepath.Join(f.dir, "rules/failed.yaml")), "MACHINE", hashOf(t, echo)))
	f.start()
	if _, err := f.engine.Deploy(t.Context(), []byte(echo)); err != nil {
		t.Fatal(err)
	}
	i := f.fails("b1")
	f.tell(i)
	f.tell(i)
	if got := within(t, f.heard); got != `told/failed "b1"` {
		t.Errorf("heard %s", got)
	}
	bodies := map[string]string{}
	for range 2 {
		r := within(t, f.hooked)
		bodies[r.URL.Path] = within(t, f.bodies)
		if r.URL.Path == "/hook" && (r.Header.Get("Authorization") != "Bearer s3cret" || r.Header.Get("Idempotency-Key") == "") {
			t.Errorf("headers %v", r.Header)
		}
	}
	if bodies["/hook"] != `{"board": "b1", "opens": 2, "rule": "failed"}` || bodies["/slack"] != `{"text":"board b1 failed"}` {
		t.Errorf("posted %v", bodies)
	}
	up := f.config.upstreamFolder()
	for _, glob := range []string{filepath.Join(up, "failures", "*.json"), filepath.Join(up, "inspections", "events", "*.json"), filepath.Join(f.dir, "outbox", "*.json")} {
		f.until(glob, func() bool { return len(matches(t, glob)) == 1 })
	}
	f.until("the queue", func() bool { return sent.Calls("SendMessage") == 1 })
	id := rule.RequestIDOf(rule.Delivery{Rule: "failed", Target: "other"}.ID(f.events.judgedEvent(i).ID), 1)
	f.until("the other execution", func() bool {
		d, err := f.engine.Describe(t.Context(), id)
		return err == nil && d.Status == asl.StatusSucceeded
	})
	if len(f.heard)+len(f.hooked) > 0 {
		t.Error("an event that was told twice went out twice")
	}
	f.tell(inspector.Inspection{ID: "b2", At: time.Now(), Verdict: inspector.Pass})
	f.tell(f.fails("b3"))
	if got := within(t, f.heard); got != `told/failed "b3"` {
		t.Errorf("heard %s", got)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func hashOf(t *testing.T, definition string) string {
	t.Helper()
	m, err := asl.Parse([]byte(definition))
	if err != nil {
		t.Fatal(err)
	}
	return m.Hash()
}

func matches(t *testing.T, glob string) []string {
	t.Helper()
	all, err := filepath.Glob(glob)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// A refusal for good becomes a dead letter at once, one that may pass after
// its retries, and an event that is too old without any attempt.
func TestDeadLetters(t *testing.T) {
	f := newEventful(t)
	address := f.web()
	f.write("rules/hook.yaml", `
pattern: '{"detail-type": ["Inspection Judged"]}'
targets:
  final: {webhook: {url: `+address+`}, dead_letter: {mqtt: {topic: told/final}}, retry: {attempts: 0}}
  filed: {webhook: {url: `+address+`}, dead_letter: {folder: `+filepath.Join(f.dir, "dead")+`}}
`)
	f.refuse.Store(http.StatusGone)
	f.start()
	f.tell(f.fails("b1"))
	var dead struct {
		Attributes map[string]string
		Body       struct{ Detail judgedDetail }
	}
	parse := func() {
		_, text, _ := strings.Cut(within(t, f.heard), " ")
		if err := json.Unmarshal([]byte(text), &dead); err != nil {
			t.Fatal(err)
		}
	}
	parse()
	if dead.Body.Detail.Inspection != "b1" || dead.Attributes["ERROR_CODE"] != rule.Refused || dead.Attributes["RULE"] != "hook" || dead.Attributes["TARGET"] != "final" || !strings.Contains(dead.Attributes["ERROR_MESSAGE"], "410") {
		t.Errorf("dead letter %+v", dead)
	}
	f.until("the filed one", func() bool { return len(matches(t, filepath.Join(f.dir, "dead", "*.json"))) == 1 })
	f.refuse.Store(http.StatusBadGateway)
	f.tell(f.fails("b2"))
	parse()
	if dead.Body.Detail.Inspection != "b2" || dead.Attributes["EXHAUSTED_RETRY_CONDITION"] != "MaximumRetryAttempts" || dead.Attributes["ERROR_CODE"] != "Webhook.StatusCode.502" {
		t.Errorf("dead letter %+v", dead)
	}
	f.refuse.Store(0)
	old := f.fails("b3")
	old.At = time.Now().Add(-25 * time.Hour)
	f.tell(old)
	parse()
	if dead.Body.Detail.Inspection != "b3" || dead.Attributes["EXHAUSTED_RETRY_CONDITION"] != "MaximumEventAgeInSeconds" {
		t.Errorf("dead letter %+v", dead)
	}
}

// A delivery that was too old is made when a person redrives it.
func TestRedriveOfWhatWasTooOld(t *testing.T) {
	f := newEventful(t)
	f.write("rules/late.yaml", "pattern: '{\"source\": [\"inspector\"]}'\ntargets: {tell: {mqtt: {topic: told/late}}}\n")
	f.start()
	old := f.fails("b1")
	old.At = time.Now().Add(-25 * time.Hour)
	f.tell(old)
	id := rule.Delivery{Rule: "late", Target: "tell"}.ID(f.events.judgedEvent(old).ID)
	f.until("it is too old", func() bool {
		x, err := f.engine.Describe(t.Context(), id)
		return err == nil && x.Status == asl.StatusFailed && x.Error == rule.TooOld
	})
	if err := f.engine.Redrive(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if told := within(t, f.heard); !strings.Contains(told, `"inspection":"b1"`) {
		t.Errorf("told %s", told)
	}
}

// A rule whose target tells the events that it wants ends after some rounds,
// also where a function begins the execution.
func TestRulesDoNotFeedThemselves(t *testing.T) {
	for target, file := range map[string]string{"execution: {machine: m}": "", "function: again": "machine: m\nretries: 0\n"} {
		f := newEventful(t)
		f.write("rules/loop.yaml", "pattern: '{\"source\": [\"aws.states\"], \"detail\": {\"status\": [\"SUCCEEDED\"]}}'\ntargets: {again: {"+target+", input: {}, dead_letter: {mqtt: {topic: told/end}}}}\n")
		if file != "" {
			f.write("functions/again.yaml", file)
		}
		f.start()
		definition := []byte(`{"StartAt":"P","States":{"P":{"Type":"Pass","End":true}}}`)
		if _, err := f.engine.CreateMachine(t.Context(), workflow.Machine{Name: "m"}, definition, false); err != nil {
			t.Fatal(err)
		}
		if _, err := f.engine.StartExecution(t.Context(), workflow.Order{Machine: "m", Name: "first"}); err != nil {
			t.Fatal(err)
		}
		if told := within(t, f.heard); !strings.Contains(told, rule.Refused) || !strings.Contains(told, "5 times over") {
			t.Errorf("%s: told %s", target, told)
		}
	}
}

// Every change of an execution's status is told, those of deliveries are not.
func TestStatusChangesAreTold(t *testing.T) {
	f := newEventful(t)
	f.write("rules/all.yaml", "pattern: '{\"source\": [\"aws.states\", \"inspector\"]}'\ntargets: {tell: {mqtt: {topic: told/states}, input_path: $.detail}}\n")
	f.start()
	hash, err := f.engine.Deploy(t.Context(), []byte(`{"StartAt":"E","States":{"E":{"Type":"Task","Resource":"test:fail","End":true}}}`))
	if err != nil {
		t.Fatal(err)
	}
	f.tell(f.fails("b1")) // what delivers it is an execution, too
	if told := within(t, f.heard); !strings.Contains(told, `"inspection":"b1"`) {
		t.Fatalf("told %s", told)
	}
	if err := f.engine.Start(t.Context(), hash, "x", json.RawMessage(`{"a":1}`)); err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{}
	for range 2 {
		_, text, _ := strings.Cut(within(t, f.heard), " ")
		var d struct{ Name, Status, Input, Cause string }
		if err := json.Unmarshal([]byte(text), &d); err != nil {
			t.Fatal(err)
		}
		seen[d.Status] = d.Name + " " + d.Input + " " + d.Cause
	}
	if seen["RUNNING"] != `x {"a":1} ` || seen["FAILED"] != `x {"a":1} broken` {
		t.Errorf("told %v", seen)
	}
	if _, err := f.engine.Describe(t.Context(), "x"); err != nil || len(f.heard) > 0 {
		t.Errorf("more was told (%v)", err)
	}
	found, _, err := f.disk.Executions(t.Context(), store.ExecutionFilter{Machine: "rule/all/tell"})
	if err != nil || len(found) != 3 || found[0].Type != workflow.Express {
		t.Errorf("the deliveries are %+v (%v)", found, err)
	}
}

// An invocation goes to the destination of its result, with its record; the
// dead letter is the bare event.
func TestFunctionDestinations(t *testing.T) {
	f := newEventful(t)
	f.write("functions/echo.yaml", "handler: test:echo\non_success: {mqtt: {topic: told/success}}\non_failure: {mqtt: {topic: told/never}}\n")
	f.write("functions/broken.yaml", "handler: test:fail\nretries: 1\npauses: [1s]\non_success: {mqtt: {topic: told/never}}\non_failure: {mqtt: {topic: told/failure}}\ndead_letter: {mqtt: {topic: told/event}}\n")
	f.write("rules/invoke.yaml", "pattern: '{\"detail\": {\"verdict\": [\"fail\"]}}'\ntargets: {call: {function: echo, input_path: $.detail.inspection}}\n")
	f.start()
	f.tell(f.fails("b1"))
	got := f.record("told/success")
	if got.RequestContext.Condition != rule.Success || got.RequestContext.Count != 1 || string(got.RequestPayload) != `"b1"` || string(got.ResponsePayload) != `"b1"` || got.ResponseContext.Error != "" {
		t.Errorf("record %+v", got)
	}
	if err := invoke(t.Context(), f.engine, "broken", f.events.invoked["broken"], "r1", json.RawMessage(`{"n":1}`)); err != nil {
		t.Fatal(err)
	}
	got = f.record("told/failure")
	if got.RequestContext.Condition != rule.RetriesExhausted || got.RequestContext.Count != 2 || got.RequestContext.RequestID != "r1" || got.ResponseContext.Error != "Unhandled" || !strings.Contains(string(got.ResponsePayload), `"errorMessage":"broken"`) {
		t.Errorf("record %+v", got)
	}
	if event := within(t, f.heard); event != `told/event {"n":1}` {
		t.Errorf("dead letter %s", event)
	}
}

func (f *eventful) record(topic string) (r rule.Record) {
	f.t.Helper()
	on, text, _ := strings.Cut(within(f.t, f.heard), " ")
	if on != topic {
		f.t.Fatalf("heard on %s, want %s: %s", on, topic, text)
	}
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		f.t.Fatal(err)
	}
	return r
}

func TestRuleFilesSayWhere(t *testing.T) {
	f := newEventful(t)
	f.write("rules/a.yaml", "pattern: '{\"a\": []}'\ntargets:\n  x:\n    mqtt: {topic: 'a/#'}\n    retry: {max_age: 1s}\n  y: {function: nobody}\n")
	f.write("rules/b.yaml", "name: a\npattern: {a: [b]}\ntarget: {}\n")
	_, _, err := f.config.readRules()
	for _, want := range []string{"a.yaml:1: pattern: Event pattern is not valid. Reason: Empty arrays", "a.yaml:4: targets.x.mqtt.topic:", "a.yaml:5: targets.x.retry.max_age: 1s", `there is no function "nobody"`, `b.yaml:1: name: "a" is the name of`, `b.yaml:3: unknown key "target"`, "b.yaml: targets: a rule needs"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v\nlacks %s", err, want)
		}
	}
}

func TestBus(t *testing.T) {
	var b bus
	if _, _, err := b.Tail([]byte(`{"a":[]}`)); err == nil {
		t.Error("a pattern that is none was taken")
	}
	some, leave, err := b.Tail([]byte(`{"a":[1]}`))
	if err != nil {
		t.Fatal(err)
	}
	slow, _, err := b.Tail(nil)
	if err != nil {
		t.Fatal(err)
	}
	b.show(json.RawMessage(`{"a":1}`))
	for range busBacklog {
		b.show(json.RawMessage(`{"a":2}`))
	}
	if got := string(<-some); got != `{"a":1}` || len(some) != 0 {
		t.Errorf("got %s and %d more", got, len(some))
	}
	n := 0
	for range slow { // closed: it was dropped
		n++
	}
	leave()
	if _, more := <-some; more || n != busBacklog || b.watched() {
		t.Errorf("the slow reader had %d events; watched %v", n, b.watched())
	}
}
