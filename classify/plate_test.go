package classify

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"inspector"
)

// scene is a picture with known copper: stripes, a pour and bright pads, seen
// in light that falls off from the middle, with noise.
func scene(channels, stride int, falloff, noise float64, pour, pads bool) (inspector.Pixels, []byte) {
	const w, h = 320, 256
	r := rand.New(rand.NewPCG(1, 2))
	p := inspector.Pixels{Width: w, Height: h, Channels: channels, Stride: stride, Data: make([]byte, stride*h)}
	want := make([]byte, w*h)
	for y := range h {
		for x := range w {
			level, copper := 52.0, (x+y/2)%40 < 14 || pour && x > 150
			if copper {
				level = 104
			}
			if pads && copper && x%80 < 14 && y%60 < 14 {
				level = 190
			}
			if !copper {
				want[y*w+x] = 255
			}
			dx, dy := float64(x-w*2/3)/w*2, float64(y-h/3)/h*2
			level *= 1 - falloff*(dx*dx+dy*dy)/3.56 // at the far corner
			for c := range channels {
				gain := []float64{.7, 1.25, .6}[c%3]
				if channels == 1 {
					gain = 1
				}
				p.Data[y*stride+x*channels+c] = byte(min(max(level*gain+r.NormFloat64()*noise, 0), 255))
			}
		}
	}
	return p, want
}

// wrong counts the pixels that differ from want, edges aside: a pixel whose
// neighbours in want are not all alike may fall to either side.
func wrong(got, want []byte, w int) (n int) {
	for i := w + 1; i < len(want)-w-1; i++ {
		inner := want[i] == want[i-1] && want[i] == want[i+1] && want[i] == want[i-w] && want[i] == want[i+w]
		if inner && got[i] != want[i] {
			n++
		}
	}
	return n
}

func TestPlateFindsCopper(t *testing.T) {
	for name, c := range map[string]struct {
		channels, stride int
		falloff, noise   float64
		pour             bool
	}{
		"grey, even light":        {1, 320, 0, 2, false},
		"grey, padded rows":       {1, 352, .3, 2, false},
		"colour, vignette":        {3, 960, .6, 4, false},
		"colour, padded rows":     {3, 1003, .6, 4, false},
		"colour, half is copper":  {3, 960, .5, 4, true},
		"colour, noisy and dusky": {3, 960, .7, 7, false},
	} {
		t.Run(name, func(t *testing.T) {
			p, want := scene(c.channels, c.stride, c.falloff, c.noise, c.pour, true)
			got := make([]byte, p.Width*p.Height)
			if err := Plate(got, p, Bright); err != nil {
				t.Fatal(err)
			}
			if n := wrong(got, want, p.Width); n > len(got)/1000 {
				t.Errorf("%d of %d pixels on the wrong side", n, len(got))
			}
			if c.falloff > 0.3 {
				return // a negative of uneven light is not light
			}
			p, want = scene(c.channels, c.stride, c.falloff, c.noise, c.pour, false)
			for i := range p.Data { // light laminate
				p.Data[i] = 255 - p.Data[i]
			}
			if err := Plate(got, p, Dark); err != nil {
				t.Fatal(err)
			}
			if n := wrong(got, want, p.Width); n > len(got)/1000 {
				t.Errorf("negative: %d of %d pixels on the wrong side", n, len(got))
			}
		})
	}
}

func TestPlateKeepsTwoValues(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	p := inspector.Pixels{Width: 96, Height: 64, Channels: 1, Stride: 96, Data: make([]byte, 96*64)}
	want := make([]byte, len(p.Data))
	for i := range p.Data {
		p.Data[i] = byte(r.IntN(14)) // as JPEG leaves it
		if i/8%3 == 0 {
			p.Data[i], want[i] = 255-p.Data[i], 255
		}
	}
	got := make([]byte, len(want))
	if err := Plate(got, p, Dark); err != nil || !bytes.Equal(got, want) {
		t.Errorf("dark: %v, equal %v", err, bytes.Equal(got, want))
	}
	if err := Plate(got, p, Bright); err != nil {
		t.Fatal(err)
	}
	for i := range got {
		if got[i] == want[i] {
			t.Fatalf("bright: pixel %d is %d, want the opposite of dark", i, got[i])
		}
	}
}

func TestPlateRefuses(t *testing.T) {
	noise := inspector.Pixels{Width: 320, Height: 320, Channels: 1, Stride: 320, Data: make([]byte, 320*320)}
	r := rand.New(rand.NewPCG(5, 6))
	for i := range noise.Data {
		noise.Data[i] = byte(90 + r.NormFloat64()*12 + float64(i%320)/8)
	}
	flat := inspector.Pixels{Width: 64, Height: 64, Channels: 3, Stride: 192, Data: make([]byte, 64*192)}
	short := noise
	short.Data = short.Data[:100]
	for name, c := range map[string]struct {
		p    inspector.Pixels
		dst  int
		tone Tone
		want string
	}{
		"no contrast":       {noise, 320 * 320, Bright, "lens cap"},
		"no contrast, dark": {noise, 320 * 320, Dark, "lens cap"},
		"black":             {flat, 64 * 64, Dark, "lens cap"},
		"small destination": {flat, 100, Dark, "want 4096"},
		"unknown tone":      {flat, 64 * 64, "shiny", "shiny"},
		"short data":        {short, 320 * 320, Dark, "pixels"},
	} {
		if err := Plate(make([]byte, c.dst), c.p, c.tone); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestPlateFromManyGoroutines(t *testing.T) {
	p, _ := scene(3, 960, .4, 4, false, true)
	want := make([]byte, p.Width*p.Height)
	if err := Plate(want, p, Bright); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 10 {
				got := make([]byte, len(want))
				if err := Plate(got, p, Bright); err != nil || !bytes.Equal(got, want) {
					t.Errorf("differs from a lone run: %v", err)
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkPlate(b *testing.B) {
	p, _ := scene(3, 960, .4, 4, false, true)
	dst := make([]byte, p.Width*p.Height)
	var plate, copied time.Duration
	scratch := make([]byte, len(p.Data))
	for b.Loop() {
		t := time.Now()
		if err := Plate(dst, p, Bright); err != nil {
			b.Fatal(err)
		}
		plate += time.Since(t)
		t = time.Now()
		copy(scratch, p.Data)
		copied += time.Since(t)
	}
	b.ReportMetric(float64(plate)/float64(copied), "copies-of-the-picture")
}
