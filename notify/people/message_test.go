package people

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"inspector"
)

func TestOfBoard(t *testing.T) {
	unsure, passed, odd := failed(2), failed(3), failed(4)
	unsure.Verdict, unsure.Serial, unsure.Defects, unsure.Evidence = inspector.Unsure, "", nil, nil
	passed.Verdict, passed.Defects = inspector.Pass, nil
	odd.Verdict = "maybe"
	for _, c := range []struct {
		board    inspector.Inspection
		title    string
		severity Severity
		links    int
	}{
		{failed(1), "Board SN-000001 failed: 1 open, 1 short", Fail, 2},
		{unsure, "Board inspector1-5f3a9c01-2 is unsure: a person must look", Unsure, 1},
		{passed, "Board SN-000003 passed", Info, 2},
		{odd, "Board SN-000004 is unsure: a person must look: 1 open, 1 short", Unsure, 2},
	} {
		m := OfBoard(c.board, "k", page)
		if m.Title != c.title || m.Severity != c.severity || len(m.Links) != c.links || m.Board.Verdict == "maybe" || m.Where != "berlin / smt2 / inspector1" {
			t.Errorf("%s: %+v", c.title, m)
		}
	}
	m := message(1)
	if m.Links[0].URL != "http://192.0.2.10:8080/#inspector1-5f3a9c01-1" || m.Board.Defects[0] != (Defect{"short", 0.97, 402, 118, 29, 22}) {
		t.Errorf("%+v", m)
	}
	if m = OfBoard(failed(1), "k", ""); len(m.Links) != 0 {
		t.Errorf("without a page: %v", m.Links)
	}
}

// The worst board still is a short message of whole lines.
func TestMessageBounds(t *testing.T) {
	nan := float32(math.NaN())
	ugly := strings.Repeat("<!channel>\r\nBcc: x@example.com\x00\xff\u202E", 500)
	i := inspector.Inspection{ID: ugly, Station: inspector.Station{Site: ugly, Line: ugly, Device: ugly}, Serial: ugly, Recipe: ugly, Model: ugly, Verdict: inspector.Fail, Reason: ugly, Score: nan}
	for range 5000 {
		i.Defects = append(i.Defects, inspector.Defect{Class: ugly, Score: nan, Box: inspector.Box{Left: nan, Top: float32(math.Inf(1))}})
	}
	b, err := json.Marshal(OfBoard(i, "k", "").Say(ugly, ugly))
	if err != nil || len(b) > 16<<10 || !utf8.Valid(b) {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	for _, never := range []string{`\r`, `\u0000`, "\u202e", `\u202e`} {
		if strings.Contains(strings.ToLower(string(b)), never) {
			t.Errorf("%q is in it", never)
		}
	}
}

func TestOfEvent(t *testing.T) {
	station := failed(1).Station
	for _, c := range []struct {
		event, title string
		severity     Severity
	}{
		{`{"detail-type":"Camera State Change","time":"2026-03-04T05:06:07Z","detail":{"state":"lost","before":"delivering","error":"no frame"}}`, "Camera State Change: lost", Trouble},
		{`{"detail-type":"Storage Health Change","detail":{"state":"ok"}}`, "Storage Health Change: ok", Info},
		{`{"detail-type":"Model Changed","detail":{"action":"promote","model":"pcb","to":"2"}}`, "Model Changed: promote, pcb", Info},
		{`{"detail-type":"Step Functions Execution Status Change","detail":{"status":"FAILED","name":"x1","cause":"why"}}`, "Step Functions Execution Status Change: FAILED, x1", Trouble},
		{`{"detail-type":"Inspection Judged","detail":{"inspection":"d-0-1","verdict":"fail","serial":"S","reason":"r","score":0.9}}`, "Board S failed", Fail},
		{`{"detail-type":"Inspection Judged","detail":{"inspection":"d-0-1","verdict":"unsure"}}`, "Board d-0-1 is unsure: a person must look", Unsure},
	} {
		e, err := ReadEvent([]byte(c.event))
		if err != nil {
			t.Fatal(err)
		}
		if m := OfEvent(e, station, "k", page); m.Title != c.title || m.Severity != c.severity || e.Severity() != c.severity || m.Where == "" {
			t.Errorf("%s: %+v", c.event, m)
		}
	}
	for _, bad := range []string{``, `[]`, `{}`, `{"detail-type":7}`} {
		if _, err := ReadEvent([]byte(bad)); err == nil {
			t.Errorf("%q is an event", bad)
		}
	}
}

func FuzzOfEvent(f *testing.F) {
	f.Add([]byte(`{"detail-type":"Camera State Change","time":"2026-03-04T05:06:07Z","detail":{"state":"lost","n":1e300,"b":true,"s":"<x>"}}`))
	f.Fuzz(func(t *testing.T, raw []byte) {
		e, err := ReadEvent(raw)
		if err != nil {
			return
		}
		m := OfEvent(e, inspector.Station{}, "k", page)
		l, err := OpenLayout(V1, "")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{slackFile, textFile, htmlFile, subjectFile} {
			if out, err := l.render(name, m); err != nil || !utf8.ValidString(out) {
				t.Fatalf("%s: %v", name, err)
			}
		}
	})
}

func TestDigest(t *testing.T) {
	all := []Message{}
	for n := range 3000 {
		all = append(all, message(n))
	}
	unsure := failed(5000)
	unsure.Verdict, unsure.Recipe = inspector.Unsure, "other-board"
	all = append(all, OfBoard(unsure, "u", page))
	all[7].Reminder, all[8].Reminder = 1, 1
	m := DigestOf(all, ByRecipe, page)
	if m.Title != "3000 boards failed, 1 board is unsure (2 not acknowledged yet)" || m.Severity != Fail || m.Reminder != 0 {
		t.Errorf("%+v", m)
	}
	d := m.Digest
	if d.Count != 3001 || len(d.Items) != 10 || d.Left != 2991 || len(d.Keys) != 1000 || len(d.Sections) != 2 || d.Sections[0] != (Section{"main-board-b", 3000}) {
		t.Errorf("%+v", d)
	}
	if d.Items[0].Title != "Board SN-002999 failed: 1 open, 1 short" {
		t.Errorf("the newest is not first: %+v", d.Items[0])
	}
	if again := DigestOf(all, ByRecipe, page); again.Key != m.Key {
		t.Error("a repeat has another key")
	}
	if less := DigestOf(all[1:], ByRecipe, page); less.Key == m.Key {
		t.Error("another digest has the same key")
	}
	if one := DigestOf(all[:1], ByRecipe, page); one.Key != all[0].Key || one.Kind != KindBoard {
		t.Errorf("of one: %+v", one)
	}
	if by := DigestOf(all, ByDefect, page).Digest.Sections; len(by) != 2 || by[0].Count != 3001 {
		t.Errorf("by defect: %v", by)
	}
	began := time.Now()
	DigestOf(all, ByRecipe, page)
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("a digest of %d took %v", len(all), took)
	}
}
