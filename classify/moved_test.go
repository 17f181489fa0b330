package classify

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"inspector"
	"inspector/board"
)

// Boards that lie askew are judged like boards in place, and their defects are
// marked where they are in the picture.
func TestMovedBoards(t *testing.T) {
	p, session := pcb(t)
	for style, copper := range map[board.Style]Tone{board.Plate: Dark, board.Photo: Bright} {
		var good, bad tally
		for seed := range uint64(4) {
			o := board.Usual(style)
			golden, fine, _ := sampled(t, 1000+seed, o)
			o.Defects = 4
			_, broken, truth := sampled(t, 1000+seed, o)
			c, err := New(p, session, Recipe{Name: "moved", Golden: golden, Copper: copper, Align: true})
			if err != nil {
				t.Fatal(err)
			}
			at := laid(8, -6, 1.5-float64(seed), 1.02-.01*float64(seed), 640)
			for i := range truth {
				truth[i].Box = at.box(truth[i].Box, 640, 640)
			}
			r := c.Classify(t.Context(), displaced(t, fine, at))
			good.add(r, nil)
			if r.Lay == nil || r.Lay.Quality < .8 || r.Lay.Right < 5 || r.Timings.Align <= 0 || r.Timings.Align > r.Timings.Prepare {
				t.Errorf("%s %d: %s: %s, lay %+v, %+v", style, seed, r.Verdict, r.Reason, r.Lay, r.Timings)
			}
			bad.add(c.Classify(t.Context(), displaced(t, broken, at)), truth)
		}
		t.Logf("%s: good %v; bad %v", style, &good, &bad)
		if good.verdicts[inspector.Pass] < 3 || bad.verdicts[inspector.Fail] < 4 || bad.found*10 < bad.defects*8 {
			t.Errorf("%s: good %v; bad %v", style, &good, &bad)
		}
	}
}

// A board that cannot be aligned is unsure, in words for the line.
func TestUnaligned(t *testing.T) {
	p, session := pcb(t)
	golden, px, _ := sampled(t, 1000, board.Options{Style: board.Plate})
	_, other, _ := sampled(t, 2000, board.Options{Style: board.Plate})
	c, err := New(p, session, Recipe{Golden: golden, Copper: Dark, Align: true})
	if err != nil {
		t.Fatal(err)
	}
	r := c.Classify(t.Context(), other)
	if r.Verdict != inspector.Unsure || !strings.HasPrefix(r.Reason, "not judged: the board is not like the golden one") || len(r.Defects) > 0 {
		t.Errorf("%+v", r)
	}
	if r := c.Classify(t.Context(), px); r.Verdict != inspector.Pass {
		t.Errorf("the next board: %+v", r)
	}
}

// The golden board that is most like a board is the one it is compared with.
func TestSeveralGoldens(t *testing.T) {
	p, session := pcb(t)
	first, _, _ := sampled(t, 1000, board.Options{Style: board.Plate})
	second, _, _ := sampled(t, 2000, board.Options{Style: board.Plate})
	for _, align := range []bool{true, false} {
		c, err := New(p, session, Recipe{Golden: first, Goldens: []inspector.Pixels{second}, Copper: Dark, Align: align})
		if err != nil {
			t.Fatal(err)
		}
		for _, which := range []int{1, 0, 1, 1, 0} {
			r := c.Classify(t.Context(), []inspector.Pixels{first, second}[which])
			if r.Verdict != inspector.Pass || align && r.Lay.Golden != which {
				t.Errorf("align %v: board %d: %s: %s, lay %+v", align, which, r.Verdict, r.Reason, r.Lay)
			}
		}
	}
}

// Memory of one board is that of the last.
func TestAlignReusesMemory(t *testing.T) {
	p, session := pcb(t)
	golden, px, _ := sampled(t, 3, board.Options{Style: board.Plate})
	c, err := New(p, session, Recipe{Golden: golden, Copper: Dark, Align: true})
	if err != nil {
		t.Fatal(err)
	}
	for what, p := range map[string]place{"in place": home, "moved": laid(5, 5, .5, 1, 640)} {
		px := displaced(t, px, p)
		in := c.prepare.newInput()
		if err := c.prepare.fill(in, px); err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range 10 {
			if err := c.prepare.fill(in, px); err != nil {
				t.Fatal(err)
			}
		}
		runtime.ReadMemStats(&after)
		if each := (after.TotalAlloc - before.TotalAlloc) / 10; each > 64<<10 {
			t.Errorf("%s: %d bytes a board; want 65536 or fewer", what, each)
		}
	}
}

// Aligning costs a fraction of bare inference, measured by turns in the same
// run: the metric share is align/infer.
func BenchmarkAlign(b *testing.B) {
	p, session := pcb(b)
	o := board.Usual(board.Plate)
	o.Shift, o.Rotate = 0, 0
	golden, px, _ := sampled(b, 1, o)
	_, other, _ := sampled(b, 99, o)
	c, err := New(p, session, Recipe{Golden: golden, Copper: Dark, Align: true})
	if err != nil {
		b.Fatal(err)
	}
	for _, v := range []struct {
		what string
		px   inspector.Pixels
	}{{"in place", px}, {"usual", displaced(b, px, laid(1, -1, .2, 1, 640))}, {"moved", displaced(b, px, laid(8, 8, 1.5, 1.02, 640))}, {"another product", other}} {
		b.Run(v.what, func(b *testing.B) {
			in := c.prepare.newInput()
			out := make([]float32, c.decode.size)
			var align, infer []time.Duration
			for b.Loop() {
				begun := time.Now()
				_, err := c.prepare.overlay(in, v.px)
				align = append(align, time.Since(begun))
				if (err != nil) != (v.what == "another product") {
					b.Fatal(err)
				}
				begun = time.Now()
				if err := session.Run(b.Context(), in.data, out); err != nil {
					b.Fatal(err)
				}
				infer = append(infer, time.Since(begun))
			}
			slices.Sort(align)
			slices.Sort(infer)
			a, i := align[len(align)/2], infer[len(infer)/2]
			b.ReportMetric(a.Seconds()*1000, "align-ms")
			b.ReportMetric(float64(a)/float64(i), "share")
		})
	}
}

func ExampleRegistrationError() {
	fmt.Println(Unsure(&RegistrationError{Reason: "the board lies turned by 180 degrees; turn it round"}).Reason)
	// Output: not judged: the board lies turned by 180 degrees; turn it round
}
