// Package temporaltest gives tests a real Temporal server: the dev server with
// its SQLite file, where it is installed.
package temporaltest

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.temporal.io/sdk/client"
)

// A Server is a dev server that can be killed and started again with what it
// has kept.
type Server struct {
	Address string // of its frontend, the same after each Start

	t      testing.TB
	binary string
	args   []string
	cmd    *exec.Cmd
	said   bytes.Buffer // to be read once it has ended
}

// New gives a server that has not been started, or skips the test where none
// is installed. root is the way to the project's root.
func New(t testing.TB, root string) *Server {
	t.Helper()
	binary := filepath.Join(root, ".tools", "bin", "temporal")
	if _, err := os.Stat(binary); err != nil {
		if binary, err = exec.LookPath("temporal"); err != nil {
			t.Skip("there is no Temporal dev server here: make temporal installs it")
		}
	}
	s := &Server{t: t, binary: binary, args: []string{"server", "start-dev", "--headless", "--ip", "127.0.0.1", "--log-level", "error", "--db-filename", filepath.Join(t.TempDir(), "temporal.db")}}
	for _, flag := range []string{"--http-port", "--metrics-port", "--port"} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close() // once all three are known, so that they differ
		s.Address = l.Addr().String()
		_, port, _ := net.SplitHostPort(s.Address)
		s.args = append(s.args, flag, port)
	}
	return s
}

// Set gives a value of the server's dynamic configuration, before Start.
func (s *Server) Set(key, value string) {
	s.args = append(s.args, "--dynamic-config-value", key+"="+value)
}

// Start starts it and waits until it answers. It is killed at the end of the
// test.
func (s *Server) Start() {
	s.t.Helper()
	s.cmd = exec.Command(s.binary, s.args...)
	s.said.Reset()
	s.cmd.Stderr = &s.said
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		if s.Kill(); s.t.Failed() {
			s.t.Logf("the Temporal dev server said:\n%s", &s.said)
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := client.NewLazyClient(client.Options{HostPort: s.Address, Logger: silent{}})
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	for {
		_, err := c.CheckHealth(ctx, &client.CheckHealthRequest{})
		if err == nil {
			return
		}
		if ctx.Err() != nil {
			s.t.Fatalf("the Temporal dev server does not answer: %v", err)
		}
	}
}

// Kill ends it as a power cut would, as far as it is concerned.
func (s *Server) Kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

type silent struct{}

func (silent) Debug(string, ...any) {}
func (silent) Info(string, ...any)  {}
func (silent) Warn(string, ...any)  {}
func (silent) Error(string, ...any) {}
