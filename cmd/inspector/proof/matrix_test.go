package proof

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A fault breaks all links, or has all HTTP targets refuse.
type fault struct {
	name    string
	toxic   string // JSON of toxiproxy, without the stream; empty: none
	cut     bool   // nobody listens
	refuses bool
}

var faults = []fault{
	{name: "none"},
	{name: "latency", toxic: `"type":"latency","attributes":{"latency":1500,"jitter":500}`},
	{name: "cut", cut: true},
	{name: "reset", toxic: `"type":"reset_peer","attributes":{"timeout":0}`},
	{name: "half-open", toxic: `"type":"timeout","attributes":{"timeout":0}`},
	{name: "bandwidth", toxic: `"type":"bandwidth","attributes":{"rate":2}`},
	{name: "refusal", refuses: true},
}

// A moment says what of a delivery the fault strikes.
var moments = []string{"before", "answer"} // the message itself, or only the answer: it arrived, and nobody knows

// A restart is what befalls the appliance amid the fault.
var restarts = map[string]syscall.Signal{"running": 0, "killed": syscall.SIGKILL, "restarted": syscall.SIGTERM}

type run struct {
	fault
	moment, restart string
}

func (r run) String() string { return r.name + "/" + r.moment + "/" + r.restart }

// runs are all combinations that differ.
func runs() (out []run) {
	for _, f := range faults {
		for _, m := range moments {
			if m == "answer" && (f.cut || f.name == "none") {
				continue // then there is no answer to strike
			}
			for _, restart := range slices.Sorted(maps.Keys(restarts)) {
				out = append(out, run{f, m, restart})
			}
		}
	}
	return out
}

// today is a fifth of the runs, another one each day; those that have
// INSPECTOR_PROOF in their name if that is set, or all if it is "all".
func today(all []run) []run {
	if os.Getenv("INSPECTOR_PROOF") == "all" {
		return all
	}
	if only := os.Getenv("INSPECTOR_PROOF"); only != "" {
		return slices.DeleteFunc(all, func(r run) bool { return !strings.Contains(r.String(), only) })
	}
	var out []run
	for n := time.Now().YearDay() % 5; n < len(all); n += 5 {
		out = append(out, all[n])
	}
	return out
}

// Every accepted board arrives everywhere, whatever the network does, at
// whichever moment, and whatever becomes of the appliance meanwhile. What
// arrives twice has the same key, and of one board what the workflow puts in
// order comes in that order.
func TestEveryBoardArrives(t *testing.T) {
	w := newWorld(t)
	dir := t.TempDir()
	a := &appliance{t: t, binary: build(t), env: w.config(dir)}
	a.start()
	t.Cleanup(func() {
		a.end(syscall.SIGKILL)
		if t.Failed() {
			t.Logf("the appliance said:\n%s", a.log.String())
		}
	})
	for n, r := range today(runs()) {
		t.Run(r.String(), func(t *testing.T) {
			a.t, w.t = t, t
			began := time.Now()
			boards := w.endure(a, r, n)
			var missing []string
			t.Cleanup(func() {
				if len(missing) > 0 {
					t.Logf("missing: %v", missing)
				}
			})
			eventually(t, 2*time.Minute, "all boards arrive everywhere", func() bool { missing = w.missing(boards); return len(missing) == 0 })
			w.check(boards)
			t.Logf("%d boards arrived everywhere %v after the first", len(boards), time.Since(began).Round(100*time.Millisecond))
		})
		if t.Failed() {
			return
		}
	}
}

// endure has boards judged before, in and after the fault.
func (w *world) endure(a *appliance, r run, n int) (boards []string) {
	judge := func(part string) {
		for k := range 2 {
			request := fmt.Sprintf("run%d-%s-%d", n, part, k)
			eventually(w.t, time.Minute, "board "+request+" is accepted", func() bool {
				id, err := a.judge(request)
				if err == nil {
					boards = append(boards, id)
				}
				return err == nil
			})
		}
	}
	judge("before")
	mend := w.strike(r)
	judge("in")
	if r.moment == "answer" { // what arrived already, though nobody knows, arrives again
		time.Sleep(300 * time.Millisecond) //nolint:forbidigo // the fault's own time
	}
	if s := restarts[r.restart]; s != 0 {
		a.end(s)
		a.start()
		judge("restarted")
	}
	time.Sleep(700 * time.Millisecond) //nolint:forbidigo // the fault's own time
	mend()
	judge("after")
	return boards
}

// strike breaks everything, and gives what mends it.
func (w *world) strike(r run) (mend func()) {
	stream := map[string]string{"before": "upstream", "answer": "downstream"}[r.moment]
	if r.refuses {
		w.refuse.Store(map[string]int32{"before": 1, "answer": 2}[r.moment])
	}
	for _, p := range w.links {
		switch {
		case r.cut:
			p.Stop()
		case r.toxic != "":
			if _, err := p.Toxics.AddToxicJson(strings.NewReader(fmt.Sprintf(`{"name":"fault","stream":%q,%s}`, stream, r.toxic))); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	return func() {
		w.refuse.Store(0)
		for name, p := range w.links {
			if r.cut {
				if err := p.Start(); err != nil {
					w.t.Fatalf("link %s: %v", name, err)
				}
			}
			p.Toxics.ResetToxics(context.Background())
		}
	}
}

// wanted is what every board that did not pass leaves at the targets.
var wanted = []string{"mqtt/%s/alert", "mqtt/%s/result", "s3/%s/image.jpg", "s3/%s/overlay.jpg", "s3/%s/inspection.json", "sqs/%s/message", "webhook/%s/event"}

func (w *world) missing(boards []string) (out []string) {
	w.fetch()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, board := range boards {
		for _, form := range wanted {
			if at := fmt.Sprintf(form, board); len(w.arrived[at]) == 0 {
				out = append(out, at)
			}
		}
	}
	return out
}

// check looks at keys and order.
func (w *world) check(boards []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, board := range boards {
		for _, form := range wanted {
			at := fmt.Sprintf(form, board)
			for _, d := range w.arrived[at] {
				if d.key == "" || d.key != w.arrived[at][0].key {
					w.t.Errorf("%s came with the keys %q and %q", at, w.arrived[at][0].key, d.key)
				}
			}
		}
		record, message := w.arrived["s3/"+board+"/inspection.json"], w.arrived["sqs/"+board+"/message"]
		if message[0].at.Before(record[0].at) {
			w.t.Errorf("board %s: its message came %v before its record", board, record[0].at.Sub(message[0].at))
		}
	}
}
