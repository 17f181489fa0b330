package classify

import (
	"unsafe"

	"gocv.io/x/gocv"

	"inspector"
	"inspector/model"
)

// A line gives a model's numbers of grey samples: scale * sample + shift.
type line struct{ scale, shift float64 }

// lineOf is the line on which the numbers lie, so that OpenCV computes them in a
// fifth of the time that looking them up takes. It is nil if any number would
// differ in its last bit, and for inputs in which grey pixels do not lie side
// by side.
func lineOf(numbers *[256]float32, in model.Input) *line {
	if in.Colours() != 1 || in.Layout == "NHWC" {
		return nil
	}
	l := &line{(float64(numbers[255]) - float64(numbers[0])) / 255, float64(numbers[0])}
	all := inspector.Pixels{Width: 256, Height: 1, Channels: 1, Stride: 256, Data: make([]byte, 256)}
	for v := range all.Data {
		all.Data[v] = byte(v)
	}
	var got [256]float32
	if err := l.write(got[:], all); err != nil {
		return nil
	}
	for v, want := range numbers {
		if needed := !in.Binarise || v == 0 || v == 255; needed && got[v] != want {
			return nil
		}
	}
	return l
}

// write fills dst with the numbers of a picture of one channel without gaps.
func (l *line) write(dst []float32, px inspector.Pixels) error {
	src, err := wrap(px)
	if err != nil {
		return err
	}
	defer src.Close()
	bytes := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(dst))), 4*len(dst)) // GoCV takes no numbers
	to, err := gocv.NewMatFromBytes(px.Height, px.Width, gocv.MatTypeCV32FC1, bytes)
	if err != nil {
		return err
	}
	defer to.Close()
	return src.ConvertToWithParams(&to, gocv.MatTypeCV32FC1, float32(l.scale), float32(l.shift))
}

// spread puts the number of every sample in its place.
func (p *preparer) spread(dst []float32, first int, px inspector.Pixels) error {
	n, colours := px.Width*px.Height, p.model.Colours()
	if p.line != nil && px.Channels == 1 {
		return p.line.write(dst[first*n:(first+1)*n], px)
	}
	for c := range colours {
		from := c // the sample's place in its pixel
		switch {
		case px.Channels == 1:
			from = 0
		case p.model.Colour == "rgb":
			from = 2 - c
		}
		numbers := &p.numbers[c]
		if p.model.Layout == "NHWC" {
			step := p.model.Channels()
			for i := range n {
				dst[i*step+first+c] = numbers[px.Data[i*px.Channels+from]]
			}
			continue
		}
		plane := dst[(first+c)*n : (first+c+1)*n]
		if px.Channels == 1 {
			for i, v := range px.Data[:len(plane)] {
				plane[i] = numbers[v]
			}
			continue
		}
		for i := range plane {
			plane[i] = numbers[px.Data[i*px.Channels+from]]
		}
	}
	return nil
}
