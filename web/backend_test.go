package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	_ "image/png"
	"io"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"inspector"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// backend is the appliance in memory: its judge calls magenta copper spurious,
// and a dark picture unsure.
type backend struct {
	mu      sync.Mutex
	server  *Server
	status  Status
	records []Record // by row
	asked   map[string]int
	blobs   map[string][]byte
	camera  []byte // what Trigger judges
	slow    bool   // Trigger waits for its asker to give up
	waiting atomic.Int64
	waits   []ParkedTask
	parked  bool
	redrive int
	changes []ModelChange
	chosen  []RecipeChange
}

func newBackend() *backend {
	age := 0.04
	return &backend{asked: map[string]int{}, blobs: map[string][]byte{}, status: Status{
		Version: "v0.1.0", Started: time.Now().Add(-time.Hour),
		Station: inspector.Station{Site: "Graz", Line: "SMT 2", Device: "aoi_1"},
		Source:  "simulated line, 2 boards/s", Recipe: "bare-board", Model: "pcb-defects/1.0.0@3f5a", Runtime: "onnxruntime",
		Frames:  Frames{Captured: 7201, Dropped: 3, Age: &age},
		Disk:    Disk{Free: 81 << 30, Total: 120 << 30, Level: "ok", Warn: 2 << 30, StopPasses: 1 << 30, StopTriggers: 256 << 20, Reserve: 64 << 20},
		Targets: delayed(),
		Lanes: []Lane{{"inspector:alert", 0, 0, 0}, {"inspector:quarantine", 0, 0, 0}, {"s3:putObject", 12, 34, 1},
			{"sqs:sendMessage", 3, 34, 0}, {"a person's decision", 4, 5400, 0}},
		Parts: []Part{
			{"camera", OK, "delivering 10 pictures/s", ""}, {"model", OK, "warm, judged 0.2 s ago", ""},
			{"recipe", OK, "bare-board, by the configuration", ""},
			{"runtime", OK, "ONNX Runtime 1.24.3", ""}, {"disk", OK, "81 GB of 120 GB free", ""},
			{"broker", OK, "embedded, 1 client", ""},
			{"upstream", Degraded, "the bucket cannot be reached since 14:02", "check the network to s3.factory.example; nothing is lost, 12 boards wait"},
		},
	}}
}

func (b *backend) Status(context.Context) Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.status
	s.Parts = slices.Clone(s.Parts)
	return s
}

func (b *backend) set(change func(*Status)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change(&b.status)
}

func (b *backend) Inspections(_ context.Context, q Query) ([]Record, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := len(b.records)
	if q.Before != "" {
		before = b.row(q.Before)
		if before < 0 {
			return nil, fmt.Errorf("%w: inspection %q", ErrNotFound, q.Before)
		}
	}
	var found []Record
	for n := before - 1; n >= 0 && len(found) < q.Limit; n-- {
		if r := b.records[n]; (q.Verdict == "" || r.Verdict == q.Verdict) && (q.Recipe == "" || r.Recipe == q.Recipe) {
			found = append(found, r)
		}
	}
	return found, nil
}

func (b *backend) row(id string) int {
	for n, r := range b.records {
		if r.ID == id {
			return n
		}
	}
	return -1
}

func (b *backend) Inspection(_ context.Context, id string) (Record, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := b.row(id); n >= 0 {
		return b.records[n], nil
	}
	return Record{}, fmt.Errorf("%w: inspection %q", ErrNotFound, id)
}

type closer struct{ *bytes.Reader }

func (closer) Close() error { return nil }

func (b *backend) Evidence(ctx context.Context, id, kind string) (io.ReadSeekCloser, inspector.Blob, error) {
	r, err := b.Inspection(ctx, id)
	if err != nil {
		return nil, inspector.Blob{}, err
	}
	for _, e := range r.Evidence {
		if e.Kind == kind {
			b.mu.Lock()
			defer b.mu.Unlock()
			return closer{bytes.NewReader(b.blobs[e.Path])}, e, nil
		}
	}
	return nil, inspector.Blob{}, fmt.Errorf("%w: %s of %s", ErrNotFound, kind, id)
}

func (b *backend) Inspect(_ context.Context, t inspector.Trigger, picture []byte) (inspector.Inspection, error) {
	img, format, err := image.Decode(bytes.NewReader(picture))
	if err != nil {
		return inspector.Inspection{}, fmt.Errorf("%w: %d bytes: %w", ErrPicture, len(picture), err)
	}
	b.mu.Lock()
	if n, ok := b.asked[t.Request]; ok && t.Request != "" {
		defer b.mu.Unlock()
		return b.records[n].Inspection, nil
	}
	n := len(b.records)
	id := inspector.ID{Device: "aoi_1", Epoch: "5eed0001", Row: int64(n + 1)}.String()
	i := judge(img)
	i.ID, i.Station, i.Trigger, i.Seq, i.At, i.Serial = id, b.status.Station, t, uint64(n+1), t.At, t.Serial
	i.Recipe, i.Model, i.Runtime = "bare-board", b.status.Model, b.status.Runtime
	i.Timings = inspector.Timings{Wait: 2 * time.Millisecond, Prepare: 3 * time.Millisecond, Infer: 21 * time.Millisecond, Decode: time.Millisecond, Store: 4 * time.Millisecond}
	path := "2026/" + id + ".jpg"
	i.Evidence = []inspector.Blob{{Kind: "image", Path: path, Type: "image/" + format, Size: int64(len(picture)), SHA256: fmt.Sprintf("%x", sha256.Sum256(picture))}}
	b.blobs[path] = picture
	b.records = append(b.records, Record{Inspection: i})
	b.asked[t.Request] = n
	c := &b.status.Counts
	c.Triggers++
	*map[inspector.Verdict]*uint64{inspector.Pass: &c.Pass, inspector.Fail: &c.Fail, inspector.Unsure: &c.Unsure}[i.Verdict]++
	b.mu.Unlock()
	b.server.Publish(i)
	b.server.Show(i.Seq, i.At, picture)
	return i, nil
}

// judge is a whole judge, of a very simple mind.
func judge(img image.Image) inspector.Inspection {
	bounds, light := img.Bounds(), 0
	found := image.Rectangle{}
	for y := bounds.Min.Y; y < bounds.Max.Y; y++ {
		for x := bounds.Min.X; x < bounds.Max.X; x++ {
			r, g, bl, _ := img.At(x, y).RGBA()
			light += int(r+g+bl) >> 8
			if r > 0xb000 && bl > 0xb000 && g < 0x6000 {
				found = found.Union(image.Rect(x, y, x+1, y+1))
			}
		}
	}
	i := inspector.Inspection{Verdict: inspector.Pass, Reason: "no defect above 0.30", Width: bounds.Dx(), Height: bounds.Dy()}
	switch {
	case light/(3*bounds.Dx()*bounds.Dy()) < 12:
		i.Verdict, i.Reason = inspector.Unsure, "the picture is too dark to judge: check the light"
	case !found.Empty():
		box := inspector.Box{Left: float32(found.Min.X - 6), Top: float32(found.Min.Y - 6), Right: float32(found.Max.X + 6), Bottom: float32(found.Max.Y + 6)}
		i.Verdict, i.Reason, i.Score = inspector.Fail, "spurious copper 0.93 is at or above 0.60", .93
		i.Lay = &inspector.Registration{Quality: .97, Right: -2.13, Down: .5, Turn: .25, Scale: 1, Etch: -1}
		i.Defects = []inspector.Defect{{Class: "spurious copper", Score: .93, Box: box}}
	}
	return i
}

func (b *backend) Trigger(ctx context.Context, t inspector.Trigger) (inspector.Inspection, error) {
	b.mu.Lock()
	picture, slow := b.camera, b.slow
	b.mu.Unlock()
	if slow {
		b.waiting.Add(1)
		<-ctx.Done()
		return inspector.Inspection{}, fmt.Errorf("wait for the verdict of request %q: %w", t.Request, ctx.Err())
	}
	if picture == nil {
		return inspector.Inspection{}, fmt.Errorf("%w: no camera", ErrUnavailable)
	}
	return b.Inspect(ctx, t, picture)
}

func (b *backend) Dispose(_ context.Context, id string, d inspector.Disposition) (Record, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.row(id)
	if n < 0 {
		return Record{}, fmt.Errorf("%w: inspection %q", ErrNotFound, id)
	}
	if was := b.records[n].Disposition; was != nil {
		return Record{}, fmt.Errorf("%w: board %s: %s by %s", ErrConflict, id, was.Decision, was.By)
	}
	b.records[n].Disposition = &d
	return b.records[n], nil
}

func (b *backend) Acknowledge(_ context.Context, id string, a inspector.Acknowledgement) (Record, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := b.row(id)
	if n < 0 {
		return Record{}, fmt.Errorf("%w: inspection %q", ErrNotFound, id)
	}
	if b.records[n].Acknowledged == nil {
		b.records[n].Acknowledged = &a
	}
	return b.records[n], nil
}

func (b *backend) Parked(_ context.Context, q ParkedQuery) ([]ParkedTask, string, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	out := []ParkedTask{}
	for _, p := range b.waits {
		if (q.Target == "" || q.Target == p.Target) && strings.Contains(strings.ToLower(p.Reason), strings.ToLower(q.Reason)) {
			out = append(out, p)
		}
	}
	return out, "", nil
}

func (b *backend) Pause(_ context.Context, p Pause) (Pause, error) {
	p.At = noon
	return p, nil
}

func (b *backend) Redrive(ctx context.Context, id string) error {
	if _, err := b.Execution(ctx, id); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.parked {
		return fmt.Errorf("%w: execution %q is not parked", ErrConflict, id)
	}
	b.parked = false
	b.redrive++
	return nil
}

// Act knows one action.
func (b *backend) Act(_ context.Context, action string, body json.RawMessage) (any, error) {
	var in struct{ Name string }
	switch err := json.Unmarshal(body, &in); {
	case action != "StartExecution":
		return nil, fmt.Errorf("%w: action %q", ErrNotFound, action)
	case err != nil:
		return nil, &CodedError{"ValidationException", err}
	case in.Name == "nobody":
		return nil, &CodedError{"StateMachineDoesNotExist", fmt.Errorf("no machine: %w", ErrNotFound)}
	case in.Name == "taken":
		return nil, &CodedError{"ExecutionAlreadyExists", errors.New("taken")}
	}
	return map[string]string{"name": in.Name}, nil
}

func (b *backend) Executions(_ context.Context, q ExecutionQuery) ([]Execution, string, error) {
	status, limit := q.Status, q.Limit
	b.mu.Lock()
	defer b.mu.Unlock()
	var found []Execution
	for n := len(b.records) - 1; n >= 0 && len(found) < limit; n-- {
		if x := b.execution(b.records[n]); status == "" || x.Status == status || status == "PARKED" && x.Parked != "" {
			found = append(found, x)
		}
	}
	return found, "", nil
}

func (b *backend) execution(r Record) Execution {
	x := Execution{ID: r.ID, Machine: "c0ffee", Status: "RUNNING", Started: r.At, States: []string{"Decide"}}
	switch {
	case b.parked:
		x.Parked = "the bucket does not exist"
	case r.Verdict == inspector.Pass || r.Disposition != nil:
		x.Status, x.Stopped, x.States, x.Output = "SUCCEEDED", r.At.Add(time.Second), nil, json.RawMessage(`{"closed":true}`)
	}
	return x
}

func (b *backend) Execution(_ context.Context, id string) (Execution, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if n := b.row(id); n >= 0 {
		return b.execution(b.records[n]), nil
	}
	return Execution{}, fmt.Errorf("%w: execution %q", ErrNotFound, id)
}

func (b *backend) History(ctx context.Context, id string) ([]Event, error) {
	x, err := b.Execution(ctx, id)
	if err != nil {
		return nil, err
	}
	return []Event{{N: 1, Kind: "started", At: x.Started, Input: json.RawMessage(`{"id":"` + id + `"}`)}}, nil
}

func (b *backend) Graph(ctx context.Context, id string) ([]byte, error) {
	if _, err := b.Execution(ctx, id); err != nil {
		return nil, err
	}
	return []byte(`<svg xmlns="http://www.w3.org/2000/svg" width="300" height="200"><style>rect{fill:green}</style><rect width="300" height="200"/></svg>`), nil
}

// site is a running server and its backend.
type site struct {
	*backend
	url string
	log *safeBuffer
}

// start runs a server until the test ends, when it must end well.
func start(t *testing.T, change func(*Options)) site {
	t.Helper()
	b, logged := newBackend(), &safeBuffer{}
	o := Options{Listen: "127.0.0.1:0", Status: b, Archive: b, Line: b, Desk: b, Executions: b, Graphs: b, Parked: b, States: b, Registry: b, Recipes: b, Shadows: b, Log: slog.New(slog.NewTextHandler(logged, nil))}
	if change != nil {
		change(&o)
	}
	b.server = New(o)
	b.server.beat = 20 * time.Millisecond
	addr, err := b.server.Listen()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- b.server.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("Run: %v", err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	return site{b, "http://" + addr.String(), logged}
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// ask sends one request and gives its answer.
func (s site) ask(t *testing.T, method, path, body string, headers ...string) (int, http.Header, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	if h := r.Header.Get("Host"); h != "" {
		r.Host = h
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer.StatusCode, answer.Header, string(b)
}

// pcb draws a small board, with a blob of magenta copper if spoiled.
func pcb(t testing.TB, spoiled bool, shift int) []byte {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, 640, 480))
	fill := func(r image.Rectangle, c color.Color) {
		draw.Draw(img, r, image.NewUniform(c), image.Point{}, draw.Src)
	}
	copper, pad := color.RGBA{46, 139, 87, 255}, color.RGBA{205, 170, 90, 255}
	fill(img.Bounds(), color.RGBA{16, 84, 48, 255})
	for n := range 9 {
		y := 40 + n*48
		fill(image.Rect(30, y, 600, y+9), copper)
		x := 60 + (n*97+shift*53)%480
		fill(image.Rect(x, y, x+9, y+48), copper)
		for k := range 6 {
			px := 50 + k*104
			fill(image.Rect(px-13, y-9, px+13, y+17), pad)
		}
	}
	if spoiled {
		x, y := 120+(shift*131)%360, 90+(shift*77)%280
		fill(image.Rect(x, y, x+34, y+26), color.RGBA{255, 0, 255, 255})
	}
	return encode(t, img)
}

func encode(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 90}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// dark is a picture without light.
func dark(t testing.TB) []byte { return encode(t, image.NewGray(image.Rect(0, 0, 640, 480))) }

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// inFlight is how many triggers have begun to wait.
func (b *backend) inFlight() int { return int(b.waiting.Load()) }
