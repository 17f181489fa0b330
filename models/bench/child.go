package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/metrics"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"inspector"
	"inspector/board"
	"inspector/classify"
	"inspector/model"
	"inspector/model/onnxgo"
	"inspector/model/onnxruntime"
	"inspector/models"
)

// A result is what one process measured. Times are in milliseconds.
type result struct {
	Load     float64         // until the session was there
	First    float64         // inference
	Resident float64         // MB at the end
	Model    loop            // on inputs that are ready
	Whole    map[string]loop // pixels to verdict, by style
	Rate     []float64       // boards a second on all cores
}

// A loop is many boards, one after the other.
type loop struct {
	MS     []float64    // of each
	CPU    float64      // of all
	Bytes  float64      // allocated by Go, of all
	Large  float64      // allocations of Go above 32 KiB, of all
	Called map[int]bool // whether a board did not pass, by its number among those drawn
}

func (l loop) with(m loop) loop {
	return loop{append(l.MS, m.MS...), l.CPU + m.CPU, l.Bytes + m.Bytes, l.Large + m.Large, l.Called}
}

// add takes in another round. Of loading and of the first inference the least
// counts, since the first process also reads the files.
func (r *result) add(other result) {
	if r.Whole == nil {
		*r = other
		return
	}
	r.Load, r.First, r.Resident = min(r.Load, other.Load), min(r.First, other.First), max(r.Resident, other.Resident)
	r.Model = r.Model.with(other.Model)
	for style, l := range other.Whole {
		r.Whole[style] = r.Whole[style].with(l)
	}
	r.Rate = append(r.Rate, other.Rate...)
}

var styles = []board.Style{board.Plate, board.Photo}

// draw writes STYLE.bin, the golden board and then the others, every second
// with defects.
func draw(t task) error {
	b, err := board.New(1, t.Size)
	if err != nil {
		return err
	}
	for _, style := range styles {
		golden, err := b.Golden(style)
		if err != nil {
			return err
		}
		bytes := golden.Data
		for i := range t.Boards {
			o := board.Usual(style)
			o.Defects = 3 * (i % 2)
			p, _, err := b.Sample(uint64(i), o)
			if err != nil {
				return err
			}
			bytes = append(bytes, p.Data...)
		}
		if err := os.WriteFile(filepath.Join(t.Dir, string(style)+".bin"), bytes, 0o666); err != nil {
			return err
		}
	}
	return nil
}

// drawn reads what draw wrote.
func (t task) drawn(style board.Style) (golden inspector.Pixels, boards []inspector.Pixels, err error) {
	data, err := os.ReadFile(filepath.Join(t.Dir, string(style)+".bin"))
	if err != nil {
		return golden, nil, err
	}
	channels := 1
	if style == board.Photo {
		channels = 3
	}
	for part := range slices.Chunk(data, t.Size*t.Size*channels) {
		boards = append(boards, inspector.Pixels{Width: t.Size, Height: t.Size, Channels: channels, Stride: t.Size * channels, Data: part})
	}
	return boards[0], boards[1:], nil
}

func (t task) find() (*model.Package, error) {
	source := fs.FS(models.FS)
	if t.Models != "" {
		source = os.DirFS(t.Models)
	}
	p, err := model.Find(source, t.Model)
	if err != nil || t.Network == model.FP32 {
		return p, err
	}
	r, err := model.OpenRegistry(source, "")
	if err != nil {
		return nil, err
	}
	return r.In(t.Network, p)
}

// A session runs one model.
type session interface {
	Run(ctx context.Context, in, out []float32) error
	Close() error
}

func (t task) open(p *model.Package) (session, error) {
	if t.Runtime == onnxgo.Name {
		return onnxgo.Open(p)
	}
	return onnxruntime.Open("", p, onnxruntime.Options{Threads: t.Threads})
}

// child measures one configuration and prints its result.
func child(ctx context.Context, text string) error {
	var t task
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return err
	}
	classify.SetThreads(1)
	begun := time.Now()
	p, err := t.find()
	if err != nil {
		return err
	}
	s, err := t.open(p)
	if err != nil {
		return err
	}
	defer s.Close()
	r := result{Load: since(begun), Whole: map[string]loop{}}
	in, out := make([]float32, p.InputSize()), make([]float32, p.OutputSize())
	for i := range in {
		in[i] = float32(i / 7 % 2) // copper and laminate in stripes
	}
	begun = time.Now()
	if err := s.Run(ctx, in, out); err != nil {
		return err
	}
	r.First = since(begun)
	if r.Model, err = t.loop(func(int) (bool, error) { return false, s.Run(ctx, in, out) }); err != nil {
		return err
	}
	for _, style := range styles {
		if err := t.whole(ctx, p, s, style, &r); err != nil {
			return err
		}
	}
	r.Resident = resident()
	return json.NewEncoder(os.Stdout).Encode(r)
}

// whole measures from pixels to verdict, and for plates how many boards all
// cores judge.
func (t task) whole(ctx context.Context, p *model.Package, s session, style board.Style, r *result) error {
	golden, boards, err := t.drawn(style)
	if err != nil {
		return err
	}
	recipe := classify.Recipe{Name: "bench", Golden: golden, Copper: classify.Dark}
	if style == board.Photo {
		recipe.Copper = classify.Bright
	}
	c, err := classify.New(p, s, recipe)
	if err != nil {
		return err
	}
	r.Whole[string(style)], err = t.loop(func(i int) (bool, error) {
		v := c.Classify(ctx, boards[i%t.Boards])
		return v.Verdict != inspector.Pass, unjudged(v)
	})
	if err != nil || style != board.Plate || t.Runtime != onnxruntime.Name {
		return err
	}
	rate, err := t.rate(ctx, p, s, recipe, boards)
	r.Rate = append(r.Rate, rate)
	return err
}

// unjudged is why a board was not judged; nil if it was.
func unjudged(r classify.Result) error {
	if r.Verdict == inspector.Unsure && len(r.Defects) == 0 {
		return fmt.Errorf("a board was not judged: %s", r.Reason)
	}
	return nil
}

// rate is how many boards a second as many workers judge as there are cores for
// their threads.
func (t task) rate(ctx context.Context, p *model.Package, s session, recipe classify.Recipe, boards []inspector.Pixels) (float64, error) {
	workers := max(runtime.NumCPU()/t.Threads, 1)
	errs := make([]error, workers)
	var judged atomic.Int64
	var all sync.WaitGroup
	begun := time.Now()
	for w := range workers {
		c, err := classify.New(p, s, recipe)
		if err != nil {
			return 0, err
		}
		all.Go(func() {
			for i := 0; time.Since(begun).Seconds() < t.Seconds && errs[w] == nil; i++ {
				errs[w] = unjudged(c.Classify(ctx, boards[i%t.Boards]))
				judged.Add(1)
			}
		})
	}
	all.Wait()
	seconds := time.Since(begun).Seconds()
	for _, err := range errs {
		if err != nil {
			return 0, err
		}
	}
	return float64(judged.Load()) / seconds, nil
}

// loop repeats one board for as long as the task says, after three that do not
// count, and at least five times.
func (t task) loop(one func(i int) (called bool, err error)) (l loop, err error) {
	for i := range 3 {
		if _, err := one(i); err != nil {
			return l, err
		}
	}
	runtime.GC()
	l.MS, l.Called = make([]float64, 0, 1<<16), map[int]bool{}
	cpu, allocated, large, begun := own(), bytesAllocated(), largeAllocations(), time.Now()
	for i := 0; i < 5 || time.Since(begun).Seconds() < t.Seconds && i < cap(l.MS); i++ {
		from := time.Now()
		called, err := one(i)
		if err != nil {
			return l, err
		}
		l.MS = append(l.MS, since(from))
		l.Called[i%t.Boards] = called
	}
	l.CPU = float64((own() - cpu).Microseconds()) / 1000
	l.Large, l.Bytes = largeAllocations()-large, bytesAllocated()-allocated
	return l, nil
}

func since(t time.Time) float64 { return float64(time.Since(t).Microseconds()) / 1000 }

// own is the processor time of this process and of those that it has waited for.
func own() (sum time.Duration) {
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		_ = syscall.Getrusage(who, &u) // cannot fail for itself
		sum += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return sum
}

func bytesAllocated() float64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.TotalAlloc)
}

// largeAllocations counts those above the classes of sizes, 32 KiB.
func largeAllocations() float64 {
	s := []metrics.Sample{{Name: "/gc/heap/allocs-by-size:bytes"}}
	metrics.Read(s)
	h := s[0].Value.Float64Histogram()
	return float64(h.Counts[len(h.Counts)-1])
}

// resident is the memory of this process in MB.
func resident() float64 {
	text, err := os.ReadFile("/proc/self/statm")
	var size, pages int
	if _, scanned := fmt.Sscan(string(text), &size, &pages); err != nil || scanned != nil {
		return 0
	}
	return float64(pages*os.Getpagesize()) / 1e6
}
