package proof

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Boards for as long as it takes, each target down half of the time at random,
// the appliance killed again and again: what was accepted has arrived in the
// end, once by its key, and memory is flat. INSPECTOR_SOAK_BOARDS and
// INSPECTOR_SOAK_KILLS say how many (make soak: 200,000 and 200).
func TestSoakDelivery(t *testing.T) {
	boards, err := strconv.Atoi(os.Getenv("INSPECTOR_SOAK_BOARDS"))
	if err != nil {
		t.Skip("set INSPECTOR_SOAK_BOARDS to a number, or run make soak")
	}
	kills, err := strconv.Atoi(os.Getenv("INSPECTOR_SOAK_KILLS"))
	if err != nil {
		t.Fatalf("INSPECTOR_SOAK_KILLS: %v", err)
	}
	w := newWorld(t)
	a := &appliance{t: t, binary: build(t), env: append(w.config(t.TempDir()), "INSPECTOR_CAMERA_PERIOD=5ms")}
	a.start()
	t.Cleanup(func() { a.end(syscall.SIGKILL) })

	stop := make(chan struct{})
	var breaking sync.WaitGroup
	for name, p := range w.links {
		chance := rand.New(rand.NewPCG(1, uint64(len(name))))
		breaking.Go(func() {
			for up := true; ; up = !up {
				select {
				case <-stop:
					if !up {
						_ = p.Start()
					}
					return
				case <-time.After(time.Duration(1+chance.IntN(8000)) * time.Millisecond):
				}
				if up {
					p.Stop()
				} else if err := p.Start(); err != nil {
					t.Errorf("link %s: %v", name, err)
				}
			}
		})
	}
	accepted := make([]string, 0, boards)
	var memory []float64
	for n := 0; n < boards; {
		end := min(boards, n+boards/(kills+1)+1)
		accepted = append(accepted, judgeAll(a, n, end)...)
		n = end
		memory = append(memory, a.resident())
		if n < boards {
			a.end(syscall.SIGKILL)
			a.start()
		}
		if len(accepted) != n {
			t.Fatalf("%d of %d boards were accepted", len(accepted), n)
		}
	}
	close(stop)
	breaking.Wait()
	began := time.Now()
	var left []string
	eventually(t, time.Hour, "all boards arrive everywhere", func() bool { left = w.missing(accepted); return len(left) == 0 })
	w.check(accepted)
	sent := 0
	for _, all := range w.arrived {
		sent += len(all)
	}
	t.Logf("%d boards, %d kills: all arrived, %v after the links were whole; %d deliveries of %d; resident memory %.0f MB before the first kill, %.0f in the middle, %.0f at the end",
		len(accepted), len(memory)-1, time.Since(began).Round(time.Second), sent, len(accepted)*len(wanted), memory[0], memory[len(memory)/2], memory[len(memory)-1])
}

// judgeAll has the boards from..to judged, four at a time; those whose answer
// was lost are asked for again.
func judgeAll(a *appliance, from, to int) (out []string) {
	var mu sync.Mutex
	var asking sync.WaitGroup
	next := from
	for range 4 {
		asking.Go(func() {
			for {
				mu.Lock()
				n := next
				next++
				mu.Unlock()
				if n >= to {
					return
				}
				for range 100 {
					id, err := a.judge(fmt.Sprint("soak-", n))
					if err == nil {
						mu.Lock()
						out = append(out, id)
						mu.Unlock()
						break
					}
					<-time.After(100 * time.Millisecond)
				}
			}
		})
	}
	asking.Wait()
	return out
}

// resident is the program's memory in MB.
func (a *appliance) resident() (mb float64) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", a.cmd.Process.Pid))
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	if _, scan := fmt.Sscan(rest, &mb); err != nil || scan != nil {
		a.t.Fatalf("memory of the program: %v %v", err, scan)
	}
	return mb * 1024 / 1e6
}
