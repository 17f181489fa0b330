package classify

import (
	"testing"

	"inspector"
	"inspector/model"
)

// The numbers are those of the manifest to the last bit, whichever way they are
// made, and beside what is there already.
func TestSpreadIsExact(t *testing.T) {
	px := inspector.Pixels{Width: 16, Height: 16, Channels: 1, Stride: 16, Data: make([]byte, 256)}
	for v := range px.Data {
		px.Data[v] = byte(v)
	}
	plate := px
	plate.Data = make([]byte, 256)
	for i := range 100 {
		plate.Data[i*2] = 255
	}
	for name, c := range map[string]struct {
		mean, scale float32
		binarise    bool
		layout      string
		straight    bool // OpenCV makes them
	}{
		"as they are":       {0, 1, false, "NCHW", true},
		"halves":            {128, .5, false, "NCHW", true},
		"0 to 1":            {0, 1. / 255, true, "NCHW", true},
		"1 to 0":            {255, -1. / 255, true, "NCHW", false},
		"an awkward scale":  {103.53, 1 / 57.375, false, "NCHW", false},
		"side by side":      {0, 1, false, "NHWC", false},
		"an awkward plate":  {103.53, 1 / 57.375, true, "NCHW", false},
		"beyond every line": {3e38, 3e38, false, "NCHW", false},
	} {
		in := model.Input{Layout: c.layout, Width: 16, Height: 16, Colour: "grey", Binarise: c.binarise, Mean: []float32{c.mean}, Scale: []float32{c.scale}, Golden: true}
		p := preparer{model: in}
		for v := range 256 {
			p.numbers[0][v] = in.Number(0, byte(v))
		}
		p.line = lineOf(&p.numbers[0], in)
		if c.straight && p.line == nil {
			t.Errorf("%s: looked up", name)
		}
		from := px
		if c.binarise {
			from = plate
		}
		got := make([]float32, 512)
		if err := p.spread(got, 1, from); err != nil {
			t.Fatal(err)
		}
		for i, v := range from.Data {
			at := 256 + i
			if c.layout == "NHWC" {
				at = 2*i + 1
			}
			if want := in.Number(0, v); got[at] != want {
				t.Fatalf("%s: %d became %v; want %v", name, v, got[at], want)
			}
			got[at] = 0
		}
		for i, v := range got {
			if v != 0 {
				t.Fatalf("%s: number %d was written, too: %v", name, i, v)
			}
		}
	}
}
