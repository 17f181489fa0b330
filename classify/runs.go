package classify

import "math"

// lay copies to dst the pixels of a plate, each from where the map m takes the
// middle of its place in dst, to the nearest; what m takes outside the picture
// is golden's. All hold w x h bytes. As boards are hardly turned or scaled, the
// pixels of a row lie in long runs side by side, which are copied as a whole.
func lay(dst, src, golden []byte, w, h int, m [6]float64) {
	across, down := newStride(m[0]-1), newStride(m[3])
	for y := range h {
		// The half rounds.
		col, row := m[1]*float64(y)+m[2]+.5, m[4]*float64(y)+m[5]+.5
		to := dst[y*w : (y+1)*w]
		for x := 0; x < w; {
			// How far to the right and down of x, y the pixel lies.
			i, n := across.run(col, x)
			j, most := down.run(row, x)
			n = min(n, most, w-x)
			from, end := max(0, -i-x), min(n, w-i-x) // of the run, inside the picture
			if j < 0 || j >= h || from >= end {
				from, end = n, n
			} else {
				copy(to[x+from:x+end], src[j*w+x+i+from:])
			}
			copy(to[x:x+from], golden[y*w+x:])
			copy(to[x+end:x+n], golden[y*w+x+end:])
			x += n
		}
	}
}

// A stride is how much a coordinate drifts from pixel to pixel.
type stride struct{ drift, perDrift float64 }

func newStride(drift float64) stride {
	if math.Abs(drift) < 1e-9 { // less than a thousandth in the widest picture
		return stride{}
	}
	return stride{drift, 1 / drift}
}

// run is the whole part of the coordinate that begins a row at from, without
// what every pixel adds, at x, and for how many pixels it stays, at least 1.
func (s stride) run(from float64, x int) (whole, n int) {
	at := from + s.drift*float64(x)
	floor := math.Floor(at)
	switch {
	case s.drift > 0:
		n = int((floor + 1 - at) * s.perDrift)
	case s.drift < 0:
		n = int((floor - at) * s.perDrift)
	default:
		n = math.MaxInt32
	}
	return int(floor), max(n, 1)
}
