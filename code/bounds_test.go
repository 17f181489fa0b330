package code

import (
	"context"
	"errors"
	"image"
	"testing"

	"inspector"
)

// brief is a context that ends when it was asked so often.
type brief struct {
	context.Context
	left, asked int
}

func (b *brief) Err() error {
	if b.asked++; b.asked > b.left {
		return context.Canceled
	}
	return nil
}

// Reading ends between two tries.
func TestReadEnds(t *testing.T) {
	for _, f := range Formats() {
		p := usual(f)
		p.x = float64(2 * p.size)
		px, all := p.picture(t), &brief{t.Context(), 1 << 30, 0}
		if _, err := Read(all, px, Spot{Format: f}); !errors.Is(err, ErrNotFound) || all.asked < 4 {
			t.Errorf("%s: %v after %d tries", f, err, all.asked)
		}
		ended, cancel := context.WithCancelCause(t.Context())
		short := &brief{ended, 2, 0}
		if _, err := Read(short, px, Spot{Format: f}); err == nil || short.asked >= all.asked {
			t.Errorf("%s: %v after %d of %d tries", f, err, short.asked, all.asked)
		}
		why := errors.New("too late")
		cancel(why)
		if text, err := Read(ended, usual(f).picture(t), Spot{Format: f}); !errors.Is(err, why) || text != "" {
			t.Errorf("%s: %q, %v; want the cause", f, text, err)
		}
	}
}

// What is searched is bounded: the picture, and what the library compares.
func TestBounds(t *testing.T) {
	long := inspector.Pixels{Width: MostSide + 1, Height: 8, Channels: 1, Stride: MostSide + 1, Data: make([]byte, 8*(MostSide+1))}
	high := inspector.Pixels{Width: 8, Height: MostSide + 1, Channels: 1, Stride: 8, Data: long.Data}
	for _, c := range []struct {
		px     inspector.Pixels
		region image.Rectangle
		want   error
	}{
		{long, image.Rectangle{}, ErrLarge}, {high, image.Rectangle{}, ErrLarge}, {long, image.Rect(0, 0, MostSide+1, 4), ErrLarge},
		{long, image.Rect(1, 0, MostSide+1, 8), ErrNotFound}, {high, image.Rect(0, 0, 8, MostSide), ErrNotFound},
	} {
		if _, err := Read(t.Context(), c.px, Spot{QR, c.region}); !errors.Is(err, c.want) {
			t.Errorf("%d x %d, %v: %v; want %v", c.px.Width, c.px.Height, c.region, err, c.want)
		}
	}
	d, px := newDesk(), corners(800)
	d.cut(px, image.Rect(0, 0, px.Width, px.Height))
	if text, ok := d.once(t.Context(), QR, &d.grey); ok || d.centres != mostCentres+1 {
		t.Errorf("%q after %d centres", text, d.centres)
	}
}

// corners are those of QR codes, of two sizes, wherever there is room.
func corners(size int) inspector.Pixels {
	px := inspector.Pixels{Width: size, Height: size, Channels: 1, Stride: size, Data: make([]byte, size*size)}
	for i := range px.Data {
		x, y, module := i%size, i/size, 3
		if (x/36+y/36)%2 == 1 {
			module = 4
		}
		u, v := x%36/module, y%36/module
		ring := max(u-3, 3-u, v-3, 3-v)
		px.Data[i] = 20
		if ring == 2 || ring > 3 {
			px.Data[i] = 220
		}
	}
	return px
}
