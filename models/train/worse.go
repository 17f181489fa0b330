package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"inspector"
	"inspector/board"
	"inspector/classify"
)

// A trial is one way to make pairs worse: the plate that is captured anew, as
// the view says, and reduced to a plate by the appliance's own preparation.
type trial struct {
	golden bool // else the tested one
	view   board.View
}

// ordinary is the camera of every trial but for what the trial changes.
var ordinary = board.View{Blur: 0.7, Noise: 3}

// trials are what the shipped model is measured under. What moves a board
// moves the golden one, so that the boxes stay where they are.
var trials = map[string]trial{
	"plain":     {view: ordinary},
	"shift2":    {golden: true, view: with(func(v *board.View) { v.Shift = 2 })},
	"rotate05":  {golden: true, view: with(func(v *board.View) { v.Rotate = 0.5 })},
	"scale1":    {golden: true, view: with(func(v *board.View) { v.Scale = 1.01 })},
	"grown1":    {view: with(func(v *board.View) { v.Grow = 1 })},
	"shrunk1":   {view: with(func(v *board.View) { v.Grow = -1 })},
	"wider1":    {golden: true, view: with(func(v *board.View) { v.Grow = -1 })},
	"narrower1": {golden: true, view: with(func(v *board.View) { v.Grow = 1 })},
	"defocus":   {view: with(func(v *board.View) { v.Blur = 2 })},
	"light":     {view: with(func(v *board.View) { v.Light = 0.6 })},
	"jpeg70":    {view: with(func(v *board.View) { v.Quality = 70 })},
}

func with(change func(*board.View)) board.View {
	v := ordinary
	change(&v)
	return v
}

// worse sends pairs of a folder that write made, the first and then each that
// lies every further on, n at most (0: no limit), made worse by a trial, but
// for those whose picture the appliance refuses.
func worse(dir, name string, n, every int) <-chan pair {
	out := make(chan pair)
	go func() {
		defer close(out)
		t, ok := trials[name]
		if !ok {
			out <- pair{err: fmt.Errorf("-worse: %q; want one of %v", name, slices.Sorted(maps.Keys(trials)))}
			return
		}
		if err := each(dir, func(i int, p pair) bool {
			if i%every != 0 {
				return true
			}
			which := &p.tested
			if t.golden {
				which = &p.golden
			}
			var px inspector.Pixels
			more := n == 0 || i/every+1 < n
			if px, p.err = t.view.Of(*which, size, uint64(i)); p.err != nil {
				out <- p
				return false
			}
			if err := classify.Plate(*which, px, classify.Dark); err != nil {
				fmt.Fprintf(os.Stderr, "%s: pair %d is left out: the appliance would be unsure: %v\n", dir, i, err)
				return more
			}
			out <- p
			return more
		}); err != nil {
			out <- pair{err: err}
		}
	}()
	return out
}

// each calls f with the pairs of a folder that write made, until it says no.
func each(dir string, f func(i int, p pair) bool) error {
	rows, err := os.ReadFile(filepath.Join(dir, "boxes.bin"))
	if err != nil {
		return err
	}
	boxes := make([][6]float32, len(rows)/24)
	if err := binary.Read(bytes.NewReader(rows), binary.LittleEndian, boxes); err != nil {
		return fmt.Errorf("%s: boxes.bin: %w", dir, err)
	}
	file, err := os.Open(filepath.Join(dir, "pairs.bin"))
	if err != nil {
		return err
	}
	defer file.Close()
	bits := make([]byte, 2*size*size/8)
	for i := 0; ; i++ {
		if _, err := io.ReadFull(file, bits); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("%s: pairs.bin: %w", dir, err)
		}
		p := pair{tested: unpacked(bits[:len(bits)/2]), golden: unpacked(bits[len(bits)/2:])}
		for ; len(boxes) > 0 && int(boxes[0][0]) == i; boxes = boxes[1:] {
			b := boxes[0]
			p.defects = append(p.defects, inspector.Defect{Class: board.Classes()[int(b[5])], Box: inspector.Box{Left: b[1], Top: b[2], Right: b[3], Bottom: b[4]}})
		}
		if !f(i, p) {
			return nil
		}
	}
}

// unpacked undoes packed.
func unpacked(bits []byte) []byte {
	plate := make([]byte, 8*len(bits))
	for i := range plate {
		if bits[i/8]>>(7-i%8)&1 != 0 {
			plate[i] = 255
		}
	}
	return plate
}
