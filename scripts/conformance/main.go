// Conformance runs the tests that compare with recorded truth, and prints one
// table of what they measured. Exit code 1: one failed.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

func main() {
	packages := os.Args[1:]
	cmd := exec.Command("go", append([]string{"test", "-json", "-count", "1", "-p", "1", "-run", "Conformance"}, packages...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "conformance:", err)
		os.Exit(1)
	}
	r, err := read(out)
	r.print(os.Stdout)
	if err = errors.Join(err, cmd.Wait()); err != nil || len(r.failed) > 0 {
		fmt.Fprintln(os.Stderr, "conformance: below what is asked for, or not measured:", err)
		os.Exit(1)
	}
}

// A report is what the tests said.
type report struct {
	rows    [][]string // corpus, level, passed, total, percent, floor
	skipped []string
	failed  []string // the whole output of each test that failed
}

// read collects the report of go test -json.
func read(r io.Reader) (report, error) {
	var out report
	said := map[string]*strings.Builder{}
	for d := json.NewDecoder(r); ; {
		var e struct{ Action, Package, ImportPath, Test, Output string }
		switch err := d.Decode(&e); {
		case errors.Is(err, io.EOF):
			return out, nil
		case err != nil:
			return out, fmt.Errorf("read the output of go test: %w", err)
		}
		name := strings.TrimSpace(e.Package + e.ImportPath + " " + e.Test)
		b := said[name]
		if b == nil {
			b = &strings.Builder{}
			said[name] = b
		}
		switch e.Action {
		case "output", "build-output":
			b.WriteString(e.Output)
			if row := cells(e.Output); row != nil {
				out.rows = append(out.rows, row)
			}
		case "skip":
			if e.Test != "" {
				out.skipped = append(out.skipped, e.Test+": "+reason(b.String()))
			}
		case "fail", "build-fail":
			out.failed = append(out.failed, b.String())
		}
	}
}

// reason is what a test that was skipped said, without go test's own lines.
func reason(said string) string {
	var out []string
	for line := range strings.Lines(said) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "===") && !strings.HasPrefix(line, "---") {
			out = append(out, line)
		}
	}
	return strings.Join(out, " ")
}

// cells are those of a row as asltest.Report prints it; nil: the line is none.
func cells(line string) []string {
	_, row, ok := strings.Cut(line, "conformance | ")
	if !ok {
		return nil
	}
	parts := strings.Split(strings.TrimSpace(row), " | ")
	if len(parts) != 6 {
		return nil
	}
	for i, p := range parts {
		parts[i] = strings.TrimSpace(p)
	}
	return parts
}

func (r report) print(w io.Writer) {
	for _, f := range r.failed {
		fmt.Fprintln(w, f)
	}
	for _, s := range r.skipped {
		fmt.Fprintln(w, "skipped", s)
	}
	if len(r.rows) == 0 {
		fmt.Fprintln(w, "conformance: nothing was measured: INSPECTOR_CORPORA must name the folder of the corpora; unset, it is ../shared/corpora")
		return
	}
	const form = "%-44s  %-26s  %7s  %7s  %6s  %6s\n"
	fmt.Fprintf(w, form, "corpus", "level", "passed", "total", "%", "floor")
	for _, row := range r.rows {
		fmt.Fprintf(w, form, row[0], row[1], row[2], row[3], row[4], row[5])
	}
}
