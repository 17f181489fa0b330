package notify

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// TestMain is also the program that tests start to kill.
func TestMain(m *testing.M) {
	if part := os.Getenv("NOTIFY_CHILD"); part != "" {
		if err := child(part); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func child(part string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	if part == "client" {
		return NewClient(Config{URL: os.Getenv("NOTIFY_URL"), ClientID: "child", Availability: "a/availability"}, log).Run(ctx)
	}
	b := NewBroker(BrokerConfig{Listen: os.Getenv("NOTIFY_LISTEN"), Dir: os.Getenv("NOTIFY_DIR")}, log)
	if err := b.Listen(); err != nil {
		return err
	}
	fmt.Println(b.Addr())
	return b.Run(ctx)
}

// startChild runs this program as part and returns its first line, if it
// prints one. kill is kill -9.
func startChild(t *testing.T, part string, printing bool, env ...string) (line string, kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), "NOTIFY_CHILD="+part), env...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	killed := false
	kill = func() {
		if !killed {
			killed = true
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
	}
	t.Cleanup(kill)
	if printing {
		if line, err = bufio.NewReader(out).ReadString('\n'); err != nil {
			t.Fatalf("%s did not start: %v", part, err)
		}
	}
	return strings.TrimSpace(line), kill
}

// run starts a component and returns what asks it to stop and waits.
func run(t *testing.T, f func(context.Context) error) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	var err error
	go func() {
		defer close(ended)
		err = f(ctx)
	}()
	stop = func() error {
		cancel()
		<-ended
		return err
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	return stop
}

// eventually waits until done says so.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	deadline := time.After(20 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !done() {
		select {
		case <-deadline:
			t.Fatalf("waited in vain: %s", what)
		case <-tick.C:
		}
	}
}

func connected(t *testing.T, c *Client) {
	t.Helper()
	eventually(t, "connection", func() bool { return c.Health().Connected })
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// startBroker runs an embedded broker on a port of its own.
func startBroker(t *testing.T, dir string) (b *Broker, stop func() error) {
	t.Helper()
	b = NewBroker(BrokerConfig{Listen: "127.0.0.1:0", Dir: dir}, quiet())
	if err := b.Listen(); err != nil {
		t.Fatal(err)
	}
	return b, run(t, b.Run)
}

// startClient runs a client and waits until it is connected.
func startClient(t *testing.T, c Config, subscribe ...func(*Client)) (client *Client, stop func() error) {
	t.Helper()
	if c.ClientID == "" {
		c.ClientID = "test"
	}
	client = NewClient(c, quiet())
	for _, s := range subscribe {
		s(client)
	}
	stop = run(t, client.Run)
	connected(t, client)
	return client, stop
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

func need(t *testing.T, program string) string {
	t.Helper()
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin") {
		if path, err := exec.LookPath(filepath.Join(dir, program)); err == nil {
			return path
		}
	}
	if os.Getenv("INSPECTOR_REQUIRE_TOOLS") != "" {
		t.Fatalf("%s is not installed; apt install mosquitto mosquitto-clients", program)
	}
	t.Skipf("%s is not installed; apt install mosquitto mosquitto-clients", program)
	return ""
}

// startMosquitto runs the real broker with a listener on a free port, which
// the lines configure further, and returns the port.
func startMosquitto(t *testing.T, lines ...string) (port string) {
	t.Helper()
	port, _ = startReloadable(t, lines...)
	return port
}

// startReloadable is startMosquitto; reload has it read its files again.
func startReloadable(t *testing.T, lines ...string) (port string, reload func()) {
	t.Helper()
	program := need(t, "mosquitto")
	port = freePort(t)
	conf := filepath.Join(t.TempDir(), "mosquitto.conf")
	user := ""
	if os.Getuid() == 0 {
		user = "user root\n"
	}
	text := user + "listener " + port + " 127.0.0.1\n" + strings.Join(lines, "\n") + "\n"
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-c", conf)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
	})
	eventually(t, "mosquitto listens", func() bool {
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return port, func() { _ = cmd.Process.Signal(syscall.SIGHUP) }
}

// collect subscribes with mosquitto_sub in a persistent session and hands over
// every payload until the test ends or stop is called.
func collect(t *testing.T, port, topic string) (lines <-chan string, stop func()) {
	t.Helper()
	return printed(t, exec.Command(need(t, "mosquitto_sub"), "-h", "127.0.0.1", "-p", port, "-i", "collector", "-c", "-q", "1", "-t", topic))
}

// printed runs a program and hands over every line that it prints until the
// test ends or stop is called.
func printed(t *testing.T, cmd *exec.Cmd) (lines <-chan string, stop func()) {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ch := make(chan string, 10000)
	read := make(chan struct{})
	go func() {
		defer close(read)
		for s := bufio.NewScanner(out); s.Scan(); {
			ch <- s.Text()
		}
	}()
	ended := false
	stop = func() {
		if !ended {
			ended = true
			_ = cmd.Process.Kill()
			<-read
			_ = cmd.Wait()
		}
	}
	t.Cleanup(stop)
	return ch, stop
}

// subscribeFirst creates the collector's session.
func subscribeFirst(t *testing.T, port, topic string) {
	t.Helper()
	out, err := exec.Command(need(t, "mosquitto_sub"), "-h", "127.0.0.1", "-p", port, "-i", "collector", "-c", "-q", "1", "-t", topic, "-E").CombinedOutput()
	if err != nil {
		t.Fatalf("mosquitto_sub: %v: %s", err, out)
	}
}

// missing takes lines until all of want have come, and returns those that have
// not within 15 s.
func missing(lines <-chan string, want map[string]bool) []string {
	deadline := time.After(15 * time.Second)
	for len(want) > 0 {
		select {
		case l := <-lines:
			delete(want, l)
		case <-deadline:
			var left []string
			for l := range want {
				left = append(left, l)
			}
			return left
		}
	}
	return nil
}

// permanent is how callers recognise that a retry cannot help.
func permanent(err error) bool {
	var p interface{ Permanent() bool }
	return errors.As(err, &p) && p.Permanent()
}
