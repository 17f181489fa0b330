package classify

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"inspector"
	"inspector/model"
)

func numbers(between string, values ...float32) string {
	parts := make([]string, len(values))
	for i, v := range values {
		parts[i] = strings.TrimPrefix(fmt.Sprintf("%.4g", v), "0")
		if parts[i] == "" {
			parts[i] = "0"
		}
	}
	return strings.Join(parts, between)
}

func TestOrigins(t *testing.T) {
	for _, tt := range []struct {
		length, size, overlap, step int
		want                        []int
	}{
		{64, 64, 0, 1, []int{0}},
		{10, 64, 16, 1, []int{0}},
		{65, 64, 16, 1, []int{0, 1}},
		{128, 64, 0, 1, []int{0, 64}},
		{128, 64, 16, 1, []int{0, 48, 64}},
		{130, 64, 0, 8, []int{0, 64, 72}},
		{200, 64, 10, 8, []int{0, 48, 96, 136}},
	} {
		have := origins(tt.length, tt.size, tt.overlap, tt.step)
		if !slices.Equal(have, tt.want) {
			t.Errorf("%+v: %v", tt, have)
		}
		for i, at := range have[1:] {
			if at-have[i] > tt.size-tt.overlap || at%tt.step != 0 {
				t.Errorf("%+v: %d after %d", tt, at, have[i])
			}
		}
	}
}

// tiled is the hand-made model that sees differences, for boards that are
// larger than its input.
func tiled(t *testing.T, golden inspector.Pixels) *Classifier {
	p := *load(t, "../model/testdata/models", "difference")
	p.Inputs = slices.Clone(p.Inputs)
	p.Inputs[0].Fit, p.Inputs[0].Overlap = model.Tiles, 16
	s, err := runtimes()["onnx-go"](t, &p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	c, err := New(&p, s, Recipe{Name: "large", Golden: golden, Copper: Dark})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// board is a plate of any size with traces; defects may be drawn on it.
func largePlate(w, h int, defects ...frame) inspector.Pixels {
	p := inspector.Pixels{Width: w, Height: h, Channels: 1, Stride: w, Data: slices.Repeat([]byte{255}, w*h)}
	draw := func(f frame) {
		for y := f.y; y < f.y+f.h; y++ {
			for x := f.x; x < f.x+f.w; x++ {
				p.Data[y*w+x] = 0
			}
		}
	}
	for y := 4; y+6 < h; y += 24 {
		draw(frame{0, y, w, 6})
	}
	for _, f := range defects {
		draw(f)
	}
	return p
}

// A board larger than the input is judged piece by piece, with its golden board
// beside it, and a defect on a seam is one defect.
func TestTiles(t *testing.T) {
	const w, h = 150, 110
	c := tiled(t, largePlate(w, h))
	if err := c.Warm(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		defects []frame
		want    []inspector.Box // must hold the defect and not much more
	}{
		"good":             {nil, nil},
		"in one tile":      {[]frame{{16, 12, 8, 8}}, []inspector.Box{{Left: 16, Top: 12, Right: 24, Bottom: 20}}},
		"last pixels":      {[]frame{{142, 90, 8, 8}}, []inspector.Box{{Left: 142, Top: 90, Right: 150, Bottom: 98}}},
		"in the overlap":   {[]frame{{52, 36, 8, 8}}, []inspector.Box{{Left: 52, Top: 36, Right: 60, Bottom: 44}}},
		"two, far apart":   {[]frame{{16, 12, 8, 8}, {120, 84, 8, 8}}, []inspector.Box{{Left: 16, Top: 12, Right: 24, Bottom: 20}, {Left: 120, Top: 84, Right: 128, Bottom: 92}}},
		"across the seams": {[]frame{{60, 60, 8, 8}}, []inspector.Box{{Left: 60, Top: 60, Right: 68, Bottom: 68}}},
	} {
		t.Run(name, func(t *testing.T) {
			r := c.Classify(t.Context(), largePlate(w, h, tt.defects...))
			if len(tt.want) == 0 {
				if r.Verdict != inspector.Pass {
					t.Errorf("%+v", r)
				}
				return
			}
			if r.Verdict != inspector.Fail {
				t.Fatalf("%+v", r)
			}
			for _, want := range tt.want {
				if !slices.ContainsFunc(r.Defects, func(d inspector.Defect) bool { return shared(d.Box, want) > .2*extent(want) }) {
					t.Errorf("%+v; want one at %v", r.Defects, want)
				}
			}
			for _, d := range r.Defects {
				if !slices.ContainsFunc(tt.want, func(w inspector.Box) bool {
					return shared(d.Box, inspector.Box{Left: w.Left - 8, Top: w.Top - 8, Right: w.Right + 8, Bottom: w.Bottom + 8}) > .9*extent(d.Box)
				}) {
					t.Errorf("%+v is no defect", d)
				}
			}
		})
	}
}

// Parts of one defect that is longer than the overlap become one box.
func TestJoin(t *testing.T) {
	d := yolo()
	d.input.Fit, d.input.Overlap = model.Tiles, 8
	views, err := viewsOf(d.input, d.how, 56, 32) // tiles from 0 to 32 and from 24 to 56
	if err != nil || len(views) != 2 {
		t.Fatal(views, err)
	}
	for name, tt := range map[string]struct {
		left, right []float32 // what each tile says, in its own pixels
		want        []inspector.Box
	}{
		"longer than the overlap": {[]float32{22, 10, 20, 6, .9, 0}, []float32{8, 10, 16, 6, .8, 0}, []inspector.Box{{Left: 12, Top: 7, Right: 40, Bottom: 13}}},
		"seen twice":              {[]float32{28, 10, 6, 6, .9, 0}, []float32{4, 10, 6, 6, .8, 0}, []inspector.Box{{Left: 25, Top: 7, Right: 31, Bottom: 13}}},
		"whole and cut off":       {[]float32{29, 10, 6, 6, .7, 0}, []float32{8, 10, 14, 6, .9, 0}, []inspector.Box{{Left: 25, Top: 7, Right: 39, Bottom: 13}}},
		"of two kinds":            {[]float32{22, 10, 20, 6, .9, 0}, []float32{8, 10, 16, 6, 0, .8}, []inspector.Box{{Left: 12, Top: 7, Right: 32, Bottom: 13}, {Left: 24, Top: 7, Right: 40, Bottom: 13}}},
		"one above the other":     {[]float32{22, 10, 20, 6, .9, 0}, []float32{8, 24, 16, 6, .8, 0}, []inspector.Box{{Left: 12, Top: 7, Right: 32, Bottom: 13}, {Left: 24, Top: 21, Right: 40, Bottom: 27}}},
	} {
		t.Run(name, func(t *testing.T) {
			out := make([]float32, 2*d.size)
			for k := range tt.left {
				out[k*4], out[d.size+k*4] = tt.left[k], tt.right[k]
			}
			have, err := d.decode(out, 56, 32, usual)
			var boxes []inspector.Box
			for _, d := range have {
				boxes = append(boxes, d.Box)
			}
			if err != nil || !slices.Equal(boxes, tt.want) {
				t.Errorf("have %v, %v; want %v", boxes, err, tt.want)
			}
		})
	}
}

// A region that crosses the seam of two maps is one region.
func TestMapsOfTilesAreJoined(t *testing.T) {
	d := odd()
	d.input.Fit, d.input.Overlap = model.Tiles, 2
	left := drawn("........", "....9999", "....9999", "........", "........", "........")
	right := drawn("........", "998.....", "998.....", "........", "........", "........")
	have, err := d.decode(append(left, right...), 14, 6, usual)
	if err != nil || len(have) != 1 || have[0].Box != (inspector.Box{Left: 4, Top: 1, Right: 9, Bottom: 3}) {
		t.Errorf("have %+v, %v", have, err)
	}
}

// Too many tiles are an error with a remedy, and the board is unsure.
func TestTooManyTiles(t *testing.T) {
	p := *load(t, "../model/testdata/models", "unet")
	p.Inputs = slices.Clone(p.Inputs)
	p.Inputs[0].Fit = model.Tiles
	c, err := New(&p, run(func(context.Context, []float32, []float32) error { return nil }), Recipe{Name: "huge"})
	if err != nil {
		t.Fatal(err)
	}
	r := c.Classify(t.Context(), texture(64*17, 64*16))
	if r.Verdict != inspector.Unsure || !strings.Contains(r.Reason, "272 tiles") || !strings.Contains(r.Reason, "larger input") {
		t.Errorf("%+v", r)
	}
}

// Borders are of the given sample, and what is inside is the picture.
func TestLetterbox(t *testing.T) {
	pad := uint8(7)
	in := model.Input{Layout: "NCHW", Width: 8, Height: 8, Colour: "rgb", Fit: model.Letterbox, Pad: &pad, Mean: make([]float32, 3), Scale: []float32{1, 1, 1}}
	p := &model.Package{Manifest: model.Manifest{Inputs: []model.Input{in}}}
	pr, err := newPreparer(p, Recipe{})
	if err != nil {
		t.Fatal(err)
	}
	px := colours(8, 4, 3, 5)
	input := pr.newInput()
	if err := pr.fill(input, px); err != nil {
		t.Fatal(err)
	}
	for c := range 3 {
		for y := range 8 {
			for x := range 8 {
				want := float32(7)
				if 2 <= y && y < 6 {
					want = float32(px.Data[(y-2)*px.Stride+3*x+2-c])
				}
				if have := input.data[(c*8+y)*8+x]; have != want {
					t.Fatalf("channel %d at (%d,%d) is %v; want %v", c, x, y, have, want)
				}
			}
		}
	}
}
