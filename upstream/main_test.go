package upstream

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

const (
	keyID  = "AKIDINSPECTORTEST"
	secret = "not-for-any-log-7f3a"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// credentials makes these the only ones that the SDK can find, in a shared
// file, whose path it returns.
func credentials(t testing.TB, id, secret string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "credentials")
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION",
		"AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CA_BUNDLE"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", file)
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(t.TempDir(), "none"))
	writeCredentials(t, file, id, secret)
	return file
}

func writeCredentials(t testing.TB, file, id, secret string) {
	t.Helper()
	text := ""
	if id != "" {
		text = "[default]\naws_access_key_id = " + id + "\naws_secret_access_key = " + secret + "\n"
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// tool finds a program that scripts/tools.sh installs.
func tool(t testing.TB, name string) string {
	t.Helper()
	if path, err := filepath.Abs(filepath.Join("..", ".tools", "bin", name)); err == nil {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("INSPECTOR_REQUIRE_TOOLS") == "1" {
			t.Fatalf("%s is missing: run scripts/tools.sh", name)
		}
		t.Skipf("%s is missing: run scripts/tools.sh", name)
	}
	return path
}

// gateway starts a real S3 server with an empty folder, and returns its
// address. It knows keyID and secret.
func gateway(t testing.TB) string {
	t.Helper()
	if other := os.Getenv("INSPECTOR_TEST_S3"); other != "" { // a second opinion; it knows keyID and secret, and has no bucket pcb
		return other
	}
	program := tool(t, "versitygw")
	for range 5 { // somebody may take the free port before the server does
		address := freeAddress(t)
		dir := t.TempDir()
		iam := t.TempDir()
		p := exec.CommandContext(t.Context(), program, "--iam-dir", iam, "--access", keyID, "--secret", secret,
			"--port", address, "--quiet", "posix", dir)
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() { _ = p.Wait(); close(ended) }()
		t.Cleanup(func() { _ = p.Process.Kill(); <-ended })
		if listens(t, address, ended) {
			return "http://" + address
		}
	}
	t.Fatal("versitygw does not start; try: .tools/bin/versitygw --access a --secret b posix /tmp")
	return ""
}

// freeAddress is a loopback address where nobody listens.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// listens waits until the address takes connections, or its process ends.
func listens(t testing.TB, address string, ended <-chan struct{}) bool {
	t.Helper()
	deadline := time.After(20 * time.Second)
	for tick := time.NewTicker(10 * time.Millisecond); ; {
		select {
		case <-ended:
			return false
		case <-deadline:
			return false
		case <-tick.C:
			if c, err := net.Dial("tcp", address); err == nil {
				c.Close()
				return true
			}
		}
	}
}

// want checks that err is a fault with this code and permanence that tells
// no secret.
func want(t *testing.T, err error, code string, permanent bool) *Fault {
	t.Helper()
	var f *Fault
	if !errors.As(err, &f) {
		t.Fatalf("error %v is not a fault; want %s", err, code)
	}
	if f.Code != code || f.Permanent() != permanent {
		t.Errorf("got %s, permanent %v: %v; want %s, permanent %v", f.Code, f.Permanent(), err, code, permanent)
	}
	if f.Remedy == "" || f.Op == "" || f.Target == "" {
		t.Errorf("fault %+v says too little", f)
	}
	for _, hidden := range []string{secret, "Canonical", "Signature=", "AWS4-HMAC", "wrong-secret"} {
		if strings.Contains(err.Error(), hidden) {
			t.Errorf("the text has %q: %v", hidden, err)
		}
	}
	return f
}

// stalled is a server that reads nothing and answers nothing until the test
// ends; it says when somebody has come.
func stalled(ctx context.Context, come chan<- struct{}) http.HandlerFunc {
	return func(_ http.ResponseWriter, r *http.Request) {
		come <- struct{}{}
		select {
		case <-r.Context().Done():
		case <-ctx.Done():
		}
	}
}
