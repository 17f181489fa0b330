package classify

import (
	"inspector"
)

// maps finds the regions of maps of scores, one map per label, and what a
// second output says about the whole picture. Maps of tiles are first joined
// into one, so that a region may cross their seams.
func (d *decoder) maps(f *finder, out []float32, views []view, w, h int) error {
	cell := d.how.Cell()
	one := scoreMap{cols: d.input.Width / cell, rows: d.input.Height / cell, view: views[0], cell: float32(cell)}
	var wholes []inspector.Defect
	for i, v := range views {
		part := out[i*d.size : (i+1)*d.size]
		if err := d.activate(part[:d.sizes[0]], one.cols*one.rows); err != nil {
			return err
		}
		if len(d.sizes) == 1 {
			continue
		}
		s, err := d.score(d.labels[0], part[d.sizes[0]])
		if err != nil {
			return err
		}
		wholes = append(wholes, inspector.Defect{Class: d.labels[0], Score: s, Box: v.whole()})
	}
	for k, label := range d.labels {
		if label == d.good {
			continue
		}
		m := one
		if m.scores = out[k*one.cols*one.rows:][:one.cols*one.rows]; len(views) > 1 {
			m = joined(one, out[k*one.cols*one.rows:], d.size, views, w, h)
		}
		m.regions(f, label, d.how.MinArea)
	}
	for _, w := range wholes {
		f.whole(w)
	}
	return nil
}

// whole adds what is true of a whole view, unless something found in it is as
// bad: then it says nothing new.
func (f *finder) whole(d inspector.Defect) {
	for _, other := range f.found {
		if f.limits.worse(other, d) <= 0 && shared(other.Box, d.Box) > 0 {
			return
		}
	}
	f.add(d)
}

// activate turns the raw numbers of one view's maps, n cells each, into scores.
func (d *decoder) activate(raw []float32, n int) error {
	if d.how.Activation == "softmax" {
		for i := range n {
			softmax(raw[i:], len(d.labels), n)
		}
	}
	for i, v := range raw {
		s, err := d.score(d.labels[i/n], v)
		if err != nil {
			return err
		}
		raw[i] = s
	}
	return nil
}

// A scoreMap is the score of every cell of a view, row by row.
type scoreMap struct {
	rows, cols int
	scores     []float32
	view       view
	cell       float32 // pixels of the view
}

// joined is one map of the whole picture; where tiles overlap, the higher score
// counts. parts holds the map of each view, size numbers apart.
func joined(one scoreMap, parts []float32, size int, views []view, w, h int) scoreMap {
	cell := int(one.cell)
	all := scoreMap{cols: (w + cell - 1) / cell, rows: (h + cell - 1) / cell, cell: one.cell}
	all.view = view{sx: 1, sy: 1, width: float32(all.cols * cell), height: float32(all.rows * cell), w: float32(w), h: float32(h)}
	all.scores = make([]float32, all.rows*all.cols)
	for i, v := range views {
		x, y := int(v.left)/cell, int(v.top)/cell
		for r := range min(one.rows, all.rows-y) {
			to := all.scores[(y+r)*all.cols+x:]
			for c, s := range parts[i*size+r*one.cols:][:min(one.cols, all.cols-x)] {
				to[c] = max(to[c], s)
			}
		}
	}
	return all
}

// regions finds the connected cells whose score does not pass. Cells outside
// the captured picture are none.
func (m scoreMap) regions(f *finder, label string, least int) {
	low := f.limits.of(label).Pass
	cols, rows := m.inside()
	region := make([]int32, len(m.scores)) // its number, from 1
	number := int32(0)
	for y := rows[0]; y < rows[1]; y++ {
		for x := cols[0]; x < cols[1]; x++ {
			i := y*m.cols + x
			if m.scores[i] < low {
				if f.wants(label, m.scores[i]) {
					f.add(inspector.Defect{Class: label, Score: m.scores[i], Box: m.box(x, y, x+1, y+1)})
				}
				continue
			}
			if region[i] != 0 {
				continue
			}
			number++
			r := m.fill(region, number, x, y, low, cols, rows)
			if float32(r.cells)*m.cell*m.cell < float32(least) {
				continue
			}
			d := inspector.Defect{Class: label, Score: r.score, Box: m.box(r.left, r.top, r.right, r.bottom)}
			d.Polygon = m.polygon(outline(region, m.cols, m.rows, x, y))
			f.add(d)
		}
	}
}

// inside gives the cells whose centres are in the captured picture.
func (m scoreMap) inside() (cols, rows [2]int) {
	span := func(n int, at func(i int) bool) (s [2]int) {
		s = [2]int{n, n}
		for i := range n {
			if in := at(i); in && s[0] == n {
				s[0] = i
			} else if !in && s[0] < n {
				s[1] = i
				return s
			}
		}
		return s
	}
	v := m.view
	cols = span(m.cols, func(i int) bool { x := v.left + (float32(i)+.5)*m.cell*v.sx; return 0 <= x && x < v.w })
	rows = span(m.rows, func(i int) bool { y := v.top + (float32(i)+.5)*m.cell*v.sy; return 0 <= y && y < v.h })
	return cols, rows
}

func (m scoreMap) box(left, top, right, bottom int) inspector.Box {
	return m.view.box(float32(left)*m.cell, float32(top)*m.cell, float32(right)*m.cell, float32(bottom)*m.cell)
}

func (m scoreMap) polygon(corners []corner) []inspector.Point {
	points := make([]inspector.Point, len(corners))
	for i, c := range corners {
		b := m.box(c.x, c.y, c.x, c.y)
		points[i] = inspector.Point{X: b.Left, Y: b.Top}
	}
	return points
}
