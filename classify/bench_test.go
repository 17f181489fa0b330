package classify

import (
	"os"
	"slices"
	"testing"
	"time"

	"inspector"
	"inspector/model"
	"inspector/model/onnxgo"
	"inspector/model/onnxruntime"
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

// shipped is the model of the product, or the largest of the tests' own.
func shipped(b *testing.B) *model.Package {
	if _, err := os.Stat("../models/pcb"); err == nil {
		return load(b, "../models", "pcb")
	}
	b.Log("the shipped model is not there; the hand-made one of 64 x 64 is measured")
	return load(b, "../model/testdata/models", "difference")
}

// Preparing and decoding cost a fraction of bare inference, measured in turn
// in the same run: the metric share is (prepare+decode)/infer.
func BenchmarkShare(b *testing.B) {
	p := shipped(b)
	frame := still()
	for name, open := range map[string]func() (session, func() error, error){
		onnxruntime.Name: func() (session, func() error, error) {
			s, err := onnxruntime.Open("", p, onnxruntime.Options{})
			if err != nil {
				return nil, nil, err
			}
			return s, s.Close, nil
		},
		onnxgo.Name: func() (session, func() error, error) {
			s, err := onnxgo.Open(p)
			if err != nil {
				return nil, nil, err
			}
			return s, s.Close, nil
		},
	} {
		b.Run(name, func(b *testing.B) {
			s, closeSession, err := open()
			if err != nil {
				b.Skip(err)
			}
			defer closeSession()
			c, err := New(p, s, Recipe{Golden: frame, Copper: Bright})
			if err != nil {
				b.Fatal(err)
			}
			var prepare, infer, decode []time.Duration
			for b.Loop() {
				r := c.Classify(b.Context(), frame)
				if r.Timings.Decode == 0 {
					b.Fatal(r.Reason)
				}
				prepare, infer, decode = append(prepare, r.Timings.Prepare), append(infer, r.Timings.Infer), append(decode, r.Timings.Decode)
			}
			ms := func(d []time.Duration) float64 {
				slices.Sort(d)
				return float64(d[len(d)/2].Microseconds()) / 1000
			}
			b.ReportMetric(ms(prepare), "prepare-ms")
			b.ReportMetric(ms(infer), "infer-ms")
			b.ReportMetric(ms(decode), "decode-ms")
			b.ReportMetric((ms(prepare)+ms(decode))/ms(infer), "share")
		})
	}
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
