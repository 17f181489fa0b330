package board

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"math/bits"
	"math/rand/v2"

	"gocv.io/x/gocv"

	"inspector"
)

// paint renders what the camera sees of the design at each pixel, once as if
// nothing had copper and once as if everything had: a sample blends the two.
func (b *Board) paint(r *rand.Rand, l *layout) error {
	type bgr [3]float64
	tint := 0.9 + 0.2*r.Float64()
	solder := bgr{34 * tint, 62, 22}  // mask on laminate
	masked := bgr{62 * tint, 122, 46} // mask on copper
	metal := bgr{92, 178, 214}        // gold
	if r.IntN(3) == 0 {
		metal = bgr{188, 196, 198} // tin
	}
	bareBoard, ink, drilled := bgr{40, 62, 58}, bgr{226, 232, 230}, bgr{14, 16, 14}
	b.bare, b.clad = make([]byte, 3*len(b.copper)), make([]byte, 3*len(b.copper))
	for i := range b.copper {
		x, y := i%b.size, i/b.size
		weave := 1 + 0.02*math.Sin(float64(x)*0.9)*math.Sin(float64(y)*0.9) // glass fibre
		grain := 1 + (float64(bits.OnesCount16(uint16(r.Uint32())))-8)*0.006
		under, over := solder, masked
		switch {
		case l.hole.px[i] != 0:
			under, over = drilled, drilled
		case l.opening.px[i] != 0:
			under, over = bareBoard, metal
		case l.silk.px[i] != 0:
			under, over = ink, ink
		}
		for c := range 3 {
			b.bare[3*i+c] = byte(min(under[c]*weave*grain, 255))
			b.clad[3*i+c] = byte(min(over[c]*grain, 255))
		}
	}
	for _, px := range [][]byte{b.bare, b.clad} { // no edge of ink or metal is sharper than a pixel
		if err := lend(px, b.size, gocv.MatTypeCV8UC3, func(m *gocv.Mat) error {
			return gocv.GaussianBlur(*m, m, image.Pt(3, 3), 0.6, 0.6, gocv.BorderReplicate)
		}); err != nil {
			return err
		}
	}
	return nil
}

// A shot is how one board lies under the camera and its light.
type shot struct {
	dx, dy, angle float64 // pixels, pixels, radians
	etch          float64 // pixels
	fall          float64 // of the light, from its middle to the worst corner
	lx, ly        float64 // the middle of the light, pixels
	gain          float64
}

func (b *Board) shot(r *rand.Rand, o Options) shot {
	either := func(limit float64) float64 { return limit * (2*r.Float64() - 1) }
	size := float64(b.size)
	return shot{
		dx: either(o.Shift), dy: either(o.Shift), angle: either(o.Rotate) * math.Pi / 180,
		etch: either(min(max(o.Etch, 0), 2.2, max(0.6*(b.fine-1.2), 0.6))),
		fall: o.Light * (0.5 + 0.5*r.Float64()), lx: size/2 + either(size*o.Light/2), ly: size/2 + either(size*o.Light/2),
		gain: 1 + either(o.Light/4),
	}
}

// box is where box lies once the board has moved.
func (s shot) box(box inspector.Box, size int) inspector.Box {
	if s.dx == 0 && s.dy == 0 && s.angle == 0 {
		return box
	}
	c, sin, cos := float64(size)/2, math.Sin(s.angle), math.Cos(s.angle)
	x, y := float64(box.Left+box.Right)/2-c, float64(box.Top+box.Bottom)/2-c
	mx, my := cos*x-sin*y+c+s.dx, sin*x+cos*y+c+s.dy
	rx, ry := float64(box.Right-box.Left)/2, float64(box.Bottom-box.Top)/2
	limit := float64(size)
	return inspector.Box{
		Left: float32(max(mx-rx, 0)), Top: float32(max(my-ry, 0)),
		Right: float32(min(mx+rx, limit)), Bottom: float32(min(my+ry, limit)),
	}
}

// move turns and shifts the picture in m as the board lies under the camera.
func (s shot) move(m *gocv.Mat, size int) error {
	if s.dx == 0 && s.dy == 0 && s.angle == 0 {
		return nil
	}
	turn := gocv.NewMatWithSize(2, 3, gocv.MatTypeCV64F)
	defer turn.Close()
	c, sin, cos := float64(size)/2-0.5, math.Sin(s.angle), math.Cos(s.angle)
	for i, v := range []float64{cos, -sin, c - cos*c + sin*c + s.dx, sin, cos, c - sin*c - cos*c + s.dy} {
		turn.SetDoubleAt(i/3, i%3, v)
	}
	from := m.Clone()
	defer from.Close()
	return gocv.WarpAffineWithParams(from, m, turn, image.Pt(size, size), gocv.InterpolationLinear, gocv.BorderReplicate, color.RGBA{})
}

// show is copper as the camera sees it.
func (b *Board) show(copper []byte, r *rand.Rand, o Options, s shot) (inspector.Pixels, error) {
	switch o.Style {
	case Plate:
		err := lend(copper, b.size, gocv.MatTypeCV8UC1, func(m *gocv.Mat) error {
			if err := s.move(m, b.size); err != nil {
				return err
			}
			gocv.Threshold(*m, m, 127, 255, gocv.ThresholdBinaryInv)
			return nil
		})
		return inspector.Pixels{Width: b.size, Height: b.size, Channels: 1, Stride: b.size, Data: copper}, err
	case Photo:
		px, err := b.photo(copper, r, o, s)
		return inspector.Pixels{Width: b.size, Height: b.size, Channels: 3, Stride: 3 * b.size, Data: px}, err
	}
	return inspector.Pixels{}, fmt.Errorf("style %q; want %q or %q", o.Style, Plate, Photo)
}

// etch softens copper and cuts it again at a level that moves its edges by
// s.etch and roughens them; nothing away from an edge can change.
func (b *Board) etch(copper []byte, r *rand.Rand, o Options, s shot) error {
	if s.etch == 0 && o.Rough == 0 {
		return nil
	}
	soft := max(1.3, 0.85*math.Abs(s.etch)) // pixels; turns a level into a distance
	shift := 255 * 0.5 * math.Erf(s.etch/soft/math.Sqrt2)
	swing := min(255*0.4/soft*o.Rough, 255*0.45-math.Abs(shift))
	grain := o.Grain
	if grain <= 0 {
		grain = 3
	}
	n := int(float64(b.size)/grain) + 3
	coarse := make([]byte, n*n)
	var word uint64
	for i := range coarse {
		if i%4 == 0 {
			word = r.Uint64()
		}
		bell := float64(bits.OnesCount16(uint16(word>>(i%4*16)))-8) / 2 // standard deviation 1
		coarse[i] = byte(127.5 - shift + min(max(bell*swing/1.5, -swing), swing))
	}
	level := gocv.NewMat()
	defer level.Close()
	return lend(coarse, n, gocv.MatTypeCV8UC1, func(noise *gocv.Mat) error {
		return lend(copper, b.size, gocv.MatTypeCV8UC1, func(m *gocv.Mat) error {
			if err := gocv.Resize(*noise, &level, image.Pt(b.size, b.size), 0, 0, gocv.InterpolationLinear); err != nil {
				return err
			}
			k := 2*int(math.Ceil(3*soft)) + 1
			if err := gocv.GaussianBlur(*m, m, image.Pt(k, k), soft, soft, gocv.BorderReplicate); err != nil {
				return err
			}
			return gocv.Compare(*m, level, m, gocv.CompareGT)
		})
	})
}

// photo renders copper under mask, legend and light.
func (b *Board) photo(copper []byte, r *rand.Rand, o Options, s shot) ([]byte, error) {
	if err := lend(copper, b.size, gocv.MatTypeCV8UC1, func(m *gocv.Mat) error {
		return gocv.GaussianBlur(*m, m, image.Pt(5, 5), 0.8, 0.8, gocv.BorderReplicate)
	}); err != nil {
		return nil, err
	}
	px := make([]byte, len(b.bare))
	b.blend(px, copper)
	err := lend(px, b.size, gocv.MatTypeCV8UC3, func(m *gocv.Mat) error {
		if err := s.move(m, b.size); err != nil || o.Blur <= 0 {
			return err
		}
		k := 2*int(math.Ceil(2.5*o.Blur)) + 1
		return gocv.GaussianBlur(*m, m, image.Pt(k, k), o.Blur, o.Blur, gocv.BorderReplicate)
	})
	if err != nil {
		return nil, err
	}
	if o.Light > 0 || o.Noise > 0 {
		b.expose(px, r, o, s)
	}
	return px, nil
}

// blend mixes bare and clad by copper; the step of the foil catches the light.
func (b *Board) blend(px, copper []byte) {
	below, above := copper[b.size+1:], copper
	for i, a := range copper {
		w, step := int(a), 0
		if i > b.size && i < len(below) {
			step = (int(below[i]) - int(above[i-b.size-1])) * w >> 12
		}
		under, over, to := b.bare[3*i:3*i+3], b.clad[3*i:3*i+3], px[3*i:3*i+3]
		w += w >> 7 // 0 to 256
		for c := range to {
			u := int(under[c])
			to[c] = byte(min(max(u+(int(over[c])-u)*w>>8+step, 0), 255))
		}
	}
}

// expose applies the light and the sensor's noise.
func (b *Board) expose(px []byte, r *rand.Rand, o Options, s shot) {
	var noise [17]int32 // of sixteen coins, in 1/256 grey levels
	for i := range noise {
		noise[i] = int32(256 * o.Noise * float64(i-8) / 2)
	}
	size := float64(b.size)
	far := math.Pow(size/2+math.Abs(s.lx-size/2), 2) + math.Pow(size/2+math.Abs(s.ly-size/2), 2)
	across, light := make([]float64, b.size), make([]int32, b.size)
	for x := range across {
		across[x] = (float64(x) - s.lx) * (float64(x) - s.lx)
	}
	for y := range b.size {
		down := (float64(y) - s.ly) * (float64(y) - s.ly)
		for x := range light {
			light[x] = int32(256 * s.gain * (1 - s.fall*(across[x]+down)/far))
		}
		row := px[3*b.size*y : 3*b.size*(y+1)]
		for x, l := range light {
			word, to := r.Uint64(), row[3*x:3*x+3]
			for c := range to {
				to[c] = byte(min(max((int32(to[c])*l+noise[bits.OnesCount16(uint16(word))])>>8, 0), 255))
				word >>= 16
			}
		}
	}
}
