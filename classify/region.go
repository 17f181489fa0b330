package classify

import "slices"

// A region is a set of neighbouring cells, right and bottom exclusive.
type region struct {
	left, top, right, bottom int
	cells                    int
	score                    float32 // the highest
}

// fill marks the cells at or above low that hang together with (x, y), corners
// included, within the given columns and rows.
func (m scoreMap) fill(marks []int32, number int32, x, y int, low float32, cols, rows [2]int) region {
	r := region{left: x, top: y, right: x + 1, bottom: y + 1}
	marks[y*m.cols+x] = number
	stack := []int{y*m.cols + x}
	for len(stack) > 0 {
		i := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		x, y := i%m.cols, i/m.cols
		r.left, r.right, r.bottom = min(r.left, x), max(r.right, x+1), max(r.bottom, y+1)
		r.cells++
		r.score = max(r.score, m.scores[i])
		for b := max(y-1, rows[0]); b < min(y+2, rows[1]); b++ {
			for a := max(x-1, cols[0]); a < min(x+2, cols[1]); a++ {
				if j := b*m.cols + a; marks[j] == 0 && m.scores[j] >= low {
					marks[j] = number
					stack = append(stack, j)
				}
			}
		}
	}
	return r
}

// A corner of cells, in cells.
type corner struct{ x, y int }

// maxCorners of an outline are kept.
const maxCorners = 64

// outline walks around the region that (x, y) is the first cell of, in rows,
// and gives its corners clockwise, within a cell of where they are and no more
// than maxCorners. Holes are not told.
func outline(marks []int32, cols, rows, x, y int) []corner {
	number := marks[y*cols+x]
	in := func(x, y int) bool { return 0 <= x && x < cols && 0 <= y && y < rows && marks[y*cols+x] == number }
	ahead := [4]corner{{1, 0}, {0, 1}, {-1, 0}, {0, -1}}
	// The cell ahead to the left of a corner, when going right, down, left, up;
	// that to the right is the next one's.
	left := [4]corner{{0, -1}, {0, 0}, {-1, 0}, {-1, -1}}
	at, dir := corner{x, y}, 0
	corners := []corner{at}
	for {
		at = corner{at.x + ahead[dir].x, at.y + ahead[dir].y}
		l, r := left[dir], left[(dir+1)%4]
		turn := 1 // to the right
		switch {
		case in(at.x+l.x, at.y+l.y):
			turn = 3
		case in(at.x+r.x, at.y+r.y):
			turn = 0
		}
		if dir = (dir + turn) % 4; at == (corner{x, y}) && dir == 0 {
			break
		}
		if turn != 0 {
			corners = append(corners, at)
		}
	}
	for tolerance := 1.0; len(corners) > 8; tolerance *= 2 {
		fewer := simplified(corners, tolerance)
		if len(fewer) <= maxCorners {
			if len(fewer) >= 3 {
				corners = fewer
			}
			break
		}
	}
	return corners
}

// simplified keeps corners so that no dropped one is further than tolerance
// from the line that took its place (Douglas and Peucker).
func simplified(ring []corner, tolerance float64) []corner {
	half := len(ring) / 2
	closed := append(slices.Clone(ring), ring[0])
	return append(chain(closed[:half+1], tolerance), chain(closed[half:], tolerance)...)
}

// chain is simplified for an open line, without its last corner.
func chain(line []corner, tolerance float64) []corner {
	first, last := line[0], line[len(line)-1]
	dx, dy := float64(last.x-first.x), float64(last.y-first.y)
	worst, at := 0.0, 0
	for i := 1; i < len(line)-1; i++ {
		x, y := float64(line[i].x-first.x), float64(line[i].y-first.y)
		off := x*x + y*y // squared
		if dx != 0 || dy != 0 {
			off = (x*dy - y*dx) * (x*dy - y*dx) / (dx*dx + dy*dy)
		}
		if off > worst {
			worst, at = off, i
		}
	}
	if worst <= tolerance*tolerance {
		return []corner{first}
	}
	return append(chain(line[:at+1], tolerance), chain(line[at:], tolerance)...)
}
