package classify

import (
	"fmt"
	"math"
)

// search finds the shift of base, in whole pixels, that makes the picture most
// like the golden board.
func (l *level) search(s *layers, base *place) place {
	px := s.px[len(s.px)-1]
	r := max(2, int(farthest*float64(max(l.w, l.h))))
	m := base.pixels(l.w, l.h)
	s.at, s.v = s.at[:0], s.v[:0]
	for i := 0; i < len(l.probes); i += max(1, len(l.probes)/1500) {
		q := l.probes[i]
		x, y := float64(int(q.at)%l.w), float64(int(q.at)/l.w)
		col, row := int(math.Round(m[0]*x+m[1]*y+m[2])), int(math.Round(m[3]*x+m[4]*y+m[5]))
		if col >= r && row >= r && col < l.w-r && row < l.h-r {
			s.at, s.v = append(s.at, int32(row*l.w+col)), append(s.v, q.v)
		}
	}
	best, dx, dy := -2., 0, 0
	for j := -r; j <= r; j++ {
		for i := -r; i <= r; i++ {
			var c correlation
			shift := int32(j*l.w + i)
			for k, at := range s.at {
				c.add(float32(px[at+shift]), s.v[k])
			}
			// Of shifts that are about as good, as on a regular pattern, the smallest.
			if v := c.value() - 0.15*float64(i*i+j*j)/float64(r*r); v > best {
				best, dx, dy = v, i, j
			}
		}
	}
	out := *base
	out[2] += float64(dx) * 2 / float64(l.w)
	out[5] += float64(dy) * 2 / float64(l.h)
	return out
}

// tryHarder starts again from turned and scaled boards.
func (a *aligner) tryHarder(s *layers, p place, quality float64) (place, float64) {
	coarse := &a.levels[len(a.levels)-1]
	best, like := home, 0.
	for _, t := range [][2]float64{{-4, 1}, {-2, 1}, {2, 1}, {4, 1}, {0, .97}, {0, 1.03}} {
		base := a.turned(t[0], t[1])
		q := coarse.search(s, &base)
		if v := coarse.likeness(&q, s.px[len(a.levels)-1], 1); v > like {
			best, like = q, v
		}
	}
	if q, v := a.settle(s, best); v > quality {
		return q, v
	}
	return p, quality
}

// turned is a board turned by degrees about the middle, and scaled.
func (a *aligner) turned(degrees, scale float64) place {
	sin, cos := math.Sincos(degrees * math.Pi / 180)
	return place{cos * scale, -sin * scale / a.aspect, 0, sin * scale * a.aspect, cos * scale, 0}
}

// lost says why a board was not found.
func (a *aligner) lost(s *layers, quality float64) error {
	coarse := &a.levels[len(a.levels)-1]
	for _, degrees := range []float64{180, 90, 270} {
		if degrees != 180 && math.Abs(a.aspect-1) > 0.1 {
			continue // it would not fit into the picture
		}
		base := a.turned(degrees, 1)
		q := coarse.search(s, &base)
		if coarse.likeness(&q, s.px[len(a.levels)-1], 1) >= found {
			return &RegistrationError{fmt.Sprintf("the board lies turned by %.0f degrees; turn it round", degrees), quality}
		}
	}
	return &RegistrationError{fmt.Sprintf("the board is not like the golden one (correlation %.2f; want %.2f): it is missing, of another product than the recipe's, or lies far off its place", max(quality, 0), found), quality}
}
