package main

import (
	"bytes"
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
		return regexp.MustCompile(`(?m)^broker.*$`).FindString(out.String())
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
	if words := a.logs.String(); strings.Contains(words, "in trouble") {
		t.Errorf("trouble at the start: %s", words)
	}
	a.stop()
}
