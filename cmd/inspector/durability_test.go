package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"inspector"
	"inspector/notify"
	"inspector/store"
	"inspector/workflow"
	"inspector/workflow/asl"
)

// Kill the process at every journal write and at every effect of the shipped
// workflow in turn, before and after, and start it again: nothing accepted is
// lost, nothing recorded is done again, and an effect is done twice only where
// the kill fell between the deed and its record.
func TestKilledAtEveryPoint(t *testing.T) {
	w := newWitness(t)
	for _, v := range []inspector.Verdict{inspector.Pass, inspector.Fail} {
		for _, point := range w.points(v) {
			t.Run(fmt.Sprint(v, " ", point), func(t *testing.T) {
				w.cut(t, filepath.Join(t.TempDir(), "data"), life{Verdict: v, Cut: point, How: "kill"}, nil)
			})
		}
	}
}

// The same with a disk that is full from that point on, until it is killed and
// has room again.
func TestFullAtEveryPoint(t *testing.T) {
	w := newWitness(t)
	for n, point := range sample(w.points(inspector.Fail)) {
		t.Run(point, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), fmt.Sprint(n))
			if err := os.Mkdir(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=8m"); err != nil {
				t.Skipf("a small file system needs root: %v", err)
			}
			defer func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) }()
			w.cut(t, filepath.Join(dir, "data"), life{Verdict: inspector.Fail, Cut: point, How: "fill"}, func() {
				if err := os.Remove(filepath.Join(dir, "ballast")); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// The same with a file system that forgets at that point whatever it had not
// written out, as in a power cut.
func TestPowerCutAtEveryPoint(t *testing.T) {
	w := newWitness(t)
	format := "ext4"
	if _, err := exec.LookPath("mkfs.xfs"); err == nil {
		format = "xfs"
	}
	image, dir := filepath.Join(t.TempDir(), "disk"), t.TempDir()
	mount := func() error {
		out, err := exec.Command("mount", "-o", "loop", image, dir).CombinedOutput()
		if err != nil {
			err = fmt.Errorf("mount: %w: %s", err, out)
		}
		return err
	}
	unmount := func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Fatalf("umount: %v: %s", err, out)
		}
	}
	for _, command := range [][]string{{"truncate", "-s", "400M", image}, {"mkfs." + format, "-q", image}} {
		if out, err := exec.Command(command[0], command[1:]...).CombinedOutput(); err != nil {
			t.Skipf("%v: %v: %s", command, err, out)
		}
	}
	if err := mount(); err != nil {
		t.Skipf("a disk to cut off needs root and a loop device: %v", err)
	}
	defer unmount()
	for n, point := range sample(w.points(inspector.Fail)) {
		t.Run(point, func(t *testing.T) {
			w.cut(t, filepath.Join(dir, fmt.Sprint("data", n)), life{Verdict: inspector.Fail, Cut: point, How: "power"}, func() {
				unmount()
				if err := mount(); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// Kill it at any moment at all, again and again.
func TestSoakKilledAnywhere(t *testing.T) {
	span, err := time.ParseDuration(os.Getenv("INSPECTOR_SOAK"))
	if err != nil {
		t.Skip("set INSPECTOR_SOAK to a duration")
	}
	w := newWitness(t)
	w.points(inspector.Fail) // how long a whole life takes
	n := 0
	for end := time.Now().Add(span / 4); time.Now().Before(end); n++ {
		w.cut(t, filepath.Join(t.TempDir(), "data"), life{Verdict: inspector.Fail, After: time.Duration(rand.Int64N(int64(w.whole)))}, nil)
		if t.Failed() {
			t.Fatalf("in life %d", n)
		}
	}
	t.Logf("%d lives", n)
}

// sample gives every fourth point, another quarter each day; all in a soak.
func sample(points []string) []string {
	if os.Getenv("INSPECTOR_SOAK") != "" {
		return points
	}
	first := time.Now().YearDay() % 4
	var out []string
	for n := first; n < len(points); n += 4 {
		out = append(out, points[n])
	}
	return out
}

// A witness is the world around the processes that are killed: a broker with a
// subscriber.
type witness struct {
	t      *testing.T
	broker string
	whole  time.Duration // that a life to its end takes

	mu       sync.Mutex
	messages map[string]int // by key
}

func newWitness(t *testing.T) *witness {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	b := notify.NewBroker(notify.BrokerConfig{Listen: "127.0.0.1:0", Dir: t.TempDir()}, log)
	if err := b.Listen(); err != nil {
		t.Fatal(err)
	}
	w := &witness{t: t, broker: "tcp://" + b.Addr().String(), messages: map[string]int{}}
	c := notify.NewClient(notify.Config{URL: w.broker, ClientID: "witness"}, log)
	c.Subscribe("b/#", func(_ context.Context, _ string, payload []byte) {
		var m struct{ Key string }
		if err := json.Unmarshal(payload, &m); err != nil {
			t.Errorf("a message is no JSON: %v", err)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		w.messages[m.Key]++
	})
	ctx, stop := context.WithCancel(context.Background())
	var parts sync.WaitGroup
	parts.Go(func() { _ = b.Run(ctx) })
	parts.Go(func() { _ = c.Run(ctx) })
	t.Cleanup(func() { stop(); parts.Wait() })
	<-c.Tried()
	return w
}

// points are those that a whole life passes.
func (w *witness) points(v inspector.Verdict) []string {
	w.t.Helper()
	dir := w.t.TempDir()
	l := life{Data: filepath.Join(dir, "data"), Verdict: v}
	start := time.Now()
	w.run(w.t, &l, dir, false)
	w.whole = time.Since(start)
	points := readDiary(w.t, l.Diary)["point"]
	slices.Sort(points) // lanes run side by side: their order is not the same in every life
	points = slices.Compact(points)
	if len(points) < 10 {
		w.t.Fatalf("only %d points: nothing would be proven", len(points))
	}
	return points
}

// run lives l; killed says that it must not reach its end.
func (w *witness) run(t *testing.T, l *life, outside string, killed bool) {
	t.Helper()
	l.Diary, l.Upstream, l.Broker = filepath.Join(outside, "diary"), filepath.Join(outside, "upstream"), w.broker
	text, err := json.Marshal(l)
	if err != nil {
		t.Fatal(err)
	}
	rules := filepath.Join(outside, "rules")
	err = errors.Join(os.MkdirAll(rules, 0o700), os.WriteFile(filepath.Join(rules, "all.yaml"), fmt.Appendf(nil, tellAll, filepath.Join(outside, "told")), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, os.Args[0])
	c.Env = append(os.Environ(), lifeOf+"="+string(text))
	out, err := c.CombinedOutput()
	status, _ := c.ProcessState.Sys().(syscall.WaitStatus)
	switch {
	case ctx.Err() != nil:
		t.Fatalf("cut %q: it did not end: %s", l.Cut, out)
	case killed && !(status.Signaled() && status.Signal() == syscall.SIGKILL) && l.After == 0:
		t.Fatalf("cut %q: it was not killed there: %v: %s", l.Cut, err, out)
	case !killed && err != nil:
		t.Fatalf("it did not live to the end: %v: %s", err, out)
	}
}

// cut lives once to the accident, mends what it broke, and lives again.
func (w *witness) cut(t *testing.T, data string, l life, mend func()) {
	t.Helper()
	outside := t.TempDir()
	l.Data = data
	w.run(t, &l, outside, true)
	if mend != nil {
		mend()
	}
	first := readDiary(t, l.Diary)
	events := journalOf(t, data)
	acknowledged := len(first["accepted"]) // which begins its execution
	for _, point := range first["point"] {
		if strings.HasPrefix(point, "after journalling ") && !strings.HasSuffix(point, " delivery") {
			acknowledged++
		}
	}
	if len(events) < acknowledged {
		t.Fatalf("%s: %d of %d acknowledged events are lost", l.Cut, acknowledged-len(events), acknowledged)
	}
	recorded := map[string]bool{} // commands
	for _, e := range events {
		if e.Kind == asl.Succeeded {
			recorded[fmt.Sprint(e.Command)] = true
		}
	}
	w.run(t, &life{Data: data, Verdict: l.Verdict}, outside, false)

	all := readDiary(t, l.Diary)
	second := all["begun"][len(first["begun"]):]
	for _, key := range second {
		if recorded[key[strings.LastIndexByte(key, '/')+1:]] {
			t.Errorf("%s: %s was recorded and was done again", l.Cut, key)
		}
	}
	w.check(t, l, data, outside, all)
}

// check looks at the end: the ledger, the messages, the objects.
func (w *witness) check(t *testing.T, l life, data, outside string, all map[string][]string) {
	t.Helper()
	disk, err := store.Open(t.Context(), data, "aoi_1")
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	boards, err := disk.Inspections(t.Context(), store.Filter{})
	if err != nil || len(boards) != 1 {
		t.Fatalf("%s: %d boards, %v; want one", l.Cut, len(boards), err)
	}
	b := boards[0]
	x, _, err := disk.Load(t.Context(), b.ID)
	if err != nil || x.Status != asl.StatusSucceeded || !b.Closed || l.Verdict == inspector.Fail && (b.Disposition == nil || !b.Quarantined) {
		t.Errorf("%s: ended %s, %v: %+v", l.Cut, x.Status, err, b)
	}
	checkTold(t, l.Cut, filepath.Join(outside, "told"), b.ID)
	begun := map[string]int{}
	for _, key := range all["begun"] {
		begun[key]++
	}
	for key, n := range begun {
		told := strings.Contains(key, "/Publish") || strings.Contains(key, "/Alert/")
		w.mu.Lock()
		heard := w.messages[key]
		w.mu.Unlock()
		if n > 2 && l.How != "fill" || told && (heard < 1 || heard > n) {
			t.Errorf("%s: %s was tried %d times and heard %d times", l.Cut, key, n, heard)
		}
	}
	if want := map[inspector.Verdict]int{inspector.Pass: 4, inspector.Fail: 9}[l.Verdict]; len(begun) != want {
		t.Errorf("%s: the effects %v; want %d of them", l.Cut, slices.Sorted(maps.Keys(begun)), want)
	}
	keys := UpstreamConfig{Prefix: "b"}.keys(b.Inspection)
	at := filepath.Join(outside, "upstream", "boards")
	image, err := os.ReadFile(filepath.Join(at, keys["image"]))
	if err != nil || string(image) != picture || !isFile(t, at, keys["record"]) || l.Verdict == inspector.Fail && !isFile(t, at, keys["overlay"]) {
		t.Errorf("%s: upstream has %d bytes of a picture, %v, or not all of %v", l.Cut, len(image), err, keys)
	}
}

// journalOf gives the events of the one board; none if there is no board.
func journalOf(t *testing.T, data string) []asl.Event {
	t.Helper()
	disk, err := store.Open(t.Context(), data, "aoi_1")
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	boards, err := disk.Inspections(t.Context(), store.Filter{})
	if err != nil || len(boards) == 0 {
		return nil
	}
	_, events, err := disk.Load(t.Context(), boards[0].ID)
	if err != nil && !errors.Is(err, workflow.ErrNotFound) {
		t.Fatal(err)
	}
	return events
}

// readDiary gives the lines by kind.
func readDiary(t *testing.T, name string) map[string][]string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		kind, what, _ := strings.Cut(strings.TrimSpace(line), " ")
		out[kind] = append(out[kind], what)
	}
	return out
}
