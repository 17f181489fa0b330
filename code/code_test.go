package code

import (
	"errors"
	"fmt"
	"image"
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"unicode"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/datamatrix"
	"github.com/makiuchi-d/gozxing/datamatrix/encoder"
	"github.com/makiuchi-d/gozxing/oned"
	"github.com/makiuchi-d/gozxing/qrcode"

	"inspector"
)

// A print is a label with a code, and how the camera sees it.
type print struct {
	format   Format
	text     string
	size     int     // of the picture
	module   float64 // pixels
	angle    float64 // degrees
	blur     float64 // sigma, pixels
	noise    float64 // sigma, grey levels
	light    float64 // of the picture's right edge over its left one, less 1
	inverted bool
	x, y     float64 // of its middle from the picture's
	channels int
}

// matrix is the code with one pixel a module.
func matrix(t testing.TB, f Format, text string) *gozxing.BitMatrix {
	t.Helper()
	var w gozxing.Writer
	var format gozxing.BarcodeFormat
	switch f {
	case QR:
		w, format = qrcode.NewQRCodeWriter(), gozxing.BarcodeFormat_QR_CODE
	case DataMatrix:
		w, format = datamatrix.NewDataMatrixWriter(), gozxing.BarcodeFormat_DATA_MATRIX
	case Code128:
		w, format = oned.NewCode128Writer(), gozxing.BarcodeFormat_CODE_128
	}
	m, err := w.Encode(text, format, 1, 1, map[gozxing.EncodeHintType]any{
		gozxing.EncodeHintType_MARGIN: 0, gozxing.EncodeHintType_DATA_MATRIX_SHAPE: encoder.SymbolShapeHint_FORCE_SQUARE,
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// picture draws the label on a striped board.
func (p print) picture(t testing.TB) inspector.Pixels {
	t.Helper()
	m, tall, quiet := matrix(t, p.format, p.text), 1.0, 2.5
	if p.format == Code128 {
		tall, quiet = 18, 10
	}
	w, h := float64(m.GetWidth()), float64(m.GetHeight())*tall
	sin, cos := math.Sincos(p.angle * math.Pi / 180)
	grey := make([]float64, p.size*p.size)
	const fine = 3
	for i := range grey {
		for k := range fine * fine {
			x := float64(i%p.size) + (float64(k%fine)+.5)/fine - float64(p.size)/2 - p.x
			y := float64(i/p.size) + (float64(k/fine)+.5)/fine - float64(p.size)/2 - p.y
			u, v := (x*cos+y*sin)/p.module+w/2, (y*cos-x*sin)/p.module+h/2
			grey[i] += p.ink(m, u, v, w, h, quiet, tall, x+y) / fine / fine
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	px := inspector.Pixels{Width: p.size, Height: p.size, Channels: max(p.channels, 1)}
	px.Stride = px.Width*px.Channels + 3
	px.Data = make([]byte, px.Stride*px.Height)
	for i, v := range blurred(grey, p.size, p.blur) {
		v = v*(1+p.light*(float64(i%p.size)/float64(p.size)-.5)) + r.NormFloat64()*p.noise
		for c := range px.Channels {
			px.Data[i/p.size*px.Stride+i%p.size*px.Channels+c] = byte(min(max(v, 0), 255))
		}
	}
	return px
}

// ink is how bright the label is at module u, v, and beside it the board.
func (p print) ink(m *gozxing.BitMatrix, u, v, w, h, quiet, tall, along float64) float64 {
	value := 60.0
	switch {
	case u >= 0 && v >= 0 && u < w && v < h && m.Get(int(u), int(v/tall)):
		value = 35
	case u > -quiet && v > -2.5 && u < w+quiet && v < h+2.5:
		value = 215
	case (int(along+1000)/9)%2 == 0:
		value = 130
	}
	if p.inverted {
		return 250 - value
	}
	return value
}

func blurred(px []float64, size int, sigma float64) []float64 {
	if sigma == 0 {
		return px
	}
	n := int(3 * sigma)
	for _, step := range [][2]int{{1, 0}, {0, 1}} {
		out := make([]float64, len(px))
		for i := range px {
			sum, weights := 0.0, 0.0
			for k := -n; k <= n; k++ {
				if x, y := i%size+k*step[0], i/size+k*step[1]; x >= 0 && y >= 0 && x < size && y < size {
					w := math.Exp(-float64(k*k) / 2 / sigma / sigma)
					sum, weights = sum+w*px[y*size+x], weights+w
				}
			}
			out[i] = sum / weights
		}
		px = out
	}
	return px
}

func usual(f Format) print {
	p := print{format: f, text: "MB-2026-00417", size: 160, module: 4, blur: .7, noise: 4, angle: 1}
	if f == Code128 {
		p.size = 800
	}
	return p
}

func TestRead(t *testing.T) {
	for _, f := range Formats() {
		for what, change := range map[string]func(*print){
			"plain": func(*print) {}, "colour": func(p *print) { p.channels = 3 }, "light on dark": func(p *print) { p.inverted = true },
			"small": func(p *print) { p.module = 2.5 }, "large": func(p *print) { p.module, p.size = 6, p.size*3/2 },
			"turned": func(p *print) { p.angle = 4 }, "lying": func(p *print) { p.angle = 91 }, "upside down": func(p *print) { p.angle = 181 },
			"noise": func(p *print) { p.noise = 15 }, "out of focus": func(p *print) { p.blur = 1.5 }, "uneven light": func(p *print) { p.light = .4 },
			"beside the middle": func(p *print) { p.x, p.y = 28, -25 },
		} {
			p := usual(f)
			change(&p)
			if text, err := Read(t.Context(), p.picture(t), Spot{Format: f}); err != nil || text != p.text {
				t.Errorf("%s, %s: %q, %v", f, what, text, err)
			}
		}
	}
}

// Only the region counts, and only the format.
func TestReadInRegion(t *testing.T) {
	left, right := usual(QR), usual(QR)
	left.text, right.text = "LEFT", "RIGHT"
	a, b := left.picture(t), right.picture(t)
	both := inspector.Pixels{Width: 320, Height: 160, Channels: 1, Stride: 320, Data: make([]byte, 320*160)}
	for y := range 160 {
		copy(both.Data[y*320:], a.Data[y*a.Stride:][:160])
		copy(both.Data[y*320+160:], b.Data[y*b.Stride:][:160])
	}
	for _, c := range []struct {
		spot Spot
		text string
		err  error
	}{
		{Spot{QR, image.Rect(0, 0, 160, 160)}, "LEFT", nil},
		{Spot{QR, image.Rect(160, 0, 320, 160)}, "RIGHT", nil},
		{Spot{QR, image.Rect(0, 0, 20, 20)}, "", ErrNotFound},
		{Spot{DataMatrix, image.Rect(0, 0, 160, 160)}, "", ErrNotFound},
		{Spot{Code128, image.Rect(0, 0, 160, 160)}, "", ErrNotFound},
		{Spot{QR, image.Rect(170, 0, 330, 160)}, "", ErrOutside},
		{Spot{QR, image.Rect(-1, 0, 160, 160)}, "", ErrOutside},
	} {
		text, err := Read(t.Context(), both, c.spot)
		var unreadable *UnreadableError
		if text != c.text || !errors.Is(err, c.err) || err != nil && (!errors.As(err, &unreadable) || !strings.Contains(err.Error(), c.spot.String())) {
			t.Errorf("%s: %q, %v; want %q, %v", c.spot, text, err, c.text, c.err)
		}
	}
	if _, err := Read(t.Context(), inspector.Pixels{Width: 10, Height: 10, Channels: 3}, Spot{Format: QR}); err == nil {
		t.Error("pixels that are not there were read")
	}
}

func TestLongText(t *testing.T) {
	p := usual(QR)
	p.text, p.size, p.noise = strings.Repeat("0123456789", 103), 640, 0
	if text, err := Read(t.Context(), p.picture(t), Spot{Format: QR}); !errors.Is(err, ErrLong) || text != "" {
		t.Errorf("%d bytes, %v", len(text), err)
	}
}

func TestStrangeText(t *testing.T) {
	for text, want := range map[string]error{
		"MB-417": nil, "µ 電": nil, strings.Repeat("x", MaxText): nil,
		strings.Repeat("x", MaxText+1): ErrLong, strings.Repeat("é", MaxText/2+1): ErrLong,
		"A\x00": ErrStrange, "A\nB": ErrStrange, "A\x1dB": ErrStrange, "A\u0085": ErrStrange, "A\xff": ErrStrange, "A\ufffd": ErrStrange,
	} {
		if err := plain(text); !errors.Is(err, want) || err != nil && strings.ContainsFunc(err.Error(), unicode.IsControl) {
			t.Errorf("%q: %v; want %v", text, err, want)
		}
	}
	p := usual(DataMatrix)
	p.text = "A\x1dB"
	if text, err := Read(t.Context(), p.picture(t), Spot{Format: DataMatrix}); !errors.Is(err, ErrStrange) || text != "" || !strings.Contains(err.Error(), `"A\x1dB"`) {
		t.Errorf("%q, %v", text, err)
	}
}

// Readers share nothing.
func TestReadAtOnce(t *testing.T) {
	var all sync.WaitGroup
	for k := range 8 {
		p := usual(Formats()[k%3])
		p.text = fmt.Sprintf("BOARD-%d", k)
		px := p.picture(t)
		all.Go(func() {
			for range 5 {
				if text, err := Read(t.Context(), px, Spot{Format: p.format}); text != p.text {
					t.Errorf("%q, %v; want %q", text, err, p.text)
				}
			}
		})
	}
	all.Wait()
}

// Whatever is in the picture, reading ends, with a text only if there is one.
func FuzzRead(f *testing.F) {
	for _, format := range Formats() {
		p := usual(format)
		p.text, p.size, p.module = "A1", 56, 2
		if format == Code128 {
			p.size, p.module = 100, 1
		}
		px := p.picture(f)
		f.Add(px.Data, uint8(px.Stride), uint8(0))
	}
	f.Fuzz(func(t *testing.T, data []byte, width, format uint8) {
		px := inspector.Pixels{Width: int(width), Channels: 1, Stride: int(width), Data: data}
		if width > 0 {
			px.Height = len(data) / int(width)
		}
		text, err := Read(t.Context(), px, Spot{Format: Formats()[int(format)%3]})
		if (err == nil) != (text != "") || plain(text) != nil {
			t.Errorf("%q, %v", text, err)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	for _, f := range Formats() {
		px := usual(f).picture(b)
		b.Run(string(f), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Read(b.Context(), px, Spot{Format: f}); err != nil {
					b.Fatal(err)
				}
			}
		})
		p := usual(f)
		p.x = float64(2 * p.size)
		bare := p.picture(b)
		b.Run(string(f)+" that is not there", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Read(b.Context(), bare, Spot{Format: f}); err == nil {
					b.Fatal("read")
				}
			}
		})
	}
}
