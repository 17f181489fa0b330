package classify

import (
	"context"
	"errors"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
	"gocv.io/x/gocv"

	"inspector"
	"inspector/model"
	"inspector/model/onnxgo"
)

func TestMain(m *testing.M) {
	gocv.SetNumThreads(1)
	goleak.VerifyTestMain(m)
}

func load(t testing.TB, folder, ref string) *model.Package {
	p, err := model.Find(os.DirFS(folder), ref)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// plate is a board of 64 x 64 with three traces; change may spoil it.
func plate(change func(set func(x, y, w, h int, v byte))) inspector.Pixels {
	p := inspector.Pixels{Width: 64, Height: 64, Channels: 1, Stride: 64, Data: slices.Repeat([]byte{255}, 64*64)}
	set := func(x, y, w, h int, v byte) {
		for j := y; j < y+h; j++ {
			for i := x; i < x+w; i++ {
				p.Data[j*64+i] = v
			}
		}
	}
	for _, y := range []int{8, 28, 48} {
		set(0, y, 64, 6, 0)
	}
	if change != nil {
		change(set)
	}
	return p
}

// judge returns a classifier with the hand-made model that sees differences.
func judge(t testing.TB, s session) *Classifier { return judgeAgainst(t, s, plate(nil)) }

func judgeAgainst(t testing.TB, s session, golden inspector.Pixels) *Classifier {
	p := load(t, "../model/testdata/models", "difference")
	if s == nil {
		own, err := onnxgo.Open(p)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { own.Close() })
		s = own
	}
	c, err := New(p, s, Recipe{Name: "test", Golden: golden, Copper: Dark})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestBoards(t *testing.T) {
	c := judge(t, nil)
	for name, tt := range map[string]struct {
		change func(set func(x, y, w, h int, v byte))
		want   inspector.Verdict
		class  []string
		reason string
	}{
		"good":       {nil, inspector.Pass, nil, "nothing above"},
		"open":       {func(set func(x, y, w, h int, v byte)) { set(24, 28, 5, 6, 255) }, inspector.Fail, []string{"missing"}, "missing 0.98 at (28,28) is at or above fail 0.5"},
		"short":      {func(set func(x, y, w, h int, v byte)) { set(40, 14, 4, 14, 0) }, inspector.Fail, []string{"extra", "extra"}, "extra"},
		"both":       {func(set func(x, y, w, h int, v byte)) { set(8, 8, 5, 6, 255); set(56, 56, 5, 5, 0) }, inspector.Fail, []string{"missing", "extra"}, "at or above fail 0.5"},
		"small nick": {func(set func(x, y, w, h int, v byte)) { set(24, 28, 3, 2, 255) }, inspector.Pass, nil, "below pass"},
		"doubtful":   {func(set func(x, y, w, h int, v byte)) { set(24, 28, 4, 3, 255) }, inspector.Unsure, []string{"missing"}, "missing 0.49 at (28,28) is between pass 0.3 and fail 0.5"},
	} {
		t.Run(name, func(t *testing.T) {
			r := c.Classify(t.Context(), plate(tt.change))
			var classes []string
			for _, d := range r.Defects {
				classes = append(classes, d.Class)
			}
			slices.Sort(classes)
			slices.Sort(tt.class)
			if r.Verdict != tt.want || !slices.Equal(classes, tt.class) || !strings.Contains(r.Reason, tt.reason) {
				t.Errorf("%+v; want %s %v %q", r, tt.want, tt.class, tt.reason)
			}
			if r.Timings.Prepare <= 0 || r.Timings.Infer <= 0 || r.Timings.Decode <= 0 {
				t.Errorf("a stage took no time: %+v", r.Timings)
			}
		})
	}
}

// enlarged is a plate three times as wide and twice as high, in colour and with
// gaps between the rows.
func enlarged(small inspector.Pixels) inspector.Pixels {
	large := inspector.Pixels{Width: 192, Height: 128, Channels: 3, Stride: 600, Data: make([]byte, 600*128)}
	for y := range 128 {
		for x := range 192 {
			for k := range 3 {
				large.Data[y*600+x*3+k] = small.Data[y/2*64+x/3]
			}
		}
	}
	return large
}

func TestBoxesFollowThePicture(t *testing.T) {
	c := judgeAgainst(t, nil, enlarged(plate(nil)))
	r := c.Classify(t.Context(), enlarged(plate(func(set func(x, y, w, h int, v byte)) { set(48, 40, 5, 5, 0) })))
	want := inspector.Box{Left: 48 * 3, Top: 40 * 2, Right: 56 * 3, Bottom: 48 * 2}
	if r.Verdict != inspector.Fail || len(r.Defects) != 1 || r.Defects[0].Box != want {
		t.Errorf("%+v; want one at %v", r, want)
	}
}

// A picture of another size than the golden board's is not compared with it.
func TestGoldenOfAnotherSize(t *testing.T) {
	c := judge(t, nil)
	_, err := c.Prepare(enlarged(plate(nil)))
	var size *GoldenSizeError
	if !errors.As(err, &size) || !size.Permanent() || !strings.Contains(err.Error(), "192 x 128") || !strings.Contains(err.Error(), "64 x 64: take a new golden") {
		t.Errorf("error is %v", err)
	}
	if r := c.Classify(t.Context(), enlarged(plate(nil))); r.Verdict != inspector.Unsure {
		t.Errorf("%+v", r)
	}
}

// run is a runtime that does as it is told.
type run func(ctx context.Context, in, out []float32) error

func (f run) Run(ctx context.Context, in, out []float32) error { return f(ctx, in, out) }

// Every failure on the way is unsure, and the next board is judged again.
func TestFailuresAreUnsure(t *testing.T) {
	for name, tt := range map[string]struct {
		picture inspector.Pixels
		run     run
		reason  string
	}{
		"empty picture": {inspector.Pixels{}, nil, "0 channels"},
		"cut picture":   {inspector.Pixels{Width: 64, Height: 64, Channels: 1, Stride: 64, Data: make([]byte, 100)}, nil, "100 bytes"},
		"no contrast":   {inspector.Pixels{Width: 64, Height: 64, Channels: 1, Stride: 64, Data: make([]byte, 64*64)}, nil, "told apart"},
		"runtime fails": {plate(nil), func(context.Context, []float32, []float32) error { return errors.New("out of memory") }, "infer: out of memory"},
		"not a number": {plate(nil), func(_ context.Context, _, out []float32) error {
			clear(out)
			out[17] = float32(math.NaN())
			return nil
		}, "number 17"},
		"not a score": {plate(nil), func(_ context.Context, _, out []float32) error {
			clear(out)
			out[3] = 12
			return nil
		}, "not from 0 to 1"},
		"too late": {plate(nil), func(ctx context.Context, _, _ []float32) error { return context.DeadlineExceeded }, "deadline exceeded"},
	} {
		t.Run(name, func(t *testing.T) {
			do := tt.run
			if do == nil {
				do = func(context.Context, []float32, []float32) error { return nil }
			}
			c := judge(t, run(func(ctx context.Context, in, out []float32) error { return do(ctx, in, out) }))
			r := c.Classify(t.Context(), tt.picture)
			if r.Verdict != inspector.Unsure || !strings.Contains(r.Reason, tt.reason) || len(r.Defects) > 0 {
				t.Errorf("%+v; want unsure because of %q", r, tt.reason)
			}
			do = func(_ context.Context, _, out []float32) error { clear(out); return nil }
			if r := c.Classify(t.Context(), plate(nil)); r.Verdict != inspector.Pass {
				t.Errorf("the next board: %+v", r)
			}
		})
	}
}

func TestRecipeFaults(t *testing.T) {
	p := load(t, "../model/testdata/models", "difference")
	_, err := New(p, nil, Recipe{Name: "phone", Limits: Limits{Fail: .2, Pass: .4}, Copper: Dark, Etch: -1,
		ClassLimits: map[string]Limits{"shortt": {Fail: .5, Pass: .4}, "extra": {Fail: 1}}})
	for _, want := range []string{`recipe "phone"`, "golden board", "fail 0.2 and pass 0.4", `"shortt": not a kind of defect`, `limits for extra: fail 1 and pass 0`, "etch: -1"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v lacks %q", err, want)
		}
	}
	cl := load(t, "../model/testdata/models", "classifier")
	if _, err := New(cl, nil, Recipe{ClassLimits: map[string]Limits{"clean": {Fail: .5, Pass: .4}}}); err == nil {
		t.Error("limits for the good label were taken")
	}
}

func TestWarm(t *testing.T) {
	if err := judge(t, nil).Warm(t.Context()); err != nil {
		t.Error(err)
	}
	bad := judge(t, run(func(_ context.Context, _, out []float32) error { out[0] = float32(math.Inf(1)); return nil }))
	if err := bad.Warm(t.Context()); err == nil {
		t.Error("a model that gives infinity is warm")
	}
}

// Nothing here keeps two goroutines from inferring at once: that is for the
// session to say.
func TestSideBySide(t *testing.T) {
	both := make(chan struct{})
	c := judge(t, run(func(ctx context.Context, _, out []float32) error {
		select { // each lets the other go
		case both <- struct{}{}:
		case <-both:
		case <-ctx.Done():
			return ctx.Err()
		}
		clear(out)
		return nil
	}))
	first := make(chan Result)
	go func() { first <- c.Classify(t.Context(), plate(nil)) }()
	for _, r := range []Result{c.Classify(t.Context(), plate(nil)), <-first} {
		if r.Verdict != inspector.Pass {
			t.Errorf("%+v", r)
		}
	}
}

// Three stages on three goroutines and single calls beside them: everybody
// gets the verdict of their own board.
func TestConcurrency(t *testing.T) {
	c := judge(t, nil)
	boards := []inspector.Pixels{
		plate(nil),
		plate(func(set func(x, y, w, h int, v byte)) { set(24, 28, 5, 6, 255) }),
		plate(func(set func(x, y, w, h int, v byte)) { set(48, 40, 5, 5, 0) }),
	}
	want := []string{"", "missing", "extra"}
	check := func(i int, r Result) {
		have := ""
		if len(r.Defects) == 1 {
			have = r.Defects[0].Class
		}
		if have != want[i%3] || len(r.Defects) > 1 || r.Verdict == inspector.Unsure {
			t.Errorf("board %d: %+v", i, r)
		}
	}
	const n = 60
	inputs, outputs := make(chan *Input), make(chan *Output)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(inputs)
		for i := range n {
			in, err := c.Prepare(boards[i%3])
			if err != nil {
				t.Error(err)
				return
			}
			inputs <- in
		}
	})
	wg.Go(func() {
		defer close(outputs)
		for in := range inputs {
			out, err := c.Infer(t.Context(), in)
			if err != nil {
				t.Error(err)
				return
			}
			outputs <- out
		}
	})
	wg.Go(func() {
		i := 0
		for out := range outputs {
			check(i, c.Judge(out))
			i++
		}
		if i != n {
			t.Errorf("%d of %d boards were judged", i, n)
		}
	})
	for k := range 3 {
		wg.Go(func() {
			for i := range n / 3 {
				check(k+i, c.Classify(t.Context(), boards[(k+i)%3]))
			}
		})
	}
	wg.Wait()
}

// In steady state no frame allocates memory for its pixels.
func TestPixelsAreNotAllocatedPerFrame(t *testing.T) {
	frame := inspector.Pixels{Width: 640, Height: 480, Channels: 3, Stride: 2000, Data: make([]byte, 2000*480)}
	for y := range 480 {
		for x := range 640 {
			v := byte(255)
			if x/40%2 == 0 {
				v = 0
			}
			copy(frame.Data[y*2000+x*3:], []byte{v, v, v})
		}
	}
	c := judgeAgainst(t, run(func(_ context.Context, _, out []float32) error { clear(out); return nil }), frame)
	c.Classify(t.Context(), frame)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const frames = 20
	for range frames {
		if r := c.Classify(t.Context(), frame); r.Verdict != inspector.Pass {
			t.Fatalf("%+v", r)
		}
	}
	runtime.ReadMemStats(&after)
	if per := (after.TotalAlloc - before.TotalAlloc) / frames; per > 4096 {
		t.Errorf("%d bytes per frame; want less than a row of pixels", per)
	}
}
