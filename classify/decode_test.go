package classify

import (
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"testing"

	"inspector"
	"inspector/model"
)

// small is a detector for a board of 4 x 3 cells of 8 pixels, with two kinds of
// defects.
func small() decoder {
	return decoder{task: model.Detection, labels: []string{"open", "short"}, cells: true, size: 7 * 12, sizes: []int{7 * 12},
		how: model.Decode{Activation: "none", Stride: 8, NMS: .3}, input: model.Input{Width: 32, Height: 24}}
}

type cell struct{ x, y int }

// say sets what the model says about one cell.
func say(out []float32, at cell, values ...float32) {
	for k, v := range values {
		out[k*12+at.y*4+at.x] = v
	}
}

var usual = limits{all: Limits{Fail: .5, Pass: .3}}

func TestDetect(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	type says map[cell][]float32
	type d = inspector.Defect
	for name, tt := range map[string]struct {
		change func(*decoder)
		says   says
		w, h   int
		limits limits
		want   []d
		err    string
	}{
		"nothing": {want: []d{{Class: "open", Box: inspector.Box{Left: 3.6, Top: 3.6, Right: 4.4, Bottom: 4.4}}}},
		"one box": {says: says{{1, 1}: {.9, .2, 1, 1, .5, .25, 1}},
			want: []d{{Class: "short", Score: .9, Box: inspector.Box{Left: 4, Top: 8, Right: 14, Bottom: 20}}}},
		"larger picture": {says: says{{1, 1}: {.9, .2, 1, 1, .5, .25, 1}}, w: 64, h: 72,
			want: []d{{Class: "short", Score: .9, Box: inspector.Box{Left: 8, Top: 24, Right: 28, Bottom: 60}}}},
		"grown and clipped": {says: says{{0, 0}: {1, 1, 0, 1, 1, 1, 9}}, change: func(d *decoder) { d.how.Grow = 2 },
			want: []d{{Class: "open", Score: 1, Box: inspector.Box{Right: 14, Bottom: 24}}}},
		"inside out is made small": {says: says{{0, 0}: {1, 1, 0, -9, -9, -9, -9}},
			want: []d{{Class: "open", Score: 1, Box: inspector.Box{Left: 3.6, Top: 3.6, Right: 4.4, Bottom: 4.4}}}},
		"overlap of other classes is one defect": {says: says{{1, 1}: {1, .8, 0, 1, 1, 1, 1}, {2, 1}: {1, 0, .9, 2, 1, 1, 1}},
			want: []d{{Class: "short", Score: .9, Box: inspector.Box{Left: 4, Top: 4, Right: 28, Bottom: 20}}}},
		"apart are two, worst first": {says: says{{0, 0}: {.6, 1, 0, .5, .5, .5, .5}, {3, 2}: {.7, 1, 0, .5, .5, .5, .5}},
			want: []d{{Class: "open", Score: .7, Box: inspector.Box{Left: 24, Top: 16, Right: 32, Bottom: 24}}, {Class: "open", Score: .6, Box: inspector.Box{Right: 8, Bottom: 8}}}},
		"one that fails is not hidden by a higher score that does not": {
			says:   says{{1, 1}: {1, .45, 0, 1, 1, 1, 1}, {2, 1}: {1, 0, .55, 2, 1, 1, 1}},
			limits: limits{all: usual.all, class: map[string]Limits{"short": {Fail: .95, Pass: .5}, "open": {Fail: .4, Pass: .2}}},
			want:   []d{{Class: "open", Score: .45, Box: inspector.Box{Left: 4, Top: 4, Right: 20, Bottom: 20}}}},
		"below pass, the highest is told": {says: says{{0, 0}: {.2, 1, 0, .5, .5, .5, .5}, {3, 2}: {.25, 1, 0, .5, .5, .5, .5}},
			want: []d{{Class: "open", Score: .25, Box: inspector.Box{Left: 24, Top: 16, Right: 32, Bottom: 24}}}},
		"sigmoid": {says: says{{0, 0}: {9, 9, -9, .5, .5, .5, .5}}, change: func(d *decoder) { d.how.Activation = "sigmoid" },
			limits: limits{all: Limits{Fail: .99, Pass: .5}},
			want:   []d{{Class: "open", Score: .99975, Box: inspector.Box{Right: 8, Bottom: 8}}}},
		"rounded above 1":                   {says: says{{0, 0}: {1.0001, 1, 0, .5, .5, .5, .5}}, want: []d{{Class: "open", Score: 1, Box: inspector.Box{Right: 8, Bottom: 8}}}},
		"raw scores taken for scores":       {says: says{{0, 0}: {7}}, err: "decode.activation"},
		"raw class scores taken for scores": {says: says{{0, 0}: {1, 0, 7}}, err: `score of short is 7`},
		"NaN objectness":                    {says: says{{3, 2}: {nan}}, err: "number 11 of the model's output is NaN"},
		"NaN class":                         {says: says{{3, 2}: {0, nan}}, err: "NaN"},
		"NaN box":                           {says: says{{3, 2}: {0, 0, 0, 0, 0, 0, nan}}, err: "number 83"},
		"infinite box":                      {says: says{{0, 0}: {0, 0, 0, -inf}}, err: "Inf"},
		"short of numbers":                  {change: func(d *decoder) { d.size++ }, err: "84 numbers; want 85"},
	} {
		t.Run(name, func(t *testing.T) {
			d := small()
			out := make([]float32, d.size)
			for at, values := range tt.says {
				say(out, at, values...)
			}
			if tt.change != nil {
				tt.change(&d)
			}
			if tt.w == 0 {
				tt.w, tt.h = 32, 24
			}
			if tt.limits.all == (Limits{}) {
				tt.limits = usual
			}
			have, err := d.decode(out, tt.w, tt.h, tt.limits)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("error is %v; want one with %q", err, tt.err)
				}
				return
			}
			if err != nil || !slices.EqualFunc(have, tt.want, near) {
				t.Errorf("have %+v, %v; want %+v", have, err, tt.want)
			}
		})
	}
}

func near(a, b inspector.Defect) bool {
	eq := func(x, y float32) bool { return math.Abs(float64(x-y)) < 1e-4 }
	return a.Class == b.Class && eq(a.Score, b.Score) && eq(a.Box.Left, b.Box.Left) && eq(a.Box.Top, b.Box.Top) && eq(a.Box.Right, b.Box.Right) && eq(a.Box.Bottom, b.Box.Bottom)
}

func TestClassifyLabels(t *testing.T) {
	for name, tt := range map[string]struct {
		activation, good string
		out              []float32
		want             []string
		score            float32
		err              string
	}{
		"softmax, defect":            {"softmax", "good", []float32{3, 1, 2}, []string{"stain"}, .665, ""},
		"softmax, good":              {"softmax", "good", []float32{0, 1, 9}, []string{"hole"}, .0003, ""},
		"softmax of large numbers":   {"softmax", "good", []float32{1000, 0, 999}, []string{"stain"}, .731, ""},
		"sigmoid, two at once":       {"sigmoid", "", []float32{2, 3, -9}, []string{"hole", "stain"}, .953, ""},
		"none":                       {"none", "good", []float32{.1, .2, .7}, []string{"hole"}, .2, ""},
		"good label is never judged": {"none", "stain", []float32{1, 0, 0}, []string{"hole"}, 0, ""},
		"raw":                        {"none", "good", []float32{5, 0, 0}, nil, 0, "decode.activation"},
		"NaN in the good label":      {"softmax", "good", []float32{0, 0, float32(math.NaN())}, nil, 0, "NaN"},
	} {
		t.Run(name, func(t *testing.T) {
			d := decoder{task: model.Classification, labels: []string{"stain", "hole", "good"}, good: tt.good, how: model.Decode{Activation: tt.activation}, size: 3, sizes: []int{3}}
			have, err := d.decode(tt.out, 10, 20, usual)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("error is %v; want one with %q", err, tt.err)
				}
				return
			}
			var classes []string
			for _, d := range have {
				classes = append(classes, d.Class)
			}
			if err != nil || !slices.Equal(classes, tt.want) || math.Abs(float64(have[0].Score-tt.score)) > 1e-3 {
				t.Errorf("have %+v, %v; want %v, first %v", have, err, tt.want, tt.score)
			}
		})
	}
}

func TestKeepsTheWorstHundred(t *testing.T) {
	d := decoder{task: model.Detection, labels: []string{"open"}, size: 6 * 400, sizes: []int{6 * 400},
		how: model.Decode{Activation: "none", Stride: 8, NMS: .3}, input: model.Input{Width: 160, Height: 160}}
	out := make([]float32, d.size)
	for i := range 400 {
		out[i], out[400+i] = 1, .5+float32(i)/1000
		for k := range 4 {
			out[(2+k)*400+i] = .5
		}
	}
	have, err := d.decode(out, 160, 160, usual)
	if err != nil || len(have) != maxDefects || have[0].Score != .899 {
		t.Errorf("%d defects, worst %v, %v", len(have), have[0].Score, err)
	}
}

// Whatever the model says: no panic, no pass unless every number makes sense,
// and boxes that are finite and inside the picture.
func FuzzDecode(f *testing.F) {
	seed := func(values ...float32) {
		var b []byte
		for _, v := range values {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
		}
		f.Add(b, false)
		f.Add(b, true)
	}
	seed(.9, 1, 0, 1, 1, 1, 1)
	seed(float32(math.NaN()))
	seed(3e38, -3e38, 1)
	f.Fuzz(func(t *testing.T, b []byte, sigmoid bool) {
		d := small()
		if sigmoid {
			d.how.Activation = "sigmoid"
		}
		out := make([]float32, d.size)
		for i := range out {
			if len(b) >= 4*i+4 {
				out[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
			}
		}
		have, err := d.decode(out, 320, 240, usual)
		broken := slices.ContainsFunc(out, func(v float32) bool { return v-v != 0 })
		if broken != (err != nil) && (broken || sigmoid) {
			t.Fatalf("error is %v for %v", err, out)
		}
		if err != nil {
			return
		}
		if len(have) == 0 {
			t.Fatal("no scores and no error")
		}
		for i, x := range have {
			b := x.Box
			if !(0 <= b.Left && b.Left <= b.Right && b.Right <= 320 && 0 <= b.Top && b.Top <= b.Bottom && b.Bottom <= 240 && 0 <= x.Score && x.Score <= 1) {
				t.Errorf("defect %+v", x)
			}
			for _, y := range have[:i] {
				if overlap(b, y.Box) > d.how.NMS {
					t.Errorf("%+v and %+v are one", x, y)
				}
			}
		}
	})
}
