package classify

import (
	"bytes"
	"math"
	"math/rand/v2"
	"testing"
)

// Every pixel comes from where its own rounding says, whichever run it is in.
func TestLayIsRoundingPixelByPixel(t *testing.T) {
	const w, h = 61, 47
	r := rand.New(rand.NewPCG(7, 8))
	src := make([]byte, w*h)
	for i := range src {
		src[i] = byte(1 + r.IntN(255))
	}
	for name, p := range map[string]place{
		"home":         home,
		"right":        laid(3, 0, 0, 1, w),
		"up and left":  laid(-2.4, -3.3, 0, 1, w),
		"turned":       laid(.3, .2, 1.5, 1, w),
		"turned back":  laid(0, 0, -4, .97, w),
		"larger":       laid(0, 1, 0, 1.04, w),
		"upside down":  laid(0, 0, 180, 1, w),
		"on its side":  laid(0, 0, 90, 1, w),
		"far outside":  laid(500, 0, 0, 1, w),
		"skewed":       {1.01, .02, .05, -.03, .99, -.02},
		"nearly still": {1 + 1e-7, 0, .001, 1e-7, 1, .001},
	} {
		dst, m := bytes.Repeat([]byte{77}, w*h), p.pixels(w, h)
		lay(dst, src, make([]byte, w*h), w, h, m)
		for i, v := range dst {
			x, y := float64(i%w), float64(i/w)
			col, row := m[0]*x+m[1]*y+m[2]+.5, m[3]*x+m[4]*y+m[5]+.5
			if math.Abs(col-math.Round(col)) < 1e-6 || math.Abs(row-math.Round(row)) < 1e-6 {
				continue // between two pixels: either
			}
			want := byte(0)
			if col >= 0 && col < w && row >= 0 && row < h {
				want = src[int(row)*w+int(col)]
			}
			if v != want {
				t.Errorf("%s: pixel %d,%d is %d; want %d, from %.3f,%.3f", name, i%w, i/w, v, want, col, row)
				break
			}
		}
	}
}

// A board in the next pixel's place is moved by exactly that.
func TestLayShiftsByWholePixels(t *testing.T) {
	const w, h = 9, 7
	src, dst := make([]byte, w*h), make([]byte, w*h)
	for i := range src {
		src[i] = byte(i + 1)
	}
	lay(dst, src, bytes.Repeat([]byte{200}, w*h), w, h, [6]float64{1, 0, 2, 0, 1, -1})
	for i, v := range dst {
		x, y := i%w+2, i/w-1
		want := byte(200)
		if x < w && y >= 0 {
			want = src[y*w+x]
		}
		if v != want {
			t.Fatalf("pixel %d,%d is %d; want %d", i%w, i/w, v, want)
		}
	}
}
