package classify

import "inspector"

// seam is how near to the edge of its tile a box must end to be cut off by it,
// in pixels.
const seam = 4

// join makes one defect of the parts that tiles saw of it: boxes of one class
// of which one lies mostly within the other, or that overlap where both end at
// the edge of a tile. The joined box holds both, with the higher score.
func (d *decoder) join(found []inspector.Defect, views []view) []inspector.Defect {
	for changed := true; changed; {
		changed = false
		for i := 0; i < len(found); i++ {
			for j := i + 1; j < len(found); j++ {
				if !d.parts(found[i], found[j], views) {
					continue
				}
				a, b := found[i].Box, found[j].Box
				found[i].Box = inspector.Box{Left: min(a.Left, b.Left), Top: min(a.Top, b.Top), Right: max(a.Right, b.Right), Bottom: max(a.Bottom, b.Bottom)}
				found[i].Score = max(found[i].Score, found[j].Score)
				found = append(found[:j], found[j+1:]...)
				j--
				changed = true
			}
		}
	}
	return found
}

func (d *decoder) parts(a, b inspector.Defect, views []view) bool {
	both := shared(a.Box, b.Box)
	if a.Class != b.Class || both == 0 {
		return false
	}
	if seamA, seamB := atSeam(a.Box, views), atSeam(b.Box, views); seamA && seamB {
		return true
	} else if !seamA && !seamB {
		return false // two whole ones, which non-maximum suppression left apart
	}
	return both > .5*min(extent(a.Box), extent(b.Box))
}

// atSeam tells whether a box ends at an edge of a tile inside the picture.
func atSeam(b inspector.Box, views []view) bool {
	at := func(v, edge, end float32) bool { return 0 < edge && edge < end && edge-seam <= v && v <= edge+seam }
	for _, v := range views {
		right, bottom := v.left+v.width, v.top+v.height
		inRows, inCols := b.Top < bottom && b.Bottom > v.top, b.Left < right && b.Right > v.left
		if inRows && (at(b.Right, right, v.w) || at(b.Left, v.left, v.w)) || inCols && (at(b.Bottom, bottom, v.h) || at(b.Top, v.top, v.h)) {
			return true
		}
	}
	return false
}
