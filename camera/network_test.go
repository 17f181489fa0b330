package camera

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// until waits for a condition that something real brings about.
func until(t testing.TB, what string, done func() bool) {
	t.Helper()
	limit := time.After(40 * time.Second)
	for tick := time.NewTicker(10 * time.Millisecond); !done(); {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("not within 40 s: %s", what)
		}
	}
}

// mjpeg serves JPEGs for ever until frozen or broken.
type mjpeg struct {
	picture        []byte
	frozen, broken atomic.Bool
}

func (m *mjpeg) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if m.broken.Load() {
		http.Error(w, "out of order", http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "multipart/x-mixed-replace; boundary=frame")
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for !m.broken.Load() {
		if !m.frozen.Load() {
			fmt.Fprintf(w, "--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%s\r\n", len(m.picture), m.picture)
			w.(http.Flusher).Flush()
		}
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
	}
}

// networked is a configuration for a camera on a network that is quick to lose.
func networked(source string) Config {
	return Config{
		Source: secret(source), OpenTimeout: 10 * time.Second, ReadTimeout: time.Second,
		Pause: 50 * time.Millisecond, MaxPause: 200 * time.Millisecond,
	}
}

func TestHTTPCameraFreezesBreaksAndComesBack(t *testing.T) {
	m := &mjpeg{picture: picture(t, ".jpg", 3)}
	server := httptest.NewServer(m)
	defer server.Close()
	defer m.broken.Store(true)
	var log journal
	c, err := New(networked(strings.Replace(server.URL, "://", "://admin:hunter2@", 1)+"/cam?pwd=hunter3"), slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	stop := start(t, c)
	f, err := next(t, c)
	if err != nil || f.Pixels.Width != 48 || f.Pixels.Height != 32 {
		t.Fatalf("first frame %d x %d: %v", f.Pixels.Width, f.Pixels.Height, err)
	}
	f.Release()

	m.frozen.Store(true)
	until(t, "a frozen camera is lost", func() bool { return c.Health().State == Lost })
	if why := c.Health().Error; !strings.Contains(why, "broke off") {
		t.Errorf("OpenCV did not give up by itself: %s", why)
	}
	m.frozen.Store(false)
	until(t, "a thawed camera is back", func() bool { return c.Health().State == Delivering })

	m.broken.Store(true)
	until(t, "a broken camera is lost", func() bool { return c.Health().State == Lost })
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var gone *UnavailableError
	_, err = c.After(ctx, time.Now())
	if !errors.As(err, &gone) || gone.State != Lost || ctx.Err() != nil {
		t.Errorf("After while the camera is lost: %v", err)
	}
	until(t, "the reason is that of the answer", func() bool { return strings.Contains(c.Health().Error, "gives no stream") })
	m.broken.Store(false)
	if f, err = c.After(ctx, time.Now()); err != nil && !errors.As(err, &gone) {
		t.Fatal(err)
	}
	until(t, "a mended camera is back", func() bool { return c.Health().State == Delivering })

	stop()
	said := log.String() + c.Health().Source + c.Health().Error + gone.Error()
	if strings.Contains(said, "hunter") || !strings.Contains(said, "://***@") {
		t.Errorf("the password was told, or the address was not: %s", said)
	}
	want := "camera delivering; camera lost; camera back; camera lost; camera back"
	if got := log.messages(); got != want {
		t.Errorf("log: %s\nwant %s", got, want)
	}
}

func TestNewestWinsAndGapsTell(t *testing.T) {
	m := &mjpeg{picture: picture(t, ".jpg", 3)}
	server := httptest.NewServer(m)
	defer server.Close()
	defer m.broken.Store(true)
	c := mustNew(t, networked(server.URL))
	first, err := next(t, c)
	if err != nil {
		t.Fatal(err)
	}
	until(t, "five more frames", func() bool { return c.Health().Captured >= first.Seq+5 })
	f, err := next(t, c)
	if err != nil || f.Seq < first.Seq+5 {
		t.Errorf("the consumer was late and got frame %d after %d: %v", f.Seq, first.Seq, err)
	}
	if missed, dropped := f.Seq-first.Seq-1, c.Health().Dropped; dropped < missed {
		t.Errorf("missed %d frames, counted %d", missed, dropped)
	}
	asked := time.Now()
	if f, err = c.After(t.Context(), asked); err != nil || f.At.Before(asked) {
		t.Errorf("asked at %v, got the frame of %v: %v", asked, f.At, err)
	}
}

func TestNothingAnswers(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	address := server.URL
	server.Close()
	for _, a := range []string{address, strings.Replace(address, "http", "rtsp", 1)} {
		_, err := Probe(t.Context(), networked(a))
		if err == nil || !strings.Contains(err.Error(), "connection refused") || !strings.Contains(err.Error(), "check power") {
			t.Errorf("%s: %v", a, err)
		}
	}
}

// rtspServer builds the server in testdata, or skips the test.
func rtspServer(t testing.TB) string {
	t.Helper()
	const remedy = "apt-get install gcc pkg-config libgstrtspserver-1.0-dev gstreamer1.0-plugins-good gstreamer1.0-plugins-ugly"
	flags, err := exec.CommandContext(t.Context(), "pkg-config", "--cflags", "--libs", "gstreamer-rtsp-server-1.0").Output()
	if err != nil {
		t.Skipf("no headers of the RTSP server (%v): %s", err, remedy)
	}
	program := filepath.Join(t.TempDir(), "rtspserver")
	args := append([]string{"-O1", "-o", program, filepath.Join("testdata", "rtspserver.c")}, strings.Fields(string(flags))...)
	if out, err := exec.CommandContext(t.Context(), "cc", args...).CombinedOutput(); err != nil {
		t.Fatalf("cc: %v\n%s\n%s", err, out, remedy)
	}
	return program
}

// serve starts an RTSP server and returns it with its port.
func serve(t testing.TB, program string, args ...string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("the RTSP server says %q: %v", line, err)
	}
	return cmd, strings.TrimSpace(line)
}

const h264 = "( videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=25/1 ! " +
	"x264enc tune=zerolatency speed-preset=ultrafast key-int-max=5 ! rtph264pay name=pay0 pt=96 )"

func TestRTSPCameraIsKilledAndComesBack(t *testing.T) {
	program := rtspServer(t)
	cmd, port := serve(t, program, "0", h264, "admin", "hunter2")
	var log journal
	c, err := New(networked("rtsp://admin:hunter2@127.0.0.1:"+port+"/cam"), slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	start(t, c)
	f, err := next(t, c)
	if err != nil || f.Pixels.Width != 320 || f.Pixels.Height != 240 || f.Pixels.Channels != 3 {
		t.Fatalf("first frame %d x %d x %d: %v", f.Pixels.Width, f.Pixels.Height, f.Pixels.Channels, err)
	}
	until(t, "25 frames", func() bool { return c.Health().Captured >= 25 })

	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	until(t, "a killed camera is lost", func() bool { return c.Health().State == Lost })
	captured := c.Health().Captured
	again, _ := serve(t, program, port, h264, "admin", "hunter2")
	until(t, "a restarted camera is back", func() bool { return c.Health().State == Delivering })
	until(t, "it goes on counting", func() bool { return c.Health().Captured > captured })

	if err := again.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	until(t, "a frozen camera is lost", func() bool { return c.Health().State == Lost })
	if said := log.String() + c.Health().Error; strings.Contains(said, "hunter") {
		t.Errorf("the password was told: %s", said)
	}
}

// TestWrongPassword looks at all that the process says, OpenCV and FFmpeg
// included, so it runs itself as another process.
func TestWrongPassword(t *testing.T) {
	const variable = "CAMERA_TEST_SOURCE"
	if source := os.Getenv(variable); source != "" {
		_, err := Probe(t.Context(), networked(source))
		fmt.Println("probe:", err)
		return
	}
	_, port := serve(t, rtspServer(t), "0", h264, "admin", "right")
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestWrongPassword$")
	cmd.Env = append(os.Environ(), variable+"="+(&url.URL{
		Scheme: "rtsp", User: url.UserPassword("admin", "hunter2"), Host: "127.0.0.1:" + port, Path: "/cam",
	}).String())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if said := string(out); strings.Contains(said, "hunter2") || !strings.Contains(said, "check user, password and path") {
		t.Errorf("the process said: %s", said)
	}
}
