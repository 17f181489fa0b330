package main

import (
	"fmt"
	"maps"
	"net"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"inspector"
	"inspector/camera"
	"inspector/model"
	"inspector/model/remote"
	"inspector/notify"
	"inspector/upstream"
)

// A fault is one thing wrong with a configuration, and where.
type fault struct {
	key string // camera.period; empty for faults of the syntax
	msg string
}

// faults are things wrong with a configuration or a recipe.
type faults []fault

func (f *faults) want(ok bool, key, format string, args ...any) {
	if !ok {
		*f = append(*f, fault{key, fmt.Sprintf(format, args...)})
	}
}

func (f *faults) oneOf(key, have string, allowed ...string) {
	f.want(slices.Contains(allowed, have), key, "%q is unknown; want one of %s", have, strings.Join(allowed, ", "))
}

// faults says everything that is wrong; it cannot repair.
func (c Config) faults() (f faults) {
	f.want(c.Data != "", "data", "a directory is required")
	level := regexp.MustCompile(`^[A-Za-z0-9_]{1,40}$`)
	for _, l := range [][2]string{{"station.site", c.Station.Site}, {"station.line", c.Station.Line}, {"station.device", c.Station.Device}} {
		f.want(level.MatchString(l[1]), l[0], "%q: want 1 to 40 letters, digits or _ (it becomes part of topics and keys)", l[1])
	}
	positive := map[string]time.Duration{
		"camera.period": c.Camera.Period, "camera.max_age": c.Camera.MaxAge, "camera.open_timeout": c.Camera.OpenTimeout,
		"camera.read_timeout": c.Camera.ReadTimeout, "trigger.interval": c.Trigger.Interval, "trigger.takt": c.Trigger.Takt, "evidence.keep": c.Evidence.Keep,
	}
	for _, key := range slices.Sorted(maps.Keys(positive)) {
		f.want(positive[key] > 0, key, "%v is not positive; want a duration such as 500ms or 2s", positive[key])
	}
	k := camera.Config{Source: c.Camera.Source, Draw: func(uint64) (inspector.Pixels, string, error) { return inspector.Pixels{}, "", nil }}
	err := k.Validate()
	f.want(c.Camera.Source != "", "camera.source", "a source is required: simulated, a device, file, folder or address")
	f.want(c.Camera.Source == "" || err == nil, "camera.source", "%v", err)
	if s := string(c.Camera.Source); s != "" && err == nil && isNoSource(s) {
		f.want(false, "camera.source", "%q is no kind of source, and no file; want simulated, /dev/video0, a video file, folder:PATH, rtsp://..., http://... or gstreamer:PIPELINE", camera.Redact(s))
	}
	f.oneOf("trigger.mode", c.Trigger.Mode, "free-run", "interval", "external")
	f.want(c.Recipe != "", "recipe", "a recipe is required")
	f.want(c.Evidence.Quality >= 1 && c.Evidence.Quality <= 100, "evidence.quality", "%d is not within 1 to 100 (JPEG quality)", c.Evidence.Quality)
	f.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	f.oneOf("log.format", c.Log.Format, "text", "json")
	f.oneOf("simulated.style", c.Simulated.Style, "photo", "plate")
	f.want(c.Simulated.DefectRate >= 0 && c.Simulated.DefectRate <= 1, "simulated.defect_rate", "%v is not within 0 to 1", c.Simulated.DefectRate)
	c.Model.addFaults(&f)
	c.Disk.addFaults(&f)
	c.addMessagingFaults(&f)
	c.addUpstreamFaults(&f)
	c.addWorkflowFaults(&f)
	c.addFileFaults(&f)
	c.addEventFaults(&f)
	return f
}

func (c ModelConfig) addFaults(f *faults) {
	f.oneOf("model.runtime", c.Runtime, "auto", "onnxruntime", "onnx-go", "remote")
	if c.Remote == "" {
		f.want(c.Runtime != remote.Name, "model.remote", "it is required for runtime remote: the server's address, such as http://HOST:8000 or grpc://HOST:8001")
	} else {
		err := remote.CheckURL(c.Remote)
		f.want(err == nil, "model.remote", "%v", err)
	}
	f.oneOf("model.variant", c.Variant, model.FP32, model.INT8, "auto")
	_, err := model.ParseTrust(c.TrustedKeys)
	f.want(err == nil, "model.trusted_keys", "%v", err)
	_, err = model.ParseRef(c.Name)
	f.want(err == nil, "model.name", "%v", err)
	f.want(c.ShadowKeep >= 0 && c.ShadowKeep <= 100_000, "model.shadow_keep", "%d is not within 0 to 100000", c.ShadowKeep)
	f.want(c.Threads >= 1 && c.Threads <= 64, "model.threads", "%d is not within 1 to 64", c.Threads)
	f.want(c.Sessions >= 0 && c.Sessions <= 64, "model.sessions", "%d is not within 0 to 64", c.Sessions)
}

func (c Config) addMessagingFaults(f *faults) {
	if c.MQTT.Broker == embeddedBroker {
		c.addBrokerFaults(f)
	} else {
		err := c.messaging(notify.Topics{}).Validate()
		f.want(err == nil, "mqtt.broker", "%v", err)
	}
	for _, d := range []struct {
		key string
		d   time.Duration
	}{
		{"mqtt.stats_every", c.MQTT.StatsEvery}, {"mqtt.handshake.heartbeat", c.MQTT.Handshake.Heartbeat},
		{"mqtt.handshake.acknowledge", c.MQTT.Handshake.Acknowledge}, {"mqtt.handshake.beat", c.MQTT.Handshake.Beat},
	} {
		f.want(d.d == 0 || d.d >= 100*time.Millisecond && d.d <= time.Hour, d.key, "%v is not within 100ms to 1h, or 0 for none", d.d)
	}
	_, err := notify.TopicsOf(c.MQTT.Root, c.Station)
	f.want(err == nil, "mqtt.root", "%v", err)
	c.sparkplug(notify.Config{}).Faults(func(key, problem string) { f.want(!c.MQTT.Sparkplug.Enabled, key, "%s", problem) })
	f.want(hostPort(c.Web.Listen), "web.listen", "%q is not host:port", c.Web.Listen)
	everywhere := slices.ContainsFunc([]string{"0.0.0.0:", "[::]:", ":"}, func(host string) bool { return strings.HasPrefix(c.Web.Listen, host) })
	f.want(c.Web.URL != "" || !everywhere, "web.url", "it is required when web.listen is %s: how do others reach the page?", c.Web.Listen)
}

func (c Config) addUpstreamFaults(f *faults) {
	u := c.Upstream
	f.oneOf("upstream.kind", u.Kind, "folder", "aws")
	f.want(u.Kind != "aws" || u.Bucket != "", "upstream.bucket", "a bucket is required for kind aws")
	f.want(u.Prefix != "", "upstream.prefix", "a prefix of object keys is required")
	addKeyFaults(f, u.Key)
	_, err := parseHours(u.S3.Hours.Passes)
	f.want(err == nil, "upstream.s3.hours.passes", "%v", err)
	u.S3.addFaults(f)
	f.want(u.QueueURL != "", "upstream.queue_url", "a queue is required: its URL, or the name of a folder of messages")
	f.want(u.Rate >= 0 && u.Rate <= 1e6, "upstream.rate", "%v is not within 0 to 1000000", u.Rate)
	f.want(u.QueueLimit >= 1<<10 && u.QueueLimit <= 1<<20, "upstream.queue_limit", "%d is not within 1024 to 1048576 (bytes of a message)", u.QueueLimit)
}

func (c S3Config) addFaults(f *faults) {
	f.oneOf("upstream.s3.encryption", c.Encryption, upstream.Encryptions...)
	f.want(c.KMSKey == "" || c.Encryption == "aws:kms", "upstream.s3.kms_key", "it needs encryption aws:kms")
	f.want(c.Multipart >= upstream.MinPart && c.Multipart <= 5<<30, "upstream.s3.multipart", "%v is not within 5MiB to 5GiB", c.Multipart)
	f.want(c.Parallel >= 1 && c.Parallel <= 64, "upstream.s3.parallel", "%d is not within 1 to 64", c.Parallel)
	f.want(c.Bandwidth == 0 || c.Bandwidth >= upstream.MinBandwidth, "upstream.s3.bandwidth", "%v a second is less than 64KiB; 0 is no cap", c.Bandwidth)
}

// addFileFaults finds files and folders that are named and not there.
func (c Config) addFileFaults(f *faults) {
	for _, named := range [][2]string{
		{"mqtt.users_file", c.MQTT.UsersFile}, {"mqtt.password_file", c.MQTT.PasswordFile}, {"mqtt.ca_file", c.MQTT.CAFile}, {"mqtt.cert_file", c.MQTT.CertFile},
		{"mqtt.server_cert_file", c.MQTT.ServerCertFile}, {"mqtt.server_key_file", c.MQTT.ServerKeyFile}, {"mqtt.client_ca_file", c.MQTT.ClientCAFile},
		{"mqtt.acl_file", c.MQTT.ACLFile}, {"mqtt.key_file", c.MQTT.KeyFile}, {"web.token_file", c.Web.TokenFile}, {"model.library", c.Model.Library}, {"model.folder", c.Model.Folder}, {"recipes", c.Recipes},
		{"workflow.temporal.ca_file", c.Workflow.Temporal.CAFile}, {"workflow.temporal.cert_file", c.Workflow.Temporal.CertFile},
		{"workflow.temporal.key_file", c.Workflow.Temporal.KeyFile}, {"workflow.temporal.api_key_file", c.Workflow.Temporal.APIKeyFile},
		{"connections", c.Connections}, {"commands", c.Commands},
	} {
		if named[1] != "" {
			_, err := os.Stat(named[1])
			f.want(err == nil, named[0], "%v; create it or leave the key out", err)
		}
	}
}

var sourceWord = regexp.MustCompile(`^([A-Za-z0-9_-]*[A-Za-z_-][A-Za-z0-9_-]*)(:.*)?$`)

// isNoSource reports a word that is nothing that the camera knows: of such the
// camera would think that they are video files.
func isNoSource(source string) bool {
	m := sourceWord.FindStringSubmatch(source)
	if m == nil || strings.Contains(source, "://") || source == simulatedName || m[2] != "" && slices.Contains([]string{"folder", "gstreamer", "file"}, m[1]) {
		return false
	}
	_, err := os.Stat(source)
	return err != nil
}

func hostPort(s string) bool {
	_, _, err := net.SplitHostPort(s)
	return err == nil
}
