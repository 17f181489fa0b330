package main

import (
	"encoding/json"
	"net/http"
	"os/exec"
	"strings"
	"testing"
	"time"

	"inspector"
	"inspector/notify"
	"inspector/web"
)

// A controller is what stands at the other end of the topics: real
// mosquitto_sub and mosquitto_pub.
type controller struct {
	*appliance
	lines <-chan string
}

func startControlled(t *testing.T, dir string, env ...string) controller {
	t.Helper()
	a := startAppliance(t, dir, append([]string{"INSPECTOR_TRIGGER_MODE=external", "INSPECTOR_STATION_SITE=berlin", "INSPECTOR_STATION_LINE=smt2", "INSPECTOR_MQTT_STATS_EVERY=0s",
		"INSPECTOR_MQTT_EXECUTIONS=false", "INSPECTOR_RECIPES=" + drawnRecipes(t, "main-board-b", "other")}, env...)...)
	c := controller{a, subscriber(t, a.broker, "-t", "inspector/+/+/+/state/+", "-t", "inspector/+/+/+/availability")}
	for line := range c.lines { // announced after the appliance has subscribed
		if strings.HasSuffix(line, "/availability online") {
			return c
		}
	}
	t.Fatal("never online")
	return c
}

// ask sends an order and gives the answer to its request, which is empty for
// what cannot be read.
func (c controller) ask(order, payload, request string, answer any) {
	c.t.Helper()
	cmd := exec.CommandContext(c.t.Context(), tool(c.t, "mosquitto_pub"), "-h", "127.0.0.1", "-p", c.broker, "-q", "1", "-t", "inspector/berlin/smt2/inspector1/set/"+order, "-s")
	cmd.Stdin = strings.NewReader(payload)
	if out, err := cmd.CombinedOutput(); err != nil {
		c.t.Fatalf("%v %s", err, out)
	}
	for end := time.After(time.Minute); ; {
		select {
		case line := <-c.lines:
			topic, text, _ := strings.Cut(line, " ")
			var m struct{ Request *string }
			if !strings.HasSuffix(topic, "/state/"+order) || json.Unmarshal([]byte(text), &m) != nil || m.Request == nil || *m.Request != request {
				continue
			}
			if err := json.Unmarshal([]byte(text), answer); err != nil {
				c.t.Fatalf("%v in %s", err, line)
			}
			return
		case <-end:
			c.t.Fatalf("%s %.100q was not answered within a minute", order, payload)
		}
	}
}

func (c controller) order(order, payload, request string) (r notify.Reply) {
	c.t.Helper()
	c.ask(order, payload, request, &r)
	return r
}

func (c controller) trigger(request string) (a notify.Answer) {
	c.t.Helper()
	c.ask("trigger", `{"request":"`+request+`"}`, request, &a)
	a.Page = "" // is at another port after a restart
	return a
}

// What an order did is answered the same when it is asked for again, also
// after a restart, and is not done again.
func TestOrdersAreDoneOnce(t *testing.T) {
	dir := t.TempDir()
	c := startControlled(t, dir)
	first := c.order("recipe", `{"request":"r1","recipe":"main-board-b","by":"MES"}`, "r1")
	if !first.Done || first.By != "MES" || first.Recipe != "main-board-b" || c.status().Recipe != "main-board-b" {
		t.Fatalf("%+v; in force is %s", first, c.status().Recipe)
	}
	if r := c.order("recipe", `{"request":"r2","recipe":"other"}`, "r2"); !r.Done || r.By != orderedBy || c.status().Recipe != "other" {
		t.Fatalf("%+v; in force is %s", r, c.status().Recipe)
	}
	again := func(when string) {
		t.Helper()
		if r := c.order("recipe", `{"request":"r1","recipe":"main-board-b","by":"MES"}`, "r1"); r != first || c.status().Recipe != "other" {
			t.Errorf("%s: %+v, at first %+v; in force is %s", when, r, first, c.status().Recipe)
		}
		if r := c.order("recipe", `{"request":"r1","recipe":"other"}`, "r1"); r.Done || !strings.Contains(r.Reason, "used for another order") {
			t.Errorf("%s, another with the same request: %+v", when, r)
		}
	}
	again("at once")
	board := c.trigger("t1")
	if board.ID == "" || board.Reject != (board.Verdict != inspector.Pass) {
		t.Fatalf("%+v", board)
	}
	if p := c.order("pause", `{"request":"p1","paused":true,"by":"Ana","reason":"new stencil"}`, "p1"); !p.Done || p.Paused == nil || !*p.Paused {
		t.Fatalf("%+v", p)
	}
	paused := func(when string) {
		t.Helper()
		if a := c.trigger("t2 " + when); a.ID != "" || a.Verdict != inspector.Unsure || !a.Reject || !strings.Contains(a.Reason, "paused by Ana") || !strings.Contains(a.Reason, "new stencil") {
			t.Errorf("%s: %+v", when, a)
		}
		if a := c.trigger("t1"); a != board {
			t.Errorf("%s: %+v, at first %+v", when, a, board)
		}
		if p := c.part("line"); p.State != web.Degraded {
			t.Errorf("%s: %+v", when, p)
		}
	}
	paused("paused")
	if code, b := c.do(http.MethodPost, "/api/v1/triggers", "application/json", strings.NewReader(`{}`)); code != http.StatusServiceUnavailable || !strings.Contains(string(b), "paused by Ana") {
		t.Errorf("%d %s", code, b)
	}
	c.stop()

	c = startControlled(t, dir)
	again("restarted")
	paused("restarted")
	if code, b := c.do(http.MethodPut, "/api/v1/line", "application/json", strings.NewReader(`{"paused":false,"by":"Ben"}`)); code != http.StatusOK {
		t.Fatalf("%d %s", code, b)
	}
	if a := c.trigger("t3"); a.ID == "" {
		t.Errorf("%+v", a)
	}
	if p := c.order("pause", `{"request":"p1","paused":true,"by":"Ana","reason":"new stencil"}`, "p1"); !p.Done {
		t.Errorf("%+v", p)
	}
	if a := c.trigger("t4"); a.ID == "" {
		t.Errorf("an order that was repeated late was done again: %+v", a)
	}
	c.stop()
}

// No order that anybody sends stops the line, and each is answered plainly.
func TestPoisonOrders(t *testing.T) {
	c := startControlled(t, t.TempDir(), "INSPECTOR_SIMULATED_DEFECT_RATE=1")
	for _, order := range []string{"trigger", "recipe", "pause", "acknowledge", "taken"} {
		for payload, words := range map[string]string{
			"not JSON": "not a JSON object", "\x00\xff\xfe": "not UTF-8", `[]`: "not a JSON object", `{"request":"1","request":"2"}`: "twice",
			strings.Repeat("x", notify.MaxOrder+1): "more than 4096 bytes", strings.Repeat("y", 100<<10): "more than 4096 bytes", `{"more":1}`: "no request",
		} {
			var r struct {
				Done    bool
				Reason  string
				Verdict inspector.Verdict
				Reject  bool
			}
			c.ask(order, payload, "", &r)
			if r.Done || !strings.Contains(r.Reason, words) || order == "trigger" && (r.Verdict != inspector.Unsure || !r.Reject) {
				t.Errorf("%s %.40q: %+v; want %q", order, payload, r, words)
			}
		}
	}
	board := c.trigger("t1")
	if board.Verdict == inspector.Pass || board.ID == "" {
		t.Fatalf("%+v", board)
	}
	for _, by := range []string{"Ana", "Ben"} {
		if r := c.order("acknowledge", `{"request":"a-`+by+`","inspection":"`+board.ID+`","by":"`+by+`"}`, "a-"+by); !r.Done || r.By != "Ana" || r.Verdict != board.Verdict {
			t.Errorf("%+v", r)
		}
	}
	if a := get[web.Record](c.appliance, "/api/v1/inspections/"+board.ID).Acknowledged; a == nil || a.By != "Ana" {
		t.Errorf("acknowledged %+v", a)
	}
	if r := c.order("acknowledge", `{"request":"a-x","inspection":"nobody","by":"Ana"}`, "a-x"); r.Done || !strings.Contains(r.Reason, "nobody") {
		t.Errorf("%+v", r)
	}
	if r := c.order("taken", `{"request":"t1"}`, "t1"); !r.Done {
		t.Errorf("%+v", r)
	}
	c.stop()
}
