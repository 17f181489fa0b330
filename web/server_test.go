package web

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"inspector"
)

func TestPortInUse(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	_, err = New(Options{Listen: taken.Addr().String(), Log: discard()}).Listen()
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "port "+port) || !strings.Contains(err.Error(), "web.listen") {
		t.Errorf("does not name port and remedy: %v", err)
	}
	if err := New(Options{Listen: taken.Addr().String(), Log: discard()}).Run(t.Context()); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("Run: %v", err)
	}
	if _, err := New(Options{Listen: "nowhere", Log: discard()}).Listen(); err == nil || !strings.Contains(err.Error(), "web.listen") {
		t.Errorf("%v", err)
	}
}

// run starts s.server; the function stops it and gives what Run gave.
func run(t *testing.T, o Options) (site, func() error) {
	t.Helper()
	b := newBackend()
	o.Listen, o.Log = "127.0.0.1:0", discard()
	o.Status, o.Archive, o.Line, o.Desk, o.Executions, o.Graphs = b, b, b, b, b, b
	b.server = New(o)
	addr, err := b.server.Listen()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.server.Run(ctx) }()
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return site{backend: b, url: "http://" + addr.String()}, func() error { cancel(); return <-ended }
}

func TestShutdownEndsStreamsAndLetsAnswersFinish(t *testing.T) {
	s, stop := run(t, Options{Wait: 300 * time.Millisecond})
	s.slow = true
	e := s.events(t)
	answered := make(chan int, 1)
	go func() {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/api/v1/triggers", strings.NewReader(""))
		if err != nil {
			t.Error(err)
		}
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Error(err)
			answered <- 0
			return
		}
		answer.Body.Close()
		answered <- answer.StatusCode
	}()
	for s.inFlight() == 0 {
		s.ask(t, "GET", "/healthz", "")
	}
	if err := stop(); err != nil {
		t.Errorf("Run: %v", err)
	}
	if _, more := e.next("inspection"); more {
		t.Error("the stream went on")
	}
	if code := <-answered; code != http.StatusGatewayTimeout {
		t.Errorf("the trigger under way got %d", code)
	}
	if _, err := net.DialTimeout("tcp", strings.TrimPrefix(s.url, "http://"), time.Second); err == nil {
		t.Error("still listening")
	}
}

func TestShutdownWaitsNoLongerThanTheGrace(t *testing.T) {
	s, stop := run(t, Options{Wait: time.Minute, Grace: time.Millisecond})
	s.slow = true
	failed := make(chan error, 1)
	go func() {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/api/v1/triggers", strings.NewReader(""))
		if err == nil {
			_, err = http.DefaultClient.Do(r) //nolint:bodyclose // there is none: it is cut off
		}
		failed <- err
	}()
	for s.inFlight() == 0 {
		s.ask(t, "GET", "/healthz", "")
	}
	if err := stop(); err != nil {
		t.Errorf("Run: %v", err)
	}
	if err := <-failed; err == nil {
		t.Error("answered?")
	}
}

func TestTimeoutSaysAskAgain(t *testing.T) {
	s := start(t, func(o *Options) { o.Wait = 10 * time.Millisecond })
	s.slow = true
	code, header, body := s.ask(t, "POST", "/api/v1/triggers", `{"request":"r7"}`, "Content-Type", "application/json")
	if code != http.StatusGatewayTimeout || header.Get("Content-Type") != "application/problem+json" || !strings.Contains(body, "same request id") || !strings.Contains(body, "r7") {
		t.Errorf("%d %s", code, body)
	}
}

func TestBadInput(t *testing.T) {
	s := start(t, func(o *Options) { o.MaxBody = 100_000 })
	good := string(pcb(t, false, 1))
	for name, c := range map[string]struct {
		method, path, body string
		headers            []string
		code               int
		says               string
	}{
		"truncated picture":   {"POST", "/api/v1/inspections", good[:len(good)/2], []string{"Content-Type", "image/jpeg"}, 422, "whole JPEG or PNG"},
		"empty picture":       {"POST", "/api/v1/inspections", "", []string{"Content-Type", "image/jpeg"}, 422, "empty"},
		"text named png":      {"POST", "/api/v1/inspections", "hello", []string{"Content-Type", "image/png"}, 422, "whole JPEG or PNG"},
		"too large":           {"POST", "/api/v1/inspections", strings.Repeat("x", 100_001), []string{"Content-Type", "image/jpeg"}, 413, "at most 100000 bytes"},
		"large JSON":          {"POST", "/api/v1/triggers", `{"serial":"` + strings.Repeat("x", maxOrder) + `"}`, []string{"Content-Type", "application/json"}, 413, "at most"},
		"a web form":          {"POST", "/api/v1/triggers", "serial=1", []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, "application/json"},
		"no such board":       {"GET", "/api/v1/inspections/nobody", "", nil, 404, "nobody"},
		"path in a name":      {"GET", "/api/v1/inspections/x/evidence/..%2f..%2fetc", "", nil, 404, "remedy"},
		"no such evidence":    {"GET", "/api/v1/inspections/x/evidence/video", "", nil, 404, "image or overlay"},
		"no such page":        {"GET", "/admin", "", nil, 404, "openapi.yaml"},
		"no such method":      {"DELETE", "/api/v1/inspections", "", nil, 405, "openapi.yaml"},
		"no camera":           {"POST", "/api/v1/triggers", "", nil, 503, "readyz"},
		"foreign page":        {"POST", "/api/v1/triggers", "", []string{"Origin", "https://evil.example"}, 403, "own page"},
		"rebound name":        {"GET", "/api/v1/status", "", []string{"Host", "evil.example"}, 421, "localhost"},
		"no live picture":     {"GET", "/api/v1/live.jpg", "", nil, 404, "picture"},
		"unknown parameter":   {"GET", "/api/v1/executions?state=RUNNING", "", nil, 400, "status"},
		"unknown status":      {"GET", "/api/v1/executions?status=running", "", nil, 400, "RUNNING"},
		"unknown time":        {"GET", "/api/v1/executions?since=yesterday", "", nil, 400, "RFC 3339"},
		"coded refusal":       {"POST", "/api/v1/states/StartExecution", `{"name":"nobody"}`, []string{"Content-Type", "application/json"}, 404, "StateMachineDoesNotExist"},
		"redrive of nothing":  {"POST", "/api/v1/executions/nobody/redrive", "", nil, 404, "nobody"},
		"decision of nothing": {"POST", "/api/v1/inspections/nobody/disposition", `{"decision":"scrap","by":"A"}`, []string{"Content-Type", "application/json"}, 404, "nobody"},
	} {
		t.Run(name, func(t *testing.T) {
			code, header, body := s.ask(t, c.method, c.path, c.body, c.headers...)
			if code != c.code || header.Get("Content-Type") != "application/problem+json" || !strings.Contains(body, c.says) {
				t.Errorf("%d %s %s; want %d and %q", code, header.Get("Content-Type"), body, c.code, c.says)
			}
		})
	}
	if s.log.String() != "" {
		t.Errorf("strangers' faults in our log: %s", s.log.String())
	}
}

// faulty breaks in the middle of an answer.
type faulty struct{ *backend }

func (faulty) Inspection(context.Context, string) (Record, error) { panic("a bug") }

func (faulty) Inspections(context.Context, Query) ([]Record, error) {
	return nil, errors.New("the disk is gone")
}

func TestFaultsAreLoggedAndSurvived(t *testing.T) {
	s := start(t, func(o *Options) { o.Archive = faulty{o.Archive.(*backend)} })
	for path, says := range map[string]string{"/api/v1/inspections/x": "a bug", "/api/v1/inspections": "the disk is gone"} {
		code, header, body := s.ask(t, "GET", path, "")
		if code != http.StatusInternalServerError || header.Get("Content-Type") != "application/problem+json" || !strings.Contains(body, "log") {
			t.Errorf("%s: %d %s", path, code, body)
		}
		if !strings.Contains(s.log.String(), says) {
			t.Errorf("%s: the log does not say %q: %s", path, says, s.log.String())
		}
	}
	if strings.Contains(func() string { _, _, b := s.ask(t, "GET", "/api/v1/inspections/x", ""); return b }(), "a bug") {
		t.Error("a panic's value was sent to a stranger")
	}
	if code, _, _ := s.ask(t, "GET", "/healthz", ""); code != http.StatusOK {
		t.Error("did not survive")
	}
}

func TestTokenIsNowhere(t *testing.T) {
	const token = "s3same-0pen"
	s := start(t, func(o *Options) { o.Token = token })
	for _, path := range []string{"/", "/api/v1/status", "/metrics", "/readyz", "/api/v1/openapi.yaml", "/app.js"} {
		if _, _, body := s.ask(t, "GET", path, ""); strings.Contains(body, token) {
			t.Errorf("%s shows the token", path)
		}
	}
	code, header, body := s.ask(t, "POST", "/api/v1/triggers", "", "Authorization", "Bearer "+token+"x")
	if code != http.StatusUnauthorized || !strings.HasPrefix(header.Get("WWW-Authenticate"), "Bearer") || strings.Contains(body+s.log.String(), token) {
		t.Errorf("%d %v %s", code, header, body)
	}
}

func TestReady(t *testing.T) {
	s := start(t, nil)
	if code, _, body := s.ask(t, "GET", "/readyz", ""); code != http.StatusOK || !strings.Contains(body, `"ready":true`) {
		t.Errorf("%d %s", code, body)
	}
	s.set(func(st *Status) {
		st.Parts[1] = Part{"model", Down, "model.onnx does not match its sha256", "fetch it again"}
	})
	if code, _, body := s.ask(t, "GET", "/readyz", ""); code != http.StatusServiceUnavailable || !strings.Contains(body, "fetch it again") {
		t.Errorf("%d %s", code, body)
	}
}

func TestEveryAnswerIsGuarded(t *testing.T) {
	s := start(t, nil)
	for _, path := range []string{"/", "/app.js", "/api/v1/status", "/nothing", "/metrics"} {
		_, h, _ := s.ask(t, "GET", path, "")
		if h.Get("X-Content-Type-Options") != "nosniff" || !strings.Contains(h.Get("Content-Security-Policy"), "frame-ancestors 'none'") ||
			strings.Contains(h.Get("Content-Security-Policy"), "unsafe") {
			t.Errorf("%s: %v", path, h)
		}
	}
	for _, path := range []string{"/", "/app.js", "/app.css", "/icon.svg"} {
		_, h, body := s.ask(t, "GET", path, "")
		if code, _, _ := s.ask(t, "GET", path, "", "If-None-Match", h.Get("ETag")); code != http.StatusNotModified {
			t.Errorf("%s: %d, though the browser has it", path, code)
		}
		body = strings.ReplaceAll(body, "http://www.w3.org/", "") // names of SVG, not addresses
		if strings.Contains(body, "http://") || strings.Contains(body, "https://") || strings.Contains(body, "innerHTML") {
			t.Errorf("%s needs the internet, or writes HTML", path)
		}
	}
}

func TestMetrics(t *testing.T) {
	s := start(t, nil)
	for n, p := range [][]byte{pcb(t, true, 1), pcb(t, false, 1), pcb(t, false, 2), dark(t)} {
		judgeOne(t, s, p, fmt.Sprint(n))
	}
	s.set(func(st *Status) { st.Parts[5] = Part{"broker", Down, "no connection", ""} })
	_, _, body := s.ask(t, "GET", "/metrics", "")
	for _, want := range []string{
		`inspector_verdicts_total{recipe="bare-board",verdict="pass"} 2`, `inspector_verdicts_total{recipe="bare-board",verdict="fail"} 1`,
		`inspector_verdicts_total{recipe="bare-board",verdict="unsure"} 1`, `inspector_stage_duration_seconds_sum{stage="infer"} 0.084`,
		`inspector_stage_duration_seconds_count{stage="wait"} 4`, `inspector_frames_captured_total 7201`, `inspector_frames_dropped_total 3`,
		`inspector_queue_depth{lane="s3:putObject"} 12`, `inspector_queue_oldest_age_seconds{lane="s3:putObject"} 34`, `inspector_queue_parked{lane="s3:putObject"} 1`,
		`inspector_disk_free_bytes 8.6973087744e+10`, `inspector_camera_frame_age_seconds 0.04`, `inspector_mqtt_connected 0`,
		`inspector_part_up{part="upstream"} 1`, `inspector_ready 1`, `inspector_build_info{go_version="`, `go_goroutines`,
	} {
		if !strings.Contains(body, "\n"+want) {
			t.Errorf("%s is missing", want)
		}
	}
	reg := prometheus.NewRegistry()
	reg.MustRegister(snapshot{assess(s.Status(t.Context())), 1}, s.server.metrics.verdicts, s.server.metrics.stages)
	if faults, err := testutil.GatherAndLint(reg); err != nil || len(faults) > 0 {
		t.Errorf("%v %v", faults, err)
	}
}

func TestRecipesAreBounded(t *testing.T) {
	m := newMetrics()
	for n := range 10 * maxRecipes {
		m.count(inspector.Inspection{Verdict: inspector.Unsure, Recipe: fmt.Sprint(n)})
	}
	if n := testutil.CollectAndCount(m.verdicts); n != maxRecipes+1 {
		t.Errorf("%d series", n)
	}
}
