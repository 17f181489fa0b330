package classify

import (
	"errors"
	"math/rand/v2"
	"testing"

	"inspector"
	"inspector/board"
)

// flat is a plate of w x h with laminate where paint says so.
func flat(w, h int, laminate func(x, y int) bool) inspector.Pixels {
	px := inspector.Pixels{Width: w, Height: h, Channels: 1, Stride: w, Data: make([]byte, w*h)}
	for i := range px.Data {
		if laminate(i%w, i/w) {
			px.Data[i] = 255
		}
	}
	return px
}

// pieces counts the connected pieces of one value: with corners, or edges only.
func pieces(px inspector.Pixels, v byte, corners bool) (n int) {
	seen := make([]bool, len(px.Data))
	for start, have := range px.Data {
		if have != v || seen[start] {
			continue
		}
		n++
		seen[start] = true
		for stack := []int{start}; len(stack) > 0; {
			i := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			for dy := -1; dy <= 1; dy++ {
				for dx := -1; dx <= 1; dx++ {
					x, y := i%px.Width+dx, i/px.Width+dy
					if dx != 0 && dy != 0 && !corners || x < 0 || y < 0 || x >= px.Width || y >= px.Height {
						continue
					}
					if j := y*px.Width + x; px.Data[j] == v && !seen[j] {
						seen[j] = true
						stack = append(stack, j)
					}
				}
			}
		}
	}
	return n
}

func TestEtchingsJoinAndPartNothing(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	golden, _, _ := sampled(t, 1000, board.Options{Style: board.Plate})
	for name, px := range map[string]inspector.Pixels{
		"board": golden,
		"noise": flat(97, 61, func(int, int) bool { return r.IntN(2) == 0 }),
		"gap":   flat(40, 40, func(x, _ int) bool { return x == 17 || x == 20 || x > 30 }),
	} {
		all, err := etchings(px, MostEtch)
		if err != nil {
			t.Fatal(err)
		}
		copper, laminate := pieces(px, 0, true), pieces(px, 255, false)
		for i, e := range all {
			if got := [2]int{pieces(e.px, 0, true), pieces(e.px, 255, false)}; got != [2]int{copper, laminate} {
				t.Errorf("%s: %+d: %d pieces of copper and laminate; want %d and %d", name, i-MostEtch, got, copper, laminate)
			}
			if i > 0 && e.copper <= all[i-1].copper && name != "noise" {
				t.Errorf("%s: %+d: %d pixels of copper, no more than %d", name, i-MostEtch, e.copper, all[i-1].copper)
			}
		}
		if &all[MostEtch].px.Data[0] != &px.Data[0] {
			t.Errorf("%s: the middle is another plate", name)
		}
	}
}

func TestEtchingsMoveEdges(t *testing.T) {
	all, err := etchings(flat(60, 50, func(x, _ int) bool { return x >= 20 && x < 40 }), MostEtch)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range all {
		by := i - MostEtch
		for y := 1; y < 49; y++ {
			left, width := -1, 0
			for x := range 60 {
				if e.px.Data[y*60+x] != 0 {
					if width++; left < 0 {
						left = x
					}
				}
			}
			if left != 20+by || width != 20-2*by {
				t.Fatalf("%+d: row %d: laminate from %d, %d wide", by, y, left, width)
			}
		}
	}
}

// simple agrees with counting what hangs together around the pixel, before and
// after.
func TestSimple(t *testing.T) {
	for around := range 256 {
		px := flat(3, 3, func(int, int) bool { return true })
		for i, at := range [8]int{5, 8, 7, 6, 3, 0, 1, 2} {
			if around>>i&1 != 0 {
				px.Data[at] = 0
			}
		}
		if got := neighbours(px, 4); got != uint8(around) {
			t.Fatalf("neighbours %08b; want %08b", got, around)
		}
		laminate := [2]int{pieces(px, 0, true), pieces(px, 255, false)}
		px.Data[4] = 0
		copper := [2]int{pieces(px, 0, true), pieces(px, 255, false)}
		if want := laminate == copper; simple(uint8(around)) != want {
			t.Errorf("%08b: simple %v; pieces %v as laminate and %v as copper", around, !want, laminate, copper)
		}
	}
}

// Copper that is wider or narrower all over is no defect.
func TestEtchIsCompensated(t *testing.T) {
	p, session := pcb(t)
	var differ [2]int
	for _, etch := range []int{0, 1} {
		passed := map[int]int{}
		for seed := range uint64(4) {
			golden, _, _ := sampled(t, 1000+seed, board.Options{Style: board.Plate})
			c, err := New(p, session, Recipe{Golden: golden, Copper: Dark, Align: true, Etch: etch})
			if err != nil {
				t.Fatal(err)
			}
			for grow := -1; grow <= 1; grow++ {
				px, err := board.View{Grow: grow, Blur: .7, Noise: 3}.Of(golden.Data, 640, seed)
				if err != nil {
					t.Fatal(err)
				}
				in, err := c.Prepare(px)
				if err != nil {
					t.Fatal(err)
				}
				for i := range 640 * 640 {
					if grow != 0 && in.data[i] != in.data[640*640+i] {
						differ[etch]++
					}
				}
				recycle(c.inputs, in) // which holds this golden board for the next one
				r := c.Classify(t.Context(), px)
				if r.Verdict == inspector.Pass {
					passed[grow]++
				}
				if r.Lay == nil || r.Lay.Etch != float32(grow*etch) {
					t.Errorf("etch %d, board %d, grown by %d: %s: %s, lay %+v", etch, seed, grow, r.Verdict, r.Reason, r.Lay)
				}
			}
		}
		t.Logf("etch %d: of 4 good boards passed, by growth: %v", etch, passed)
		if passed[0] != 4 || etch == 1 && (passed[1] < 4 || passed[-1] < 4) {
			t.Errorf("etch %d: of 4 good boards passed, by growth: %v", etch, passed)
		}
	}
	if differ[1]*2 > differ[0] {
		t.Errorf("%d pixels of boards and their golden ones differ; %d uncompensated", differ[1], differ[0])
	}
}

func TestEtchOfOneBlob(t *testing.T) {
	golden, _, _ := sampled(t, 1000, board.Options{Style: board.Plate})
	all, err := etchings(golden, 1)
	if err != nil {
		t.Fatal(err)
	}
	g := reference{px: golden, etched: all}
	for name, blob := range map[string]struct{ copper, want int }{"none": {0, 0}, "flood": {200, 0}} {
		px := golden
		px.Data = append([]byte(nil), golden.Data...)
		for y := range blob.copper {
			clear(px.Data[y*640 : y*640+blob.copper])
		}
		if got, err := g.etchOf(px); got != blob.want || err != nil {
			t.Errorf("%s: %d, %v; want %d", name, got, err, blob.want)
		}
	}
}

func TestLay(t *testing.T) {
	golden, px, truth := sampled(t, 1001, board.Options{Style: board.Plate, Defects: 4})
	at := laid(5, -4, 1, 1.01, 640)
	moved := displaced(t, px, at)
	for i, v := range moved.Data { // two values again
		moved.Data[i] = byte(int8(v>>7) * -1)
	}
	l, err := Lay(moved, golden, 1)
	if err != nil {
		t.Fatal(err)
	}
	off := 0
	for i, v := range l.Tested.Data {
		if v != px.Data[i] {
			off++
		}
	}
	if off > len(px.Data)/100 {
		t.Errorf("%d pixels differ from the board that was not moved", off)
	}
	for _, d := range truth {
		b := l.Box(at.box(d.Box, 640, 640))
		for _, v := range []float32{b.Left - d.Box.Left, b.Top - d.Box.Top, b.Right - d.Box.Right, b.Bottom - d.Box.Bottom} {
			if v < -2 || v > 2 {
				t.Errorf("box %v; want %v", b, d.Box)
				break
			}
		}
	}
	other, _, _ := sampled(t, 2000, board.Options{Style: board.Plate})
	var off2 *RegistrationError
	if _, err := Lay(other, golden, 1); !errors.As(err, &off2) {
		t.Errorf("another product: %v", err)
	}
}

// Of a gap and of a trace a pixel is left, however the rest is etched.
func TestEtchLeavesGapsAndTraces(t *testing.T) {
	for _, laminate := range []bool{true, false} { // a gap, else a trace
		for width := 1; width <= 9; width++ {
			inside := func(x, y int) bool { return x >= 50 && x < 50+width }
			golden := flat(120, 80, func(x, y int) bool { return inside(x, y) == laminate })
			all, err := etchings(golden, MostEtch)
			if err != nil {
				t.Fatal(err)
			}
			for i, e := range all {
				left := 0
				for x := range 120 {
					if (e.px.Data[40*120+x] != 0) == laminate {
						left++
					}
				}
				by := i - MostEtch
				if !laminate {
					by = -by
				}
				if want := max(width-2*by, 1); left != want {
					t.Errorf("laminate %v, %d wide, etched by %d: %d left", laminate, width, by, left)
				}
			}
		}
	}
}

// A defect is found as often on a board that is etched.
func TestEtchHidesNoDefect(t *testing.T) {
	p, session := pcb(t)
	passed := map[[2]int]int{}
	for seed := range uint64(12) {
		golden, _, _ := sampled(t, 1000+seed%3, board.Options{Style: board.Plate})
		_, px, truth := sampled(t, 1000+seed%3, board.Options{Style: board.Plate, Defects: 1, Rough: .3})
		if seed >= 3 {
			var err error
			if px, truth, err = boards[1000+seed%3].Sample(seed, board.Options{Style: board.Plate, Defects: 1, Rough: .3}); err != nil {
				t.Fatal(err)
			}
		}
		for _, etch := range []int{0, 1} {
			c, err := New(p, session, Recipe{Golden: golden, Copper: Dark, Align: true, Etch: etch})
			if err != nil {
				t.Fatal(err)
			}
			for _, grow := range []int{-1, 1} {
				view, err := board.View{Grow: grow, Blur: .7, Noise: 3}.Of(px.Data, 640, seed)
				if err != nil {
					t.Fatal(err)
				}
				if r := c.Classify(t.Context(), view); r.Verdict == inspector.Pass && len(truth) > 0 {
					passed[[2]int{etch, grow}]++
				}
			}
		}
	}
	t.Logf("of 12 boards with a defect passed, by etch and growth: %v", passed)
	for _, grow := range []int{-1, 1} {
		if passed[[2]int{1, grow}] > passed[[2]int{0, grow}] || passed[[2]int{1, grow}] > 1 {
			t.Errorf("grown by %d: %d boards with a defect pass; %d uncompensated", grow, passed[[2]int{1, grow}], passed[[2]int{0, grow}])
		}
	}
}

// A long gap that closes does not pass on an etched board either.
func TestEtchHidesNoClosedGap(t *testing.T) {
	p, session := pcb(t)
	for width := 4; width <= 10; width++ {
		golden := flat(640, 640, func(x, y int) bool { // pads, and a slit between two areas
			switch {
			case x < 260 || x >= 340:
				return x%53 > 22 || y%47 > 19 || (x/53+y/47)%3 == 0 || x > 250 && x < 350
			case x >= 300 && x < 300+width:
				return y < 100 || y >= 250 && y < 390
			}
			return y < 100
		})
		var verdicts [2]inspector.Verdict
		for etch := range verdicts {
			c, err := New(p, session, Recipe{Golden: golden, Copper: Dark, Align: true, Etch: etch})
			if err != nil {
				t.Fatal(err)
			}
			px, err := board.View{Grow: 1, Blur: .7, Noise: 3}.Of(golden.Data, 640, 1)
			if err != nil {
				t.Fatal(err)
			}
			for y := 250; y < 390; y++ {
				for x := 295; x < 315; x++ {
					px.Data[y*640+x] = 60
				}
			}
			r := c.Classify(t.Context(), px)
			if verdicts[etch] = r.Verdict; r.Lay.Etch != float32(etch) {
				t.Errorf("%d wide: etch %v", width, r.Lay.Etch)
			}
		}
		if verdicts[1] == inspector.Pass && verdicts[0] != inspector.Pass || width >= 6 && verdicts[1] == inspector.Pass {
			t.Errorf("a closed gap of %d: %v, uncompensated and compensated", width, verdicts)
		}
	}
}
