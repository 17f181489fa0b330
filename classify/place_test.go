package classify

import (
	"math"
	"testing"

	"inspector"
)

// An outline goes where its box goes, and stays in the picture.
func TestOutlinesMoveWithTheirBoxes(t *testing.T) {
	const w, h = 640, 320
	turned := place{math.Cos(.02), -math.Sin(.02) / 2, .03, 2 * math.Sin(.02), math.Cos(.02), -.05}
	for name, p := range map[string]place{"home": home, "shifted": {1, 0, .1, 0, 1, -.2}, "turned": turned} {
		box := inspector.Box{Left: 300, Top: 200, Right: 308, Bottom: 208}
		outline := []inspector.Point{{X: 300, Y: 204}, {X: 308, Y: 204}, {X: -50, Y: 900}}
		p.move(outline, w, h)
		moved := p.box(box, w, h)
		midX, midY := (outline[0].X+outline[1].X)/2, (outline[0].Y+outline[1].Y)/2
		if dx, dy := midX-(moved.Left+moved.Right)/2, midY-(moved.Top+moved.Bottom)/2; math.Hypot(float64(dx), float64(dy)) > .01 {
			t.Errorf("%s: the middle of the outline is %v, %v from the middle of its box", name, dx, dy)
		}
		if name == "home" {
			continue
		}
		if q := outline[2]; q.X < 0 || q.X > w || q.Y < 0 || q.Y > h {
			t.Errorf("%s: a point of the outline is at %v, outside the picture", name, q)
		}
	}
}
