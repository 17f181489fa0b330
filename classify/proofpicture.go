package classify

import (
	"bytes"
	"fmt"
	"image"
	imagedraw "image/draw"
	_ "image/jpeg" // pictures of a package are PNG or JPEG
	_ "image/png"

	"inspector"
)

// maxProofPixels is far beyond what a package needs to bring.
const maxProofPixels = 64 << 20

// decodePicture reads a picture of a package: grey stays grey.
func decodePicture(data []byte) (inspector.Pixels, error) {
	about, _, err := image.DecodeConfig(bytes.NewReader(data))
	if err == nil && about.Width*about.Height > maxProofPixels {
		err = fmt.Errorf("%d x %d is more than %d pixels", about.Width, about.Height, maxProofPixels)
	}
	if err != nil {
		return inspector.Pixels{}, fmt.Errorf("picture of the package: %w", err)
	}
	m, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return inspector.Pixels{}, fmt.Errorf("picture of the package: %w", err)
	}
	w, h := m.Bounds().Dx(), m.Bounds().Dy()
	if isGrey(m) {
		g := image.NewGray(image.Rect(0, 0, w, h))
		imagedraw.Draw(g, g.Rect, m, m.Bounds().Min, imagedraw.Src)
		return inspector.Pixels{Width: w, Height: h, Channels: 1, Stride: w, Data: g.Pix}, nil
	}
	c := image.NewRGBA(image.Rect(0, 0, w, h))
	imagedraw.Draw(c, c.Rect, m, m.Bounds().Min, imagedraw.Src)
	out := inspector.Pixels{Width: w, Height: h, Channels: 3, Stride: 3 * w, Data: make([]byte, 3*w*h)}
	for i := range w * h {
		out.Data[3*i], out.Data[3*i+1], out.Data[3*i+2] = c.Pix[4*i+2], c.Pix[4*i+1], c.Pix[4*i]
	}
	return out, nil
}

// isGrey reports whether the picture has no colours, also as a palette.
func isGrey(m image.Image) bool {
	switch p := m.(type) {
	case *image.Gray, *image.Gray16:
		return true
	case *image.Paletted:
		for _, c := range p.Palette {
			if r, g, b, _ := c.RGBA(); r != g || g != b {
				return false
			}
		}
		return true
	}
	return false
}

// channelMeans of n channels of equal size, one after the other; nil if there
// is no such number of them.
func channelMeans(out []float32, n int) []float32 {
	if len(out)%n != 0 {
		return nil
	}
	means, size := make([]float32, n), len(out)/n
	for c := range means {
		var sum float64
		for _, v := range out[c*size : (c+1)*size] {
			sum += float64(v)
		}
		means[c] = float32(sum / float64(size))
	}
	return means
}
