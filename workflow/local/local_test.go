package local_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"inspector/workflow/local"
)

// The test binary is also the program that the tests run.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "act" {
		os.Exit(act(os.Args[2], os.Args[3:]))
	}
	os.Exit(m.Run())
}

func act(what string, args []string) int {
	in, _ := io.ReadAll(os.Stdin)
	switch what {
	case "echo":
		dir, _ := os.Getwd()
		_ = json.NewEncoder(os.Stdout).Encode(map[string]any{"in": json.RawMessage(in), "env": os.Environ(), "dir": dir})
	case "write":
		fmt.Print(args[0])
	case "fill":
		n, _ := strconv.Atoi(args[0])
		fmt.Print(`"` + strings.Repeat("x", n-2) + `"`)
	case "fail":
		fmt.Fprint(os.Stderr, strings.Repeat("-", 5000), "\nno paper\xff\n")
		return 7
	case "hang": // with a child that would go on
		child := exec.Command(os.Args[0], "act", "sleep")
		child.Stdout = os.Stdout
		_, _ = child.StdinPipe()
		_ = child.Start()
		_ = os.WriteFile(args[0]+".part", []byte(strconv.Itoa(child.Process.Pid)), 0o600)
		_ = os.Rename(args[0]+".part", args[0])
		time.Sleep(time.Minute)
	case "sleep":
		time.Sleep(time.Minute)
	}
	return 0
}

func spec(t *testing.T, what ...string) local.Spec {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s := local.Default()
	s.Argv, s.Dir, s.Memory = append([]string{self, "act"}, what...), t.TempDir(), 0
	return s
}

func TestRunGivesInputEnvironmentAndResult(t *testing.T) {
	t.Setenv("LABEL_PRINTER", "p1")
	t.Setenv("DATABASE_PASSWORD", "not-for-commands")
	s := spec(t, "echo")
	s.Environment = []string{"LABEL_PRINTER", "NOT_SET"}
	out, err := s.Run(t.Context(), local.Task{Key: "x/Label", Execution: "x", State: "Label", Attempt: 2, Input: json.RawMessage(`{"a":"$(reboot)"}`)})
	if err != nil {
		t.Fatal(err)
	}
	dir, _ := filepath.EvalSymlinks(s.Dir)
	want := fmt.Sprintf(`{"dir":%q,"env":["INSPECTOR_TASK_KEY=x/Label","INSPECTOR_TASK_EXECUTION=x","INSPECTOR_TASK_STATE=Label","INSPECTOR_TASK_ATTEMPT=2","LABEL_PRINTER=p1"`, dir)
	if !strings.HasPrefix(string(out), want) || !strings.Contains(string(out), `"in":{"a":"$(reboot)"}`) || strings.Contains(string(out), "not-for-commands") {
		t.Errorf("result %s\nwant %s", out, want)
	}
}

// eat takes a buffer of 1 GiB. (This binary will not do: with the race
// detector it wants more address space than there is.)
var eat = []string{"/bin/dd", "if=/dev/zero", "of=/dev/null", "bs=1G", "count=1"}

func TestRunOutcomes(t *testing.T) {
	for _, x := range []struct {
		what      string
		change    func(*local.Spec)
		args      []string
		out, name string
		says      string
		permanent bool
		code      int
	}{
		{what: "nothing", args: []string{"write", ""}, out: "null"},
		{what: "a text", args: []string{"write", " \"a\"\n"}, out: `"a"`},
		{what: "no JSON", args: []string{"write", "done"}, name: "Command.InvalidResult", says: `"done"`},
		{what: "two values", args: []string{"write", "1 2"}, name: "Command.InvalidResult"},
		{what: "all there may be", args: []string{"fill", "262144"}, out: `"` + strings.Repeat("x", 262142) + `"`},
		{what: "too much", args: []string{"fill", "262145"}, name: "States.DataLimitExceeded", says: "256 KiB"},
		{what: "too much for it", args: []string{"fill", "1025"}, change: func(s *local.Spec) { s.MaxOutput = 1 }, name: "States.DataLimitExceeded", says: "1 KiB"},
		{what: "failure", args: []string{"fail"}, name: "Command.Failed", says: "exit status 7: ----", code: 7},
		{what: "the end of what it said", args: []string{"fail"}, name: "Command.Failed", says: "no paper\uFFFD", code: 7},
		{what: "memory", change: func(s *local.Spec) { s.Argv, s.Memory = eat, 300 }, name: "Command.Failed", says: "memory", code: 1},
		{what: "enough memory", change: func(s *local.Spec) { s.Argv, s.Memory = eat, 2000 }, out: "null"},
		{what: "no program", args: []string{"write", ""}, change: func(s *local.Spec) { s.Argv[0] = "/nowhere/label" }, name: "Command.NotStarted", says: "/nowhere/label", permanent: true},
		{what: "no folder", args: []string{"write", ""}, change: func(s *local.Spec) { s.Dir = "/nowhere" }, name: "Command.NotStarted", permanent: true},
	} {
		t.Run(x.what, func(t *testing.T) {
			s := spec(t, x.args...)
			if x.change != nil {
				x.change(&s)
			}
			out, err := s.Run(t.Context(), local.Task{Input: json.RawMessage(strings.Repeat(" ", 200_000) + "1")})
			var e *local.Error
			switch {
			case x.name == "":
				if err != nil || string(out) != x.out {
					t.Errorf("%.80s %v, want %.80s", out, err, x.out)
				}
			case !errors.As(err, &e):
				t.Errorf("%.80s %v, want %s", out, err, x.name)
			case e.Name() != x.name || e.Permanent() != x.permanent || !strings.Contains(e.Error(), x.says) || e.ExitCode() != x.code || len(e.Error()) > 5000:
				t.Errorf("%s, permanent %v, code %d: %v", e.Name(), e.Permanent(), e.ExitCode(), e)
			}
		})
	}
}

// A program whose time is over is killed, and what it started, too.
func TestRunKillsTheWholeGroup(t *testing.T) {
	for name, interrupt := range map[string]bool{"States.Timeout": false, "Command.Interrupted": true} {
		mark := filepath.Join(t.TempDir(), "pid")
		s := spec(t, "hang", mark)
		ctx, cancel := context.WithCancel(t.Context())
		if interrupt {
			go func() {
				for ctx.Err() == nil && !exists(mark) {
					time.Sleep(time.Millisecond)
				}
				cancel()
			}()
		} else {
			s.Timeout = 8 * time.Second // enough to start, on a busy machine
		}
		_, err := s.Run(ctx, local.Task{Input: json.RawMessage("1")})
		cancel()
		var e *local.Error
		if !errors.As(err, &e) || e.Name() != name || e.Answered() {
			t.Errorf("%v, want %s", err, name)
		}
		text, err := os.ReadFile(mark)
		if err != nil {
			t.Fatal(err)
		}
		pid, _ := strconv.Atoi(string(text))
		deadline := time.Now().Add(20 * time.Second)
		for alive(pid) {
			if time.Now().After(deadline) {
				t.Fatalf("%s: the child %d lives on", name, pid)
			}
			time.Sleep(time.Millisecond)
		}
	}
}

func exists(file string) bool { _, err := os.Stat(file); return err == nil }

// alive reports a process that is there and no zombie.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return false
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if strings.HasPrefix(s.Text(), "State:") {
			return !strings.Contains(s.Text(), "Z")
		}
	}
	return false
}

func TestFaults(t *testing.T) {
	for want, change := range map[string]func(*local.Spec){
		"":            func(*local.Spec) {},
		"argv":        func(s *local.Spec) { s.Argv = []string{"sh", "-c", "x"} },
		"argv ":       func(s *local.Spec) { s.Argv = nil },
		"argv  ":      func(s *local.Spec) { s.Argv = []string{"/nowhere/x"} },
		"dir":         func(s *local.Spec) { s.Dir = "." },
		"environment": func(s *local.Spec) { s.Environment = []string{"A=b"} },
		"timeout":     func(s *local.Spec) { s.Timeout = 0 },
		"memory":      func(s *local.Spec) { s.Memory = -1 },
		"max_output":  func(s *local.Spec) { s.MaxOutput = 257 },
		"concurrency": func(s *local.Spec) { s.Concurrency = 0 },
	} {
		s := spec(t, "write", "")
		change(&s)
		var keys []string
		s.Faults(func(key, _ string) { keys = append(keys, key) })
		if strings.Join(keys, ",") != strings.TrimSpace(want) {
			t.Errorf("%q: faults %v", want, keys)
		}
	}
}
