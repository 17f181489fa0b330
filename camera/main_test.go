package camera

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"inspector"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// silent is a log that nobody reads.
func silent() *slog.Logger { return slog.New(slog.DiscardHandler) }

// start runs a camera until the test ends, and fails the test if it does not
// stop when asked to.
func start(t testing.TB, c *Camera) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

// mustNew is a running camera.
func mustNew(t testing.TB, c Config) *Camera {
	t.Helper()
	camera, err := New(c, silent())
	if err != nil {
		t.Fatal(err)
	}
	start(t, camera)
	return camera
}

// next is Next within a generous time.
func next(t testing.TB, c *Camera) (inspector.Frame, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	return c.Next(ctx)
}

// ramp makes a video whose frame n has the grey level 4n modulo 256.
func ramp(t testing.TB, frames int, size string) string {
	t.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not installed: apt-get install ffmpeg")
	}
	name := filepath.Join(t.TempDir(), "ramp.mp4")
	out, err := exec.CommandContext(t.Context(), "ffmpeg", "-loglevel", "error", "-f", "lavfi",
		"-i", fmt.Sprintf("color=black:s=%s:r=25,format=gray,geq=lum='mod(N*4,256)'", size),
		"-frames:v", fmt.Sprint(frames), "-c:v", "libx264", "-preset", "ultrafast", "-qp", "4",
		"-color_range", "pc", "-pix_fmt", "yuvj420p", "-movflags", "+faststart", name).CombinedOutput()
	if err != nil {
		t.Fatalf("ffmpeg: %v\n%s", err, out)
	}
	return name
}

// level is the grey level in the middle of p.
func level(p inspector.Pixels) int {
	return int(p.Data[p.Height/2*p.Stride+p.Width/2*p.Channels])
}

// allocated is how many bytes of Go's heap f took.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// journal is a log kept for the test.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

// messages returns the log without anything that varies.
func (j *journal) messages() string {
	var all []string
	for line := range strings.Lines(j.String()) {
		_, msg, _ := strings.Cut(line, `msg="`)
		msg, _, _ = strings.Cut(msg, `"`)
		all = append(all, msg)
	}
	return strings.Join(all, "; ")
}

func mustWrite(t testing.TB, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func secret(s string) inspector.Secret { return inspector.Secret(s) }
