// Bench measures what judging a board costs: for each runtime, number of
// threads and network, the model alone and the whole from pixels to verdict,
// and the same loop in Python with OpenCV's dnn module beside them. Every
// configuration is a process of its own, which comes several times in turn. It
// prints a Markdown table.
package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"inspector/model"
	"inspector/model/onnxgo"
	"inspector/model/onnxruntime"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// A task is one configuration, for one process.
type task struct {
	Runtime string  // onnxruntime, onnx-go, or cv2
	Network string  // fp32, or a variant of the package
	Threads int     // of one inference
	Models  string  // folder; empty: the models inside the program
	Model   string  // NAME or NAME/VERSION
	Dir     string  // of the boards, as draw leaves them
	File    string  // of the network, for cv2
	Seconds float64 // for each of the loops
	Size    int     // pixels along an edge of a board
	Boards  int     // of each style
	Pass    float64 // limits of the model
	Fail    float64
}

// settings are the flags.
type settings struct {
	models, model, python string
	boards, rounds        int
	seconds               float64
}

func run(ctx context.Context, args []string) error {
	var s settings
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.StringVar(&s.models, "models", "", "folder of models; empty: those inside the program")
	f.StringVar(&s.model, "model", "pcb", "NAME or NAME/VERSION")
	f.StringVar(&s.python, "python", "/usr/bin/python3", "interpreter that has cv2; empty: without Python")
	f.IntVar(&s.boards, "boards", 12, "different boards of each style")
	f.IntVar(&s.rounds, "rounds", 3, "how often each configuration comes")
	f.Float64Var(&s.seconds, "seconds", 2, "for each loop in a round")
	one := f.String("one", "", "the task of this process, as JSON")
	if err := f.Parse(args); err != nil {
		return err
	}
	if *one != "" {
		return child(ctx, *one)
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	tasks, err := s.tasks(dir)
	if err != nil {
		return err
	}
	results, others, err := measureAll(ctx, tasks, s)
	if err != nil {
		return err
	}
	fmt.Print(table(tasks, results))
	fmt.Printf("\n%d rounds of %g s for each loop; %s\n", s.rounds, s.seconds, words(others, runtime.NumCPU()))
	return nil
}

// tasks draws the boards and lists the configurations.
func (s settings) tasks(dir string) (out []task, err error) {
	base := task{Network: model.FP32, Models: s.models, Model: s.model, Dir: dir, Seconds: s.seconds, Boards: s.boards}
	p, err := base.find()
	if err != nil {
		return nil, err
	}
	base.Size = p.Input().Width
	base.Pass, base.Fail = float64(p.Thresholds.Pass), float64(p.Thresholds.Fail)
	base.File = dir + "/model.onnx"
	if err := os.WriteFile(base.File, p.ONNX, 0o666); err != nil {
		return nil, err
	}
	if err := draw(base); err != nil {
		return nil, err
	}
	runtimes := []string{onnxruntime.Name, onnxgo.Name}
	if s.hasCV2() {
		runtimes = append(runtimes, cv2)
	}
	networks := append([]string{model.FP32}, slices.Sorted(maps.Keys(p.Variants))...)
	for _, name := range runtimes {
		for _, network := range networks {
			for _, threads := range []int{1, 2} {
				t := base
				t.Runtime, t.Network, t.Threads = name, network, threads
				if network == model.FP32 || name == onnxruntime.Name { // the others do not know the operators of a quantised graph
					out = append(out, t)
				}
			}
		}
	}
	return out, nil
}

const cv2 = "cv2"

//go:embed cv2dnn.py
var script string

// hasCV2 tells on stderr if Python's part is left out.
func (s settings) hasCV2() bool {
	if s.python == "" {
		return false
	}
	if out, err := exec.Command(s.python, "-c", "import cv2, numpy").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "bench: without Python's cv2 (%s: %v %s); scripts/setup.sh bench installs it\n", s.python, err, bytes.TrimSpace(out))
		return false
	}
	return true
}

// measureAll runs each task in turn, round after round, and adds up what each
// says. others is how many cores were busy with something else meanwhile.
func measureAll(ctx context.Context, tasks []task, s settings) (results []result, others float64, err error) {
	results = make([]result, len(tasks))
	before, begun := busy(), time.Now()
	for round := range s.rounds {
		for i, t := range tasks {
			fmt.Fprintf(os.Stderr, "round %d of %d: %s, %d threads\n", round+1, s.rounds, t.Runtime, t.Threads)
			r, err := start(ctx, t, s.python)
			if err != nil {
				return nil, 0, fmt.Errorf("%s: %w", t.Runtime, err)
			}
			results[i].add(r)
		}
	}
	return results, (busy() - before).Seconds() / time.Since(begun).Seconds(), nil
}

// start runs a task in a process of its own.
func start(ctx context.Context, t task, python string) (r result, err error) {
	text, err := json.Marshal(t)
	if err != nil {
		return r, err
	}
	self, err := os.Executable()
	if err != nil {
		return r, err
	}
	c := exec.CommandContext(ctx, self, "-one", string(text))
	if t.Runtime == cv2 {
		c = exec.CommandContext(ctx, python, "-c", script, string(text))
	}
	c.Env = os.Environ()
	if t.Runtime == onnxgo.Name {
		c.Env = append(c.Env, "GOMAXPROCS="+strconv.Itoa(t.Threads)) // it has no number of threads of its own
	}
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, os.Stderr
	if err := c.Run(); err != nil {
		return r, err
	}
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		return r, fmt.Errorf("%w in %.200q", err, out.Bytes())
	}
	return r, nil
}

// busy is the processor time that the machine spent so far on what is neither
// this process nor one that it has waited for.
func busy() time.Duration {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	return machine(string(text)) - own()
}

// machine is the busy time in the first line of /proc/stat.
func machine(text string) (sum time.Duration) {
	first, _, _ := strings.Cut(text, "\n")
	for i, f := range strings.Fields(first) {
		if n, err := strconv.ParseInt(f, 10, 64); err == nil && i != 4 && i != 5 && i < 9 { // 4 and 5: idle; 9 and 10: guests, counted already
			sum += time.Duration(n) * 10 * time.Millisecond
		}
	}
	return sum
}

func words(others float64, cores int) string {
	how := "quiet"
	if others > 0.1 {
		how = "busy"
	}
	return fmt.Sprintf("meanwhile other programs used %.2f of %d cores: %s.", others, cores, how)
}
