package model

import (
	"fmt"
	"math"
	"slices"
)

// How a picture of another size becomes the model's.
const (
	Stretch   = "stretch"   // both sides are scaled to fit, each by its own factor
	Letterbox = "letterbox" // both sides by the same factor, centred, the rest is Pad
	Tiles     = "tiles"     // not scaled: cut into pieces that overlap
)

// An Input is how a picture becomes numbers: (sample - mean) * scale, where
// Mean and Scale hold one number per colour channel.
type Input struct {
	Name     string    `yaml:"name"`
	Layout   string    `yaml:"layout"` // NCHW or NHWC
	Type     string    `yaml:"type"`   // float32 (default), or uint8: samples as they are, no Mean and Scale
	Width    int       `yaml:"width"`
	Height   int       `yaml:"height"`
	Colour   string    `yaml:"colour"`   // grey, rgb or bgr
	Binarise bool      `yaml:"binarise"` // grey only: copper 0, laminate 255
	Golden   bool      `yaml:"golden"`   // the golden board's channels follow the picture's
	Fit      string    `yaml:"fit"`      // stretch (default), letterbox or tiles
	Pad      *uint8    `yaml:"pad"`      // letterbox and tiles: the sample outside the picture, default 114
	Overlap  int       `yaml:"overlap"`  // tiles: pixels that neighbours share, at least
	Mean     []float32 `yaml:"mean"`
	Scale    []float32 `yaml:"scale"`
}

// Colours is the number of channels of one picture.
func (i Input) Colours() int {
	if i.Colour == "grey" {
		return 1
	}
	return 3
}

// Channels is the number of channels that the model sees.
func (i Input) Channels() int {
	if i.Golden {
		return 2 * i.Colours()
	}
	return i.Colours()
}

// Shape is that of the model's input, a batch of one.
func (i Input) Shape() []int64 {
	c, h, w := int64(i.Channels()), int64(i.Height), int64(i.Width)
	if i.Layout == "NHWC" {
		return []int64{1, h, w, c}
	}
	return []int64{1, c, h, w}
}

// Element is the type that the graph takes. Sessions take float32 whatever it
// is, and convert.
func (i Input) Element() ElementType {
	if i.Type == "uint8" {
		return Uint8
	}
	return Float32
}

// Number is what the model sees of a sample of a colour channel.
func (i Input) Number(channel int, sample uint8) float32 {
	if i.Element() == Uint8 {
		return float32(sample)
	}
	return (float32(sample) - i.Mean[channel]) * i.Scale[channel]
}

// Padding is the sample outside the picture: grey, as detectors are trained.
func (i Input) Padding() uint8 {
	if i.Pad == nil {
		return 114
	}
	return *i.Pad
}

func (i Input) check(at string, want func(ok bool, path, format string, args ...any)) {
	const largest = 8192
	want(i.Name != "", at+"name", "missing; want the name of an input of the graph")
	want(i.Layout == "NCHW" || i.Layout == "NHWC", at+"layout", "%q; want NCHW or NHWC", i.Layout)
	want(slices.Contains([]string{"", "float32", "uint8"}, i.Type), at+"type", "%q; want float32 or uint8", i.Type)
	want(0 < i.Width && i.Width <= largest, at+"width", "%d; want 1 to %d pixels", i.Width, largest)
	want(0 < i.Height && i.Height <= largest, at+"height", "%d; want 1 to %d pixels", i.Height, largest)
	if _, ok := elements(i.Shape()); i.Width <= largest && i.Height <= largest {
		want(ok, at+"width", "%d x %d x %d is more than any model takes", i.Width, i.Height, i.Channels())
	}
	want(slices.Contains([]string{"grey", "rgb", "bgr"}, i.Colour), at+"colour", "%q; want grey, rgb or bgr", i.Colour)
	want(!i.Binarise || i.Colour == "grey", at+"binarise", "needs colour: grey, not %s", i.Colour)
	i.checkFit(at, want)
	for k, list := range map[string][]float32{"mean": i.Mean, "scale": i.Scale} {
		if i.Element() == Uint8 {
			want(len(list) == 0, at+k, "%v; a model of type uint8 takes samples as they are: remove it", list)
			continue
		}
		want(len(list) == i.Colours(), at+k, "%d numbers; want one per colour channel, which is %d", len(list), i.Colours())
		bad := func(v float32) bool {
			return math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) || k == "scale" && v == 0
		}
		want(!slices.ContainsFunc(list, bad), at+k, "%v; want finite numbers, and no scale of 0", list)
	}
}

func (i Input) checkFit(at string, want func(ok bool, path, format string, args ...any)) {
	fits := []string{"", Stretch, Letterbox, Tiles}
	want(slices.Contains(fits, i.Fit), at+"fit", "%q; want one of %q", i.Fit, fits[1:])
	want(i.Pad == nil || i.Fit == Letterbox || i.Fit == Tiles, at+"pad", "is for fit: letterbox and fit: tiles; remove it")
	side := min(i.Width, i.Height)
	switch {
	case i.Fit != Tiles:
		want(i.Overlap == 0, at+"overlap", "is for fit: tiles; remove it")
	default:
		want(0 <= i.Overlap && i.Overlap <= side/2, at+"overlap", "%d; want 0 to %d pixels, half of the input: as much as the largest defect", i.Overlap, side/2)
	}
}

// String is for people: 3 x 224 x 224 float32.
func (i Input) String() string {
	kind := "float32"
	if i.Element() == Uint8 {
		kind = "uint8"
	}
	return fmt.Sprintf("%s %s", shape(i.Shape()), kind)
}
