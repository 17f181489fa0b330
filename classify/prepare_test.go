package classify

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"inspector"
	"inspector/model"
)

// colours is a picture whose every sample is known: blue x, green y, red x+y.
func colours(w, h, channels, gap int) inspector.Pixels {
	stride := w*channels + gap
	p := inspector.Pixels{Width: w, Height: h, Channels: channels, Stride: stride, Data: make([]byte, stride*h)}
	for y := range h {
		for x := range w {
			for c, v := range []byte{byte(x), byte(y), byte(x + y)}[:channels] {
				p.Data[y*stride+x*channels+c] = v
			}
		}
	}
	return p
}

func TestLayoutsAndColours(t *testing.T) {
	const w, h = 16, 8
	for _, layout := range []string{"NCHW", "NHWC"} {
		for _, colour := range []string{"grey", "rgb", "bgr"} {
			for _, golden := range []bool{false, true} {
				for _, channels := range []int{1, 3} {
					in := model.Input{Name: "x", Layout: layout, Width: w, Height: h, Colour: colour, Golden: golden,
						Mean: []float32{10, 20, 30}, Scale: []float32{.5, .25, 2}}
					p := &model.Package{Manifest: model.Manifest{Inputs: []model.Input{in}}}
					board, good := colours(w, h, channels, 5), colours(w, h, channels, 0)
					for i := range good.Data {
						good.Data[i] += 100
					}
					pr, err := newPreparer(p, Recipe{Golden: good})
					if err != nil {
						t.Fatal(err)
					}
					input := pr.newInput()
					if err := pr.fill(input, board); err != nil {
						t.Fatal(err)
					}
					for c := range in.Channels() {
						for y := range h {
							for x := range w {
								from := board
								if c >= in.Colours() {
									from = good
								}
								k := c % in.Colours()
								at := (c*h+y)*w + x
								if layout == "NHWC" {
									at = (y*w+x)*in.Channels() + c
								}
								want := (seen(from.Data[y*from.Stride+x*channels:], colour, k, channels) - in.Mean[k]) * in.Scale[k]
								if d := input.data[at] - want; d > 1 || d < -1 || d != 0 && colour != "grey" {
									t.Fatalf("%s %s golden %v from %d channels: channel %d at %d,%d is %v; want %v", layout, colour, golden, channels, c, x, y, input.data[at], want)
								}
							}
						}
					}
				}
			}
		}
	}
}

// seen is what channel k of the model should see.
func seen(px []byte, colour string, k, channels int) float32 {
	switch {
	case channels == 1:
		return float32(px[0])
	case colour == "grey":
		return float32(int(.114*float32(px[0]) + .587*float32(px[1]) + .299*float32(px[2]) + .5))
	case colour == "rgb":
		return float32(px[2-k])
	}
	return float32(px[k])
}

func TestResizes(t *testing.T) {
	in := model.Input{Name: "x", Layout: "NCHW", Width: 8, Height: 4, Colour: "grey", Mean: []float32{0}, Scale: []float32{1}}
	p := &model.Package{Manifest: model.Manifest{Inputs: []model.Input{in}}}
	pr, err := newPreparer(p, Recipe{})
	if err != nil {
		t.Fatal(err)
	}
	large := inspector.Pixels{Width: 16, Height: 16, Channels: 1, Stride: 16, Data: make([]byte, 256)}
	for i := range large.Data {
		if i%16 >= 8 {
			large.Data[i] = 200
		}
	}
	input := pr.newInput()
	if err := pr.fill(input, large); err != nil {
		t.Fatal(err)
	}
	if want := slices.Repeat([]float32{0, 0, 0, 0, 200, 200, 200, 200}, 4); !slices.Equal(input.data, want) {
		t.Errorf("shrunk to %v", input.data)
	}
	tiny := inspector.Pixels{Width: 1, Height: 1, Channels: 3, Stride: 3, Data: []byte{9, 9, 9}}
	if err := pr.fill(input, tiny); err != nil || input.data[0] != 9 || input.data[31] != 9 {
		t.Errorf("grown to %v, %v", input.data, err)
	}
}

func TestBinarises(t *testing.T) {
	in := model.Input{Name: "x", Layout: "NCHW", Width: 64, Height: 64, Colour: "grey", Binarise: true, Golden: true, Mean: []float32{0}, Scale: []float32{1. / 255}}
	p := &model.Package{Manifest: model.Manifest{Inputs: []model.Input{in}}}
	still := inspector.Pixels{Width: 128, Height: 128, Channels: 3, Stride: 384, Data: make([]byte, 384*128)}
	r := rand.New(rand.NewPCG(1, 1))
	for i := range still.Data {
		still.Data[i] = byte(56 + r.IntN(24))
		if i/3%128%32 < 16 {
			still.Data[i] += 90
		}
	}
	for tone, left := range map[Tone]float32{Dark: 1, Bright: 0} {
		pr, err := newPreparer(p, Recipe{Golden: still, Copper: tone})
		if err != nil {
			t.Fatal(err)
		}
		input := pr.newInput()
		if err := pr.fill(input, still); err != nil {
			t.Fatal(err)
		}
		if a, b := input.data[64*32+4], input.data[64*32+12]; a != left || b != 1-left {
			t.Errorf("%s copper: left stripe %v, right %v", tone, a, b)
		}
		if !slices.Equal(input.data[:64*64], input.data[64*64:]) {
			t.Errorf("%s copper: the same picture differs from itself as golden", tone)
		}
	}
	for what, bad := range map[string]Recipe{
		"no golden":        {Copper: Dark},
		"no tone":          {Golden: still},
		"broken golden":    {Golden: inspector.Pixels{Width: 99, Height: 1, Channels: 1, Stride: 99, Data: []byte{1}}, Copper: Dark},
		"golden is a blur": {Golden: inspector.Pixels{Width: 64, Height: 64, Channels: 1, Stride: 64, Data: make([]byte, 64*64)}, Copper: Dark},
	} {
		if _, err := newPreparer(p, bad); err == nil {
			t.Errorf("%s: no error", what)
		} else if what == "no golden" && !strings.Contains(err.Error(), "golden") {
			t.Error(err)
		}
	}
}
