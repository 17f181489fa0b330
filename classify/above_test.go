package classify

import (
	"math"
	"testing"

	"inspector"
)

func TestAbove(t *testing.T) {
	c := judge(t, nil)
	board := plate(func(set func(x, y, w, h int, v byte)) {
		set(8, 8, 5, 6, 255)   // 0.98
		set(24, 28, 4, 3, 255) // 0.49: between the limits
		set(56, 56, 3, 2, 0)   // below them
	})
	in, err := c.Prepare(board)
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.Infer(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	for floor, want := range map[float32]int{.01: 3, .3: 2, .6: 1, .99999: 0} {
		found, err := c.Above(out, floor)
		if err != nil || len(found) != want {
			t.Errorf("above %v: %v, %v; want %d", floor, found, err, want)
		}
		for i, d := range found {
			if d.Score < floor || i > 0 && d.Score > found[i-1].Score {
				t.Errorf("above %v: %v", floor, found)
			}
		}
	}
	if r := c.Judge(out); r.Verdict != inspector.Fail || len(r.Defects) != 2 {
		t.Errorf("judged after that: %+v", r)
	}
	out = &Output{data: make([]float32, c.decode.size), width: 64, height: 64}
	out.data[0] = float32(math.NaN())
	if _, err := c.Above(out, .5); err == nil {
		t.Error("nonsense has defects")
	}
}
