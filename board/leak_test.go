//go:build matprofile

package board

import (
	"testing"

	"gocv.io/x/gocv"

	"inspector/classify"
)

func TestNoMatLeaks(t *testing.T) {
	before := gocv.MatProfile.Count()
	plate := make([]byte, 240*240)
	for seed := range uint64(20) {
		b := drawn(t, seed, 240)
		for k := range uint64(5) {
			o := Usual(Photo)
			o.Defects = 3
			p, _ := sampled(t, b, k, o)
			if err := classify.Plate(plate, p, classify.Bright); err != nil {
				t.Fatal(err)
			}
			o.Style = Plate
			sampled(t, b, k, o)
		}
	}
	if n := gocv.MatProfile.Count() - before; n != 0 {
		t.Errorf("%d Mats leaked", n)
	}
}
