package main

import (
	"bytes"
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// Beside the appliance that runs by its configuration the doctor finds nothing
// wrong with its broker's port; another program there is a fault.
func TestDoctorBesideTheAppliance(t *testing.T) {
	data := t.TempDir()
	a := startAppliance(t, data)
	a.until("the broker is there", func() bool { return a.part("broker").State == "ok" })
	ask := func(more ...string) string {
		var out bytes.Buffer
		env := append([]string{"INSPECTOR_DATA=" + t.TempDir(), "INSPECTOR_MQTT_LISTEN=127.0.0.1:" + a.broker, "INSPECTOR_WEB_LISTEN=" + strings.TrimPrefix(a.page, "http://")}, more...)
		doctor := program(t, env, "doctor")
		doctor.Stdout = &out
		_ = doctor.Run() // the words tell
		return strings.Join(regexp.MustCompile(`(?m)^(broker|workflow).*$`).FindAllString(out.String(), -1), "\n")
	}
	for want, more := range map[string][]string{
		`^broker +ok +the running appliance's broker listens on 127\.0\.0\.1:`: nil,
		`^broker +FAULT .*another program has that port`:                       {"INSPECTOR_STATION_DEVICE=other"},
		`^broker +FAULT .*in use.*another program`:                             {"INSPECTOR_WEB_LISTEN=127.0.0.1:1"},
		`^broker +ok .*by the running appliance, which says no more`:           {"INSPECTOR_WEB_LISTEN=127.0.0.1:1", "INSPECTOR_DATA=" + data},
	} {
		if have := ask(more...); !regexp.MustCompile(want).MatchString(have) {
			t.Errorf("%v: %q; want %s", more, have, want)
		}
	}
	if have := ask(); !regexp.MustCompile(`(?m)^workflow +ok +nothing is paused`).MatchString(have) {
		t.Errorf("nothing is paused, and the doctor says %q", have)
	}
	if code, body := a.do(http.MethodPost, "/api/v1/states/Pause", "application/json", strings.NewReader(`{"by":"Ann"}`)); code != http.StatusOK {
		t.Fatalf("%d %s", code, body)
	}
	if p := a.part("workflow"); p.State != "degraded" || !strings.Contains(p.Detail, "every machine is paused since") || !strings.Contains(p.Detail, "by Ann") {
		t.Errorf("the status says %+v", p)
	}
	if have := ask(); !regexp.MustCompile(`(?m)^workflow +FAULT +every machine is paused .*resume`).MatchString(have) {
		t.Errorf("all is paused, and the doctor says %q", have)
	}
	if words := a.logs.String(); strings.Contains(words, "in trouble") {
		t.Errorf("trouble at the start: %s", words)
	}
	a.stop()
}
