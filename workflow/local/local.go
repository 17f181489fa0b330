// Package local runs local programs as tasks: JSON in on stdin, JSON out on
// stdout, within a time, a memory and an output limit. Only programs that the
// configuration names run, with the arguments that it gives; no shell is
// involved, and nothing of a task's input becomes part of the command line.
package local

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Spec is one program that tasks may run.
type Spec struct {
	Argv        []string      `yaml:"argv"`        // the program, as an absolute path, and its arguments
	Dir         string        `yaml:"dir"`         // its working directory, absolute
	Environment []string      `yaml:"environment"` // names of variables it gets from ours; it gets no others but Task's
	Timeout     time.Duration `yaml:"timeout"`     // then it and all that it started is killed
	Memory      int           `yaml:"memory"`      // MiB of address space of each of its processes; 0: no limit
	MaxOutput   int           `yaml:"max_output"`  // KiB of its result, at most 256
	Concurrency int           `yaml:"concurrency"` // how many run at once
}

// Default is what a specification leaves out.
func Default() Spec {
	return Spec{Timeout: time.Minute, Memory: 512, MaxOutput: 256, Concurrency: 1}
}

// Faults tells report everything that is wrong, each with its key.
func (s Spec) Faults(report func(key, problem string)) {
	want := func(ok bool, key, format string, args ...any) {
		if !ok {
			report(key, fmt.Sprintf(format, args...))
		}
	}
	if len(s.Argv) == 0 || !filepath.IsAbs(s.Argv[0]) {
		want(false, "argv", "want the program as an absolute path, then its arguments, such as [/usr/bin/python3, /opt/label.py]")
	} else if _, err := exec.LookPath(s.Argv[0]); err != nil {
		want(false, "argv", "%v; install it, or correct the path", err)
	}
	info, err := os.Stat(s.Dir)
	want(filepath.IsAbs(s.Dir) && err == nil && info.IsDir(), "dir", "%q is not an absolute path of a folder that is there", s.Dir)
	for _, name := range s.Environment {
		want(name != "" && !strings.ContainsAny(name, "= \x00"), "environment", "%q: want names of variables, such as [PATH, LANG]", name)
	}
	want(s.Timeout > 0, "timeout", "%v is not positive; want a duration such as 30s", s.Timeout)
	want(s.Memory >= 0, "memory", "%d is negative; want MiB, or 0 for no limit", s.Memory)
	want(s.MaxOutput >= 1 && s.MaxOutput <= 256, "max_output", "%d is not within 1 to 256 KiB", s.MaxOutput)
	want(s.Concurrency >= 1 && s.Concurrency <= 64, "concurrency", "%d is not within 1 to 64", s.Concurrency)
}

// A Task is what the program is run for. It gets Input on stdin, and the rest
// as INSPECTOR_TASK_KEY, INSPECTOR_TASK_EXECUTION, INSPECTOR_TASK_STATE and
// INSPECTOR_TASK_ATTEMPT.
type Task struct {
	Key       string // the same on every attempt: what was done under it is not done again
	Execution string
	State     string
	Attempt   int
	Input     json.RawMessage
}

func (s Spec) environment(t Task) []string {
	env := []string{"INSPECTOR_TASK_KEY=" + t.Key, "INSPECTOR_TASK_EXECUTION=" + t.Execution, "INSPECTOR_TASK_STATE=" + t.State,
		fmt.Sprintf("INSPECTOR_TASK_ATTEMPT=%d", t.Attempt)}
	for _, name := range s.Environment {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// settle is how long the pipes of a program that has ended may stay open.
const settle = 2 * time.Second

// Run runs the program once and gives its result, null if it wrote nothing. It
// returns when the program has ended; with ctx, or when its time is over, the
// program and everything in its process group is killed. The memory limit is
// in force before the program gets its first byte of input. Errors are *Error.
func (s Spec) Run(ctx context.Context, t Task) (json.RawMessage, error) {
	inner, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	c := exec.CommandContext(inner, s.Argv[0], s.Argv[1:]...)
	out, said := &head{limit: s.MaxOutput << 10}, &tail{limit: maxTail}
	c.Dir, c.Env, c.Stdout, c.Stderr, c.WaitDelay = s.Dir, s.environment(t), out, said, settle
	c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	c.Cancel = func() error { return syscall.Kill(-c.Process.Pid, syscall.SIGKILL) }
	in, err := c.StdinPipe()
	if err != nil {
		return nil, s.unstarted(err)
	}
	if err := c.Start(); err != nil {
		return nil, s.unstarted(err)
	}
	limited := s.limit(c.Process.Pid)
	if errors.Is(limited, unix.ESRCH) {
		limited = nil // it has ended already
	} else if limited != nil {
		cancel()
	}
	fed := make(chan struct{})
	go func() {
		defer close(fed)
		_, _ = in.Write(t.Input) // a program may end without reading it
		_ = in.Close()
	}()
	err = c.Wait()
	<-fed
	_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL) // what it left behind
	if limited != nil {
		return nil, &Error{name: "Command.NotStarted", permanent: true, cause: fmt.Sprintf("%s: the memory limit cannot be set: %v; set memory: 0 to run it without", s.Argv[0], limited)}
	}
	if c.ProcessState.Success() { // whatever ended meanwhile, it is done
		return s.result(out, said)
	}
	return nil, s.failure(ctx, inner, err, said)
}

// limit sets the memory limit of the process, which its children inherit.
func (s Spec) limit(pid int) error {
	if s.Memory == 0 {
		return nil
	}
	bytes := uint64(s.Memory) << 20
	return unix.Prlimit(pid, unix.RLIMIT_AS, &unix.Rlimit{Cur: bytes, Max: bytes}, nil)
}

// failure rules on how a program ended that did not succeed.
func (s Spec) failure(ctx, inner context.Context, err error, said *tail) *Error {
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return &Error{name: "Command.Interrupted", cause: fmt.Sprintf("%s: it was stopped: %v", s.Argv[0], context.Cause(ctx))}
	case inner.Err() != nil:
		return &Error{name: "States.Timeout", cause: s.cause(fmt.Sprintf("it took longer than %v and was killed", s.Timeout), said)}
	case errors.As(err, &exit):
		return &Error{name: "Command.Failed", code: exit.ExitCode(), answered: true, cause: s.cause(exit.ProcessState.String(), said)}
	}
	return s.unstarted(err)
}

// result reads what a program wrote that succeeded.
func (s Spec) result(out *head, said *tail) (json.RawMessage, error) {
	result := bytes.TrimSpace(out.b)
	switch {
	case out.over:
		return nil, &Error{name: "States.DataLimitExceeded", answered: true, cause: fmt.Sprintf("%s: its result has more than %d KiB", s.Argv[0], s.MaxOutput)}
	case len(result) == 0:
		return json.RawMessage("null"), nil
	case !json.Valid(result):
		return nil, &Error{name: "Command.InvalidResult", answered: true, cause: s.cause(fmt.Sprintf("what it wrote to stdout is not JSON: %.200q", result), said)}
	}
	return result, nil
}

// cause says what happened, with the end of what the program said.
func (s Spec) cause(what string, said *tail) string {
	text := s.Argv[0] + ": " + what
	if words := strings.ToValidUTF8(strings.TrimSpace(string(said.b)), "\uFFFD"); words != "" {
		text += ": " + words
	}
	return text
}

// unstarted is a program that cannot run: for good, if the file is not what it
// must be.
func (s Spec) unstarted(err error) *Error {
	for _, lasting := range []error{os.ErrNotExist, os.ErrPermission, syscall.ENOEXEC, syscall.ENOTDIR, syscall.ELOOP} {
		if errors.Is(err, lasting) {
			return &Error{name: "Command.NotStarted", permanent: true, cause: fmt.Sprintf("%s: %v; install it, or correct argv and dir, then redrive", s.Argv[0], err)}
		}
	}
	return &Error{name: "Command.NotStarted", cause: fmt.Sprintf("%s: %v", s.Argv[0], err)}
}

// An Error is a program that gave no result.
type Error struct {
	name      string
	cause     string
	code      int
	permanent bool
	answered  bool
}

// Error says which program, what happened, and the end of what it wrote to
// stderr.
func (e *Error) Error() string { return e.cause }

// Name is the error's name for Retry and Catch: Command.Failed (its exit code
// is in the cause), States.Timeout, Command.InvalidResult,
// States.DataLimitExceeded, Command.NotStarted, or Command.Interrupted.
func (e *Error) Name() string { return e.name }

// ExitCode is that of a program that failed; -1 if a signal ended it.
func (e *Error) ExitCode() int { return e.code }

// Permanent reports that a person must act first.
func (e *Error) Permanent() bool { return e.permanent }

// Answered reports that the program did run and end by itself.
func (e *Error) Answered() bool { return e.answered }

// maxTail is how much of stderr is kept, in bytes.
const maxTail = 4 << 10

// head keeps the beginning of what is written, and takes all of it.
type head struct {
	b     []byte
	limit int
	over  bool
}

func (h *head) Write(p []byte) (int, error) {
	n := min(len(p), h.limit-len(h.b))
	h.b = append(h.b, p[:n]...)
	h.over = h.over || n < len(p)
	return len(p), nil
}

// tail keeps the end of what is written.
type tail struct {
	b     []byte
	limit int
}

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p[max(0, len(p)-t.limit):]...)
	if extra := len(t.b) - t.limit; extra > 0 {
		t.b = slices.Delete(t.b, 0, extra)
	}
	return len(p), nil
}
