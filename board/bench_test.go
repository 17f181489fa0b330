package board

import "testing"

func BenchmarkPhoto(b *testing.B) {
	d, err := New(1, 640)
	if err != nil {
		b.Fatal(err)
	}
	o := Usual(Photo)
	o.Defects = 3
	for i := range uint64(b.N) {
		if _, _, err := d.Sample(i, o); err != nil {
			b.Fatal(err)
		}
	}
}
