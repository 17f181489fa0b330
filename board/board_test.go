package board

import (
	"bytes"
	"flag"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"gocv.io/x/gocv"

	"inspector"
)

var update = flag.Bool("update", false, "write testdata anew")

func drawn(t testing.TB, seed uint64, size int) *Board {
	t.Helper()
	b, err := New(seed, size)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func sampled(t testing.TB, b *Board, seed uint64, o Options) (inspector.Pixels, []inspector.Defect) {
	t.Helper()
	p, defects, err := b.Sample(seed, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Check(); err != nil {
		t.Fatal(err)
	}
	return p, defects
}

// pieces counts the connected pieces of copper and of laminate of a plate that
// keep margin away from its edges; 0 counts all.
func pieces(t *testing.T, plate []byte, size, margin int) (copper, laminate int) {
	t.Helper()
	negative := make([]byte, len(plate))
	for i, v := range plate {
		negative[i] = 255 - v
	}
	count := func(px []byte) (n int) {
		if err := lend(px, size, gocv.MatTypeCV8UC1, func(m *gocv.Mat) error {
			labels, stats, middles := gocv.NewMat(), gocv.NewMat(), gocv.NewMat()
			defer labels.Close()
			defer stats.Close()
			defer middles.Close()
			for i := range gocv.ConnectedComponentsWithStats(*m, &labels, &stats, &middles) {
				left, top := int(stats.GetIntAt(i, 0)), int(stats.GetIntAt(i, 1))
				if right, bottom := left+int(stats.GetIntAt(i, 2)), top+int(stats.GetIntAt(i, 3)); min(left, top, size-right, size-bottom) >= margin {
					n++
				}
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return n
	}
	return count(negative), count(plate)
}

func within(b inspector.Box, i, size int, margin float32) bool {
	x, y := float32(i%size), float32(i/size)
	return x >= b.Left+margin && x < b.Right-margin && y >= b.Top+margin && y < b.Bottom-margin
}

// Every class is what it is called: each defect alone, on the design, changes
// the nets as its class says, and nothing changes outside the boxes.
func TestDefectsAreWhatTheyAreCalled(t *testing.T) {
	const size = 480
	seen := map[string]int{}
	for seed := range uint64(14) {
		b := drawn(t, seed, size)
		golden, err := b.Golden(Plate)
		if err != nil {
			t.Fatal(err)
		}
		copper, laminate := pieces(t, golden.Data, size, 0)
		for k := range uint64(3) {
			p, defects := sampled(t, b, k, Options{Style: Plate, Defects: 8})
			changed := make([]int, len(defects))
			for i := range p.Data {
				if p.Data[i] == golden.Data[i] {
					continue
				}
				at := slices.IndexFunc(defects, func(d inspector.Defect) bool { return within(d.Box, i, size, Margin) })
				if at < 0 {
					t.Fatalf("seed %d/%d: pixel %d changed outside every box", seed, k, i)
				}
				changed[at]++
			}
			for i, d := range defects {
				seen[d.Class]++
				alone := slices.Clone(golden.Data)
				more := 0 // pixels of copper
				for j := range alone {
					if within(d.Box, j, size, 0) && p.Data[j] != alone[j] {
						more += (int(alone[j]) - int(p.Data[j])) / 255
						alone[j] = p.Data[j]
					}
				}
				c, l := pieces(t, alone, size, 0)
				c, l = c-copper, l-laminate
				ok := changed[i] >= 24
				switch d.Class {
				case Open:
					ok = ok && more < 0 && c >= 1
				case Short:
					ok = ok && more > 0 && c <= -1
				case Mousebite:
					ok = ok && more < 0 && c == 0 && l == 0
				case Spur:
					ok = ok && more > 0 && c == 0 && l == 0
				case Copper:
					ok = ok && more > 0 && c == 1 && l == 0
				case PinHole:
					ok = ok && more < 0 && c == 0 && l == 1
				}
				if !ok || d.Score != 1 {
					t.Errorf("seed %d/%d: %+v: %d pixels changed, copper %+d pixels, %+d pieces, laminate %+d pieces", seed, k, d, changed[i], more, c, l)
				}
			}
		}
	}
	for _, class := range Classes() {
		if seen[class] < 10 {
			t.Errorf("only %d of class %s were drawn: %v", seen[class], class, seen)
		}
	}
}

// A good board differs from its design along edges only, however ragged.
func TestGoodBoardsHaveNoBlobs(t *testing.T) {
	const size = 480
	for seed := range uint64(8) {
		b := drawn(t, seed, size)
		golden, err := b.Golden(Plate)
		if err != nil {
			t.Fatal(err)
		}
		const margin, play = 12, 4
		mostCopper, mostLaminate := pieces(t, golden.Data, size, margin-play)
		leastCopper, leastLaminate := pieces(t, golden.Data, size, margin+play)
		for k := range uint64(4) {
			p, defects := sampled(t, b, k, Options{Style: Plate, Rough: 1, Etch: 1.4})
			if len(defects) != 0 {
				t.Fatalf("%d defects on a good board", len(defects))
			}
			changed := 0
			for i := range p.Data {
				if p.Data[i] != golden.Data[i] {
					changed++
					if d := max(b.inside[i], b.outside[i]); d > 3.5 {
						t.Fatalf("seed %d/%d: a pixel %.1f from any edge changed", seed, k, d)
					}
				}
			}
			if changed == 0 {
				t.Errorf("seed %d/%d: nothing is ragged", seed, k)
			}
			c, l := pieces(t, p.Data, size, margin)
			if c < leastCopper || c > mostCopper || l < leastLaminate || l > mostLaminate {
				t.Errorf("seed %d/%d: %d pieces of copper, want %d to %d; %d of laminate, want %d to %d", seed, k, c, leastCopper, mostCopper, l, leastLaminate, mostLaminate)
			}
		}
	}
}

// The boxes move with the board.
func TestBoxesFollowTheBoard(t *testing.T) {
	const size = 480
	o := Options{Style: Plate, Shift: 6, Rotate: 1.5}
	b := drawn(t, 3, size)
	for k := range uint64(6) {
		good, _ := sampled(t, b, k, o)
		o := o
		o.Defects = 6
		bad, defects := sampled(t, b, k, o)
		hit := make([]bool, len(defects))
		for i := range bad.Data {
			if bad.Data[i] == good.Data[i] {
				continue
			}
			at := slices.IndexFunc(defects, func(d inspector.Defect) bool { return within(d.Box, i, size, Margin-3) })
			if at < 0 {
				t.Fatalf("sample %d: pixel %d, %d changed outside every box", k, i%size, i/size)
			}
			hit[at] = true
		}
		if slices.Contains(hit, false) || len(hit) == 0 {
			t.Errorf("sample %d: a box without a change: %v", k, hit)
		}
	}
}

func TestSameSeedSameBytes(t *testing.T) {
	o := Usual(Photo)
	o.Defects = 4
	b := drawn(t, 5, 320)
	want, defects := sampled(t, b, 9, o)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			b := drawn(t, 5, 320)
			got, again := sampled(t, b, 9, o)
			if !bytes.Equal(got.Data, want.Data) || !slices.EqualFunc(again, defects, func(a, b inspector.Defect) bool { return a.Class == b.Class && a.Box == b.Box }) {
				t.Error("the same seed gave another board")
			}
			if other, _ := sampled(t, b, 10, o); bytes.Equal(other.Data, want.Data) {
				t.Error("another seed gave the same board")
			}
		})
	}
	wg.Wait()
}

func TestRefuses(t *testing.T) {
	for _, size := range []int{-1, 0, 159, 4097} {
		if _, err := New(1, size); err == nil || !strings.Contains(err.Error(), "160") {
			t.Errorf("size %d: %v", size, err)
		}
	}
	if _, _, err := drawn(t, 1, 200).Sample(1, Options{Style: "sketch"}); err == nil || !strings.Contains(err.Error(), "sketch") {
		t.Errorf("unknown style: %v", err)
	}
}

// The pictures are those a person looked at and found right. Rounding differs
// between processors, so a little of each may.
func TestGoldenImages(t *testing.T) {
	for name, o := range map[string]Options{
		"golden-plate": {Style: Plate},
		"golden-photo": {Style: Photo},
		"plate":        {Style: Plate, Defects: 4, Rough: .5, Etch: .6, Shift: 2, Rotate: .2},
		"photo":        {Style: Photo, Defects: 4, Rough: .5, Etch: .6, Shift: 2, Rotate: .2, Light: .4, Noise: 1, Blur: .9},
	} {
		p, _ := sampled(t, drawn(t, 11, 240), 2, o)
		kind := gocv.MatTypeCV8UC1
		if p.Channels == 3 {
			kind = gocv.MatTypeCV8UC3
		}
		file := filepath.Join("testdata", name+".png")
		if err := lend(p.Data, p.Width, kind, func(m *gocv.Mat) error {
			if *update {
				if err := os.MkdirAll("testdata", 0o777); err != nil {
					return err
				}
				gocv.IMWrite(file, *m)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		m := gocv.IMRead(file, gocv.IMReadUnchanged)
		defer m.Close()
		want := m.ToBytes()
		if len(want) != len(p.Data) {
			t.Fatalf("%s holds %d bytes, want %d; run with -update", file, len(want), len(p.Data))
		}
		var sum float64
		for i := range want {
			sum += math.Abs(float64(want[i]) - float64(p.Data[i]))
		}
		if mean := sum / float64(len(want)); mean > 0.5 {
			t.Errorf("%s: differs by %.2f grey levels on average; look at both, then run with -update", file, mean)
		}
	}
}

func BenchmarkSample(b *testing.B) {
	d := drawn(b, 1, 640)
	for _, style := range []Style{Plate, Photo} {
		b.Run(string(style), func(b *testing.B) {
			o := Usual(style)
			o.Defects = 2
			seed := uint64(0)
			for b.Loop() {
				seed++
				sampled(b, d, seed, o)
			}
		})
	}
}

func BenchmarkNew(b *testing.B) {
	seed := uint64(0)
	for b.Loop() {
		seed++
		drawn(b, seed, 640)
	}
}

// A window of a larger board: what a pen adds or takes away changes the plate
// inside its box and nowhere else, every class is found, and each class does
// to the pieces within its box what it is called after.
func TestArtwork(t *testing.T) {
	const size = 480
	seen := map[string]int{}
	for seed := range uint64(16) {
		b, err := NewArtwork(seed, size)
		if err != nil {
			t.Fatal(err)
		}
		o := Options{Style: Plate, Pen: true, Rough: .8, Grain: 1.5, Etch: 1}
		for k := range uint64(3) {
			good, none := sampled(t, b, k, o)
			o := o
			o.Defects = 8
			bad, defects := sampled(t, b, k, o)
			if len(none) != 0 {
				t.Fatalf("%d defects on a good board", len(none))
			}
			changed := make([]int, len(defects))
			for i := range bad.Data {
				if bad.Data[i] == good.Data[i] {
					continue
				}
				at := slices.IndexFunc(defects, func(d inspector.Defect) bool { return within(d.Box, i, size, Margin) })
				if at < 0 {
					t.Fatalf("seed %d/%d: pixel %d, %d changed outside every box", seed, k, i%size, i/size)
				}
				changed[at]++
				d := defects[at]
				if adds := d.Class == Short || d.Class == Spur || d.Class == Copper; adds != (bad.Data[i] == 0) {
					t.Fatalf("seed %d/%d: %+v changes %d to %d", seed, k, d, good.Data[i], bad.Data[i])
				}
			}
			for i, d := range defects {
				seen[d.Class]++
				if changed[i] < 7 {
					t.Errorf("seed %d/%d: %+v changes %d pixels only", seed, k, d, changed[i])
				}
				lonely := d.Class == Copper || d.Class == PinHole
				if touches := touches(good.Data, bad.Data, size, d.Box); touches == lonely {
					t.Errorf("seed %d/%d: %+v touches what is there: %v", seed, k, d, touches)
				}
			}
		}
	}
	for _, class := range Classes() {
		if seen[class] < 10 {
			t.Errorf("only %d of class %s were drawn: %v", seen[class], class, seen)
		}
	}
}

// touches reports whether a pixel that changed within the margin of box lies
// beside one that had its new value before.
func touches(good, bad []byte, size int, box inspector.Box) bool {
	for y := int(box.Top) + Margin; y < int(box.Bottom)-Margin; y++ {
		for x := int(box.Left) + Margin; x < int(box.Right)-Margin; x++ {
			i := y*size + x
			for _, j := range [4]int{i - 1, i + 1, i - size, i + size} {
				if bad[i] != good[i] && good[j] == bad[i] {
					return true
				}
			}
		}
	}
	return false
}
