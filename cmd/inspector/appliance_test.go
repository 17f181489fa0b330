package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"inspector"
	"inspector/classify"
	"inspector/web"
)

// The test binary is also the program, so that a whole appliance can be
// started and killed as its own process.
func TestMain(m *testing.M) {
	if os.Getenv("RUN_AS_INSPECTOR") == "1" {
		main()
	}
	if os.Getenv(lifeOf) != "" {
		os.Exit(live())
	}
	goleak.VerifyTestMain(m)
}

// appliance is a running inspector in a process of its own.
type appliance struct {
	t      *testing.T
	cmd    *exec.Cmd
	page   string // http://...
	broker string // port of the embedded broker, empty without
	logs   *safeBuffer
	ended  chan struct{}
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// program is a command of the inspector, killed at the end of the test.
func program(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	soak, _ := time.ParseDuration(os.Getenv("INSPECTOR_SOAK"))
	ctx, cancel := context.WithTimeout(context.Background(), soak+5*time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, self, args...)
	cmd.Env = append(append(os.Environ(), "RUN_AS_INSPECTOR=1"), env...)
	return cmd
}

var listening = regexp.MustCompile(`^(page|broker)\s+(\S+)`)

// startAppliance runs the inspector on free ports in dir and waits until it listens.
func startAppliance(t *testing.T, dir string, env ...string) *appliance {
	t.Helper()
	a := &appliance{t: t, logs: &safeBuffer{}, ended: make(chan struct{})}
	a.cmd = program(t, append([]string{"INSPECTOR_DATA=" + dir, "INSPECTOR_WEB_LISTEN=127.0.0.1:0", "INSPECTOR_MQTT_LISTEN=127.0.0.1:0", "INSPECTOR_CAMERA_PERIOD=50ms", "INSPECTOR_TRIGGER_TAKT=20s"}, env...), "run")
	a.cmd.Stderr = a.logs
	out, err := a.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := a.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for a.page == "" && lines.Scan() {
		if m := listening.FindStringSubmatch(lines.Text()); m != nil && m[1] == "page" {
			a.page = m[2]
		} else if m != nil {
			a.broker = m[2][strings.LastIndexByte(m[2], ':')+1:]
		}
	}
	go func() {
		defer close(a.ended)
		_, _ = io.Copy(a.logs, out)
		_ = a.cmd.Wait()
	}()
	t.Cleanup(func() {
		a.kill()
		if t.Failed() {
			t.Logf("the appliance said:\n%s", a.logs)
		}
	})
	if a.page == "" {
		a.kill()
		t.Fatalf("the appliance did not come up:\n%s", a.logs)
	}
	return a
}

// kill is a power cut as far as this process is concerned.
func (a *appliance) kill() {
	_ = a.cmd.Process.Kill()
	<-a.ended
}

// stop asks it to stop and waits for that.
func (a *appliance) stop() {
	a.t.Helper()
	if err := a.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		a.t.Fatal(err)
	}
	select {
	case <-a.ended:
	case <-time.After(20 * time.Second):
		a.t.Error("the appliance did not stop within 20 s of SIGTERM")
		a.kill()
	}
	if code := a.cmd.ProcessState.ExitCode(); code != 0 {
		a.t.Errorf("exit code %d after SIGTERM:\n%s", code, a.logs)
	}
}

func (a *appliance) do(method, path, kind string, body io.Reader) (int, []byte) {
	a.t.Helper()
	r, err := http.NewRequestWithContext(a.t.Context(), method, a.page+path, body)
	if err != nil {
		a.t.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	r.Close = true
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		a.t.Fatalf("%s %s: %v\n%s", method, path, err, a.logs)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	return answer.StatusCode, b
}

func get[T any](a *appliance, path string) (v T) {
	a.t.Helper()
	code, b := a.do(http.MethodGet, path, "", nil)
	if code != http.StatusOK {
		a.t.Fatalf("GET %s: %d %s", path, code, b)
	}
	if err := json.Unmarshal(b, &v); err != nil {
		a.t.Fatalf("GET %s: %v in %s", path, err, b)
	}
	return v
}

func (a *appliance) status() web.Status { return get[web.Status](a, "/api/v1/status") }

func (a *appliance) inspections(query string) []web.Record {
	return get[struct{ Inspections []web.Record }](a, "/api/v1/inspections?limit=500&"+query).Inspections
}

// until polls the appliance, which is another process, until ok or a minute
// has passed.
func (a *appliance) until(what string, ok func() bool) {
	a.t.Helper()
	deadline, tick := time.After(time.Minute), time.NewTicker(100*time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			a.t.Fatalf("not within a minute: %s\n%s", what, a.logs)
		case <-a.ended:
			a.t.Fatalf("the appliance ended before: %s\n%s", what, a.logs)
		case <-tick.C:
		}
	}
}

// idle reports that nothing is left to deliver.
func (a *appliance) idle() bool {
	for _, lane := range a.status().Lanes {
		if lane.Name != "token" && lane.Depth > 0 {
			return false
		}
	}
	return true
}

// tool finds a program that make test installs.
func tool(t testing.TB, name string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	path, err := filepath.Abs(filepath.Join("..", "..", ".tools", "bin", name))
	if err == nil {
		if _, err = os.Stat(path); err == nil {
			return path
		}
	}
	if os.Getenv("INSPECTOR_REQUIRE_TOOLS") == "1" {
		t.Fatalf("%s is missing; make test installs it", name)
	}
	t.Skipf("%s is not installed; make test installs it", name)
	return ""
}

// subscriber is a real mosquitto_sub; its lines are "TOPIC PAYLOAD".
func subscriber(t *testing.T, port string, args ...string) <-chan string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, tool(t, "mosquitto_sub"), append([]string{"-h", "127.0.0.1", "-p", port, "-q", "1", "-v"}, args...)...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := make(chan string, 100_000)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			lines <- s.Text()
		}
	}()
	t.Cleanup(func() { cancel(); <-done; _ = cmd.Wait() })
	return lines
}

func isFile(t *testing.T, parts ...string) bool {
	t.Helper()
	info, err := os.Stat(filepath.Join(parts...))
	return err == nil && info.Size() > 0
}

func imageOf(i inspector.Inspection) (inspector.Blob, error) {
	for _, e := range i.Evidence {
		if e.Kind == "image" {
			return e, nil
		}
	}
	return inspector.Blob{}, fmt.Errorf("inspection %s has no image", i.ID)
}

func jpeg(t *testing.T, p inspector.Pixels) []byte {
	t.Helper()
	b, err := classify.JPEG(p, 95)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
