package main

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"inspector/model/onnxruntime"
)

// The test binary is also the program: it starts itself for each task.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "-one" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func TestMeasures(t *testing.T) {
	if _, err := onnxruntime.Find(); err != nil {
		var missing *onnxruntime.MissingError
		if errors.As(err, &missing) {
			t.Skip(err)
		}
	}
	s := settings{model: "pcb", python: "/usr/bin/python3", boards: 4, rounds: 2, seconds: 0.3}
	all, err := s.tasks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	var tasks []task
	for _, task := range all {
		if task.Threads == 1 && task.Runtime != "onnx-go" { // which takes a second for a board
			tasks = append(tasks, task)
		}
	}
	results, others, err := measureAll(t.Context(), tasks, s)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range results {
		if r.Load <= 0 || r.First <= 0 || r.Resident < 10 || len(r.Model.MS) < 10 || r.Model.CPU <= 0 || len(r.Whole["plate"].MS) < 10 || len(r.Whole["photo"].MS) < 10 {
			t.Errorf("%s: %+v", tasks[i].Runtime, r)
		}
		plate := r.Whole["plate"].Called
		if plate[0] || !plate[1] || plate[2] || !plate[3] {
			t.Errorf("%s calls %v; every second board has defects", tasks[i].Runtime, plate)
		}
	}
	if r := results[0]; len(r.Rate) != 2 || r.Rate[0] <= 0 || r.Whole["photo"].Bytes/float64(len(r.Whole["photo"].MS)) > 64<<10 {
		t.Errorf("rate %v, %v bytes for %d boards", r.Rate, r.Whole["photo"].Bytes, len(r.Whole["photo"].MS))
	}
	if others < -0.1 {
		t.Errorf("others used %v cores", others)
	}
}

func TestTable(t *testing.T) {
	l := loop{MS: []float64{10, 30, 20, 40}, CPU: 100, Bytes: 4096 * 4, Called: map[int]bool{0: false, 1: true}}
	whole := loop{MS: []float64{11, 22}, CPU: 60, Bytes: 2e7, Large: 4, Called: map[int]bool{0: true, 1: true}}
	tasks := []task{{Runtime: "onnxruntime", Network: "fp32", Threads: 1}, {Runtime: cv2, Network: "fp32", Threads: 2}}
	results := []result{
		{Load: 12.4, First: 30.6, Resident: 99.5, Model: l, Whole: map[string]loop{"plate": l, "photo": whole}, Rate: []float64{50, 52, 51}},
		{Model: l, Whole: map[string]loop{"plate": whole}},
	}
	lines := strings.Split(table(tasks, results), "\n")
	for i, want := range map[int]string{
		2: "| onnxruntime | fp32 | 1 | **20.0** (40.0) | 25.0 | **20.0** (40.0) | 25.0 | **11.0** (22.0) | 30.0 | 0 % / 20 % | 51.0 | 12 | 31 | 100 | 10 MB | 2.00 |",
		3: "| Python, cv2.dnn | fp32 | 2 | **20.0** (40.0) | 25.0 | **11.0** (22.0) | 30.0 | – | – | 20 % / – | – | 0 | 0 | 0 | – | – |",
		5: "Python, cv2.dnn, 2 threads, judges 1 of 2 boards of style plate otherwise than the first row.",
	} {
		if i >= len(lines) || lines[i] != want {
			t.Errorf("line %d of\n%s\nwant\n%s", i, strings.Join(lines, "\n"), want)
		}
	}
	for _, line := range lines[1:4] {
		if strings.Count(line, "|") != strings.Count(lines[0], "|") {
			t.Errorf("%s\nhas not the columns of\n%s", line, lines[0])
		}
	}
}

func TestMachine(t *testing.T) {
	// user nice system idle iowait irq softirq steal guest guest_nice, in hundredths of a second
	if have := machine("cpu  100 20 30 4000 500 6 7 8 90 1\ncpu0 1 1 1 1\n"); have != 1710*time.Millisecond {
		t.Errorf("%v; want 1.71s", have)
	}
}

func TestWords(t *testing.T) {
	if have := words(0.04, 2); have != "meanwhile other programs used 0.04 of 2 cores: quiet." {
		t.Error(have)
	}
	if have := words(1.5, 2); !strings.HasSuffix(have, "busy.") {
		t.Error(have)
	}
}

func TestAdd(t *testing.T) {
	var r result
	r.add(result{Load: 20, First: 9, Resident: 50, Model: loop{MS: []float64{1}, CPU: 1}, Whole: map[string]loop{"plate": {MS: []float64{5}, CPU: 2}}, Rate: []float64{3}})
	r.add(result{Load: 10, First: 12, Resident: 60, Model: loop{MS: []float64{2}, CPU: 3}, Whole: map[string]loop{"plate": {MS: []float64{7}, CPU: 4}}, Rate: []float64{4}})
	if r.Load != 10 || r.First != 9 || r.Resident != 60 || len(r.Model.MS) != 2 || r.Model.CPU != 4 || len(r.Whole["plate"].MS) != 2 || r.Whole["plate"].CPU != 6 || len(r.Rate) != 2 {
		t.Errorf("%+v", r)
	}
}
