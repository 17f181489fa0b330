package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"inspector/model"
	"inspector/model/onnxgo"
	"inspector/model/onnxruntime"
	"inspector/models"
)

// resident is the memory of a process in MB, as the kernel counts it.
func resident(t *testing.T, pid string) float64 {
	t.Helper()
	status, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		t.Fatal(err)
	}
	var kB float64
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	if _, err := fmt.Sscan(rest, &kB); err != nil {
		t.Fatalf("no VmRSS of process %s: %v in %s", pid, err, status)
	}
	return kB * 1024 / 1e6
}

// The runtime alone: this program after it has loaded the shipped model and run
// it once, and nothing else. TestSoakMemory runs it as a process of its own.
func TestSoakRuntimeAlone(t *testing.T) {
	if os.Getenv("INSPECTOR_SOAK_ALONE") == "" {
		t.Skip("part of TestSoakMemory")
	}
	c := defaults()
	p, err := model.Find(models.FS, c.Model.Name)
	if err != nil {
		t.Fatal(err)
	}
	s, name, err := openSession(t.Context(), p, c.Model)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Run(t.Context(), make([]float32, p.InputSize()), make([]float32, p.OutputSize())); err != nil {
		t.Fatal(err)
	}
	fmt.Printf("%s alone: %.1f MB\n", name, resident(t, "self"))
}

func runtimeAlone(t *testing.T) (mb float64) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestSoakRuntimeAlone$")
	cmd.Env = append(os.Environ(), "INSPECTOR_SOAK_ALONE=1")
	out, err := cmd.CombinedOutput()
	_, rest, _ := strings.Cut(string(out), "alone: ")
	if _, scanErr := fmt.Sscan(rest, &mb); err != nil || scanErr != nil {
		t.Fatalf("%v %v\n%s", err, scanErr, out)
	}
	return mb
}

// Memory of an appliance at work for INSPECTOR_SOAK (make soak: an hour): a
// simulated line of ten boards a second, of which one in twenty is defective.
// What it holds above the runtime's own stays below 150 MB, and does not grow:
// the median of the last quarter is that of the second, give or take.
func TestSoakMemory(t *testing.T) {
	length, err := time.ParseDuration(os.Getenv("INSPECTOR_SOAK"))
	if err != nil {
		t.Skip("set INSPECTOR_SOAK to a duration such as 10m, or run make soak")
	}
	alone := runtimeAlone(t)
	a := startAppliance(t, t.TempDir(), "INSPECTOR_CAMERA_PERIOD=100ms", "INSPECTOR_SIMULATED_DEFECT_RATE=0.05", "INSPECTOR_LOG_LEVEL=warn")
	pid := fmt.Sprint(a.cmd.Process.Pid)
	tick := time.NewTicker(length / 600)
	defer tick.Stop()
	var samples []float64
	for end := time.Now().Add(length); time.Now().Before(end); {
		select {
		case <-tick.C:
			samples = append(samples, resident(t, pid))
		case <-a.ended:
			t.Fatalf("the appliance ended (%v):\n%s", a.cmd.ProcessState, a.logs)
		}
	}
	a.until("everything is delivered", a.idle)
	c := a.status().Counts
	a.stop()
	quarter := len(samples) / 4
	middle := func(part []float64) float64 { return median(slices.Clone(part)) }
	second, last, most := middle(samples[quarter:2*quarter]), middle(samples[3*quarter:]), slices.Max(samples)
	t.Logf("%v, %d boards (%d failed): resident %.1f MB in the second quarter, %.1f in the last, %.1f at most; the runtime alone %.1f; above it %.1f at most",
		length, c.Triggers, c.Fail, second, last, most, alone, most-alone)
	if most-alone >= 150 {
		t.Errorf("%.1f MB resident above the runtime's own %.1f; want less than 150", most-alone, alone)
	}
	if last > 1.15*second {
		t.Errorf("resident memory grew from %.1f MB in the second quarter to %.1f in the last", second, last)
	}
	if c.Fail == 0 || c.Pass < uint64(length.Seconds()) {
		t.Errorf("ledger %+v: that is no line at work", c)
	}
}

// Sessions close without leaking: resident memory over load, proof and unload
// of the shipped model on ONNX Runtime, and of a small one on onnx-go, again
// and again (1,000 times each in make soak) is flat.
func TestSoakLoadUnload(t *testing.T) {
	cycles := 60
	if os.Getenv("INSPECTOR_SOAK") != "" {
		cycles = 1000
	}
	small, err := model.Find(os.DirFS("../../model/testdata/models"), "detector")
	if err != nil {
		t.Fatal(err)
	}
	shipped, err := model.Find(models.FS, "pcb")
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]*model.Package{onnxruntime.Name: shipped, onnxgo.Name: small} {
		t.Run(name, func(t *testing.T) {
			c := defaults().Model
			c.Runtime, c.Sessions = name, 2
			r, err := model.OpenRegistry(models.FS, "")
			if err != nil {
				t.Fatal(err)
			}
			var samples []float64
			for range cycles {
				g, err := openProven(t.Context(), r, p, c, 0)
				var missing *onnxruntime.MissingError
				if errors.As(err, &missing) {
					t.Skip(err)
				} else if err != nil {
					t.Fatal(err)
				}
				if err := g.session.Close(); err != nil {
					t.Fatal(err)
				}
				debug.FreeOSMemory()
				samples = append(samples, resident(t, "self"))
			}
			quarter := cycles / 4
			second, last := median(slices.Clone(samples[quarter:2*quarter])), median(slices.Clone(samples[3*quarter:]))
			t.Logf("%d cycles: resident %.1f MB after the first, %.1f in the second quarter, %.1f in the last", cycles, samples[0], second, last)
			if last > 1.05*second+2 {
				t.Errorf("resident memory grew from %.1f MB to %.1f", second, last)
			}
		})
	}
}
