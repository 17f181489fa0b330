package classify

import (
	"errors"
	"fmt"
	"strings"

	"inspector"
)

// A Polygon is an outline in pixels of the golden picture, closed by itself,
// with three points or more.
type Polygon []inspector.Point

// Rectangle is the polygon of a box.
func Rectangle(b inspector.Box) Polygon {
	return Polygon{{X: b.Left, Y: b.Top}, {X: b.Right, Y: b.Top}, {X: b.Right, Y: b.Bottom}, {X: b.Left, Y: b.Bottom}}
}

// around reports whether the polygon's inside has the point (even-odd rule).
func (p Polygon) around(x, y float32) bool {
	in := false
	for i, a := range p {
		b := p[(i+1)%len(p)]
		if (a.Y > y) != (b.Y > y) && x < a.X+(y-a.Y)/(b.Y-a.Y)*(b.X-a.X) {
			in = !in
		}
	}
	return in
}

// crosses reports whether the outline runs through the inside of the box.
func (p Polygon) crosses(box inspector.Box) bool {
	for i, a := range p {
		if cuts(a, p[(i+1)%len(p)], box) {
			return true
		}
	}
	return false
}

// cuts reports whether the line from a to b runs through the inside of the
// box (Liang and Barsky).
func cuts(a, b inspector.Point, box inspector.Box) bool {
	from, to := float32(0), float32(1)
	dx, dy := b.X-a.X, b.Y-a.Y
	for _, side := range [4][2]float32{{-dx, a.X - box.Left}, {dx, box.Right - a.X}, {-dy, a.Y - box.Top}, {dy, box.Bottom - a.Y}} {
		switch d, room := side[0], side[1]; {
		case d == 0 && room <= 0:
			return false
		case d < 0:
			from = max(from, room/d)
		case d > 0:
			to = min(to, room/d)
		}
	}
	return from < to
}

// An area is where, and from which size on, a recipe wants defects.
type area struct {
	inspect, ignore []Polygon
	smallest        float32
	width, height   float32 // of the golden picture
}

func newArea(r Recipe) area {
	return area{r.Inspect, r.Ignore, r.Smallest, float32(r.Golden.Width), float32(r.Golden.Height)}
}

// checkArea reports what is wrong with the recipe's regions.
func (r Recipe) checkArea() error {
	var faults []error
	if r.Smallest < 0 {
		faults = append(faults, fmt.Errorf("smallest: %v pixels; want 0 or more", r.Smallest))
	}
	if r.Etch < 0 || r.Etch > MostEtch {
		faults = append(faults, fmt.Errorf("etch: %d pixels; want 0 to %d", r.Etch, MostEtch))
	}
	if r.Golden.Width == 0 && (r.Smallest > 0 || len(r.Inspect)+len(r.Ignore) > 0) {
		faults = append(faults, errors.New("inspect, ignore and smallest are in pixels of the golden picture: the recipe must give one"))
	}
	for _, set := range []struct {
		name  string
		parts []Polygon
	}{{"inspect", r.Inspect}, {"ignore", r.Ignore}} {
		for i, p := range set.parts {
			if err := p.check(r.Golden.Width, r.Golden.Height); err != nil {
				faults = append(faults, fmt.Errorf("%s: region %d: %w", set.name, i+1, err))
			}
		}
	}
	return errors.Join(faults...)
}

// check reports whether p is an outline within a picture of w x h.
func (p Polygon) check(w, h int) error {
	if len(p) < 3 {
		return fmt.Errorf("%d points; want 3 or more", len(p))
	}
	for _, q := range p {
		if !(q.X >= 0 && q.Y >= 0 && q.X <= float32(w) && q.Y <= float32(h)) {
			return fmt.Errorf("(%v,%v) is outside the golden picture of %d x %d", q.X, q.Y, w, h)
		}
	}
	return nil
}

// corners are the points that must be in every picture, from -1 to 1: those of
// the inspected regions, or of the golden picture.
func (r Recipe) corners() (out [][2]float64) {
	for _, p := range r.Inspect {
		for _, q := range p {
			out = append(out, [2]float64{float64(q.X)*2/float64(r.Golden.Width) - 1, float64(q.Y)*2/float64(r.Golden.Height) - 1})
		}
	}
	if out == nil {
		out = [][2]float64{{-1, -1}, {1, -1}, {-1, 1}, {1, 1}}
	}
	return out
}

// leftOut counts the defects that a recipe leaves out, and holds the worst.
type leftOut struct {
	elsewhere, small int
	worst            inspector.Defect
	smallest         float32
}

func (l leftOut) count() int { return l.elsewhere + l.small }

// String is what is left out in words; empty if nothing is.
func (l leftOut) String() string {
	var words []string
	if l.elsewhere > 0 {
		words = append(words, fmt.Sprintf("%d outside the inspected regions", l.elsewhere))
	}
	if l.small > 0 {
		words = append(words, fmt.Sprintf("%d smaller than %v px", l.small, l.smallest))
	}
	return strings.Join(words, ", ")
}

// keep leaves out the defects that do not count. Boxes are in pixels of a
// picture of w x h in which the board lies like the golden one. In doubt a
// defect counts: it is elsewhere only if its whole box is. Those that pass
// anyway are never left out.
func (a area) keep(scored []inspector.Defect, l limits, w, h int) (kept []inspector.Defect, gone leftOut) {
	gone.smallest = a.smallest
	if len(a.inspect)+len(a.ignore) == 0 && a.smallest == 0 {
		return scored, gone
	}
	sx, sy := a.width/float32(w), a.height/float32(h)
	for _, d := range scored {
		box := inspector.Box{Left: d.Box.Left * sx, Top: d.Box.Top * sy, Right: d.Box.Right * sx, Bottom: d.Box.Bottom * sy}
		switch {
		case l.rank(d) == passes:
			kept = append(kept, d)
			continue
		case a.elsewhere(box):
			gone.elsewhere++
		case max(box.Right-box.Left, box.Bottom-box.Top) < a.smallest:
			gone.small++
		default:
			kept = append(kept, d)
			continue
		}
		if d.Score > gone.worst.Score {
			gone.worst = d
		}
	}
	return kept, gone
}

// elsewhere reports whether the whole box is in one ignored region, or outside
// all inspected ones.
func (a area) elsewhere(box inspector.Box) bool {
	x, y := (box.Left+box.Right)/2, (box.Top+box.Bottom)/2
	for _, p := range a.ignore {
		if p.around(x, y) && !p.crosses(box) {
			return true
		}
	}
	for _, p := range a.inspect {
		if p.around(x, y) || p.crosses(box) {
			return false
		}
	}
	return len(a.inspect) > 0
}
