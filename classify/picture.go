package classify

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"math"

	"gocv.io/x/gocv"

	"inspector"
)

// overlayQuality is the JPEG quality of pictures for people.
const overlayQuality = 85

// JPEG encodes a picture with a quality of 1 to 100.
func JPEG(p inspector.Pixels, quality int) ([]byte, error) {
	if err := p.Check(); err != nil {
		return nil, fmt.Errorf("jpeg: %w", err)
	}
	m, err := wrap(new(scratch).pack(p))
	if err != nil {
		return nil, fmt.Errorf("jpeg: %w", err)
	}
	defer m.Close()
	return encode(m, quality)
}

// PNG encodes a picture without loss.
func PNG(p inspector.Pixels) ([]byte, error) {
	if err := p.Check(); err != nil {
		return nil, fmt.Errorf("png: %w", err)
	}
	m, err := wrap(new(scratch).pack(p))
	if err != nil {
		return nil, fmt.Errorf("png: %w", err)
	}
	defer m.Close()
	b, err := gocv.IMEncode(gocv.PNGFileExt, m)
	if err != nil {
		return nil, fmt.Errorf("png: encode %d x %d: %w", p.Width, p.Height, err)
	}
	defer b.Close()
	return bytes.Clone(b.GetBytes()), nil
}

func encode(m gocv.Mat, quality int) ([]byte, error) {
	b, err := gocv.IMEncodeWithParams(gocv.JPEGFileExt, m, []int{gocv.IMWriteJpegQuality, quality})
	if err != nil {
		return nil, fmt.Errorf("jpeg: encode %d x %d: %w", m.Cols(), m.Rows(), err)
	}
	defer b.Close()
	return bytes.Clone(b.GetBytes()), nil // the bytes die with the buffer
}

// Overlay draws the defects with class and score on a copy of the picture and
// encodes it as a colour JPEG. Lines and letters grow with the picture.
func Overlay(p inspector.Pixels, defects []inspector.Defect) ([]byte, error) {
	if err := p.Check(); err != nil {
		return nil, fmt.Errorf("overlay: %w", err)
	}
	src, err := wrap(new(scratch).pack(p))
	if err != nil {
		return nil, fmt.Errorf("overlay: %w", err)
	}
	defer src.Close()
	m := gocv.NewMat()
	defer m.Close()
	if p.Channels == 1 {
		err = gocv.CvtColor(src, &m, gocv.ColorGrayToBGR)
	} else {
		err = src.CopyTo(&m)
	}
	if err != nil {
		return nil, fmt.Errorf("overlay: copy: %w", err)
	}
	for _, d := range defects {
		if err := draw(&m, d); err != nil {
			return nil, fmt.Errorf("overlay: draw %s: %w", d.Class, err)
		}
	}
	return encode(m, overlayQuality)
}

// draw marks one defect: a box, and above it (below, at the upper edge) its
// class and score on a plate of the same colour.
func draw(m *gocv.Mat, d inspector.Defect) error {
	red, white := color.RGBA{R: 220, A: 255}, color.RGBA{R: 255, G: 255, B: 255, A: 255}
	unit := max(1, (m.Cols()+320)/640)
	scale := 0.5 * float64(unit)
	picture := image.Rect(0, 0, m.Cols(), m.Rows())
	box := image.Rect(int(d.Box.Left), int(d.Box.Top), int(d.Box.Right), int(d.Box.Bottom)).Intersect(picture)
	if err := gocv.Rectangle(m, box, red, 2*unit); err != nil {
		return err
	}
	text := fmt.Sprintf("%s %.2f", d.Class, math.Floor(float64(d.Score)*100+1e-4)/100)
	size := gocv.GetTextSize(text, gocv.FontHersheySimplex, scale, unit)
	plate := image.Rectangle{Max: size.Add(image.Pt(4*unit, 6*unit))}
	at := image.Pt(min(box.Min.X, picture.Max.X-plate.Dx()), box.Min.Y-plate.Dy())
	if at.Y < 0 {
		at.Y = min(box.Max.Y, picture.Max.Y-plate.Dy())
	}
	plate = plate.Add(image.Pt(max(at.X, 0), at.Y))
	if err := gocv.Rectangle(m, plate, red, -1); err != nil {
		return err
	}
	return gocv.PutText(m, text, image.Pt(plate.Min.X+2*unit, plate.Max.Y-3*unit), gocv.FontHersheySimplex, scale, white, unit)
}

// SetThreads says how many threads OpenCV may use for one picture, in the
// whole process. Beside a runtime of models, 1 is best.
func SetThreads(n int) { gocv.SetNumThreads(n) }
