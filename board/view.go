package board

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"math/rand/v2"

	"gocv.io/x/gocv"

	"inspector"
)

// A View is how a plate is captured anew, to measure what a judge bears. Zero
// is the plate in grey, as sharp as it was.
type View struct {
	Shift   float64 // pixels to the right, and half as many down
	Rotate  float64 // degrees about the middle
	Scale   float64 // 1.01 is 1 % larger; 0 is 1
	Grow    int     // pixels that copper is wider at each edge; negative is narrower
	Blur    float64 // of the lens, standard deviation in pixels
	Light   float64 // how much darker one corner is than the opposite one, 0 to 0.8
	Noise   float64 // of the sensor, standard deviation in grey levels
	Quality int     // of the JPEG that the picture is stored as, 1 to 100; 0 is none
}

// Of is plate, size x size pixels, 0 where copper is, as a grey picture that
// the caller owns: copper is dark. The seed decides the noise.
func (v View) Of(plate []byte, size int, seed uint64) (inspector.Pixels, error) {
	if len(plate) != size*size {
		return inspector.Pixels{}, fmt.Errorf("board: a plate of %d bytes; want %d x %d", len(plate), size, size)
	}
	px := make([]byte, len(plate))
	for i, p := range plate {
		px[i] = 60 + byte(int(p)*130/255)
	}
	if err := lend(px, size, gocv.MatTypeCV8UC1, func(m *gocv.Mat) error { return v.optics(m, size) }); err != nil {
		return inspector.Pixels{}, fmt.Errorf("board: view: %w", err)
	}
	r := rand.New(rand.NewPCG(seed, 0x71e3))
	for i := range px {
		light := 1 - v.Light*float64(i%size+i/size)/float64(2*size)
		px[i] = byte(min(max(math.Round(float64(px[i])*light+v.Noise*r.NormFloat64()), 0), 255))
	}
	if v.Quality > 0 {
		if err := lend(px, size, gocv.MatTypeCV8UC1, v.stored); err != nil {
			return inspector.Pixels{}, fmt.Errorf("board: view: %w", err)
		}
	}
	return inspector.Pixels{Width: size, Height: size, Channels: 1, Stride: size, Data: px}, nil
}

// optics grows, moves and blurs the picture in m.
func (v View) optics(m *gocv.Mat, size int) error {
	if v.Grow != 0 {
		op, r := gocv.MorphErode, v.Grow // copper is dark
		if r < 0 {
			op, r = gocv.MorphDilate, -r
		}
		kernel := gocv.GetStructuringElement(gocv.MorphRect, image.Pt(2*r+1, 2*r+1))
		defer kernel.Close()
		if err := gocv.MorphologyEx(*m, m, op, kernel); err != nil {
			return err
		}
	}
	if v.Shift != 0 || v.Rotate != 0 || v.Scale != 0 {
		scale := v.Scale
		if scale == 0 {
			scale = 1
		}
		turn := gocv.GetRotationMatrix2D(image.Pt(size/2, size/2), v.Rotate, scale)
		defer turn.Close()
		turn.SetDoubleAt(0, 2, turn.GetDoubleAt(0, 2)+v.Shift)
		turn.SetDoubleAt(1, 2, turn.GetDoubleAt(1, 2)+v.Shift/2)
		from := m.Clone()
		defer from.Close()
		if err := gocv.WarpAffineWithParams(from, m, turn, image.Pt(size, size), gocv.InterpolationLinear, gocv.BorderReplicate, color.RGBA{}); err != nil {
			return err
		}
	}
	if v.Blur > 0 {
		k := 2*int(math.Ceil(3*v.Blur)) + 1
		return gocv.GaussianBlur(*m, m, image.Pt(k, k), v.Blur, v.Blur, gocv.BorderReplicate)
	}
	return nil
}

// stored is the picture in m after a JPEG file.
func (v View) stored(m *gocv.Mat) error {
	file, err := gocv.IMEncodeWithParams(gocv.JPEGFileExt, *m, []int{gocv.IMWriteJpegQuality, v.Quality})
	if err != nil {
		return err
	}
	defer file.Close()
	back, err := gocv.IMDecode(file.GetBytes(), gocv.IMReadGrayScale)
	if err != nil {
		return err
	}
	defer back.Close()
	return back.CopyTo(m)
}
