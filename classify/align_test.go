package classify

import (
	"errors"
	"image"
	"image/color"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"gocv.io/x/gocv"

	"inspector"
	"inspector/board"
)

// displaced is px with the board laid at p.
func displaced(t testing.TB, px inspector.Pixels, p place) inspector.Pixels {
	t.Helper()
	if p == home {
		return px
	}
	back, ok := p.inverse()
	if !ok {
		t.Fatal("no such place")
	}
	m := gocv.NewMatWithSize(2, 3, gocv.MatTypeCV64F)
	defer m.Close()
	for i, v := range back.pixels(px.Width, px.Height) {
		m.SetDoubleAt(i/3, i%3, v)
	}
	to := px
	to.Data = make([]byte, len(px.Data))
	if err := convert("displace", px, to, func(src gocv.Mat, dst *gocv.Mat) error {
		return gocv.WarpAffineWithParams(src, dst, m, image.Pt(px.Width, px.Height), gocv.InterpolationLinear|gocv.WarpInverseMap, gocv.BorderReplicate, color.RGBA{})
	}); err != nil {
		t.Fatal(err)
	}
	return to
}

// laid is a place: pixels to the right and down of size, degrees, scale.
func laid(right, down, degrees, scale, size float64) place {
	p := (&aligner{aspect: 1}).turned(degrees, scale)
	p[2], p[5] = right*2/size, down*2/size
	return p
}

// boards are those that tests have drawn, by seed: drawing takes long.
var boards = map[uint64]*board.Board{}

// sampled is a board of seed and its golden one.
func sampled(t testing.TB, seed uint64, o board.Options) (golden, px inspector.Pixels, defects []inspector.Defect) {
	t.Helper()
	b, err := boards[seed], error(nil)
	if b == nil {
		if b, err = board.New(seed, 640); err != nil {
			t.Fatal(err)
		}
		boards[seed] = b
	}
	if golden, err = b.Golden(o.Style); err != nil {
		t.Fatal(err)
	}
	if px, defects, err = b.Sample(seed+7, o); err != nil {
		t.Fatal(err)
	}
	return golden, px, defects
}

// viewed is px as an aligner gets it: a plate, or grey.
func viewed(t testing.TB, px inspector.Pixels, style board.Style, grey bool) inspector.Pixels {
	t.Helper()
	var s scratch
	if grey {
		px, err := s.single(px)
		if err != nil {
			t.Fatal(err)
		}
		return px
	}
	tone := map[board.Style]Tone{board.Plate: Dark, board.Photo: Bright}[style]
	to := inspector.Pixels{Width: px.Width, Height: px.Height, Channels: 1, Stride: px.Width, Data: make([]byte, px.Width*px.Height)}
	if err := Plate(to.Data, px, tone); err != nil {
		t.Fatal(err)
	}
	return to
}

// everywhere are the corners of a picture.
var everywhere = Recipe{}.corners()

func TestAligns(t *testing.T) {
	bad := board.Options{Style: board.Plate, Defects: 12, Rough: .5, Etch: .6}
	photo := board.Options{Style: board.Photo, Defects: 12, Rough: .5, Etch: .6, Light: .6, Noise: 6, Blur: .9}
	thick := board.Options{Style: board.Plate, Etch: 1.4}
	for _, c := range []struct {
		what                        string
		o                           board.Options
		grey                        bool
		right, down, degrees, scale float64
		least, within               float64 // of the quality; pixels at the worst corner
		stays                       bool
	}{
		{"in place", bad, false, 0, 0, 0, 1, .93, .01, true},
		{"a third of a pixel", bad, false, .2, -.2, 0, 1, .9, .5, false},
		{"usual", bad, false, 2, -2, .5, 1.01, .85, .5, false},
		{"the other way", bad, false, -2, 2, -.5, .99, .85, .5, false},
		{"far", bad, false, 8, 8, 1.5, 1.02, .85, .5, false},
		{"far the other way", bad, false, -8, 8, -1.5, .98, .85, .5, false},
		{"very far", bad, false, 15, -10, 2, .99, .85, .6, false},
		{"thick or thin copper", thick, false, 5, 5, .5, 1, .8, .5, false},
		{"photo in place", photo, false, 0, 0, 0, 1, .85, .9, false},
		{"photo", photo, false, 2, -2, .5, 1.01, .8, .75, false},
		{"photo far", photo, false, 8, 8, 1.5, 1.02, .8, .75, false},
		{"grey photo in place", photo, true, 0, 0, 0, 1, .85, .9, false},
		{"grey photo", photo, true, 2, -2, .5, 1.01, .8, .75, false},
		{"grey photo far", photo, true, 8, 8, 1.5, 1.02, .8, .75, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			for seed := range uint64(4) {
				golden, px, _ := sampled(t, seed, c.o)
				a, err := newAligner(viewed(t, golden, c.o.Style, c.grey), 1, c.grey, everywhere)
				if err != nil {
					t.Fatal(err)
				}
				want := laid(c.right, c.down, c.degrees, c.scale, 640)
				px = viewed(t, displaced(t, px, want), c.o.Style, c.grey)
				var s layers
				have, quality, err := a.register(&s, px)
				if err != nil {
					t.Errorf("board %d: %v", seed, err)
					continue
				}
				back, _ := have.inverse()
				left := back.after(&want)
				if off := left.reach(640, 640); off > c.within || quality < c.least || quality > 1.0001 {
					t.Errorf("board %d: quality %.3f, want %v or more; %.2f px off, want %v or less", seed, quality, c.least, off, c.within)
				}
				if c.stays && have != home {
					t.Errorf("board %d was moved to %v, but lies in place", seed, have)
				}
			}
		})
	}
}

func TestRegistrationFails(t *testing.T) {
	for _, style := range []board.Style{board.Plate, board.Photo} {
		for _, grey := range []bool{false, true} {
			golden, px, _ := sampled(t, 1, board.Usual(style))
			_, other, _ := sampled(t, 99, board.Usual(style))
			a, err := newAligner(viewed(t, golden, style, grey), 1, grey, everywhere)
			if err != nil {
				t.Fatal(err)
			}
			px, other = viewed(t, px, style, grey), viewed(t, other, style, grey)
			turn := func(degrees float64) inspector.Pixels { return displaced(t, px, laid(0, 0, degrees, 1, 640)) }
			noise := px
			noise.Data = make([]byte, len(px.Data))
			r := rand.New(rand.NewPCG(1, 2))
			for i := range noise.Data {
				noise.Data[i] = byte(r.IntN(2) * 255)
			}
			flat := px
			flat.Data = slices.Repeat([]byte{90}, len(px.Data))
			for what, c := range map[string]struct {
				px   inspector.Pixels
				says string
			}{
				"another product":  {other, "not like the golden one"},
				"noise":            {noise, "not like the golden one"},
				"nothing":          {flat, "not like the golden one"},
				"upside down":      {turn(180), "turned by 180 degrees"},
				"a quarter turn":   {turn(90), "turned by 90 degrees"},
				"three quarters":   {turn(270), "turned by 270 degrees"},
				"out at one side":  {displaced(t, px, laid(45, 0, 0, 1, 640)), "% to the right"},
				"out at the top":   {displaced(t, px, laid(0, -45, 0, 1, 640)), "% up"},
				"beyond all reach": {displaced(t, px, laid(250, 250, 0, 1, 640)), "not like the golden one"},
			} {
				var s layers
				var e *RegistrationError
				p, _, err := a.register(&s, c.px)
				if !errors.As(err, &e) || !strings.Contains(err.Error(), c.says) || p != home {
					t.Errorf("%s, grey %v: %s: %v; want a RegistrationError that says %q", style, grey, what, err, c.says)
				}
			}
		}
	}
}

// A golden board on which nothing can be seen aligns nothing, and says so.
func TestGoldenWithoutStructure(t *testing.T) {
	blank := inspector.Pixels{Width: 64, Height: 64, Channels: 1, Stride: 64, Data: make([]byte, 64*64)}
	if _, err := newAligner(blank, 1, true, everywhere); !errors.Is(err, errPlain) {
		t.Errorf("%v; want %v", err, errPlain)
	}
}

// Only the inspected regions must be in the picture.
func TestWhatMustBeSeen(t *testing.T) {
	golden, px, _ := sampled(t, 1, board.Options{Style: board.Plate})
	px = displaced(t, px, laid(45, 0, 0, 1, 640))
	for _, c := range []struct {
		region inspector.Box
		ok     bool
	}{
		{inspector.Box{Left: 100, Top: 0, Right: 500, Bottom: 640}, true},
		{inspector.Box{Left: 100, Top: 0, Right: 640, Bottom: 640}, false},
	} {
		r := Recipe{Golden: golden, Inspect: []Polygon{Rectangle(c.region)}}
		a, err := newAligner(golden, 1, false, r.corners())
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := a.register(new(layers), px); (err == nil) != c.ok {
			t.Errorf("inspecting %v: %v; want success: %v", c.region, err, c.ok)
		}
	}
}

// Places compose, invert, and move boxes as they move pixels.
func TestPlaces(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	const w, h = 800, 600
	for range 200 {
		either := func(v float64) float64 { return v * (2*r.Float64() - 1) }
		a := aligner{aspect: float64(w) / h}
		p := a.turned(either(5), 1+either(.05))
		p[2], p[5] = either(.1), either(.1)
		back, ok := p.inverse()
		if both := p.after(&back); !ok || both.reach(w, h) > 1e-6 {
			t.Fatalf("%v after its inverse is %v", p, both)
		}
		x, y := 100+600*r.Float64(), 100+400*r.Float64()
		small := inspector.Box{Left: float32(x - 4), Top: float32(y - 3), Right: float32(x + 4), Bottom: float32(y + 3)}
		m := p.pixels(w, h)
		wantX, wantY := m[0]*(x-.5)+m[1]*(y-.5)+m[2]+.5, m[3]*(x-.5)+m[4]*(y-.5)+m[5]+.5
		box := p.box(small, w, h)
		haveX, haveY := float64(box.Left+box.Right)/2, float64(box.Top+box.Bottom)/2
		if math.Hypot(haveX-wantX, haveY-wantY) > .01 {
			t.Fatalf("%v moves the middle of a box to %v,%v and its pixels to %v,%v", p, haveX, haveY, wantX, wantY)
		}
		again := back.box(box, w, h)
		if d := max(math.Abs(float64(again.Left-small.Left)), math.Abs(float64(again.Bottom-small.Bottom))); d > .02 {
			t.Fatalf("%v there and back is %v", small, again)
		}
		reg := p.registration(.9, w, h)
		if want := a.turned(float64(reg.Turn), float64(reg.Scale)); math.Abs(want[0]-p[0])+math.Abs(want[1]-p[1]) > 1e-5 {
			t.Fatalf("%v is said to be %+v", p, reg)
		}
	}
	if b := (inspector.Box{Left: 1, Top: 2, Right: 3, Bottom: 4}); home.box(b, 10, 10) != b {
		t.Error("home moves boxes")
	}
	if _, ok := (&place{}).inverse(); ok {
		t.Error("a place that is a point has an inverse")
	}
}
