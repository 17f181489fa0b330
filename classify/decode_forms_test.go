package classify

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"

	"inspector"
	"inspector/model"
)

// yolo is a detector of two kinds of defects in 32 x 32 pixels with 4 anchors.
func yolo() decoder {
	return decoder{task: model.Detection, labels: []string{"open", "short"}, cells: true, size: 6 * 4, sizes: []int{6 * 4},
		how: model.Decode{Activation: "none", Form: model.YOLO, Strides: []int{16}, NMS: .5}, input: model.Input{Width: 32, Height: 32}}
}

func TestAnchors(t *testing.T) {
	type d = inspector.Defect
	box := func(l, t, r, b float32) inspector.Box {
		return inspector.Box{Left: l, Top: t, Right: r, Bottom: b}
	}
	for name, tt := range map[string]struct {
		change func(*decoder)
		says   [][]float32 // of each anchor: x, y, w, h, and two scores
		w, h   int
		want   []d
		err    string
	}{
		"one":            {says: [][]float32{{10, 12, 4, 8, .2, .9}}, want: []d{{Class: "short", Score: .9, Box: box(8, 8, 12, 16)}}},
		"nothing":        {says: [][]float32{{10, 12, 4, 8, .1, .2}}, want: []d{{Class: "short", Score: .2, Box: box(8, 8, 12, 16)}}},
		"stretched":      {says: [][]float32{{10, 12, 4, 8, .2, .9}}, w: 64, h: 96, want: []d{{Class: "short", Score: .9, Box: box(16, 24, 24, 48)}}},
		"letterbox wide": {func(d *decoder) { d.input.Fit = model.Letterbox }, [][]float32{{10, 12, 4, 8, .2, .9}}, 64, 32, []d{{Class: "short", Score: .9, Box: box(16, 0, 24, 16)}}, ""},
		"letterbox high": {func(d *decoder) { d.input.Fit = model.Letterbox }, [][]float32{{16, 12, 4, 8, .2, .9}}, 16, 32, []d{{Class: "short", Score: .9, Box: box(6, 8, 10, 16)}}, ""},
		"rivals":         {says: [][]float32{{10, 12, 8, 8, .8, 0}, {11, 12, 8, 8, 0, .9}}, want: []d{{Class: "short", Score: .9, Box: box(7, 8, 15, 16)}}},
		"rivals of a class": {func(d *decoder) { d.how.PerClass = true }, [][]float32{{10, 12, 8, 8, .8, 0}, {11, 12, 8, 8, 0, .9}, {10, 11, 8, 8, .7, 0}}, 32, 32,
			[]d{{Class: "short", Score: .9, Box: box(7, 8, 15, 16)}, {Class: "open", Score: .8, Box: box(6, 8, 14, 16)}}, ""},
		"sigmoid": {func(d *decoder) { d.how.Activation = "sigmoid" }, [][]float32{{10, 12, 4, 8, 0, -9}, {0, 0, 0, 0, -9, -9}, {0, 0, 0, 0, -9, -9}, {0, 0, 0, 0, -9, -9}}, 32, 32,
			[]d{{Class: "open", Score: .5, Box: box(8, 8, 12, 16)}}, ""},
		"inside out": {says: [][]float32{{10, 12, -4, -8, .9, 0}}, want: []d{{Class: "open", Score: .9, Box: box(9.6, 11.6, 10.4, 12.4)}}},
		"raw":        {says: [][]float32{{10, 12, 4, 8, 3, 0}}, err: "decode.activation"},
	} {
		t.Run(name, func(t *testing.T) {
			d := yolo()
			if tt.change != nil {
				tt.change(&d)
			}
			out := make([]float32, d.size)
			for i, values := range tt.says {
				for k, v := range values {
					out[k*4+i] = v
				}
			}
			if tt.w == 0 {
				tt.w, tt.h = 32, 32
			}
			have, err := d.decode(out, tt.w, tt.h, usual)
			var output *OutputError
			switch {
			case tt.err != "" && (!errors.As(err, &output) || !strings.Contains(err.Error(), tt.err)):
				t.Errorf("error is %v; want one with %q", err, tt.err)
			case tt.err == "" && (err != nil || !slices.EqualFunc(have, tt.want, near)):
				t.Errorf("have %+v, %v; want %+v", have, err, tt.want)
			}
		})
	}
}

// odd is a detector of anomalies in 8 x 6 pixels.
func odd() decoder {
	return decoder{task: model.Anomaly, labels: []string{"anomaly"}, cells: true, size: 48, sizes: []int{48},
		how: model.Decode{Activation: "none"}, input: model.Input{Width: 8, Height: 6}}
}

// drawn is a map with a score of a tenth of each digit.
func drawn(rows ...string) (out []float32) {
	for _, r := range rows {
		for _, c := range strings.ReplaceAll(r, ".", "0") {
			out = append(out, float32(c-'0')/10)
		}
	}
	return out
}

func TestMaps(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*decoder)
		out    []float32
		w, h   int
		want   []string // class, score and box
		ring   string   // of the first
		err    string
	}{
		"a square": {nil, drawn("........", ".67.....", ".76.....", "........", "........", "........"), 8, 6, []string{"anomaly .7 1,1,3,3"}, "1,1 3,1 3,3 1,3", ""},
		"scaled": {nil, drawn("........", ".67.....", ".76.....", "........", "........", "........"), 16, 18, []string{"anomaly .7 2,3,6,9"},
			"2,3 6,3 6,9 2,9", ""},
		"corners touch":       {nil, drawn("5.......", ".5......", "..5.....", "........", "......9.", "........"), 8, 6, []string{"anomaly .9 6,4,7,5", "anomaly .5 0,0,3,3"}, "", ""},
		"a hole":              {nil, drawn("999.....", "9.9.....", "999.....", "........", "........", "........"), 8, 6, []string{"anomaly .9 0,0,3,3"}, "0,0 3,0 3,3 0,3", ""},
		"at the edges":        {nil, drawn("9......9", "........", "........", "........", "........", "9......9"), 8, 6, []string{"anomaly .9 0,0,1,1", "anomaly .9 7,0,8,1", "anomaly .9 0,5,1,6", "anomaly .9 7,5,8,6"}, "", ""},
		"nothing":             {nil, drawn("........", "........", "..1.....", ".....2..", "........", "........"), 8, 6, []string{"anomaly .2 5,3,6,4"}, "", ""},
		"too small to tell":   {func(d *decoder) { d.how.MinArea = 2 }, drawn("9.......", "........", "...77...", "........", "........", "........"), 8, 6, []string{"anomaly .7 3,2,5,3"}, "", ""},
		"sigmoid":             {func(d *decoder) { d.how.Activation = "sigmoid" }, slices.Concat([]float32{0}, slices.Repeat([]float32{-9}, 47)), 8, 6, []string{"anomaly .5 0,0,1,1"}, "", ""},
		"a range":             {func(d *decoder) { d.how.Range = []float32{10, 20} }, slices.Concat([]float32{17}, slices.Repeat([]float32{3}, 47)), 8, 6, []string{"anomaly .7 0,0,1,1"}, "", ""},
		"no range":            {nil, slices.Concat([]float32{17}, make([]float32, 47)), 8, 6, nil, "", "decode.range"},
		"the border is none":  {func(d *decoder) { d.input.Fit = model.Letterbox }, drawn("99999999", "........", "..7.....", "........", "........", "99999999"), 8, 4, []string{"anomaly .7 2,1,3,2"}, "", ""},
		"a coarse map":        {func(d *decoder) { d.how.Stride, d.size, d.sizes = 2, 12, []int{12} }, drawn(".9..", "....", "...."), 8, 6, []string{"anomaly .9 2,0,4,2"}, "", ""},
		"score, no region":    {scored, append(drawn("........", "........", "........", ".....2..", "........", "........"), .6), 8, 6, []string{"anomaly .6 0,0,8,6"}, "", ""},
		"score above region":  {scored, append(drawn("4.......", "........", "........", "........", "........", "........"), .6), 8, 6, []string{"anomaly .6 0,0,8,6", "anomaly .4 0,0,1,1"}, "", ""},
		"score below region":  {scored, append(drawn("7.......", "........", "........", "........", "........", "........"), .6), 8, 6, []string{"anomaly .7 0,0,1,1"}, "", ""},
		"score passes":        {scored, append(drawn("2.......", "........", "........", "........", "........", "........"), .1), 8, 6, []string{"anomaly .2 0,0,1,1"}, "", ""},
		"score out of range":  {scored, append(make([]float32, 48), 2), 8, 6, nil, "", "not from 0 to 1"},
		"two labels":          {labelled("none"), append(drawn("9.......", "........", "........", "........", "........", "........"), drawn("99......", "........", "........", "........", "........", ".......8")...), 8, 6, []string{"scratch .9 0,0,2,1", "scratch .8 7,5,8,6"}, "", ""},
		"softmax over labels": {labelled("softmax"), append(slices.Repeat([]float32{5}, 48), slices.Concat([]float32{9}, make([]float32, 47))...), 8, 6, []string{"scratch .982 0,0,1,1"}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := odd()
			if tt.change != nil {
				tt.change(&d)
			}
			have, err := d.decode(tt.out, tt.w, tt.h, usual)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("error is %v; want one with %q", err, tt.err)
				}
				return
			}
			var said []string
			for _, d := range have {
				b := d.Box
				said = append(said, d.Class+" "+numbers(" ", d.Score)+" "+numbers(",", b.Left, b.Top, b.Right, b.Bottom))
			}
			if err != nil || !slices.Equal(said, tt.want) {
				t.Errorf("have %q, %v; want %q", said, err, tt.want)
			}
			var ring []string
			for _, p := range have[0].Polygon {
				ring = append(ring, numbers(",", p.X, p.Y))
			}
			if tt.ring != "" && strings.Join(ring, " ") != tt.ring {
				t.Errorf("outline %q; want %q", ring, tt.ring)
			}
		})
	}
}

func scored(d *decoder) { d.size, d.sizes = 49, []int{48, 1} }

func labelled(activation string) func(*decoder) {
	return func(d *decoder) {
		d.task, d.labels, d.good, d.how.Activation = model.Segmentation, []string{"background", "scratch"}, "background", activation
		d.size, d.sizes = 96, []int{96}
	}
}

// A large and ragged region has an outline of few corners that holds it.
func TestOutlineIsShort(t *testing.T) {
	const n = 200
	m := scoreMap{rows: n, cols: n, cell: 1, scores: make([]float32, n*n), view: view{sx: 1, sy: 1, width: n, height: n, w: n, h: n}}
	for y := range n {
		for x := range n {
			dx, dy := float64(x-n/2), float64(y-n/2)
			if r := math.Hypot(dx, dy); r < 70+5*math.Sin(40*math.Atan2(dy, dx)) {
				m.scores[y*n+x] = 1
			}
		}
	}
	f := &finder{limits: usual}
	m.regions(f, "x", 0)
	if len(f.found) != 1 || len(f.found[0].Polygon) > maxCorners || len(f.found[0].Polygon) < 12 {
		t.Fatalf("%d regions, outline of %d", len(f.found), len(f.found[0].Polygon))
	}
	for _, p := range f.found[0].Polygon {
		if r := math.Hypot(float64(p.X-n/2), float64(p.Y-n/2)); r < 60 || r > 80 {
			t.Errorf("corner %v is %v from the middle", p, r)
		}
	}
}

// Whatever the model says in any form: no panic, and boxes inside the picture.
func FuzzForms(f *testing.F) {
	f.Add([]byte{}, uint8(0), uint16(8), uint16(6))
	f.Add([]byte{0, 0, 128, 63, 0, 0, 0, 63, 0, 0, 200, 66}, uint8(1), uint16(40), uint16(9))
	for i := range uint8(6) {
		f.Add(binary.LittleEndian.AppendUint32(nil, math.Float32bits(.9)), i, uint16(33), uint16(77))
	}
	forms := []func() decoder{
		small, yolo, odd,
		func() decoder { d := odd(); scored(&d); d.input.Fit, d.input.Overlap = model.Tiles, 2; return d },
		func() decoder { d := odd(); labelled("softmax")(&d); d.input.Fit = model.Letterbox; return d },
		func() decoder { d := yolo(); d.input.Fit, d.input.Overlap = model.Tiles, 8; return d },
	}
	f.Fuzz(func(t *testing.T, b []byte, form uint8, w, h uint16) {
		d := forms[int(form)%len(forms)]()
		w, h = w%100+1, h%100+1
		views, err := viewsOf(d.input, d.how, int(w), int(h))
		if err != nil {
			t.Skip(err)
		}
		out := make([]float32, d.size*len(views))
		for i := range out {
			if len(b) >= 4 {
				out[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*(i%(len(b)/4)):]))
			}
		}
		have, err := d.decode(out, int(w), int(h), usual)
		if err != nil {
			var output *OutputError
			if !errors.As(err, &output) {
				t.Errorf("error is %v", err)
			}
			return
		}
		if len(have) == 0 || len(have) > maxDefects {
			t.Fatalf("%d defects and no error", len(have))
		}
		for _, x := range have {
			b := x.Box
			if !(0 <= b.Left && b.Left <= b.Right && b.Right <= float32(w) && 0 <= b.Top && b.Top <= b.Bottom && b.Bottom <= float32(h) && 0 <= x.Score && x.Score <= 1) {
				t.Errorf("defect %+v in %d x %d", x, w, h)
			}
		}
	})
}
