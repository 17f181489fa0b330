package classify

import (
	"bytes"
	"image"
	"image/jpeg"
	"slices"
	"testing"

	"inspector"
)

func decodeJPEG(t *testing.T, b []byte) image.Image {
	m, err := jpeg.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestJPEG(t *testing.T) {
	for _, p := range []inspector.Pixels{colours(40, 30, 3, 7), colours(40, 30, 1, 0)} {
		b, err := JPEG(p, 95)
		if err != nil {
			t.Fatal(err)
		}
		m := decodeJPEG(t, b)
		if m.Bounds().Dx() != 40 || m.Bounds().Dy() != 30 {
			t.Errorf("size %v", m.Bounds())
		}
		r, g, blue, _ := m.At(30, 10).RGBA()
		want := [3]uint32{40, 10, 30} // red is x+y, green y, blue x
		if p.Channels == 1 {
			want = [3]uint32{30, 30, 30}
		}
		for i, v := range []uint32{r >> 8, g >> 8, blue >> 8} {
			if v+12 < want[i] || v > want[i]+12 {
				t.Errorf("%d channels: colour %d is %d; want %d", p.Channels, i, v, want[i])
			}
		}
	}
	if _, err := JPEG(inspector.Pixels{Width: 9}, 90); err == nil {
		t.Error("a broken picture was encoded")
	}
}

func TestOverlay(t *testing.T) {
	p := inspector.Pixels{Width: 640, Height: 640, Channels: 1, Stride: 640, Data: slices.Repeat([]byte{200}, 640*640)}
	before := bytes.Clone(p.Data)
	for name, tt := range map[string]struct {
		box  inspector.Box
		text image.Rectangle // where class and score must be
	}{
		"inside":         {inspector.Box{Left: 300, Top: 300, Right: 340, Bottom: 330}, image.Rect(300, 276, 380, 300)},
		"upper edge":     {inspector.Box{Left: 300, Top: 2, Right: 340, Bottom: 30}, image.Rect(300, 30, 380, 50)},
		"right edge":     {inspector.Box{Left: 630, Top: 300, Right: 640, Bottom: 330}, image.Rect(530, 276, 640, 300)},
		"beyond":         {inspector.Box{Left: -50, Top: -50, Right: 9000, Bottom: 9000}, image.Rect(0, 600, 100, 640)},
		"lower left, 1x": {inspector.Box{Left: 0, Top: 638, Right: 2, Bottom: 640}, image.Rect(0, 614, 80, 638)},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := Overlay(p, []inspector.Defect{{Class: "mousebite", Score: .93, Box: tt.box}})
			if err != nil {
				t.Fatal(err)
			}
			m := decodeJPEG(t, b)
			red, white := 0, 0
			for y := tt.text.Min.Y; y < tt.text.Max.Y; y++ {
				for x := tt.text.Min.X; x < tt.text.Max.X; x++ {
					r, g, _, _ := m.At(x, y).RGBA()
					switch {
					case r>>8 > 170 && g>>8 < 90:
						red++
					case r>>8 > 225 && g>>8 > 225:
						white++
					}
				}
			}
			area := tt.text.Dx() * tt.text.Dy()
			if red < area/5 || white < 20 {
				t.Errorf("%d red and %d white of %d pixels: no legible text there", red, white, area)
			}
		})
	}
	if !bytes.Equal(before, p.Data) {
		t.Error("the picture itself was drawn on")
	}
	if b, err := Overlay(p, nil); err != nil || len(b) == 0 {
		t.Error("a board without defects has no overlay: ", err)
	}
}
