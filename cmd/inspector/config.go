package main

import (
	"cmp"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"inspector"
)

// Config is everything that can be set: defaults, then the file, then the
// environment (INSPECTOR_ and the key's path: INSPECTOR_MQTT_BROKER). After
// that it never changes; to change it, restart. inspector.example.yaml says
// what each key means.
type Config struct {
	Data        string            `yaml:"data"`
	Station     inspector.Station `yaml:"station"`
	Camera      CameraConfig      `yaml:"camera"`
	Trigger     TriggerConfig     `yaml:"trigger"`
	Model       ModelConfig       `yaml:"model"`
	Recipes     string            `yaml:"recipes"`
	Recipe      string            `yaml:"recipe"`
	Connections string            `yaml:"connections"`
	Commands    string            `yaml:"commands"`
	Workflow    WorkflowConfig    `yaml:"workflow"`
	Evidence    EvidenceConfig    `yaml:"evidence"`
	Disk        DiskConfig        `yaml:"disk"`
	MQTT        MQTTConfig        `yaml:"mqtt"`
	Upstream    UpstreamConfig    `yaml:"upstream"`
	Events      EventsConfig      `yaml:"events"`
	Web         WebConfig         `yaml:"web"`
	Log         LogConfig         `yaml:"log"`
	Simulated   SimulatedConfig   `yaml:"simulated"`
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

// UpstreamConfig says where evidence and records are forwarded.
type UpstreamConfig struct {
	Kind       string   `yaml:"kind"`
	Folder     string   `yaml:"folder"`
	Bucket     string   `yaml:"bucket"`
	Prefix     string   `yaml:"prefix"`
	Key        string   `yaml:"key"`
	Passes     bool     `yaml:"passes"`
	QueueURL   string   `yaml:"queue_url"`
	QueueLimit int      `yaml:"queue_limit"` // bytes
	Region     string   `yaml:"region"`
	Endpoint   string   `yaml:"endpoint"`
	PathStyle  bool     `yaml:"path_style"`
	Rate       float64  `yaml:"rate"` // a second
	S3         S3Config `yaml:"s3"`
}

// S3Config says how objects are sent and kept.
type S3Config struct {
	StorageClass string      `yaml:"storage_class"`
	Encryption   string      `yaml:"encryption"`
	KMSKey       string      `yaml:"kms_key"`
	Tags         bool        `yaml:"tags"`
	Multipart    size        `yaml:"multipart"`
	Parallel     int         `yaml:"parallel"`
	Bandwidth    size        `yaml:"bandwidth"`
	Hours        HoursConfig `yaml:"hours"`
	InstanceRole bool        `yaml:"instance_role"`
}

// HoursConfig says when what can wait is sent.
type HoursConfig struct {
	Passes string `yaml:"passes"`
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
		Data:     "data",
		Station:  inspector.Station{Site: "site", Line: "line1", Device: "inspector1"},
		Camera:   CameraConfig{Source: "simulated", Period: time.Second, MaxAge: 2 * time.Second, OpenTimeout: 10 * time.Second, ReadTimeout: 5 * time.Second},
		Trigger:  TriggerConfig{Mode: "free-run", Interval: time.Second, Takt: 2 * time.Second},
		Model:    ModelConfig{Name: "pcb", Variant: "fp32", TrustedKeys: []string{}, ShadowKeep: 200, Runtime: "auto", Threads: 1, Arena: true},
		Recipe:   "simulated",
		Workflow: WorkflowConfig{Engine: engineEmbedded, Keep: 90 * 24 * time.Hour, Temporal: TemporalConfig{Namespace: "default", TaskQueue: "inspector"}},
		Evidence: EvidenceConfig{Quality: 85, Keep: 90 * 24 * time.Hour},
		Disk:     DiskConfig{Warn: 2 << 30, StopPasses: 1 << 30, StopTriggers: 256 << 20, Reserve: 64 << 20},
		MQTT:     defaultMQTT(),
		Upstream: UpstreamConfig{Kind: "folder", Bucket: "inspections", Prefix: "boards", Key: defaultKey, QueueURL: "results", QueueLimit: 256 << 10, Region: "us-east-1",
			S3: S3Config{Encryption: "none", Tags: true, Multipart: 16 << 20, Parallel: 8}},
		Events:    EventsConfig{Rules: "rules", Functions: "functions", Channels: "channels", StatesSource: "aws.states"},
		Web:       WebConfig{Listen: "127.0.0.1:8080"},
		Log:       LogConfig{Level: "info", Format: "text"},
		Simulated: SimulatedConfig{Seed: 1, Style: "photo", DefectRate: 0.25},
	}
}

// upstreamFolder is where the folder upstream keeps what S3 and SQS would.
func (c Config) upstreamFolder() string {
	if c.Upstream.Folder != "" {
		return c.Upstream.Folder
	}
	return filepath.Join(c.Data, "upstream")
}

// address is that of the running appliance, unless another is given.
func (c Config) address(given string) string {
	return strings.TrimSuffix(cmp.Or(given, c.Web.URL, "http://"+c.Web.Listen), "/")
}
