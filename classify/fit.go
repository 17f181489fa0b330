package classify

import (
	"fmt"
	"image"
	"slices"

	"inspector"
	"inspector/model"
)

// A GoldenSizeError says that a picture and the golden board's are not of the
// same size, so that nothing in one has its place in the other.
type GoldenSizeError struct{ Golden, Picture image.Point }

func (e *GoldenSizeError) Error() string {
	return fmt.Sprintf("the picture has %d x %d pixels but the golden board's %d x %d: take a new golden picture with this camera, or set the camera back", e.Picture.X, e.Picture.Y, e.Golden.X, e.Golden.Y)
}

// Permanent tells whoever retries not to.
func (e *GoldenSizeError) Permanent() bool { return true }

// scaled is the size in which a picture of w x h is shown to the model.
func scaled(in model.Input, w, h int) (int, int) {
	switch in.Fit {
	case model.Letterbox:
		f := letterbox(in, w, h)
		return f.w, f.h
	case model.Tiles:
		return w, h
	}
	return in.Width, in.Height
}

// views writes a picture that was scaled into the input, from channel first
// on: as it is, with borders, or cut into tiles.
func (p *preparer) views(in *Input, first int, px inspector.Pixels) error {
	m, s := p.model, &in.scratch
	pad := m.Padding()
	if m.Binarise {
		pad = 255 // laminate
	}
	switch m.Fit {
	case model.Letterbox:
		if px.Width != m.Width || px.Height != m.Height {
			left, top := (m.Width-px.Width)/2, (m.Height-px.Height)/2
			s.padded = room(s.padded, m.Width*m.Height*px.Channels)
			px = window(s.padded, px, frame{-left, -top, m.Width, m.Height}, pad)
		}
	case model.Tiles:
		views, err := viewsOf(m, p.decode, px.Width, px.Height)
		if err != nil {
			return err
		}
		in.data = slices.Grow(in.data[:0], len(views)*p.size)[:len(views)*p.size]
		s.tile = room(s.tile, m.Width*m.Height*px.Channels)
		for i, v := range views {
			tile := window(s.tile, px, frame{int(v.left), int(v.top), m.Width, m.Height}, pad)
			if err := p.spread(in.data[i*p.size:], first, tile); err != nil {
				return err
			}
		}
		return nil
	}
	return p.spread(in.data, first, px)
}

// window copies a part of a picture into dst, with pad where it reaches beyond.
func window(dst []byte, px inspector.Pixels, f frame, pad uint8) inspector.Pixels {
	n := px.Channels
	out := inspector.Pixels{Width: f.w, Height: f.h, Channels: n, Stride: f.w * n, Data: dst}
	left, right := max(-f.x, 0), min(f.w, px.Width-f.x) // of the window, inside the picture
	for y := range f.h {
		row := dst[y*f.w*n : (y+1)*f.w*n]
		if y+f.y < 0 || y+f.y >= px.Height || right <= left {
			fill(row, pad)
			continue
		}
		fill(row[:left*n], pad)
		copy(row[left*n:right*n], px.Data[(y+f.y)*px.Stride+(f.x+left)*n:])
		fill(row[right*n:], pad)
	}
	return out
}

func fill(b []byte, v byte) {
	for i := range b {
		b[i] = v
	}
}
