package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"inspector"
	"inspector/board"
	"inspector/camera"
	"inspector/classify"
	"inspector/model"
	"inspector/model/onnxruntime"
	"inspector/notify"
	"inspector/store"
	"inspector/store/storetest"
	"inspector/web"
	"inspector/workflow"
	"inspector/workflow/asl"
)

// drawnBoards are n different boards in front of the camera of the simulated line;
// the first has defects, and so has every one that defectsEvery divides.
func drawnBoards(b *testing.B, n, defectsEvery int) (out []inspector.Pixels) {
	b.Helper()
	design, err := board.New(defaults().Simulated.Seed, simulatedSize)
	if err != nil {
		b.Fatal(err)
	}
	for k := range n {
		o := board.Usual(board.Photo)
		if k%defectsEvery == 0 {
			o.Defects = 3
		}
		p, _, err := design.Sample(uint64(k), o)
		if err != nil {
			b.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

// benchJudges are the shipped model on ONNX Runtime.
func benchJudges(b *testing.B) *judges {
	b.Helper()
	c := defaults()
	c.Model.Runtime = onnxruntime.Name
	j, err := openJudges(b.Context(), c, nil)
	var missing *onnxruntime.MissingError
	if errors.As(err, &missing) {
		b.Skip(err)
	} else if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := j.Close(); err != nil {
			b.Error(err)
		}
	})
	return j
}

// A tap keeps what a classifier gives its runtime.
type tap struct{ in []float32 }

func (t *tap) Run(_ context.Context, in, _ []float32) error {
	t.in = slices.Clone(in)
	return nil
}

// readyInput is a board as the model takes it.
func readyInput(b *testing.B, j *judges, p inspector.Pixels) []float32 {
	b.Helper()
	var t tap
	r := j.recipes[simulatedName]
	golden, err := r.drawn()
	if err != nil {
		b.Fatal(err)
	}
	c, err := classify.New(j.places[j.recipe].pkg, &t, classify.Recipe{Name: simulatedName, Golden: golden, Copper: r.Copper})
	if err != nil {
		b.Fatal(err)
	}
	in, err := c.Prepare(p)
	if err == nil {
		_, err = c.Infer(b.Context(), in)
	}
	if err != nil {
		b.Fatal(err)
	}
	return t.in
}

// spent is what the process used up for some frames.
type spent struct {
	frames        int
	wall, cpu     time.Duration
	allocs, bytes uint64
}

func (s spent) rate() float64 { return float64(s.frames) / s.wall.Seconds() }

// mark is a moment from which since counts.
func mark() (s spent) {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // cannot fail for itself
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return spent{0, time.Duration(time.Now().UnixNano()), time.Duration(u.Utime.Nano() + u.Stime.Nano()), m.Mallocs, m.TotalAlloc}
}

func (s spent) since(from spent) spent {
	return spent{s.frames - from.frames, s.wall - from.wall, s.cpu - from.cpu, s.allocs - from.allocs, s.bytes - from.bytes}
}

// bare runs the model alone, in so many loops at once, each on an input that is
// ready.
func bare(b *testing.B, s session, in []float32, size, frames, loops int) spent {
	b.Helper()
	from := mark()
	var running sync.WaitGroup
	for range loops {
		running.Go(func() {
			in, out := slices.Clone(in), make([]float32, size)
			for range frames / loops {
				if err := s.Run(b.Context(), in, out); err != nil {
					b.Error(err)
				}
			}
		})
	}
	running.Wait()
	to := mark()
	to.frames = frames / loops * loops
	return to.since(from)
}

// An announcement finds the page's address in what the appliance prints.
type announcement chan string

var pageLine = regexp.MustCompile(`(?m)^page\s+(\S+)$`)

func (a announcement) Write(p []byte) (int, error) {
	if m := pageLine.FindSubmatch(p); m != nil {
		a <- string(m[1])
	}
	return len(p), nil
}

// whole runs the whole appliance on the source, unthrottled, and gives what it
// spends on the frames after the first few, with so many boards in the model at
// once.
func whole(b *testing.B, source string, frames, sessions int) spent {
	b.Helper()
	c := defaults()
	c.Data, c.Camera.Source = b.TempDir(), inspector.Secret(source)
	c.Model.Sessions = sessions
	return operated(b, c, frames)
}

// operated runs the appliance, with its page and broker on free ports.
func operated(b *testing.B, c Config, frames int) spent {
	b.Helper()
	c.Model.Runtime = onnxruntime.Name
	c.Web.Listen, c.MQTT.Listen = "127.0.0.1:0", "127.0.0.1:0"
	ctx, stop := context.WithCancel(b.Context())
	page, ended := make(announcement, 1), make(chan error, 1)
	go func() { ended <- run(ctx, c, page, slog.New(slog.DiscardHandler)) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	}()
	address := <-page
	from := verdictNo(b, address, 10)
	to := verdictNo(b, address, from.frames+frames)
	if n := counts(b, address); n.Pass < n.Triggers*8/10 || n.Fail == 0 || n.Unsure > n.Triggers/10 {
		b.Fatalf("ledger %+v: most boards must pass, some fail, and few be unsure", n)
	}
	return to.since(from)
}

func counts(b *testing.B, page string) web.Counts {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), http.MethodGet, page+"/api/v1/status", nil)
	if err != nil {
		b.Fatal(err)
	}
	r.Close = true
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer answer.Body.Close()
	var s web.Status
	body, err := io.ReadAll(answer.Body)
	if err == nil {
		err = json.Unmarshal(body, &s)
	}
	if err != nil {
		b.Fatalf("%v in %s", err, body)
	}
	return s.Counts
}

// verdictNo waits until the appliance has given n verdicts or more, and marks
// the moment of the last.
func verdictNo(b *testing.B, page string, n int) spent {
	b.Helper()
	last, tick := -1, time.NewTicker(500*time.Millisecond)
	defer tick.Stop()
	for {
		c := counts(b, page)
		frames := int(c.Pass + c.Fail + c.Unsure)
		if frames >= n && last >= 0 && frames > last {
			s := mark()
			s.frames = frames
			return s
		}
		if last = frames; last >= n-10 { // close: look more often, to see the very moment
			tick.Reset(5 * time.Millisecond)
		}
		<-tick.C
	}
}

// recorded gives a folder of boards as JPEG files, and the same boards as a film.
func recorded(b *testing.B) (folder, film string) {
	b.Helper()
	dir := b.TempDir()
	for k, p := range drawnBoards(b, 40, 20) {
		picture, err := classify.JPEG(p, 90)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, fmt.Sprintf("%02d.jpg", k)), picture, 0o600)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	film = filepath.Join(dir, "film.mp4")
	out, err := exec.Command("ffmpeg", "-loglevel", "error", "-framerate", "25", "-stream_loop", "9", "-i", filepath.Join(dir, "%02d.jpg"),
		"-c:v", "libx264", "-crf", "20", "-pix_fmt", "yuv420p", film).CombinedOutput()
	if err != nil {
		b.Logf("no film: ffmpeg: %v %s", err, out)
		film = ""
	}
	return "folder:" + dir + "?mode=loop", film
}

func median(of []float64) float64 {
	slices.Sort(of)
	return of[len(of)/2]
}

// The whole line, as fast as it goes, over the model alone: frames per second
// of decoding, preparing, inferring, judging, storing with evidence and
// execution, and of telling broker, page and upstream. Rounds alternate, so
// that whatever else the machine does falls on both. With two boards in the
// model at once there are two ratios: over one loop, and over two loops, which
// need all of two cores and leave the line none.
func BenchmarkConveyor(b *testing.B) {
	const rounds, frames = 3, 150
	j := benchJudges(b)
	folder, film := recorded(b)
	p := j.places[j.recipe]
	in, size := readyInput(b, j, drawnBoards(b, 1, 2)[0]), p.pkg.OutputSize()
	for name, source := range map[string]string{"stills": folder, "h264": film} {
		for sessions := 1; sessions <= 2; sessions++ {
			b.Run(fmt.Sprintf("%s/%d", name, sessions), func(b *testing.B) {
				if source == "" {
					b.Skip("no film: install ffmpeg")
				}
				var ratios, ratiosN, models, lines []float64
				var line, bareModel spent
				for b.Loop() {
					for range rounds {
						before := bare(b, p.session, in, size, frames/2, 1)
						l := whole(b, source, frames, sessions)
						m := before.plus(bare(b, p.session, in, size, frames/2, 1))
						models, lines, ratios = append(models, m.rate()), append(lines, l.rate()), append(ratios, l.rate()/m.rate())
						line, bareModel = line.plus(l), bareModel.plus(m)
						if sessions > 1 {
							ratiosN = append(ratiosN, l.rate()/bare(b, p.session, in, size, frames, sessions).rate())
						}
					}
				}
				n := float64(line.frames)
				b.ReportMetric(median(ratios), "ratio")
				if sessions > 1 {
					b.ReportMetric(median(ratiosN), "ratio-to-all-loops")
				}
				b.ReportMetric(median(lines), "frames/s")
				b.ReportMetric(median(models), "bare-frames/s")
				b.ReportMetric(line.cpu.Seconds()*1e3/n, "cpu-ms/frame")
				b.ReportMetric(bareModel.cpu.Seconds()*1e3/float64(bareModel.frames), "bare-cpu-ms/frame")
				b.ReportMetric(float64(line.allocs)/n, "allocs/frame")
				b.ReportMetric(float64(line.bytes)/n, "B/frame")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

func (s spent) plus(o spent) spent {
	return spent{s.frames + o.frames, s.wall + o.wall, s.cpu + o.cpu, s.allocs + o.allocs, s.bytes + o.bytes}
}

// immediate is a task that has nothing to wait for.
func immediate(context.Context, workflow.Task) (json.RawMessage, error) {
	return json.RawMessage("null"), nil
}

// benchLine is a line on j with store and engine, whose messages arrive at
// once. stop ends the engine and closes the store.
func benchLine(b testing.TB, dir string, j *judges, journal func(*store.Store) workflow.Journal) (l *line, stop func()) {
	b.Helper()
	c := defaults()
	c.Data = dir
	log := slog.New(slog.DiscardHandler)
	disk, err := store.Open(b.Context(), c.Data, c.Station.Device)
	if err != nil {
		b.Fatal(err)
	}
	engine := workflow.New(journal(disk), log, workflow.Options{})
	machine, err := engine.Deploy(b.Context(), workflow.Inspection)
	if err != nil {
		b.Fatal(err)
	}
	up, _, err := openUpstream(c)
	if err != nil {
		b.Fatal(err)
	}
	topics, err := notify.TopicsOf(c.MQTT.Root, c.Station)
	if err != nil {
		b.Fatal(err)
	}
	t := &tasks{store: disk, upstream: up}
	for resource, do := range map[string]workflow.Handler{publishAlert: immediate, publishResult: immediate, quarantine: t.quarantine, review: t.review, closeBoard: t.close, putObject: t.put, sendMessage: t.send} {
		engine.Handle(resource, 4, do)
	}
	l = newLine(&line{
		judges: j, store: disk, station: c.Station, mode: c.Trigger, quality: c.Evidence.Quality, log: log, wake: engine.Wake,
		seen: func(inspector.Inspection, inspector.Pixels) {},
		begin: func(i inspector.Inspection) ([]workflow.Transition, error) {
			return begin(engine, machine, c, topics, i)
		},
	})
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- engine.Run(ctx) }()
	return l, func() {
		cancel()
		if err := errors.Join(<-ended, disk.Close()); err != nil {
			b.Error(err)
		}
	}
}

// From the model's output to the verdict durable, with its evidence, and
// answered: what boards that fail take while one in four does and the model
// works on the next. Beside it, in turn, what the bare disk takes for 4 KiB.
func BenchmarkVerdictDurable(b *testing.B) {
	const rounds, boards = 4, 240
	j := benchJudges(b)
	judge, err := j.places[simulatedName].of("")
	if err != nil {
		b.Fatal(err)
	}
	pictures := drawnBoards(b, 16, 4)
	dir := b.TempDir()
	l, stop := benchLine(b, filepath.Join(dir, "data"), j, func(s *store.Store) workflow.Journal { return s })
	defer stop()
	inferred := make(chan *job, 1)
	ctx, cancel := context.WithCancel(b.Context())
	var deciding sync.WaitGroup
	for range deciders {
		deciding.Go(func() { _ = l.decide(ctx, inferred) })
	}
	var mu sync.Mutex
	var disk []time.Duration
	took := map[inspector.Verdict][]time.Duration{}
	for b.Loop() {
		for range rounds {
			disk = append(disk, storetest.Synced(b, dir, 200)...)
			var asking sync.WaitGroup
			for n := range boards {
				at := time.Now()
				f := inspector.NewFrame(uint64(n+1), at, pictures[n%len(pictures)], nil)
				in, err := judge.Prepare(f.Pixels)
				if err != nil {
					b.Fatal(err)
				}
				out, err := judge.Infer(b.Context(), in)
				if err != nil {
					b.Fatal(err)
				}
				k := &job{trigger: inspector.Trigger{Source: "free-run", At: at}, recipe: simulatedName, frame: f, held: true, judge: judge, out: out, done: make(chan struct{})}
				begun := time.Now()
				inferred <- k
				asking.Go(func() {
					<-k.done
					d := time.Since(begun)
					mu.Lock()
					defer mu.Unlock()
					took[k.answer.Verdict] = append(took[k.answer.Verdict], d)
				})
			}
			asking.Wait()
		}
	}
	cancel()
	deciding.Wait()
	if len(took[inspector.Fail]) < rounds*boards/5 || len(took[inspector.Pass]) < rounds*boards/2 {
		b.Fatalf("%d boards failed and %d passed", len(took[inspector.Fail]), len(took[inspector.Pass]))
	}
	storetest.Quantiles(b, "", took[inspector.Fail])
	storetest.Quantiles(b, "pass-", took[inspector.Pass])
	storetest.Quantiles(b, "fsync-", disk)
	b.ReportMetric(0, "ns/op")
}

// A counter is the journal that counts the executions which ended well.
type counter struct {
	*store.Store
	succeeded atomic.Int64
	all       chan struct{} // closed when want have
	want      int64
}

func (c *counter) Append(ctx context.Context, all ...workflow.Transition) error {
	err := c.Store.Append(ctx, all...)
	for _, t := range all {
		if err == nil && t.Execution.Status == asl.StatusSucceeded && c.succeeded.Add(1) == c.want {
			close(c.all)
		}
	}
	return err
}

// A stub is a model that finds every board good, in no time.
type stub struct{}

func (stub) Run(_ context.Context, _, out []float32) error {
	out[0], out[1] = 9, -9
	return nil
}
func (stub) Close() error { return nil }

func stubJudges(b testing.TB, s session) *judges {
	b.Helper()
	p := &model.Package{Manifest: model.Manifest{
		Name: "stub", Version: "1.0.0", Task: model.Classification, Labels: []string{"good", "bad"}, Good: "good",
		Inputs:  []model.Input{{Layout: "NCHW", Width: 64, Height: 64, Colour: "grey", Mean: []float32{0}, Scale: []float32{1}}},
		Outputs: []model.Output{{Name: "output"}},
		Decode:  model.Decode{Activation: "softmax"}, Thresholds: model.Thresholds{Fail: .6, Pass: .4},
	}}
	c, err := classify.New(p, s, classify.Recipe{Name: simulatedName})
	if err != nil {
		b.Fatal(err)
	}
	j := &judges{recipe: simulatedName, recipes: map[string]recipe{simulatedName: {}}}
	j.places = map[string]place{simulatedName: {name: simulatedName, judge: &judge{pkg: p, runtime: "stub", session: s}, fixed: func() (*classify.Classifier, error) { return c, nil }, judges: j}}
	return j
}

// Verdicts per second through the whole line with a model that takes no time,
// each journaled with its execution, and each execution run to its end.
func BenchmarkVerdictsJournaled(b *testing.B) {
	const boards = 3000
	var perSecond []float64
	for b.Loop() {
		var ended *counter
		l, stop := benchLine(b, b.TempDir(), stubJudges(b, stub{}), func(s *store.Store) workflow.Journal {
			ended = &counter{Store: s, all: make(chan struct{}), want: boards}
			return ended
		})
		picture := inspector.Pixels{Width: 64, Height: 64, Channels: 1, Stride: 64, Data: make([]byte, 64*64)}
		ctx, cancel := context.WithCancel(b.Context())
		cam, err := camera.New(camera.Config{Source: simulatedName, Draw: func(n uint64) (inspector.Pixels, string, error) {
			if n >= boards {
				<-ctx.Done()
			}
			return picture, "", nil
		}}, l.log)
		if err != nil {
			b.Fatal(err)
		}
		l.camera = cam
		begun := time.Now()
		var running sync.WaitGroup
		for _, f := range []func(context.Context) error{cam.Run, l.Run} {
			running.Go(func() {
				if err := f(ctx); err != nil {
					b.Error(err)
				}
			})
		}
		<-ended.all
		perSecond = append(perSecond, boards/time.Since(begun).Seconds())
		cancel()
		running.Wait()
		stop()
	}
	b.ReportMetric(median(perSecond), "verdicts/s")
	b.ReportMetric(0, "ns/op")
}
