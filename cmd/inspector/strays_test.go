package main

import (
	"strings"
	"testing"
)

func TestStrays(t *testing.T) {
	for variable, near := range map[string]string{
		"INSPECTOR_MQTT_BROKER=tcp://x":       "", // a key
		"INSPECTOR_RECIPE=a":                  "",
		"INSPECTOR_ONNXRUNTIME=/lib/x.so":     "", // others use the prefix, too
		"INSPECTOR_SOAK=1h":                   "",
		"INSPECTOR_REQUIRE_TOOLS=1":           "",
		"PATH=/bin":                           "",
		"INSPECTOR_MQTT_BROKR=tcp://x":        "INSPECTOR_MQTT_BROKER",
		"INSPECTOR_MQTT_SOMETHING_ELSE=5":     "INSPECTOR_MQTT_",
		"INSPECTOR_RECIPS=x":                  "INSPECTOR_RECIPE",
		"INSPECTOR_EVIDENCE_KEEP_FOR=24h":     "INSPECTOR_EVIDENCE_KEEP",
		"INSPECTOR_UPSTREM_KIND=s3":           "INSPECTOR_UPSTREAM_KIND",
		"INSPECTOR_CAMERA_SOURCE_URL=rtsp://": "INSPECTOR_CAMERA_SOURCE",
	} {
		got := strays([]string{variable})
		switch {
		case near == "" && len(got) > 0, near != "" && len(got) != 1:
			t.Errorf("%s: %q", variable, got)
		case near != "" && !strings.Contains(got[0], "is "+near):
			t.Errorf("%s: %q does not say %s", variable, got[0], near)
		case near != "" && strings.Contains(got[0], "tcp://"):
			t.Errorf("%s: %q tells the value, which may be a secret", variable, got[0])
		}
	}
}
