// Package board draws bare printed circuit boards from a seed: traces, pads,
// vias, pours, solder mask and legend, with the six defects of bare boards and
// their true boxes, as binary plates and as photographs. The same seed and
// options give the same bytes on the same machine.
package board

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"inspector"
)

// A Style is how a board is shown.
type Style string

// The styles.
const (
	Plate Style = "plate" // grey, two values: 0 copper, 255 laminate
	Photo Style = "photo" // BGR, green solder mask; copper is the brighter green
)

// The classes of defects, in the order of the shipped model's labels.
const (
	Open      = "open"      // a cut that splits a net
	Short     = "short"     // a bridge that joins two nets
	Mousebite = "mousebite" // a bite out of an edge of copper
	Spur      = "spur"      // a bump on an edge of copper
	Copper    = "copper"    // copper on its own, touching no net
	PinHole   = "pin-hole"  // a hole with copper all around
)

// Classes returns the classes in the order of the shipped model's labels.
func Classes() []string { return []string{Open, Short, Mousebite, Spur, Copper, PinHole} }

// Margin is what a defect's box leaves on each side of the stroke that made it.
const Margin = 10

// A Board is one design: every board of a batch is a Sample of it. It never
// changes; its methods may be called from many goroutines.
type Board struct {
	size       int
	copper     []byte // 255 where copper is meant to be
	nets       []int32
	inside     []float32 // distance of copper to the nearest laminate, 0 in laminate
	outside    []float32 // distance of laminate to the nearest copper, 0 in copper
	spots      [6][]spot
	fine       float64 // half of what the finest traces and gaps measure, pixels
	window     bool    // only a window of a larger board: a net may go on outside
	pen        bool    // copper is etched already, and a pen spoils it
	bare, clad []byte  // BGR, what is seen without and with copper at a pixel
}

// New draws the board of seed, size pixels square (160 to 4096): parts on a
// grid, the traces between them, legend, and perhaps a pour.
func New(seed uint64, size int) (*Board, error) {
	return draw(seed, size, 0.08, 0.8, false, func(l *layout) { l.draw() })
}

// NewArtwork draws a window of a larger board, size pixels square (160 to
// 4096): traces of every width, pads, pours, combs and floods that nothing has
// to connect. In it an open is a cut, and a short a bridge, within the window
// around it, even if the net goes round another way.
func NewArtwork(seed uint64, size int) (*Board, error) {
	return draw(seed, size, 0.04, 0.95, true, func(l *layout) { (&artwork{layout: l}).draw() })
}

// draw is the board of seed with a share of copper from least to most.
func draw(seed uint64, size int, least, most float64, window bool, f func(*layout)) (*Board, error) {
	if size < 160 || size > 4096 {
		return nil, fmt.Errorf("board: size %d; want 160 to 4096 pixels", size)
	}
	r := rand.New(rand.NewPCG(seed, 0x0b0a4d))
	for range 20 { // a drawing that is nearly empty or nearly full is no board
		l := newLayout(r, size)
		f(l)
		if err := l.finish(); err != nil {
			return nil, fmt.Errorf("board: draw seed %d: %w", seed, err)
		}
		if s := share(l.copper.px); s < least || s > most {
			continue
		}
		b := &Board{size: size, copper: l.copper.px, window: window}
		if err := b.measure(r, l); err != nil {
			return nil, fmt.Errorf("board: measure seed %d: %w", seed, err)
		}
		if err := b.paint(r, l); err != nil {
			return nil, fmt.Errorf("board: paint seed %d: %w", seed, err)
		}
		return b, nil
	}
	return nil, fmt.Errorf("board: seed %d gives no board of %d pixels; try another", seed, size)
}

// Options bound how a sample departs from its design; the sample's seed
// decides within them. Zero is the design itself.
type Options struct {
	Style   Style
	Defects int     // as many as find room, of random classes
	Pen     bool    // defects are drawn after etching: sharp, as thin as 3 pixels, some hollow or sprayed
	Rough   float64 // ragged edges, pixels
	Grain   float64 // how far apart their teeth are, pixels; 0 is 3
	Etch    float64 // copper too wide or too narrow by up to this at each edge, pixels (0 to 2.2, less on fine traces)
	Shift   float64 // of the board under the camera, pixels
	Rotate  float64 // of the board about its middle, degrees
	Light   float64 // how much darker the worst corner may be, 0 to 0.8 (photo)
	Noise   float64 // of the sensor, standard deviation in grey levels (photo)
	Blur    float64 // of the lens, standard deviation in pixels (photo)
}

// Usual are the options of an ordinary line: what the shipped model was chosen for.
func Usual(style Style) Options {
	return Options{Style: style, Rough: 0.5, Etch: 0.6, Shift: 2, Rotate: 0.2, Light: 0.4, Noise: 4, Blur: 0.9}
}

// Golden returns the design in style, in even light.
func (b *Board) Golden(style Style) (inspector.Pixels, error) {
	p, _, err := b.Sample(0, Options{Style: style})
	return p, err
}

// Sample returns one board of the batch, which the caller owns, and its
// defects with score 1. Boxes are in pixels of the sample, Margin around the
// stroke that spoilt the copper; they do not overlap before the rotation.
func (b *Board) Sample(seed uint64, o Options) (inspector.Pixels, []inspector.Defect, error) {
	r := rand.New(rand.NewPCG(seed, 0x5a3b1e))
	s := b.shot(r, o)
	copper, defects, err := b.made(r, o, s)
	var p inspector.Pixels
	if err == nil {
		p, err = b.show(copper, r, o, s)
	}
	if err != nil {
		return inspector.Pixels{}, nil, fmt.Errorf("board: sample %d as %s: %w", seed, o.Style, err)
	}
	for i := range defects {
		defects[i].Box = s.box(defects[i].Box, b.size)
	}
	return p, defects, nil
}

// made is the copper of one board: spoilt and etched, or the other way round.
func (b *Board) made(r *rand.Rand, o Options, s shot) ([]byte, []inspector.Defect, error) {
	if !o.Pen {
		copper, defects := b.damaged(r, o.Defects)
		return copper, defects, b.etch(copper, r, o, s)
	}
	etched := *b
	etched.copper, etched.pen = slices.Clone(b.copper), true
	if err := b.etch(etched.copper, r, o, s); err != nil {
		return nil, nil, err
	}
	copper, defects := etched.damaged(r, o.Defects)
	return copper, defects, nil
}

// share of px that is set.
func share(px []byte) float64 {
	n := 0
	for _, v := range px {
		if v != 0 {
			n++
		}
	}
	return float64(n) / float64(len(px))
}
