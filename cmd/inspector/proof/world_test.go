package proof

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"inspector/notify"
	"inspector/upstream/sqstest"
)

const keyID, secret = "AKIDEXAMPLE", "a-secret-that-is-none"

// A delivery is one message or object that a target has.
type delivery struct {
	key string
	at  time.Time
}

// A world is everything outside the appliance, and what arrived there.
type world struct {
	t       *testing.T
	links   map[string]*toxiproxy.Proxy // by target: mqtt, s3, sqs, webhook
	refuse  atomic.Int32                // of HTTP targets: 0 not, 1 before the request is passed on, 2 after it
	buckets string
	queue   *sqstest.Server

	mu      sync.Mutex
	arrived map[string][]delivery // by target/board/kind
}

// newWorld starts all targets, each behind a link that can break.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, links: map[string]*toxiproxy.Proxy{}, arrived: map[string][]delivery{}, buckets: t.TempDir(), queue: sqstest.New(keyID, secret)}
	proxies := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	link := func(name, to string) {
		p := toxiproxy.NewProxy(proxies, name, "127.0.0.1:0", to)
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(p.Stop)
		w.links[name] = p
	}

	broker := "127.0.0.1:" + freePort(t)
	conf := filepath.Join(t.TempDir(), "mosquitto.conf")
	_, port, _ := net.SplitHostPort(broker)
	if err := os.WriteFile(conf, []byte("listener "+port+" 127.0.0.1\nallow_anonymous true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	serve(t, broker, tool(t, "mosquitto"), "-c", conf)
	link("mqtt", broker)
	w.subscribe(broker)

	if err := os.Mkdir(filepath.Join(w.buckets, "boards"), 0o755); err != nil {
		t.Fatal(err)
	}
	gateway := "127.0.0.1:" + freePort(t)
	serve(t, gateway, tool(t, "versitygw"), "--iam-dir", t.TempDir(), "--access", keyID, "--secret", secret, "--port", gateway, "--quiet", "posix", w.buckets)
	u, _ := url.Parse("http://" + gateway)
	forward := &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(u); r.Out.Host = r.In.Host }, // which is signed
		ModifyResponse: w.stored, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	link("s3", w.http(forward))

	if err := w.queue.Create("results"); err != nil {
		t.Fatal(err)
	}
	link("sqs", w.http(w.queue))
	link("webhook", w.http(http.HandlerFunc(w.hooked)))
	return w
}

// http serves h, refusing what the world refuses.
func (w *world) http(h http.Handler) (address string) {
	s := httptest.NewServer(http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
		switch w.refuse.Load() {
		case 1:
			answer.WriteHeader(http.StatusServiceUnavailable)
		case 2:
			h.ServeHTTP(httptest.NewRecorder(), r)
			answer.WriteHeader(http.StatusInternalServerError)
		default:
			h.ServeHTTP(answer, r)
		}
	}))
	w.t.Cleanup(s.CloseClientConnections)
	w.t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func (w *world) note(target, board, kind, key string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := target + "/" + board + "/" + kind
	w.arrived[at] = append(w.arrived[at], delivery{key, time.Now()})
}

func (w *world) subscribe(broker string) {
	c := notify.NewClient(notify.Config{URL: "tcp://" + broker, ClientID: "subscriber"}, slog.New(slog.DiscardHandler))
	c.Subscribe("inspector/#", func(_ context.Context, topic string, payload []byte) {
		var m notify.Message
		kind := topic[strings.LastIndexByte(topic, '/')+1:]
		if (kind == "alert" || kind == "result") && json.Unmarshal(payload, &m) == nil {
			w.note("mqtt", m.ID, kind, m.Key)
		}
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); _ = c.Run(ctx) }()
	w.t.Cleanup(func() { cancel(); <-ended })
	<-c.Tried()
}

// stored sees what the S3 answers: that it has the object now, or that it had it
// before, from an attempt whose answer nobody heard.
func (w *world) stored(r *http.Response) error {
	if r.Request.Method == http.MethodPut && (r.StatusCode == http.StatusOK || r.StatusCode == http.StatusPreconditionFailed) {
		parts := strings.Split(r.Request.URL.Path, "/")
		if n := len(parts); n > 2 && strings.HasPrefix(parts[n-2], "inspector1-") {
			w.note("s3", parts[n-2], parts[n-1], r.Request.URL.Path)
		}
	}
	return nil
}

// hooked takes an event of the rule.
func (w *world) hooked(_ http.ResponseWriter, r *http.Request) {
	var event struct {
		Detail struct {
			Inspection string `json:"inspection"`
		} `json:"detail"`
	}
	if body, err := io.ReadAll(r.Body); err == nil && json.Unmarshal(body, &event) == nil {
		w.note("webhook", event.Detail.Inspection, "event", r.Header.Get("Idempotency-Key"))
	}
}

// fetch takes what is in the queue.
func (w *world) fetch() {
	for _, m := range w.queue.Take("results") {
		var i struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal([]byte(m.Body), &i); err != nil {
			w.t.Errorf("the queue has %.80q: %v", m.Body, err)
			continue
		}
		w.note("sqs", i.ID, "message", m.Attributes["key"])
	}
}

// config is the appliance's environment.
func (w *world) config(dir string) []string {
	rules := filepath.Join(dir, "rules")
	hook := fmt.Sprintf("pattern: {source: [inspector], detail-type: [Inspection Judged]}\ntargets: {hook: {webhook: {url: \"http://%s/hook\"}}}\n", w.links["webhook"].Listen)
	if err := os.MkdirAll(rules, 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(rules, "hook.yaml"), []byte(hook), 0o600); err != nil {
		w.t.Fatal(err)
	}
	return []string{
		"AWS_ACCESS_KEY_ID=" + keyID, "AWS_SECRET_ACCESS_KEY=" + secret, "AWS_EC2_METADATA_DISABLED=true",
		"INSPECTOR_DATA=" + filepath.Join(dir, "data"), "INSPECTOR_WEB_LISTEN=127.0.0.1:0", "INSPECTOR_EVENTS_RULES=" + rules,
		"INSPECTOR_TRIGGER_MODE=external", "INSPECTOR_TRIGGER_TAKT=20s", "INSPECTOR_SIMULATED_DEFECT_RATE=1", "INSPECTOR_CAMERA_PERIOD=20ms",
		"INSPECTOR_MQTT_BROKER=tcp://" + w.links["mqtt"].Listen,
		"INSPECTOR_UPSTREAM_KIND=aws", "INSPECTOR_UPSTREAM_BUCKET=boards", "INSPECTOR_UPSTREAM_PATH_STYLE=true",
		"INSPECTOR_UPSTREAM_ENDPOINT=http://" + w.links["s3"].Listen,
		"INSPECTOR_UPSTREAM_QUEUE_URL=http://" + w.links["sqs"].Listen + "/" + sqstest.Account + "/results",
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// tool finds a program that tests start.
func tool(t *testing.T, name string) string {
	t.Helper()
	own, _ := filepath.Abs(filepath.Join("..", "..", "..", ".tools", "bin", name))
	for _, path := range []string{name, "/usr/sbin/" + name, own} {
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
	}
	if os.Getenv("INSPECTOR_REQUIRE_TOOLS") == "1" {
		t.Fatalf("%s is missing; make test installs it", name)
	}
	t.Skipf("%s is not installed; make test installs it", name)
	return ""
}

// serve runs a server until the test ends, and waits until it listens.
func serve(t *testing.T, address, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	eventually(t, 20*time.Second, name+" listens", func() bool {
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// eventually asks ok until it is, at most so long.
func eventually(t *testing.T, within time.Duration, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(within); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", within, what)
		}
	}
}
