package classify

import (
	"slices"
	"testing"
	"time"

	"inspector"
	"inspector/model"
)

// still is a picture of 640 x 640 like a camera's: BGR, copper brighter.
func still() inspector.Pixels {
	const side = 640
	p := inspector.Pixels{Width: side, Height: side, Channels: 3, Stride: 3 * side, Data: make([]byte, 3*side*side)}
	for i := range side * side {
		v := byte(60 + i*7919%23)
		if (i%side+i/side/2)%80 < 28 {
			v += 60
		}
		copy(p.Data[3*i:], []byte{v / 2, v, v / 2})
	}
	return p
}

// Preparing without binarising, beside a bare copy of the numbers.
func BenchmarkPrepare(b *testing.B) {
	frame := still()
	for name, in := range map[string]model.Input{
		"grey":   {Layout: "NCHW", Width: 640, Height: 640, Colour: "grey", Mean: []float32{0}, Scale: []float32{1}},
		"rgb":    {Layout: "NCHW", Width: 640, Height: 640, Colour: "rgb", Mean: []float32{0, 0, 0}, Scale: []float32{1, 1, 1}},
		"shrink": {Layout: "NCHW", Width: 320, Height: 320, Colour: "grey", Mean: []float32{0}, Scale: []float32{1}},
	} {
		b.Run(name, func(b *testing.B) {
			pr, err := newPreparer(&model.Package{Manifest: model.Manifest{Inputs: []model.Input{in}}}, Recipe{})
			if err != nil {
				b.Fatal(err)
			}
			input := pr.newInput()
			from := slices.Clone(input.data)
			var work, baseline time.Duration
			for b.Loop() {
				begun := time.Now()
				if err := pr.fill(input, frame); err != nil {
					b.Fatal(err)
				}
				middle := time.Now()
				copy(from, input.data)
				work, baseline = work+middle.Sub(begun), baseline+time.Since(middle)
			}
			b.ReportMetric(float64(work)/float64(baseline), "x-copy")
		})
	}
}

func BenchmarkPictures(b *testing.B) {
	frame := still()
	defects := []inspector.Defect{{Class: "short", Score: .93, Box: inspector.Box{Left: 100, Top: 200, Right: 150, Bottom: 230}}}
	b.Run("jpeg", func(b *testing.B) {
		for b.Loop() {
			if _, err := JPEG(frame, 85); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("overlay", func(b *testing.B) {
		for b.Loop() {
			if _, err := Overlay(frame, defects); err != nil {
				b.Fatal(err)
			}
		}
	})
}
