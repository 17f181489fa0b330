package board

import "testing"

// A view keeps what it was asked to keep: copper grows and shrinks by whole
// pixels, a shift moves it, and a plate of another size is refused.
func TestView(t *testing.T) {
	const size = 64
	plate := make([]byte, size*size)
	for i := range plate {
		if x := i % size; x < 20 || x >= 30 {
			plate[i] = 255
		}
	}
	dark := func(v View) (first, n int) {
		t.Helper()
		p, err := v.Of(plate, size, 1)
		if err != nil {
			t.Fatal(err)
		}
		first = -1
		for x, v := range p.Data[size*size/2 : size*size/2+size] {
			if v < 125 {
				if n++; first < 0 {
					first = x
				}
			}
		}
		return first, n
	}
	for _, tt := range []struct {
		name     string
		view     View
		first, n int
	}{
		{"as it was", View{}, 20, 10},
		{"grown", View{Grow: 2}, 18, 14},
		{"shrunk", View{Grow: -1}, 21, 8},
		{"moved", View{Shift: 4}, 24, 10},
		{"blurred and stored", View{Blur: 1, Quality: 90}, 20, 10},
		{"dim", View{Light: 0.2, Noise: 2}, 20, 10},
	} {
		if first, n := dark(tt.view); first != tt.first || n != tt.n {
			t.Errorf("%s: %d dark pixels from %d; want %d from %d", tt.name, n, first, tt.n, tt.first)
		}
	}
	if _, err := (View{}).Of(plate[1:], size, 1); err == nil {
		t.Error("a plate of another size is no error")
	}
}
