package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"inspector"
	"inspector/classify"
	"inspector/notify"
	"inspector/store"
	"inspector/workflow"
)

// A load is a board as it comes to the disk.
type load struct {
	name    string
	verdict inspector.Verdict
	picture bool
	online  bool // its deliveries are done, and a person decided
}

// capacityBoards is how many boards a measurement takes.
func capacityBoards() int64 {
	if os.Getenv("INSPECTOR_CAPACITY") == "write" {
		return 500
	}
	return 60
}

// room is what a data directory takes: pages of the database that are in use,
// and files of evidence, quarantined copies included.
func room(t *testing.T, dir string) (database, evidence int64) {
	t.Helper()
	db, err := sql.Open("sqlite3", "file:"+filepath.Join(dir, "inspector.db")+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRowContext(t.Context(), `SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size`).Scan(&database); err != nil {
		t.Fatal(err)
	}
	for _, folder := range []string{"evidence", "quarantine"} {
		err := filepath.WalkDir(filepath.Join(dir, folder), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			var st syscall.Stat_t
			if err := syscall.Stat(path, &st); err != nil {
				return err
			}
			evidence += st.Blocks * 512
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return database, evidence
}

// measured is what one board of the load takes, and what of it stays for ever.
func (l load) measured(t *testing.T, still []byte) (database, evidence, kept int64) {
	t.Helper()
	dir, c := t.TempDir(), defaults()
	disk, err := store.Open(t.Context(), dir, c.Station.Device)
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	e := workflow.New(disk, slog.New(slog.DiscardHandler), workflow.Options{})
	hash, err := e.Ship(t.Context(), workflow.InspectionMachine, workflow.Inspection)
	if err != nil {
		t.Fatal(err)
	}
	own := &tasks{store: disk}
	e.Handle(quarantine, 4, own.quarantine)
	e.Handle(review, 4, own.review)
	e.Handle(closeBoard, 4, own.close)
	for _, away := range []string{publishAlert, publishResult, putObject, sendMessage} {
		e.Handle(away, 4, func(ctx context.Context, _ workflow.Task) (json.RawMessage, error) {
			if l.online {
				return json.RawMessage(`{"ETag":"\"0123456789abcdef0123456789abcdef\"","MessageId":"0b8f6f2e-6f2c-4f0e-9d6e-8f5a4f5d1c2b"}`), nil
			}
			<-ctx.Done() // nobody answers
			return nil, ctx.Err()
		})
	}
	topics, err := notify.TopicsOf(c.MQTT.Root, c.Station)
	if err != nil {
		t.Fatal(err)
	}
	settle := func() {
		if err := disk.Checkpoint(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	settle()
	before, _ := room(t, dir)
	var ids []string
	for n := range capacityBoards() {
		i := inspector.Inspection{
			ID: disk.NextID().String(), Station: c.Station, Trigger: inspector.Trigger{Source: "free-run", At: time.Now()}, Seq: uint64(n + 1), At: time.Now().UTC(), Recipe: c.Recipe, Serial: fmt.Sprintf("SN-%07d", n),
			Model: "pcb/2.1.0@5e455b3e1694f7d7", Runtime: "onnxruntime 1.24.3", Verdict: l.verdict, Reason: "open 0.93 is 0.7 or more", Score: .93, Width: 640, Height: 640,
		}
		var pictures []store.Evidence
		if l.picture {
			pictures = []store.Evidence{{Kind: "image", Type: "image/jpeg", Data: still}}
		}
		if l.verdict != inspector.Pass {
			i.Defects = []inspector.Defect{{Class: "open", Score: .93, Box: inspector.Box{Left: 10, Top: 20, Right: 40, Bottom: 60}}, {Class: "short", Score: .81, Box: inspector.Box{Left: 110, Top: 120, Right: 140, Bottom: 160}}}
		}
		i, err := disk.Accept(t.Context(), i, pictures, func(i inspector.Inspection) ([]workflow.Transition, error) { return begin(e, hash, c, topics, i) })
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, i.ID)
	}
	l.work(t, disk, e, ids)
	settle()
	database, evidence = room(t, dir)
	if _, err := disk.Sweep(t.Context(), time.Now().Add(time.Hour), store.Retention{Passes: 1, Others: 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := disk.Prune(t.Context(), time.Now().Add(time.Hour), 1); err != nil {
		t.Fatal(err)
	}
	settle()
	left, files := room(t, dir)
	return (database - before) / capacityBoards(), evidence / capacityBoards(), (left - before + files) / capacityBoards()
}

// work runs the engine until the boards wait for nobody but who is away.
func (l load) work(t *testing.T, disk *store.Store, e *workflow.Engine, ids []string) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	deadline, tick := time.Now().Add(time.Minute), time.NewTicker(5*time.Millisecond)
	defer tick.Stop()
	until := func(status string) {
		left := slices.Clone(ids)
		for len(left) > 0 {
			r, err := disk.Inspection(t.Context(), left[0])
			switch {
			case err != nil:
				t.Fatal(err)
			case status == "closed" && r.Closed || status == "quarantined" && r.Quarantined:
				left = left[1:]
				continue
			case time.Now().After(deadline):
				t.Fatalf("%s: not all boards are %s", l.name, status)
			}
			<-tick.C
		}
	}
	if l.verdict != inspector.Pass {
		until("quarantined")
	}
	if l.online {
		for _, id := range ids {
			if l.verdict == inspector.Pass {
				continue
			}
			for {
				token, err := e.Token(t.Context(), id, reviewState)
				if err == nil {
					err = e.SendTaskSuccess(t.Context(), token, json.RawMessage(`{"decision":"scrap","by":"Ana","at":"2026-03-04T05:06:07Z"}`))
				}
				if err == nil {
					break
				}
				if time.Now().After(deadline) {
					t.Fatal(err)
				}
				<-tick.C
			}
		}
		until("closed")
	}
	cancel()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

var capacityTable = regexp.MustCompile(`(?s)(<!-- capacity: .*? -->\n).*?(<!-- end -->)`)

// The table of docs/delivery.md that says how far a disk goes is what is
// measured. INSPECTOR_CAPACITY=write writes it anew.
func TestCapacity(t *testing.T) {
	p, _, err := newSimulation(SimulatedConfig{Seed: 1, Style: "photo"}).still(0)
	if err != nil {
		t.Fatal(err)
	}
	still, err := classify.JPEG(p, defaults().Evidence.Quality)
	if err != nil {
		t.Fatal(err)
	}
	var table bytes.Buffer
	fmt.Fprintf(&table, "| board (640 x 640, JPEG of %s) | database | pictures | boards in 1 GB | a week at one a second | for ever |\n|---|---|---|---|---|---|\n", bytesWords(int64(len(still))))
	for _, l := range []load{
		{"pass, not delivered", inspector.Pass, false, false}, {"pass, delivered", inspector.Pass, false, true},
		{"pass with its picture (`evidence.passes`), not delivered", inspector.Pass, true, false}, {"fail or unsure, not delivered", inspector.Fail, true, false},
		{"fail or unsure, delivered and decided", inspector.Fail, true, true},
	} {
		database, evidence, kept := l.measured(t, still)
		forever := "–"
		if l.online {
			forever = bytesWords(kept)
		}
		all := database + evidence
		fmt.Fprintf(&table, "| %s | %s | %s | %d | %s | %s |\n", l.name, bytesWords(database), bytesWords(evidence), roundTo(1e9/all), bytesWords(all*7*24*3600), forever)
		if database <= 0 || l.picture != (evidence > 0) || !l.online && kept < all/2 || l.online && kept >= all {
			t.Errorf("%s: %d in the database, %d of evidence, %d for ever", l.name, database, evidence, kept)
		}
	}
	file := filepath.Join("..", "..", "docs", "delivery.md")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	have := capacityTable.Find(text)
	if os.Getenv("INSPECTOR_CAPACITY") == "write" {
		text = capacityTable.ReplaceAll(text, []byte("${1}"+table.String()+"${2}"))
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !nearly(string(have), table.String()) {
		t.Errorf("the table of %s is not what is measured (INSPECTOR_CAPACITY=write makes it anew):\n%s\n%s", file, have, table.String())
	}
}

// roundTo is n with two digits that say something.
func roundTo(n int64) int64 {
	for unit := int64(1); ; unit *= 10 {
		if n/unit < 100 {
			return n / unit * unit
		}
	}
}

var figure = regexp.MustCompile(`([0-9]+(?:\.[0-9]+)?) (kB|MB|GB|bytes)`)

// nearly reports whether each size of two tables is about the other: few boards fill
// pages of the database less evenly than many.
func nearly(a, b string) bool {
	x, y := figure.FindAllStringSubmatch(a, -1), figure.FindAllStringSubmatch(b, -1)
	if len(x) != len(y) || len(x) == 0 {
		return false
	}
	units := map[string]float64{"bytes": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9}
	for n := range x {
		v, _ := strconv.ParseFloat(x[n][1], 64)
		w, _ := strconv.ParseFloat(y[n][1], 64)
		if v, w = v*units[x[n][2]], w*units[y[n][2]]; v > 1.6*w+512 || w > 1.6*v+512 {
			return false
		}
	}
	return true
}

func TestNearly(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{{"1.0 kB", "1.1 kB", true}, {"10.0 kB", "20.0 kB", false}, {"999 bytes", "1.0 kB", true}, {"1.0 kB 2 GB", "1.0 kB", false}, {"", "", false}} {
		if nearly(c.a, c.b) != c.want {
			t.Errorf("%q and %q: want %v", c.a, c.b, c.want)
		}
	}
	if have := strings.Join([]string{fmt.Sprint(roundTo(123456)), fmt.Sprint(roundTo(99)), fmt.Sprint(roundTo(7))}, " "); have != "120000 99 7" {
		t.Error(have)
	}
}
