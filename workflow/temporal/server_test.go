package temporal

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"inspector/workflow/temporal/temporaltest"

	engine "inspector/workflow"
)

// The test binary is also the worker that tests kill: who finds this in the
// environment is one, for the cluster at that address.
const asWorker = "INSPECTOR_TEST_WORKER"

func TestMain(m *testing.M) {
	if address := os.Getenv(asWorker); address != "" {
		if err := beWorker(context.Background(), address); err != nil {
			fmt.Println("failed", err)
		}
		return
	}
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("go.temporal.io/sdk/internal.(*workerCache).close"))
}

// beWorker does deeds until it is killed and says on its output what it does. A
// worker whose hands are full never ends a deed.
func beWorker(ctx context.Context, address string) error {
	c, err := New(testConfig(address), slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer c.Close()
	w := c.NewWorker()
	var refused, failed atomic.Bool
	handle := func(ctx context.Context, task engine.Task) (json.RawMessage, error) {
		fmt.Println("began", task.Key)
		if task.Resource == "local:slow" && os.Getenv("INSPECTOR_TEST_HANDS") == "full" {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		if task.Resource == "local:refused" && (!refused.Swap(true) || strings.Contains(string(task.Input), "wrong")) {
			return nil, fault{"Local.Refused", "not today", true}
		}
		if task.Resource == "local:failing" && !failed.Swap(true) {
			return nil, fault{"Local.Failed", "as ever", false}
		}
		return json.Marshal(task.State)
	}
	for _, resource := range []string{"local:quick", "local:slow", "local:ask", "local:refused", "local:failing"} {
		w.Handle(resource, 4, handle)
	}
	fmt.Println("ready")
	return w.Run(ctx)
}

func testConfig(address string) Config {
	return Config{Address: address, Namespace: "default", TaskQueue: "inspector", Device: "box1", Local: []string{"local:ask"}, Lost: 3 * time.Second, Grace: time.Second}
}

// A worker is a process that can be killed.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines chan string
}

func startWorker(t *testing.T, address string, full bool) *process {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), asWorker+"="+address)
	if full {
		cmd.Env = append(cmd.Env, "INSPECTOR_TEST_HANDS=full")
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t, cmd, make(chan string, 1000)}
	go func() {
		defer close(p.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			p.lines <- s.Text()
		}
	}()
	t.Cleanup(p.kill)
	p.until("ready")
	return p
}

// until waits for a line, and gives those before it.
func (p *process) until(line string) (before []string) {
	p.t.Helper()
	late := time.After(time.Minute)
	for {
		select {
		case have, ok := <-p.lines:
			if !ok {
				p.t.Fatalf("the worker ended before it said %q; it said %q", line, before)
			}
			if have == line {
				return before
			}
			before = append(before, have)
		case <-late:
			p.t.Fatalf("the worker did not say %q within a minute; it said %q", line, before)
		}
	}
}

// rest kills the process and gives what else it said.
func (p *process) rest() (lines []string) {
	p.kill()
	for line := range p.lines {
		lines = append(lines, line)
	}
	return lines
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	_, _ = p.cmd.Process.Wait()
}

// newServer starts a dev server, or skips the test where there is none.
func newServer(t testing.TB) *temporaltest.Server {
	t.Helper()
	s := temporaltest.New(t, filepath.Join("..", ".."))
	s.Start()
	return s
}

func newClient(t testing.TB, s *temporaltest.Server) *Client {
	t.Helper()
	c, err := New(testConfig(s.Address), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// timesOf counts the lines that name the key.
func timesOf(lines []string, key string) (n int) {
	for _, l := range lines {
		if strings.HasSuffix(l, " "+key) {
			n++
		}
	}
	return n
}
