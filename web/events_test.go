package web

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"inspector"
)

// sse is an open event stream.
type sse struct {
	t *testing.T
	r *bufio.Scanner
}

func (s site) events(t *testing.T) sse {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+"/api/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); answer.Body.Close() })
	if kind := answer.Header.Get("Content-Type"); answer.StatusCode != http.StatusOK || kind != "text/event-stream" {
		t.Fatalf("%d %q", answer.StatusCode, kind)
	}
	return sse{t, bufio.NewScanner(answer.Body)}
}

// next gives the data of the next event of that name; false at the end.
func (s sse) next(name string) (string, bool) {
	data, ok := s.all(name)[name]
	return data, ok
}

// all gives the data of the next event of each name, until there is one of all.
func (s sse) all(names ...string) map[string]string {
	data := map[string]string{}
	for len(data) < len(names) && s.r.Scan() {
		name, ok := strings.CutPrefix(s.r.Text(), "event: ")
		if _, again := data[name]; ok && !again && slices.Contains(names, name) && s.r.Scan() {
			data[name] = strings.TrimPrefix(s.r.Text(), "data: ")
		}
	}
	return data
}

func TestEventsTellOfBoardsAndPictures(t *testing.T) {
	s := start(t, nil)
	e := s.events(t)
	var first report
	if data, ok := e.next("status"); !ok || json.Unmarshal([]byte(data), &first) != nil || !first.Ready || first.Recipe != "bare-board" {
		t.Fatalf("the first event is %q", data)
	}
	if !s.server.Watched() {
		t.Error("a page is open and nobody watches?")
	}
	judgeOne(t, s, pcb(t, true, 1), "PCB-1")
	told := e.all("inspection", "picture") // in either order
	var got Record
	if err := json.Unmarshal([]byte(told["inspection"]), &got); err != nil || got.Serial != "PCB-1" || got.Verdict != inspector.Fail {
		t.Fatalf("%v: %s", err, told["inspection"])
	}
	if told["picture"] != `{"seq":1}` {
		t.Errorf("picture %s", told["picture"])
	}
	code, header, body := s.ask(t, "GET", "/api/v1/live.jpg?n=1", "")
	if code != http.StatusOK || header.Get("Picture-Seq") != "1" || !bytes.Equal([]byte(body), pcb(t, true, 1)) {
		t.Errorf("%d, picture %s of %d bytes", code, header.Get("Picture-Seq"), len(body))
	}
	s.set(func(st *Status) { st.Parts[0].State, st.Parts[0].Detail = Down, "the cable is out" })
	for {
		data, ok := e.next("status")
		if !ok {
			t.Fatal("never told that the camera is gone")
		}
		if strings.Contains(data, "the cable is out") && strings.Contains(data, `"ready":false`) {
			break
		}
	}
}

func TestDecisionsReachOtherPages(t *testing.T) {
	s := start(t, nil)
	judgeOne(t, s, pcb(t, true, 1), "PCB-1")
	e := s.events(t)
	if code, _, body := s.ask(t, "POST", "/api/v1/inspections/aoi_1-5eed0001-1/disposition", `{"decision":"rework","by":"Ana"}`, "Content-Type", "application/json"); code != http.StatusOK {
		t.Fatalf("%d %s", code, body)
	}
	if data, _ := e.next("inspection"); !strings.Contains(data, `"decision":"rework"`) {
		t.Errorf("told %s", data)
	}
	if code, _, body := s.ask(t, "GET", "/metrics", ""); code != 200 || !strings.Contains(body, `inspector_verdicts_total{recipe="bare-board",verdict="fail"} 1`) {
		t.Errorf("a decision was counted as a verdict, or the verdict was not: %s", body)
	}
}

func TestSlowReaderIsDroppedAndOthersAreNot(t *testing.T) {
	var h hub
	slow, err := h.join()
	if err != nil {
		t.Fatal(err)
	}
	fast, err := h.join()
	if err != nil {
		t.Fatal(err)
	}
	for n := range 2 * backlog {
		h.send(fmt.Appendf(nil, "%d", n)) // must not block
		if b := <-fast.events; string(b) != fmt.Sprint(n) {
			t.Fatalf("the fast reader got %s, not %d", b, n)
		}
	}
	if h.count() != 1 {
		t.Fatalf("%d readers are left, want 1", h.count())
	}
	got := 0
	for range slow.events {
		got++
	}
	if got != backlog {
		t.Errorf("the slow reader got %d events, want %d", got, backlog)
	}
	h.leave(slow) // its stream ends after it was dropped
	h.leave(fast)
	if h.count() != 0 {
		t.Error("a reader that left is still there")
	}
}

func TestNewestPictureWins(t *testing.T) {
	s := New(Options{Log: discard()})
	r, err := s.hub.join()
	if err != nil {
		t.Fatal(err)
	}
	for n := range uint64(1000) {
		s.Show(n, time.Time{}, nil)
	}
	if b := <-r.picture; !strings.Contains(string(b), `"seq":999}`) {
		t.Errorf("got %s", b)
	}
	if len(r.picture) != 0 || s.live.Load().seq != 999 {
		t.Error("an old picture is left")
	}
}

func TestStreamsAreBounded(t *testing.T) {
	var h hub
	for range maxReaders {
		if _, err := h.join(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.join(); !errors.Is(err, ErrUnavailable) {
		t.Errorf("one too many: %v", err)
	}
	h.close()
	if _, err := h.join(); !errors.Is(err, ErrUnavailable) {
		t.Errorf("after the end: %v", err)
	}
}

func TestStreamKeepsAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var h hub
		r, err := h.join()
		if err != nil {
			t.Fatal(err)
		}
		var out safeBuffer
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { stream(ctx, &out, r); close(ended) }()
		time.Sleep(keepAlive - time.Second)
		h.send(frame("inspection", []byte("{}")))
		time.Sleep(2*keepAlive + time.Second)
		synctest.Wait()
		if want := "event: inspection\ndata: {}\n\n: keep-alive\n\n: keep-alive\n\n"; out.String() != want {
			t.Errorf("%q, want %q", out.String(), want)
		}
		cancel()
		<-ended
	})
}

func TestStreamEndsWhenItsReaderCannotBeReached(t *testing.T) {
	var h hub
	r, err := h.join()
	if err != nil {
		t.Fatal(err)
	}
	h.send([]byte("x"))
	stream(t.Context(), flusher(func([]byte) (int, error) { return 0, io.ErrClosedPipe }), r)
}

// What the pages add to encoding and counting a board for none.
func BenchmarkFanOut(b *testing.B) {
	i := inspector.Inspection{ID: "aoi_1-5eed0001-1", Verdict: inspector.Fail, Defects: make([]inspector.Defect, 8)}
	var base float64
	for _, pages := range []int{0, 1, maxReaders} {
		b.Run(fmt.Sprintf("pages=%d", pages), func(b *testing.B) {
			s := New(Options{Log: discard()})
			readers := make([]*reader, pages)
			for n := range readers {
				var err error
				if readers[n], err = s.hub.join(); err != nil {
					b.Fatal(err)
				}
			}
			for b.Loop() {
				s.Publish(i)
				for _, r := range readers {
					<-r.events
				}
			}
			each := float64(b.Elapsed().Nanoseconds()) / float64(b.N)
			if pages == 0 {
				base = each
			}
			b.ReportMetric(each/base, "x-no-page")
		})
	}
}
