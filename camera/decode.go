package camera

import (
	"fmt"

	"gocv.io/x/gocv"

	"inspector"
)

// Decode turns the bytes of a JPEG, PNG, BMP, TIFF or WebP file into pixels
// that the caller owns: 1 channel if the picture is grey, else 3; alpha is
// dropped, 16 bits are reduced to 8, and the orientation of EXIF is applied. The size in the header is checked
// before anything is decoded: a picture of more than maxPixels is refused, as
// is one that is truncated. Decode may be called from several goroutines.
func Decode(data []byte, maxPixels int) (inspector.Pixels, error) {
	p, _, err := new(pool).decode(data, maxPixels)
	return p, err
}

func (p *pool) decode(data []byte, maxPixels int) (inspector.Pixels, *lease, error) {
	kind, w, h, err := readHeader(data)
	if err != nil {
		return inspector.Pixels{}, nil, err
	}
	if w <= 0 || h <= 0 || w > maxPixels/h {
		return inspector.Pixels{}, nil, fmt.Errorf("the %s says it is %d x %d; allowed are 1 to %d pixels: scale it down or raise the limit", kind, w, h, maxPixels)
	}
	// The error is that of the last exception anywhere in the process; an
	// empty picture is what says that this one failed.
	m, _ := gocv.IMDecode(data, gocv.IMReadAnyColor)
	defer m.Close()
	if m.Empty() {
		return inspector.Pixels{}, nil, fmt.Errorf("the %s is truncated or damaged: copy or save it again", kind)
	}
	if got := [2]int{m.Cols(), m.Rows()}; got != [2]int{w, h} && got != [2]int{h, w} {
		return inspector.Pixels{}, nil, fmt.Errorf("the %s says it is %d x %d but is %d x %d: save it again", kind, w, h, got[0], got[1])
	}
	pixels, l, err := p.fromMat(m)
	if err != nil {
		return inspector.Pixels{}, nil, fmt.Errorf("the %s cannot be used: %w", kind, err)
	}
	return pixels, l, nil
}
