package board_test

import (
	"testing"

	"inspector/board"
	"inspector/classify"
)

// What the appliance makes of a photograph is the plate of the same board:
// light, noise, blur, pads and solder mask leave no trace but at edges. The
// legend, bright as metal, may stay: it is on the golden board too.
func TestPhotoReducesToPlate(t *testing.T) {
	const size = 640
	for seed := range uint64(6) {
		b, err := board.New(seed, size)
		if err != nil {
			t.Fatal(err)
		}
		golden, err := b.Golden(board.Photo)
		if err != nil {
			t.Fatal(err)
		}
		ideal := make([]byte, size*size)
		if err := classify.Plate(ideal, golden, classify.Bright); err != nil {
			t.Fatal(err)
		}
		design, err := b.Golden(board.Plate)
		if err != nil {
			t.Fatal(err)
		}
		o := board.Options{Style: board.Photo, Defects: 6, Light: .6, Noise: 6, Blur: 1}
		photo, _, err := b.Sample(7, o)
		if err != nil {
			t.Fatal(err)
		}
		o.Style = board.Plate
		want, _, err := b.Sample(7, o)
		if err != nil {
			t.Fatal(err)
		}
		got := make([]byte, size*size)
		if err := classify.Plate(got, photo, classify.Bright); err != nil {
			t.Fatal(err)
		}
		wrong, legend := 0, 0
		for y := 3; y < size-3; y++ {
			for x := 3; x < size-3; x++ {
				i := y*size + x
				if ideal[i] != design.Data[i] {
					if flat(design.Data, i, size) {
						legend++
					}
				} else if got[i] != want.Data[i] && flat(want.Data, i, size) && flat(ideal, i, size) {
					wrong++
				}
			}
		}
		if wrong > 20 || legend > size*size/50 {
			t.Errorf("seed %d: %d pixels wrong away from edges; legend is %d", seed, wrong, legend)
		}
	}
}

// flat reports whether all within 3 pixels of i is alike.
func flat(plate []byte, i, size int) bool {
	for dy := -3; dy <= 3; dy++ {
		for dx := -3; dx <= 3; dx++ {
			if plate[i+dy*size+dx] != plate[i] {
				return false
			}
		}
	}
	return true
}
