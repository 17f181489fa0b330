package classify

import (
	"os"
	"runtime"
	"runtime/metrics"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"inspector"
	"inspector/board"
	"inspector/model"
	"inspector/model/onnxruntime"
)

// passing are boards as they pass on the line, a pixel or two off their place,
// every second with defects, and a recipe for them, as recipes usually are if
// they are to be aligned.
func passing(t testing.TB, style board.Style, align bool) (Recipe, []inspector.Pixels) {
	t.Helper()
	o := board.Usual(style)
	golden, _, _ := sampled(t, 1, o)
	r := Recipe{Golden: golden, Align: align, Copper: Dark}
	if style == board.Photo {
		r.Copper = Bright
	}
	if align {
		r.Etch = 1
	}
	var px []inspector.Pixels
	for i := range 8 {
		o.Defects = 3 * (i % 2)
		p, _, err := boards[1].Sample(uint64(i), o)
		if err != nil {
			t.Fatal(err)
		}
		px = append(px, p)
	}
	return r, px
}

// spent is the processor time of this thread.
func spent(b *testing.B) time.Duration {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t); err != nil {
		b.Fatal(err)
	}
	return time.Duration(t.Nano())
}

// large counts the allocations above 32 KiB so far.
func large() uint64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs-by-size:bytes"}}
	metrics.Read(s)
	h := s[0].Value.Float64Histogram()
	return h.Counts[len(h.Counts)-1]
}

// allocated is how many bytes so far.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// In the steady state nothing large is allocated for a board.
func TestSteadyBoardsAllocateLittle(t *testing.T) {
	p, s := pcb(t)
	for _, style := range []board.Style{board.Plate, board.Photo} {
		r, px := passing(t, style, true)
		c, err := New(p, s, r)
		if err != nil {
			t.Fatal(err)
		}
		const boards = 40
		for i := range boards {
			c.Classify(t.Context(), px[i%len(px)])
		}
		bytes, n := allocated(), large()
		for i := range boards {
			if r := c.Classify(t.Context(), px[i%len(px)]); r.Timings.Decode == 0 {
				t.Fatal(r.Reason)
			}
		}
		if each, n := (allocated()-bytes)/boards, large()-n; each > 64<<10 || n > 0 {
			t.Errorf("%s: %d bytes a board and %d allocations above 32 KiB; want 65536 at most and none", style, each, n)
		}
	}
}

// What a board costs beside bare inference, in processor time of one thread,
// measured in turn in the same run: the metric share is (prepare+decode)/infer,
// preparing with aligning, decoding with the verdict.
func BenchmarkShare(b *testing.B) {
	for _, network := range []string{model.FP32, model.INT8} {
		for _, style := range []board.Style{board.Plate, board.Photo} {
			for name, align := range map[string]bool{"aligned": true, "as it lies": false} {
				b.Run(network+"/"+string(style)+"/"+name, func(b *testing.B) { share(b, network, style, align) })
			}
		}
	}
}

// single is the shipped network in a session of one thread, which works in the
// thread that calls it.
func single(b *testing.B, network string) (*model.Package, session) {
	registry, err := model.OpenRegistry(os.DirFS("../models"), "")
	if err != nil {
		b.Skip(err)
	}
	p, err := registry.In(network, load(b, "../models", "pcb"))
	if err != nil {
		b.Fatal(err)
	}
	s, err := onnxruntime.Open("", p, onnxruntime.Options{Threads: 1})
	if err != nil {
		b.Skip(err)
	}
	b.Cleanup(func() { s.Close() })
	return p, s
}

func share(b *testing.B, network string, style board.Style, align bool) {
	p, s := single(b, network)
	r, px := passing(b, style, align)
	c, err := New(p, s, r)
	if err != nil {
		b.Fatal(err)
	}
	SetThreads(1)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var prepare, infer, decode, beside []time.Duration
	bytes, n := uint64(0), 0
	for b.Loop() {
		if n++; n == 10 { // by then the memory is there
			bytes = allocated()
		}
		begun := spent(b)
		in, err := c.Prepare(px[n%len(px)])
		if err != nil {
			b.Fatal(err)
		}
		ready := spent(b)
		out, err := c.Infer(b.Context(), in)
		if err != nil {
			b.Fatal(err)
		}
		inferred := spent(b)
		c.Judge(out)
		done := spent(b)
		prepare, infer, decode = append(prepare, ready-begun), append(infer, inferred-ready), append(decode, done-inferred)
		beside = append(beside, ready-begun+done-inferred)
	}
	ms := func(d []time.Duration) float64 { // the median
		slices.Sort(d)
		return d[len(d)/2].Seconds() * 1000
	}
	b.ReportMetric(ms(prepare), "prepare-ms")
	b.ReportMetric(ms(infer), "infer-ms")
	b.ReportMetric(ms(decode), "decode-ms")
	b.ReportMetric(ms(beside)/ms(infer), "share")
	if n > 10 {
		b.ReportMetric(float64(allocated()-bytes)/float64(n-9), "B/board")
	}
}
