package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"inspector"
)

var update = flag.Bool("update", false, "write the examples of docs/messages anew, from a real run")

// The examples of docs/messages are what a line sends: with -update they are
// written by this run; else what it sends must have their form.
func TestMessageExamples(t *testing.T) {
	recipes := drawnRecipes(t, "main-board-b")
	a := startAppliance(t, t.TempDir(), "INSPECTOR_TRIGGER_MODE=external", "INSPECTOR_SIMULATED_DEFECT_RATE=0.5", "INSPECTOR_RECIPES="+recipes,
		"INSPECTOR_RECIPE=main-board-b", "INSPECTOR_MQTT_STATS_EVERY=300ms", "INSPECTOR_MQTT_HANDSHAKE_ACKNOWLEDGE=1h", "INSPECTOR_STATION_SITE=berlin", "INSPECTOR_STATION_LINE=smt2")
	sent := collected{t, subscriber(t, a.broker, "-t", "inspector/#"), a.page, map[string][]byte{}}
	sent.until("availability-online")
	for n := 7781; sent.of["result-pass"] == nil || sent.of["result-fail"] == nil; n++ {
		request := fmt.Sprintf("plc-%d", n)
		a.publish("set/trigger", fmt.Sprintf(`{"request":%q,"serial":"SN-%06d","recipe":"main-board-b"}`, request, n-7658))
		sent.untilAnswer(request)
	}
	sent.until("answer-fail", "alert-fail")
	a.publish("set/trigger", `{"request":"plc-7799","recipe":"nobody-knows"}`)
	sent.until("answer-refused")
	if code, answer := a.do(http.MethodPost, "/api/v1/inspections?request=plc-7800&serial=SN-000142", "image/jpeg", bytes.NewReader(jpeg(t, plain()))); code >= 300 {
		t.Fatalf("%d %s", code, answer)
	}
	sent.until("alert-unsure")
	folder := filepath.Join("..", "..", "docs", "messages", "examples")
	var failed struct{ ID, Request string }
	if err := json.Unmarshal(sent.of["result-fail"], &failed); err != nil {
		t.Fatal(err)
	}
	for _, order := range []string{"taken", "acknowledge", "recipe", "pause"} {
		text := strings.NewReplacer("plc-7781", failed.Request, "inspector1-1ab877cd-1", failed.ID).Replace(read(t, filepath.Join(folder, "set-"+order+".json")))
		a.publish("set/"+order, strings.TrimSpace(text))
		sent.until("reply-" + order)
	}
	a.publish("set/recipe", `{"request":"mes-44","recipe":"nobody-knows"}`)
	sent.until("reply-refused", "birth", "health", "stats", "execution-running", "execution-succeeded", "line-ready", "line-busy", "line-not-ready")
	a.stop()

	for _, name := range []string{"availability-online", "result-pass", "result-fail", "alert-fail", "alert-unsure", "answer-fail", "answer-refused",
		"reply-taken", "reply-acknowledge", "reply-recipe", "reply-pause", "reply-refused", "birth", "health", "stats", "execution-running", "execution-succeeded",
		"line-ready", "line-busy", "line-not-ready"} {
		file := filepath.Join(folder, name+".json")
		if *update {
			var pretty bytes.Buffer
			if err := json.Indent(&pretty, sent.of[name], "", "  "); err != nil {
				t.Fatal(err)
			}
			pretty.WriteByte('\n')
			if err := os.WriteFile(file, pretty.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		shown, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if have, want := form(t, sent.of[name]), form(t, shown); have != want {
			t.Errorf("%s: the line sends\n%s\nand the example shows\n%s\n(go test ./cmd/inspector -run MessageExamples -update)", name, have, want)
		}
	}
}

// plain is a picture with nothing to be seen.
func plain() inspector.Pixels {
	p := inspector.Pixels{Width: simulatedSize, Height: simulatedSize, Channels: 1, Stride: simulatedSize, Data: make([]byte, simulatedSize*simulatedSize)}
	for i := range p.Data {
		p.Data[i] = 90
	}
	return p
}

// publish sends a payload to a topic of the appliance by a real mosquitto_pub.
func (a *appliance) publish(topic, payload string) {
	a.t.Helper()
	c := exec.CommandContext(a.t.Context(), tool(a.t, "mosquitto_pub"), "-h", "127.0.0.1", "-p", a.broker, "-q", "1", "-t", "inspector/berlin/smt2/inspector1/"+topic, "-m", payload)
	if out, err := c.CombinedOutput(); err != nil {
		a.t.Fatalf("%v %s", err, out)
	}
}

// collected are the messages that a line sent, the first of each kind.
type collected struct {
	t     *testing.T
	lines <-chan string
	page  string
	of    map[string][]byte
}

// next takes in one message and gives the request that it is about.
func (c *collected) next(why string) (kind, request string) {
	c.t.Helper()
	select {
	case line := <-c.lines:
		topic, payload, _ := strings.Cut(strings.ReplaceAll(line, c.page, "http://192.0.2.10:8080"), " ")
		kind = topic[strings.LastIndexByte(topic, '/')+1:]
		if kind == "availability" {
			c.keep(kind+"-"+payload, fmt.Sprintf("%q", payload))
			return kind, ""
		}
		if kind == "heartbeat" {
			return kind, ""
		}
		var m struct {
			ID, Request string
			Verdict     any // of a line it is an object

			Command, Status   string
			Done, Ready, Busy bool
			Window            struct {
				Yield *float64 `json:"first_pass_yield"`
			}
		}
		if err := json.Unmarshal([]byte(payload), &m); err != nil {
			c.t.Fatalf("%v in %s", err, line)
		}
		how := "line-not-ready"
		if m.Busy {
			how = "line-busy"
		} else if m.Ready {
			how = "line-ready"
		}
		switch {
		case strings.Contains(topic, "/set/"):
			kind = "order"
		case kind == "birth" || kind == "health" || kind == "stats" && m.Window.Yield != nil:
			c.keep(kind, payload)
		case kind == "execution":
			c.keep(kind+"-"+strings.ToLower(m.Status), payload)
		case kind == "line" && m.Verdict != nil && (how == "line-not-ready") == strings.Contains(payload, `"reason":"the line is paused`):
			c.keep(how, payload)
		case m.Command != "" && m.Done:
			kind = "reply"
			c.keep("reply-"+m.Command, payload)
		case m.Command != "":
			kind = "reply"
			c.keep("reply-refused", payload)
		case strings.HasSuffix(topic, "/state/trigger") && m.ID == "":
			c.keep("answer-refused", payload)
		case strings.HasSuffix(topic, "/state/trigger"):
			kind = "answer"
			c.keep(fmt.Sprint("answer-", m.Verdict), payload)
		case kind == "result" || kind == "alert":
			c.keep(fmt.Sprint(kind, "-", m.Verdict), payload)
		}
		return kind, m.Request
	case <-time.After(time.Minute):
		c.t.Fatalf("no %s within a minute; there are %q", why, slices.Sorted(maps.Keys(c.of)))
	}
	return "", ""
}

func (c *collected) keep(name, payload string) {
	if c.of[name] == nil {
		c.of[name] = []byte(payload)
	}
}

func (c *collected) until(names ...string) {
	c.t.Helper()
	end := time.Now().Add(time.Minute)
	for _, name := range names {
		for c.of[name] == nil {
			if time.Now().After(end) {
				c.t.Fatalf("no %s within a minute; there are %q", name, slices.Sorted(maps.Keys(c.of)))
			}
			c.next(name)
		}
	}
}

// untilAnswer waits for the answer to a request and for its result.
func (c *collected) untilAnswer(request string) {
	c.t.Helper()
	for answered, told := false, false; !answered || !told; {
		kind, about := c.next("answer to " + request)
		answered = answered || kind == "answer" && about == request
		told = told || kind == "result" && about == request
	}
}

// form is the fields of a document without their values.
func form(t *testing.T, doc []byte) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(doc, &v); err != nil {
		t.Fatalf("%v in %q", err, doc)
	}
	return formOf(v)
}

func formOf(v any) string {
	switch v := v.(type) {
	case map[string]any:
		var fields []string
		for _, k := range slices.Sorted(maps.Keys(v)) {
			fields = append(fields, k+": "+formOf(v[k]))
		}
		return "{" + strings.Join(fields, ", ") + "}"
	case []any:
		if len(v) == 0 {
			return "[]"
		}
		return "[" + formOf(v[0]) + "]"
	case nil:
		return "null"
	}
	return fmt.Sprintf("%T", v)
}
