package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"inspector"
	"inspector/camera"
	"inspector/model"
	"inspector/model/remote"
	"inspector/notify"
)

// Config is everything that can be set: defaults, then the file, then the
// environment (INSPECTOR_ and the key's path: INSPECTOR_MQTT_BROKER). After
// that it never changes; to change it, restart. inspector.example.yaml says
// what each key means.
type Config struct {
	Data      string            `yaml:"data"`
	Station   inspector.Station `yaml:"station"`
	Camera    CameraConfig      `yaml:"camera"`
	Trigger   TriggerConfig     `yaml:"trigger"`
	Model     ModelConfig       `yaml:"model"`
	Recipes   string            `yaml:"recipes"`
	Recipe    string            `yaml:"recipe"`
	Evidence  EvidenceConfig    `yaml:"evidence"`
	MQTT      MQTTConfig        `yaml:"mqtt"`
	Upstream  UpstreamConfig    `yaml:"upstream"`
	Web       WebConfig         `yaml:"web"`
	Log       LogConfig         `yaml:"log"`
	Simulated SimulatedConfig   `yaml:"simulated"`
}

// CameraConfig says where frames come from.
type CameraConfig struct {
	Source      inspector.Secret `yaml:"source"` // may hold a password
	Period      time.Duration    `yaml:"period"`
	MaxAge      time.Duration    `yaml:"max_age"`
	OpenTimeout time.Duration    `yaml:"open_timeout"`
	ReadTimeout time.Duration    `yaml:"read_timeout"`
}

// TriggerConfig says when a board is judged.
type TriggerConfig struct {
	Mode     string        `yaml:"mode"`
	Interval time.Duration `yaml:"interval"`
	Takt     time.Duration `yaml:"takt"`
}

// ModelConfig says who judges.
type ModelConfig struct {
	Folder         string   `yaml:"folder"`
	Name           string   `yaml:"name"`
	Variant        string   `yaml:"variant"`
	TrustedKeys    []string `yaml:"trusted_keys"`
	RequireVectors bool     `yaml:"require_vectors"`
	ShadowKeep     int      `yaml:"shadow_keep"`
	Runtime        string   `yaml:"runtime"`
	Library        string   `yaml:"library"`
	Remote         string   `yaml:"remote"`
	RemoteJSON     bool     `yaml:"remote_json"`
	RemoteCA       string   `yaml:"remote_ca"`
	Threads        int      `yaml:"threads"`
	Arena          bool     `yaml:"arena"`
	Sessions       int      `yaml:"sessions"`
}

// boards is how many boards may be in the model at once.
func (c ModelConfig) boards() int {
	return cmp.Or(c.Sessions, max(1, min(2, runtime.NumCPU()/max(c.Threads, 1))))
}

// EvidenceConfig says which pictures are kept, and for how long.
type EvidenceConfig struct {
	Passes  bool          `yaml:"passes"`
	Quality int           `yaml:"quality"`
	Keep    time.Duration `yaml:"keep"`
}

// MQTTConfig says where messages go.
type MQTTConfig struct {
	Broker       string `yaml:"broker"`
	Listen       string `yaml:"listen"`
	UsersFile    string `yaml:"users_file"`
	Username     string `yaml:"username"`
	PasswordFile string `yaml:"password_file"`
	CAFile       string `yaml:"ca_file"`
	CertFile     string `yaml:"cert_file"`
	KeyFile      string `yaml:"key_file"`
	Root         string `yaml:"root"`
}

// UpstreamConfig says where evidence and records are forwarded.
type UpstreamConfig struct {
	Kind      string `yaml:"kind"`
	Folder    string `yaml:"folder"`
	Bucket    string `yaml:"bucket"`
	Prefix    string `yaml:"prefix"`
	QueueURL  string `yaml:"queue_url"`
	Region    string `yaml:"region"`
	Endpoint  string `yaml:"endpoint"`
	PathStyle bool   `yaml:"path_style"`
}

// WebConfig says where the page and the API are.
type WebConfig struct {
	Listen    string `yaml:"listen"`
	URL       string `yaml:"url"`
	TokenFile string `yaml:"token_file"`
}

// LogConfig says what is logged, and how.
type LogConfig struct {
	Level  string `yaml:"level"`
	Format string `yaml:"format"`
}

// SimulatedConfig describes the boards of the simulated line.
type SimulatedConfig struct {
	Seed       uint64  `yaml:"seed"`
	Style      string  `yaml:"style"`
	DefectRate float64 `yaml:"defect_rate"`
}

func defaults() Config {
	return Config{
		Data:      "data",
		Station:   inspector.Station{Site: "site", Line: "line1", Device: "inspector1"},
		Camera:    CameraConfig{Source: "simulated", Period: time.Second, MaxAge: 2 * time.Second, OpenTimeout: 10 * time.Second, ReadTimeout: 5 * time.Second},
		Trigger:   TriggerConfig{Mode: "free-run", Interval: time.Second, Takt: 2 * time.Second},
		Model:     ModelConfig{Name: "pcb", Variant: "fp32", TrustedKeys: []string{}, ShadowKeep: 200, Runtime: "auto", Threads: 1, Arena: true},
		Recipe:    "simulated",
		Evidence:  EvidenceConfig{Quality: 85, Keep: 90 * 24 * time.Hour},
		MQTT:      MQTTConfig{Broker: "embedded", Listen: "127.0.0.1:1883", Root: "inspector"},
		Upstream:  UpstreamConfig{Kind: "folder", Bucket: "inspections", Prefix: "boards", QueueURL: "results", Region: "us-east-1"},
		Web:       WebConfig{Listen: "127.0.0.1:8080"},
		Log:       LogConfig{Level: "info", Format: "text"},
		Simulated: SimulatedConfig{Seed: 1, Style: "photo", DefectRate: 0.25},
	}
}

// A fault is one thing wrong with a configuration, and where.
type fault struct {
	key string // camera.period; empty for faults of the syntax
	msg string
}

// loadConfig gives the configuration, or every fault of it at once, each with
// file and line where it has one.
func loadConfig(file string, env func(string) string) (Config, error) {
	c := defaults()
	lines := map[string]int{}
	var errs []error
	if file != "" {
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			return c, fmt.Errorf("configuration %s does not exist; copy inspector.example.yaml there, or leave --config out for the defaults", file)
		} else if err != nil {
			return c, fmt.Errorf("configuration: %w", err)
		}
		errs = append(errs, decodeConfig(&c, file, text, lines)...)
	}
	for _, f := range append(fromEnvironment(reflect.ValueOf(&c).Elem(), "", env), c.faults()...) {
		where := ""
		if n := lines[f.key]; n > 0 {
			where = fmt.Sprintf("%s:%d: ", file, n)
		} else if file != "" {
			where = file + ": "
		}
		errs = append(errs, fmt.Errorf("%s%s: %s", where, f.key, f.msg))
	}
	return c, errors.Join(errs...)
}

var yamlLine = regexp.MustCompile(`^(?:yaml: )?line (\d+): (.*)$`)

func decodeConfig(c *Config, file string, text []byte, lines map[string]int) (errs []error) {
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return []error{located(file, err.Error())}
	}
	if len(root.Content) > 0 {
		keyLines(root.Content[0], "", lines)
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	err := d.Decode(c)
	var several *yaml.TypeError
	switch {
	case err == nil || errors.Is(err, io.EOF): // an empty file is all defaults
	case errors.As(err, &several):
		for _, e := range several.Errors {
			errs = append(errs, located(file, e))
		}
	default:
		errs = append(errs, located(file, err.Error()))
	}
	return errs
}

// located turns yaml's "line 3: …" into "file:3: …", in words of configuration.
func located(file, msg string) error {
	msg = regexp.MustCompile(`field (\S+) not found in type main\.\w*Config`).ReplaceAllString(msg, `unknown key "$1"; inspector.example.yaml lists all`)
	if m := yamlLine.FindStringSubmatch(msg); m != nil {
		return fmt.Errorf("%s:%s: %s", file, m[1], m[2])
	}
	return fmt.Errorf("%s: %s", file, strings.TrimPrefix(msg, "yaml: "))
}

func keyLines(n *yaml.Node, path string, lines map[string]int) {
	if n.Kind != yaml.MappingNode {
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := strings.TrimPrefix(path+"."+n.Content[i].Value, ".")
		lines[key] = n.Content[i].Line
		keyLines(n.Content[i+1], key, lines)
	}
}

// fromEnvironment sets every leaf of v that the environment names.
func fromEnvironment(v reflect.Value, path string, env func(string) string) (faults []fault) {
	for i := range v.NumField() {
		key := strings.TrimPrefix(path+"."+v.Type().Field(i).Tag.Get("yaml"), ".")
		if f := v.Field(i); f.Kind() == reflect.Struct {
			faults = append(faults, fromEnvironment(f, key, env)...)
		} else if s := env(environmentName(key)); s != "" {
			if f.Kind() == reflect.String {
				f.SetString(s)
			} else if err := yaml.Unmarshal([]byte(s), f.Addr().Interface()); err != nil {
				faults = append(faults, fault{key, fmt.Sprintf("environment %s: %q is not a %s", environmentName(key), s, f.Type())})
			}
		}
	}
	return faults
}

func environmentName(key string) string {
	return "INSPECTOR_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_"))
}

// faults says everything that is wrong; it cannot repair.
func (c Config) faults() (out []fault) {
	want := func(ok bool, key, format string, args ...any) {
		if !ok {
			out = append(out, fault{key, fmt.Sprintf(format, args...)})
		}
	}
	oneOf := func(key, have string, allowed ...string) {
		want(slices.Contains(allowed, have), key, "%q is unknown; want one of %s", have, strings.Join(allowed, ", "))
	}
	level := regexp.MustCompile(`^[A-Za-z0-9_]{1,40}$`)
	want(c.Data != "", "data", "a directory is required")
	for _, l := range [][2]string{{"station.site", c.Station.Site}, {"station.line", c.Station.Line}, {"station.device", c.Station.Device}} {
		want(level.MatchString(l[1]), l[0], "%q: want 1 to 40 letters, digits or _ (it becomes part of topics and keys)", l[1])
	}
	want(c.Camera.Source != "", "camera.source", "a source is required: simulated, a device, file, folder or address")
	positive := map[string]time.Duration{
		"camera.period": c.Camera.Period, "camera.max_age": c.Camera.MaxAge, "camera.open_timeout": c.Camera.OpenTimeout,
		"camera.read_timeout": c.Camera.ReadTimeout, "trigger.interval": c.Trigger.Interval, "trigger.takt": c.Trigger.Takt, "evidence.keep": c.Evidence.Keep,
	}
	for _, key := range slices.Sorted(maps.Keys(positive)) {
		want(positive[key] > 0, key, "%v is not positive; want a duration such as 500ms or 2s", positive[key])
	}
	oneOf("trigger.mode", c.Trigger.Mode, "free-run", "interval", "external")
	oneOf("model.runtime", c.Model.Runtime, "auto", "onnxruntime", "onnx-go", "remote")
	if c.Model.Remote == "" {
		want(c.Model.Runtime != remote.Name, "model.remote", "it is required for runtime remote: the server's address, such as http://HOST:8000 or grpc://HOST:8001")
	} else {
		err := remote.CheckURL(c.Model.Remote)
		want(err == nil, "model.remote", "%v", err)
	}
	oneOf("model.variant", c.Model.Variant, model.FP32, model.INT8, "auto")
	_, err := model.ParseTrust(c.Model.TrustedKeys)
	want(err == nil, "model.trusted_keys", "%v", err)
	_, err = model.ParseRef(c.Model.Name)
	want(err == nil, "model.name", "%v", err)
	want(c.Model.ShadowKeep >= 0 && c.Model.ShadowKeep <= 100_000, "model.shadow_keep", "%d is not within 0 to 100000", c.Model.ShadowKeep)
	want(c.Model.Threads >= 1 && c.Model.Threads <= 64, "model.threads", "%d is not within 1 to 64", c.Model.Threads)
	want(c.Model.Sessions >= 0 && c.Model.Sessions <= 64, "model.sessions", "%d is not within 0 to 64", c.Model.Sessions)
	want(c.Recipe != "", "recipe", "a recipe is required")
	want(c.Evidence.Quality >= 1 && c.Evidence.Quality <= 100, "evidence.quality", "%d is not within 1 to 100 (JPEG quality)", c.Evidence.Quality)
	if c.MQTT.Broker == "embedded" {
		open := notify.BrokerConfig{Listen: c.MQTT.Listen, UsersFile: c.MQTT.UsersFile}.Validate()
		want(hostPort(c.MQTT.Listen), "mqtt.listen", "%q is not host:port", c.MQTT.Listen)
		want(!hostPort(c.MQTT.Listen) || open == nil, "mqtt.listen", "%s", strings.TrimPrefix(fmt.Sprint(open), "mqtt.listen: "))
	} else {
		err := c.messaging(notify.Topics{}).Validate()
		want(err == nil, "mqtt.broker", "%v", err)
	}
	_, err = notify.TopicsOf(c.MQTT.Root, c.Station)
	want(err == nil, "mqtt.root", "%v", err)
	k := camera.Config{Source: c.Camera.Source, Draw: func(uint64) (inspector.Pixels, string, error) { return inspector.Pixels{}, "", nil }}
	err = k.Validate()
	want(c.Camera.Source == "" || err == nil, "camera.source", "%v", err)
	for _, f := range [][2]string{{"mqtt.users_file", c.MQTT.UsersFile}, {"mqtt.password_file", c.MQTT.PasswordFile}, {"mqtt.ca_file", c.MQTT.CAFile},
		{"mqtt.cert_file", c.MQTT.CertFile}, {"mqtt.key_file", c.MQTT.KeyFile}, {"web.token_file", c.Web.TokenFile}, {"model.library", c.Model.Library}, {"model.folder", c.Model.Folder}, {"recipes", c.Recipes}} {
		if f[1] != "" {
			_, err := os.Stat(f[1])
			want(err == nil, f[0], "%v; create it or leave the key out", err)
		}
	}
	want(c.Upstream.QueueURL != "", "upstream.queue_url", "a queue is required: its URL, or with kind folder the name of a folder of messages")
	want(c.Upstream.Kind != "aws" || strings.HasPrefix(c.Upstream.QueueURL, "http"), "upstream.queue_url", "%q is not the URL of a queue, such as https://sqs.REGION.amazonaws.com/ACCOUNT/NAME", c.Upstream.QueueURL)
	want(c.Upstream.Prefix != "", "upstream.prefix", "a prefix of object keys is required")
	oneOf("upstream.kind", c.Upstream.Kind, "folder", "aws")
	want(c.Upstream.Kind != "aws" || c.Upstream.Bucket != "", "upstream.bucket", "a bucket is required for kind aws")
	want(hostPort(c.Web.Listen), "web.listen", "%q is not host:port", c.Web.Listen)
	want(c.Web.URL != "" || !strings.HasPrefix(c.Web.Listen, "0.0.0.0:") && !strings.HasPrefix(c.Web.Listen, "[::]:") && !strings.HasPrefix(c.Web.Listen, ":"), "web.url", "it is required when web.listen is %s: how do others reach the page?", c.Web.Listen)
	oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	oneOf("log.format", c.Log.Format, "text", "json")
	oneOf("simulated.style", c.Simulated.Style, "photo", "plate")
	want(c.Simulated.DefectRate >= 0 && c.Simulated.DefectRate <= 1, "simulated.defect_rate", "%v is not within 0 to 1", c.Simulated.DefectRate)
	return out
}

// messaging is what the MQTT client needs.
func (c Config) messaging(topics notify.Topics) notify.Config {
	return notify.Config{
		URL: c.MQTT.Broker, ClientID: "inspector-" + c.Station.Device, Availability: topics.Availability,
		Username: c.MQTT.Username, PasswordFile: c.MQTT.PasswordFile, CAFile: c.MQTT.CAFile, CertFile: c.MQTT.CertFile, KeyFile: c.MQTT.KeyFile,
	}
}

// upstreamFolder is where the folder upstream keeps what S3 and SQS would.
func (c Config) upstreamFolder() string {
	if c.Upstream.Folder != "" {
		return c.Upstream.Folder
	}
	return filepath.Join(c.Data, "upstream")
}

func hostPort(s string) bool {
	_, _, err := net.SplitHostPort(s)
	return err == nil
}

// readSecret gives the first line of the file, or nothing for no file.
func readSecret(file string) (inspector.Secret, error) {
	if file == "" {
		return "", nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("secret: %w", err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	if line = strings.TrimSpace(line); line == "" {
		return "", fmt.Errorf("secret file %s is empty; write the secret on its first line", file)
	}
	return inspector.Secret(line), nil
}
