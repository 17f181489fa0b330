package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"inspector"
	"inspector/board"
	"inspector/camera"
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

// whole measures from pixels to verdict, and for photographs how many boards all
// cores judge.
func (t task) whole(ctx context.Context, p *model.Package, s session, style board.Style, r *result) error {
	golden, boards, err := t.drawn(style)
	if err != nil {
		return err
	}
	recipe := classify.Recipe{Name: "bench", Golden: golden, Copper: classify.Dark, Align: true, Etch: 1} // as recipes do by default
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
	if err != nil || style != board.Photo || t.Runtime != onnxruntime.Name {
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

// rate is how many boards a second, from JPEG to verdict, as many workers judge
// as there are cores for their threads.
func (t task) rate(ctx context.Context, p *model.Package, s session, recipe classify.Recipe, boards []inspector.Pixels) (float64, error) {
	var stills [][]byte
	for _, px := range boards {
		still, err := classify.JPEG(px, 90)
		if err != nil {
			return 0, err
		}
		stills = append(stills, still)
	}
	workers := make([]*classify.Classifier, max(runtime.NumCPU()/t.Threads, 1))
	for w := range workers {
		var err error
		if workers[w], err = classify.New(p, s, recipe); err != nil {
			return 0, err
		}
	}
	errs := make([]error, len(workers))
	var judged atomic.Int64
	var all sync.WaitGroup
	begun := time.Now()
	for w, c := range workers {
		all.Go(func() {
			for i := w; time.Since(begun).Seconds() < t.Seconds && errs[w] == nil; i++ {
				px, err := camera.Decode(stills[i%t.Boards], t.Size*t.Size)
				if err == nil {
					err = unjudged(c.Classify(ctx, px))
				}
				errs[w] = err
				judged.Add(1)
			}
		})
	}
	all.Wait()
	return float64(judged.Load()) / time.Since(begun).Seconds(), errors.Join(errs...)
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
