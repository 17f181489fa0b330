package main

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

func noEnvironment(string) string { return "" }

func TestConfigReportsEveryFaultWithItsLine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "inspector.yaml")
	text := "station:\n  device: \"no spaces allowed\"\ncamera:\n  period: -1s\n  sauce: x\nmodel:\n  threads: many\nweb:\n  listen: nowhere\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := loadConfig(file, noEnvironment)
	if err == nil {
		t.Fatal("a configuration with five faults was accepted")
	}
	for _, want := range []string{
		file + ":2: station.device:", file + ":4: camera.period: -1s is not positive", file + `:5: unknown key "sauce"`,
		file + `:7: model.threads: "many" is not a whole number`, file + `:9: web.listen: "nowhere" is not host:port`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in:\n%v", want, err)
		}
	}
}

// What the embedded broker would refuse at the start is a fault before it.
func TestConfigNeedsUsersForAnOpenBroker(t *testing.T) {
	for listen, open := range map[string]bool{"0.0.0.0:1883": true, ":1883": true, "127.0.0.1:1883": false, "[::1]:1883": false} {
		env := map[string]string{"INSPECTOR_MQTT_LISTEN": listen}
		_, err := loadConfig("", func(k string) string { return env[k] })
		if (err != nil) != open || err != nil && (!strings.Contains(err.Error(), "mqtt.users_file") || strings.Count(err.Error(), "mqtt.listen") != 1) {
			t.Errorf("%s: %v", listen, err)
		}
	}
}

func TestConfigOfAServer(t *testing.T) {
	for remote, ok := range map[string]bool{"": false, "http://pool:8000": true, "grpcs://pool:8001/v2/models/pcb": true, "grpc://pool": false, "pool:8000": false} {
		env := map[string]string{"INSPECTOR_MODEL_RUNTIME": "remote", "INSPECTOR_MODEL_REMOTE": remote}
		if _, err := loadConfig("", func(k string) string { return env[k] }); (err == nil) != ok || err != nil && !strings.Contains(err.Error(), "model.remote") {
			t.Errorf("%q: %v", remote, err)
		}
	}
}

func TestConfigDefaultsFileEnvironment(t *testing.T) {
	file := filepath.Join(t.TempDir(), "inspector.yaml")
	if err := os.WriteFile(file, []byte("camera: {period: 3s}\nlog: {level: debug}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"INSPECTOR_LOG_LEVEL": "warn", "INSPECTOR_EVIDENCE_PASSES": "true", "INSPECTOR_TRIGGER_TAKT": "750ms"}
	c, err := loadConfig(file, func(k string) string { return env[k] })
	if err != nil {
		t.Fatal(err)
	}
	if c.Camera.Period != 3*time.Second || c.Log.Level != "warn" || !c.Evidence.Passes || c.Trigger.Takt != 750*time.Millisecond || c.Model.Name != "pcb" {
		t.Errorf("defaults, file and environment do not stack: %+v", c)
	}
	env["INSPECTOR_MODEL_THREADS"] = "two"
	if _, err := loadConfig("", func(k string) string { return env[k] }); err == nil || !strings.Contains(err.Error(), "INSPECTOR_MODEL_THREADS") {
		t.Errorf("a bad environment variable is not named: %v", err)
	}
}

// The example is the only place where the keys are explained, so it must have
// them all, with the defaults that it claims.
func TestExampleConfigIsTheDefaults(t *testing.T) {
	c, err := loadConfig("../../inspector.example.yaml", noEnvironment)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(c, defaults()) {
		t.Errorf("inspector.example.yaml does not state the defaults:\n%+v\n%+v", c, defaults())
	}
	text, err := os.ReadFile("../../inspector.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	all, err := yaml.Marshal(defaults())
	if err != nil {
		t.Fatal(err)
	}
	if have, want := keysOf(t, text), keysOf(t, all); !slices.Equal(have, want) {
		t.Errorf("inspector.example.yaml explains\n%v\nbut there is\n%v", have, want)
	}
}

func keysOf(t *testing.T, text []byte) []string {
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		t.Fatal(err)
	}
	lines := map[string]int{}
	keyLines(root.Content[0], "", lines)
	return slices.Sorted(maps.Keys(lines))
}

func TestConfigNeverPanics(t *testing.T) {
	for _, text := range []string{"", "- a", "camera: 3", "camera: {period: [1]}", "\x00", "a: &a [*a]"} {
		file := filepath.Join(t.TempDir(), "c.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := loadConfig(file, noEnvironment); err == nil && text != "" {
			t.Errorf("%q was accepted", text)
		}
	}
}

func FuzzConfig(f *testing.F) {
	f.Add([]byte("camera: {period: 3s}"))
	f.Fuzz(func(t *testing.T, text []byte) {
		c := defaults()
		decodeYAML("fuzz.yaml", text, &c, "")
		c.faults()
	})
}
