package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"inspector"
	"inspector/notify/people"
	"inspector/notify/rule"
	"inspector/store"
	"inspector/workflow"
	"inspector/workflow/asl"
)

const failedRule = "pattern: {detail-type: [Inspection Judged], detail: {verdict: [fail]}}\ntargets: {people: {channel: shift}}\n"

// told is the next message that the receiver of the webhook got.
func (f *eventful) told() (m people.Message) {
	f.t.Helper()
	within(f.t, f.hooked)
	if err := json.Unmarshal([]byte(within(f.t, f.bodies)), &m); err != nil {
		f.t.Fatal(err)
	}
	return m
}

// accepted is a board that failed and that the store knows; who is told of it
// begins in the same commit.
func (f *eventful) accepted(serial string) inspector.Inspection {
	f.t.Helper()
	id, _, err := f.disk.Triggered(f.t.Context(), inspector.Trigger{Source: "test", At: time.Now()})
	if err != nil {
		f.t.Fatal(err)
	}
	i := f.fails(id.String())
	i.Serial = serial
	var begun []workflow.Transition
	if i, err = f.disk.Accept(f.t.Context(), i, nil, func(i inspector.Inspection) ([]workflow.Transition, error) {
		begun = f.events.prepare(i)
		return begun, nil
	}); err != nil {
		f.t.Fatal(err)
	}
	f.engine.Wake(begun...)
	return i
}

// A broken line fails 3,000 boards in one go: people get the first at once and
// the others in a few digests, and every one of them is in one.
func TestBrokenLineSendsFewMessages(t *testing.T) {
	f := newEventful(t)
	f.write("channels/shift.yaml", "webhook: {url: "+f.web()+"}\ngroup: {every: 2s, by: recipe}\n")
	f.write("rules/failed.yaml", failedRule)
	f.start()
	const boards = 3000
	var all []workflow.Begin
	for n := range boards {
		i := f.fails(fmt.Sprintf("b%d", n))
		i.Recipe = "main"
		_, told := f.events.deliveries(f.events.judgedEvent(i), 0)
		all = append(all, told...)
	}
	begin := func(some []workflow.Begin) {
		if err := f.engine.Begin(t.Context(), some...); err != nil {
			t.Fatal(err)
		}
	}
	begin(all[:1])
	if m := f.told(); m.Kind != people.KindBoard || m.Title != "Board b0 failed" {
		t.Errorf("the first is %+v", m)
	}
	began, messages, count := time.Now(), 1, 1
	begin(all[1:])
	for count < boards {
		m := f.told()
		messages++
		if m.Digest == nil {
			t.Fatalf("it is no digest: %+v", m)
		}
		count += m.Digest.Count
	}
	if most := 2 + int(time.Since(began)/(2*time.Second)); count != boards || messages > most {
		t.Errorf("%d messages of %d boards; want at most %d", messages, count, most)
	}
	t.Logf("%d boards, %d messages in %v", boards, messages, time.Since(began).Round(time.Millisecond))
	f.until("every delivery has ended well", func() bool {
		open, err := f.disk.Queues(t.Context(), time.Now())
		return err == nil && len(open) == 0
	})
}

// People are reminded of a board until somebody acknowledges it.
func TestRemindersEndWithAcknowledgement(t *testing.T) {
	f := newEventful(t)
	f.write("channels/shift.yaml", "webhook: {url: "+f.web()+"}\ngroup: {every: 0s}\nremind: {every: 1m}\n")
	f.write("rules/failed.yaml", failedRule)
	f.before = func(e *events) {
		c := e.channels["shift"]
		c.Remind.Every = time.Second
		e.channels["shift"] = c
	}
	f.start()
	seen, ignored := f.accepted("SN-1"), f.accepted("SN-2")
	for range 2 {
		if m := f.told(); m.Reminder != 0 || m.Board == nil || len(m.Board.Defects) != 2 || !strings.HasPrefix(m.Title, "Board SN-") {
			t.Errorf("first %+v", m)
		}
	}
	if _, err := f.disk.Acknowledge(t.Context(), seen.ID, inspector.Acknowledgement{By: "Ann", At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= 2; n++ {
		if m := f.told(); m.Reminder != n || m.Board.ID != ignored.ID {
			t.Errorf("reminder %d: %+v", n, m)
		}
	}
	if err := f.disk.Dispose(t.Context(), ignored.ID, inspector.Disposition{Decision: "scrap", By: "Ann", At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	f.until("both have ended", func() bool {
		open, err := f.disk.Queues(t.Context(), time.Now())
		return err == nil && len(open) == 0
	})
}

// What comes in quiet hours waits, trouble does not.
func TestQuietHoursHoldBack(t *testing.T) {
	f := newEventful(t)
	now := time.Now()
	hours := now.Add(-time.Hour).Format("15:04") + "-" + now.Add(2*time.Hour).Format("15:04")
	f.write("channels/shift.yaml", "webhook: {url: "+f.web()+"}\nquiet: {hours: ['"+hours+"'], except: [trouble]}\n")
	f.write("rules/all.yaml", "pattern: {source: [inspector]}\ntargets: {people: {channel: shift}}\n")
	f.start()
	f.accepted("SN-1")
	if err := f.events.tell(t.Context(), cameraChanged, "lost", now, cameraDetail{State: "lost", Before: "delivering", Error: "no frame"}); err != nil {
		t.Fatal(err)
	}
	if m := f.told(); m.Severity != people.Trouble || m.What != "no frame" {
		t.Errorf("told %+v", m)
	}
	f.until("the board waits", func() bool {
		q, err := f.disk.Queues(t.Context(), time.Now())
		return err == nil && len(q) == 1 && q[0].Lane == rule.ChannelResource("shift") && q[0].Depth == 1 && q[0].Parked == 0
	})
	if len(f.hooked) > 0 {
		t.Error("somebody was disturbed")
	}
}

// A refusal for good is parked with its reason, without the secret, and goes out
// when it is mended and redriven.
func TestRefusedChannelIsParked(t *testing.T) {
	f := newEventful(t)
	token := f.write("token", "xoxb-secret\n")
	answer := make(chan string, 1)
	answer <- `{"ok":false,"error":"token_revoked"}`
	address := f.answers(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		select {
		case a := <-answer:
			fmt.Fprint(w, a)
		default:
			f.bodies <- string(body)
			fmt.Fprint(w, `{"ok":true,"channel":"C1","ts":"1.1"}`)
		}
	})
	f.write("channels/shift.yaml", "slack: {token_file: "+token+", channel: '#line', api: "+address+"}\n")
	f.write("rules/failed.yaml", failedRule)
	f.start()
	f.accepted("SN <!channel>")
	var execution, why string
	f.until("it is parked", func() bool {
		parked, _, err := f.disk.Parked(t.Context(), store.ParkedFilter{Lanes: []string{rule.ChannelResource("shift")}, Limit: 1})
		if err != nil || len(parked) != 1 {
			return false
		}
		execution, why = parked[0].Execution, parked[0].Parked
		return true
	})
	if !strings.Contains(why, "token_revoked") || !strings.Contains(why, "channel shift") || strings.Contains(why, "xoxb-secret") {
		t.Errorf("parked: %s", why)
	}
	if err := f.engine.Redrive(t.Context(), execution); err != nil {
		t.Fatal(err)
	}
	if body := within(t, f.bodies); !strings.Contains(body, `\u0026lt;!channel\u0026gt;`) || strings.Contains(body, "<!channel>") {
		t.Errorf("posted %s", body)
	}
}

// A workflow's own definition tells people by a task.
func TestWorkflowTellsPeople(t *testing.T) {
	f := newEventful(t)
	f.write("channels/shift.yaml", "webhook: {url: "+f.web()+"}\n")
	f.start()
	hash, err := f.engine.Deploy(t.Context(), []byte(`{"StartAt":"Tell","States":{"Tell":{"Type":"Task","Resource":"inspector:channel:shift","Parameters":{"inspection.$":"$.inspection","text":"Stop the line","severity":"trouble"},"End":true}}}`))
	if err != nil {
		t.Fatal(err)
	}
	in, _ := json.Marshal(map[string]any{"inspection": f.fails("b1")})
	if err := f.engine.Start(t.Context(), hash, "x", in); err != nil {
		t.Fatal(err)
	}
	if m := f.told(); m.What != "Stop the line" || m.Severity != people.Trouble || m.Board == nil || !strings.HasPrefix(m.Key, "x/Tell/") {
		t.Errorf("told %+v", m)
	}
	f.until("it has ended", func() bool {
		d, err := f.engine.Describe(context.WithoutCancel(t.Context()), "x")
		return err == nil && d.Status == asl.StatusSucceeded && strings.Contains(string(d.Output), `"sent":true`)
	})
}

// The files of the channels are checked with the configuration, and a test
// message goes out by command.
func TestChannelCommand(t *testing.T) {
	f := newEventful(t)
	address := f.web()
	good := f.write("channels/shift.yaml", "webhook: {url: "+address+"}\n")
	f.write("rules/failed.yaml", failedRule)
	run := func(args ...string) (int, string) {
		var out bytes.Buffer
		env := map[string]string{"INSPECTOR_EVENTS_CHANNELS": filepath.Dir(good), "INSPECTOR_EVENTS_RULES": filepath.Join(f.dir, "rules"), "INSPECTOR_DATA": f.config.Data}
		code := command(t.Context(), args, func(k string) string { return env[k] }, &out, &out)
		return code, out.String()
	}
	if code, out := run("channel", "list"); code != 0 || !strings.Contains(out, "webhook") || !strings.Contains(out, "rules: failed") {
		t.Errorf("%d %s", code, out)
	}
	if code, out := run("channel", "test", "shift"); code != 0 || !strings.Contains(out, "took the test message") {
		t.Errorf("%d %s", code, out)
	}
	if m := f.told(); m.Kind != people.KindTest {
		t.Errorf("told %+v", m)
	}
	if code, out := run("channel", "test", "night"); code != 2 || !strings.Contains(out, "there are shift") {
		t.Errorf("%d %s", code, out)
	}
	f.refuse.Store(http.StatusForbidden)
	if code, out := run("channel", "test", "shift"); code != 1 || !strings.Contains(out, "403") {
		t.Errorf("%d %s", code, out)
	}
	bad := f.write("channels/night.yaml", "slack: {url_file: x}\nquiet:\n  hours: ['late']\n  zone: Mars/Base\nremind: {every: 1s}\n")
	f.write("rules/failed.yaml", strings.ReplaceAll(failedRule, "shift", "nobody"))
	_, out := run("channel", "list")
	for _, want := range []string{bad + ":3: quiet.hours", bad + ":4: quiet.zone", bad + ":5: remind.every", `there is no channel "nobody"`} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in %s", want, out)
		}
	}
}

// The example of the documentation has no faults.
func TestExampleOfPeople(t *testing.T) {
	c := defaults()
	c.Events.Rules, c.Events.Channels = "../../docs/people/rules", "../../docs/people/channels"
	rules, _, err := c.readRules()
	if err != nil || len(rules) != 2 {
		t.Errorf("%d rules, %v", len(rules), err)
	}
}

// inspector.example.yaml explains every key of a channel, with its default
// where it has one.
func TestExampleChannelIsComplete(t *testing.T) {
	_, text, ok := strings.Cut(read(t, "../../inspector.example.yaml"), "# A channel is a file of its own")
	if !ok {
		t.Fatal("no channel is explained")
	}
	_, text, _ = strings.Cut(text, "\n#\n")
	lines := strings.Split(text, "\n")
	for n := range lines {
		lines[n] = strings.TrimPrefix(strings.TrimPrefix(lines[n], "#"), " ")
	}
	c := people.Default()
	if _, faults := decodeYAML("example", []byte(strings.Join(lines, "\n")), &c, ""); len(faults) > 0 {
		t.Fatal(faults)
	}
	usual := people.Default()
	if c.Layout != usual.Layout || c.Picture != usual.Picture || c.Group != usual.Group || c.Remind != usual.Remind || c.Quiet.Zone != usual.Quiet.Zone || len(c.Quiet.Except) != 1 {
		t.Errorf("%+v is not the default", c)
	}
	for _, key := range yamlKeysOf(reflect.TypeFor[people.Channel]()) {
		if !strings.Contains(text, key+":") {
			t.Errorf("%s is not explained", key)
		}
	}
}

// yamlKeysOf are the keys that a type has in YAML, at any depth.
func yamlKeysOf(of reflect.Type) (out []string) {
	if of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	if of.Kind() != reflect.Struct {
		return nil
	}
	for i := range of.NumField() {
		out = append(append(out, of.Field(i).Tag.Get("yaml")), yamlKeysOf(of.Field(i).Type)...)
	}
	return out
}
