package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"inspector"
)

// bomb is a small PNG file whose header promises 30,000 x 30,000 pixels.
func bomb() []byte {
	b := []byte("\x89PNG\r\n\x1a\n")
	chunk := func(kind string, data []byte) {
		b = binary.BigEndian.AppendUint32(b, uint32(len(data)))
		body := append([]byte(kind), data...)
		b = binary.BigEndian.AppendUint32(append(b, body...), crc32.ChecksumIEEE(body))
	}
	chunk("IHDR", []byte{0, 0, 0x75, 0x30, 0, 0, 0x75, 0x30, 8, 0, 0, 0, 0})
	chunk("IDAT", []byte{0x78, 0x9c, 3, 0, 0, 0, 0, 1})
	chunk("IEND", nil)
	return b
}

// Files that are no pictures end as unsure with their name and why, the others
// are judged all the same, and the exit code is 2.
func TestInspectBadFiles(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	j, err := openJudges(t.Context(), defaults(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	p, _, err := newSimulation(SimulatedConfig{Seed: 1, Style: "photo"}).still(0)
	if err != nil {
		t.Fatal(err)
	}
	good := jpeg(t, p)
	files := []string{
		write("good.jpg", good), write("cut.jpg", good[:len(good)/2]), write("empty.png", nil), write("text.png", []byte("not a picture")),
		write("bomb.png", bomb()), filepath.Join(dir, "missing.png"),
	}
	var out, errs bytes.Buffer
	if code := command(t.Context(), append([]string{"inspect"}, files...), noEnvironment, &out, &errs); code != 2 {
		t.Errorf("exit code %d; want 2", code)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 7 || !strings.Contains(lines[1], "good.jpg") || !strings.Contains(lines[1], "pass") {
		t.Errorf("want a table of six pictures whose first passes:\n%s", &out)
	}
	for _, name := range []string{"cut.jpg", "empty.png", "text.png", "bomb.png", "missing.png"} {
		if !strings.Contains(errs.String(), name) {
			t.Errorf("no word about %s:\n%s", name, &errs)
		}
	}
	if n := strings.Count(out.String(), string(inspector.Unsure)); n < 5 {
		t.Errorf("%d unsure; want 5:\n%s", n, &out)
	}
	out.Reset()
	if code := command(t.Context(), []string{"inspect", "--json", files[0]}, noEnvironment, &out, io.Discard); code != 0 || !strings.HasPrefix(out.String(), `{"id":`) {
		t.Errorf("exit code %d, %s", code, &out)
	}
}

// What cannot start says what is wrong and what to do, and ends.
func TestCannotStart(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	models := t.TempDir()
	wrong := filepath.Join(models, "pcb", "2.1.0")
	if err := os.MkdirAll(wrong, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"model.yaml", "model.onnx"} {
		b, err := os.ReadFile(filepath.Join("..", "..", "models", "pcb", "2.1.0", name))
		if err != nil {
			t.Fatal(err)
		}
		b = bytes.Replace(b, []byte("width: 640"), []byte("width: 512"), 1)
		if err := os.WriteFile(filepath.Join(wrong, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		env  string
		want []string
	}{
		"page's port in use":   {"INSPECTOR_WEB_LISTEN=" + taken.Addr().String(), []string{taken.Addr().String(), "web.listen"}},
		"broker's port in use": {"INSPECTOR_MQTT_LISTEN=" + taken.Addr().String(), []string{taken.Addr().String(), "mqtt.listen"}},
		"model of other shape": {"INSPECTOR_MODEL_FOLDER=" + models, []string{"model.onnx", "512", "640"}},
		"no such recipe":       {"INSPECTOR_RECIPE=unknown", []string{"unknown", "simulated"}},
		"no such model":        {"INSPECTOR_MODEL_NAME=unknown", []string{"unknown"}},
		"no such source":       {"INSPECTOR_CAMERA_SOURCE=ftp://camera/1", []string{"ftp", "no scheme"}},
		"open to all":          {"INSPECTOR_MQTT_LISTEN=0.0.0.0:0", []string{"mqtt.users_file"}},
		"password in address":  {"INSPECTOR_MQTT_BROKER=tcp://user:hunter2@host", []string{"mqtt.broker", "password_file"}},
		"two faults":           {"INSPECTOR_LOG_LEVEL=loud\nINSPECTOR_LOG_FORMAT=xml", []string{"log.level", "log.format"}},
	} {
		t.Run(name, func(t *testing.T) {
			env := append([]string{"INSPECTOR_DATA=" + t.TempDir(), "INSPECTOR_WEB_LISTEN=127.0.0.1:0", "INSPECTOR_MQTT_LISTEN=127.0.0.1:0"}, strings.Split(c.env, "\n")...)
			out, err := program(t, env, "run").CombinedOutput()
			var code *exec.ExitError
			if !errors.As(err, &code) || code.ExitCode() < 1 || code.ExitCode() > 2 {
				t.Errorf("%v; want exit code 1 or 2", err)
			}
			for _, want := range c.want {
				if !strings.Contains(string(out), want) {
					t.Errorf("no %q in:\n%s", want, out)
				}
			}
		})
	}
}

// A second appliance on the same data says so before it loads a model, even one
// that is not there.
func TestSecondAppliance(t *testing.T) {
	dir := t.TempDir()
	a := startAppliance(t, dir)
	env := []string{"INSPECTOR_DATA=" + dir, "INSPECTOR_WEB_LISTEN=" + strings.TrimPrefix(a.page, "http://"), "INSPECTOR_MODEL_NAME=unknown"}
	out, err := program(t, env, "run").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "another appliance uses this directory") || strings.Contains(string(out), "unknown") {
		t.Errorf("%v: %s", err, out)
	}
	env = []string{"INSPECTOR_DATA=" + t.TempDir(), "INSPECTOR_WEB_LISTEN=" + strings.TrimPrefix(a.page, "http://"), "INSPECTOR_MQTT_LISTEN=127.0.0.1:" + a.broker, "INSPECTOR_MODEL_NAME=unknown"}
	out, err = program(t, env, "run").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "web.listen: ") || !strings.Contains(string(out), "mqtt.listen: ") || strings.Contains(string(out), "unknown") {
		t.Errorf("%v: %s", err, out)
	}
	a.stop()
}

// A full disk holds the line, which says so; what was accepted stays, and the
// line goes on once there is room.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=24m"); err != nil {
		t.Skipf("a small file system needs root: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	a := startAppliance(t, dir, "INSPECTOR_CAMERA_PERIOD=20ms", "INSPECTOR_SIMULATED_DEFECT_RATE=0.5")
	a.until("boards are accepted", func() bool { return len(a.inspections("")) > 5 })
	ballast := filepath.Join(dir, "ballast")
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(f, io.LimitReader(zeros{}, 64<<20))
	f.Close()
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("ballast: %v", err)
	}
	a.until("the full disk is named", func() bool {
		code, b := a.do("GET", "/readyz", "", nil)
		return code == 503 && strings.Contains(string(b), "disk")
	})
	before := a.inspections("")
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	a.until("boards are accepted again", func() bool { return a.inspections("")[0].Seq > before[0].Seq+3 })
	have := map[string]bool{}
	for _, r := range a.inspections("") {
		have[r.ID] = true
	}
	for _, r := range before {
		if !have[r.ID] {
			t.Errorf("board %s is gone", r.ID)
		}
	}
	a.stop()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }
