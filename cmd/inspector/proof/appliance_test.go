package proof

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// An appliance is the real program. Its methods are one goroutine's.
type appliance struct {
	t      *testing.T
	binary string
	env    []string
	cmd    *exec.Cmd
	page   string
	log    buffer
}

type buffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

// build makes the program.
func build(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "inspector")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "..").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return binary
}

// start runs the program and waits until its page listens.
func (a *appliance) start() {
	a.t.Helper()
	a.cmd = exec.Command(a.binary, "run")
	a.cmd.Env, a.cmd.Stderr = append(os.Environ(), a.env...), &a.log
	out, err := a.cmd.StdoutPipe()
	if err == nil {
		err = a.cmd.Start()
	}
	if err != nil {
		a.t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for a.page = ""; a.page == "" && lines.Scan(); {
		if rest, ok := strings.CutPrefix(lines.Text(), "page "); ok {
			a.page = strings.TrimSpace(rest)
		}
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	if a.page == "" {
		a.t.Fatalf("the appliance did not come up:\n%s", a.log.String())
	}
}

// end sends the signal and waits for the end.
func (a *appliance) end(s syscall.Signal) {
	_ = a.cmd.Process.Signal(s)
	_ = a.cmd.Wait()
}

// judge has a board judged and gives its ID: accepted, and so never lost. While
// the appliance is away it asks again, with the same request.
func (a *appliance) judge(request string) (string, error) {
	client := http.Client{Timeout: 25 * time.Second}
	answer, err := client.Post(a.page+"/api/v1/triggers", "application/json", strings.NewReader(fmt.Sprintf(`{"request":%q}`, request)))
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	var i struct {
		ID      string `json:"id"`
		Verdict string `json:"verdict"`
	}
	body, err := io.ReadAll(answer.Body)
	if err = errors.Join(err, json.Unmarshal(body, &i)); err != nil || answer.StatusCode != http.StatusOK || i.ID == "" {
		return "", fmt.Errorf("%s %s: %w", answer.Status, body, errors.Join(err, errAsk))
	}
	if i.Verdict == "pass" {
		a.t.Errorf("board %s with defects passed", i.ID)
	}
	return i.ID, nil
}

var errAsk = errors.New("asked in vain")
