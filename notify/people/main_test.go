package people

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"inspector"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// file writes a file of a test and gives its path.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// failed is a board that failed, number n.
func failed(n int) inspector.Inspection {
	return inspector.Inspection{
		ID: fmt.Sprintf("inspector1-5f3a9c01-%d", n), Station: inspector.Station{Site: "berlin", Line: "smt2", Device: "inspector1"},
		At: time.Date(2026, 3, 4, 5, 6, n, 0, time.UTC), Serial: fmt.Sprintf("SN-%06d", n), Recipe: "main-board-b", Model: "pcb/3@0d1e", Verdict: inspector.Fail,
		Reason: "short 0.97 is at or above the fail limit 0.60", Score: 0.97,
		Defects:  []inspector.Defect{{Class: "short", Score: 0.97, Box: inspector.Box{Left: 402.4, Top: 118, Right: 431, Bottom: 140}}, {Class: "open", Score: 0.8}},
		Evidence: []inspector.Blob{{Kind: "image"}},
	}
}

const page = "http://192.0.2.10:8080/"

func message(n int) Message { return OfBoard(failed(n), failed(n).ID+"/Tell/3", page) }

func open(t *testing.T, c Channel) *Outlet {
	t.Helper()
	c.Faults(func(key, problem string) { t.Fatalf("%s: %s", key, problem) })
	o, err := Open("line", c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	return o
}

// hides fails if an error shows any of the secrets.
func hides(t *testing.T, err error, secrets ...string) {
	t.Helper()
	for _, s := range secrets {
		for _, shown := range []string{fmt.Sprint(err), fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err)} {
			if strings.Contains(shown, s) {
				t.Errorf("a secret is shown: %s", shown)
			}
		}
	}
}

func as[T any](err error, target *T) bool { return errors.As(err, target) }
