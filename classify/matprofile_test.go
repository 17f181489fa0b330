//go:build matprofile

package classify

import (
	"testing"

	"gocv.io/x/gocv"

	"inspector"
)

// No stage leaves an OpenCV matrix open, whether it succeeds or fails.
func TestMatProfile(t *testing.T) {
	c := judge(t, nil)
	before := gocv.MatProfile.Count()
	good := plate(func(set func(x, y, w, h int, v byte)) { set(24, 28, 5, 6, 255) })
	flat := inspector.Pixels{Width: 100, Height: 70, Channels: 3, Stride: 310, Data: make([]byte, 310*70)}
	for range 1000 {
		for _, p := range []inspector.Pixels{good, colours(90, 80, 3, 2), flat, {}} {
			r := c.Classify(t.Context(), p)
			_, _ = Overlay(p, r.Defects)
			_, _ = JPEG(p, 80)
		}
	}
	if after := gocv.MatProfile.Count(); after != before {
		t.Errorf("%d matrices were left open", after-before)
	}
}
