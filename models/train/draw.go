// Draw writes pairs of binary plates, tested and golden, with the boxes of the
// defects, for train.py and evaluate.py. It draws them; or with -folder
// converts a data set that inspector eval reads, with golden boards; or with
// -from and -worse captures pairs that it wrote before anew, moved, blurred or
// badly lit, to measure what a model bears.
//
// In the output folder, pairs.bin holds per pair the tested and the golden
// plate, one bit a pixel, 1 is laminate, most significant bit first; boxes.bin
// holds rows of six little-endian float32: pair, left, top, right, bottom,
// class (0 to 5 in the order of board.Classes).
package main

import (
	"bufio"
	"cmp"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"inspector"
	"inspector/board"
	"inspector/classify"
)

// size of every plate, pixels along an edge.
const size = 640

func main() {
	out := flag.String("out", "", "folder to write (required)")
	n := flag.Int("n", 100, "pairs to draw")
	seed := flag.Uint64("seed", 1, "of the first board; give held-out pairs one far away")
	usual := flag.Bool("usual", false, "draw what the simulated line shows instead of the whole range for training")
	style := flag.String("style", "", "with -usual, only plate or photo")
	good := flag.Float64("good", 0.2, "share of pairs without a defect")
	share := flag.Float64("laid", 0, "share of pairs that are laid over their golden board, as the appliance does before the model")
	var set source
	flag.StringVar(&set.path, "folder", "", "convert this data set instead of drawing: a folder of DeepPCB, COCO or YOLO, as docs/evaluation.md shows them")
	flag.StringVar(&set.options.Split, "split", "", "with -folder, the part of it")
	flag.StringVar(&set.options.Golden, "golden", "", "with -folder, where golden boards are, as inspector eval --golden")
	flag.StringVar(&set.rename, "rename", "", "with -folder, classes that have other names: OLD=NEW,...")
	flag.StringVar((*string)(&set.copper), "copper", "dark", "with -folder, dark or bright: how copper looks beside laminate")
	from := flag.String("from", "", "make the pairs of this folder, written before, worse")
	trial := flag.String("worse", "plain", "with -from, how; -n pairs, all if -n is 0")
	every := flag.Int("every", 1, "with -from, take one pair in so many")
	flag.Parse()
	var err error
	switch {
	case *out == "":
		err = errors.New("-out: a folder is required")
	case set.path != "":
		err = write(*out, laid(set.pairs(), *share, *seed))
	case *from != "":
		err = write(*out, laid(worse(*from, *trial, *n, max(*every, 1)), *share, *seed))
	default:
		err = write(*out, laid(draw(*n, *seed, *usual, board.Style(*style), *good), *share, *seed))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "draw:", err)
		os.Exit(1)
	}
}

// A pair is one training example.
type pair struct {
	tested, golden []byte // plates
	defects        []inspector.Defect
	err            error
}

// write stores pairs in dir as they come.
func write(dir string, pairs <-chan pair) (err error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	var files [2]*os.File
	var to [2]*bufio.Writer
	for i, name := range []string{"pairs.bin", "boxes.bin"} {
		if files[i], err = os.Create(filepath.Join(dir, name)); err != nil {
			return err
		}
		defer files[i].Close()
		to[i] = bufio.NewWriterSize(files[i], 1<<20)
	}
	i := 0
	for p := range pairs {
		if p.err != nil {
			return p.err
		}
		for _, plate := range [][]byte{p.tested, p.golden} {
			if _, err := to[0].Write(packed(plate)); err != nil {
				return err
			}
		}
		for _, d := range p.defects {
			row := [6]float32{float32(i), d.Box.Left, d.Box.Top, d.Box.Right, d.Box.Bottom, float32(slices.Index(board.Classes(), d.Class))}
			if err := binary.Write(to[1], binary.LittleEndian, row); err != nil {
				return err
			}
		}
		i++
	}
	return errors.Join(to[0].Flush(), to[1].Flush(), files[0].Close(), files[1].Close())
}

// packed is plate with one bit a pixel.
func packed(plate []byte) []byte {
	bits := make([]byte, len(plate)/8)
	for i, v := range plate {
		bits[i/8] |= v >> 7 << (7 - i%8)
	}
	return bits
}

// draw sends n pairs, in order, four of each board; usual ones of only one
// style, if it is not empty.
func draw(n int, seed uint64, usual bool, only board.Style, good float64) <-chan pair {
	const batch = 4
	groups := make(chan chan pair, runtime.GOMAXPROCS(0))
	go func() {
		defer close(groups)
		for g := range (n + batch - 1) / batch {
			group := make(chan pair, batch)
			groups <- group
			go func() {
				defer close(group)
				s := seed + uint64(g)
				r := rand.New(rand.NewPCG(s, 0xd4a3))
				routed := usual || s%3 == 0
				b, err := design(s, routed)
				for i := 0; i < min(batch, n-g*batch); i++ {
					if err != nil {
						group <- pair{err: err}
						return
					}
					style := board.Plate
					if routed && i%2 == 1 {
						style = board.Photo
					}
					if usual {
						style = cmp.Or(only, style)
					}
					group <- drawn(b, style, r, usual, good)
				}
			}()
		}
	}()
	return joined(groups)
}

// joined is what each of groups sends, in order.
func joined(groups <-chan chan pair) <-chan pair {
	out := make(chan pair)
	go func() {
		defer close(out)
		for g := range groups {
			for p := range g {
				out <- p
			}
		}
	}()
	return out
}

// design is the board of a seed, routed or a window of a larger one.
func design(seed uint64, routed bool) (*board.Board, error) {
	if routed {
		return board.New(seed, size)
	}
	return board.NewArtwork(seed, size)
}

// drawn is one pair as the appliance would see it.
func drawn(b *board.Board, style board.Style, r *rand.Rand, usual bool, good float64) pair {
	tested, golden := board.Usual(style), board.Options{Style: style}
	if !usual {
		tested = varied(style, r)
		if r.IntN(3) > 0 { // a golden board that the camera captured
			golden = varied(style, r)
			golden.Pen, golden.Shift, golden.Rotate = false, 0, 0
		}
	}
	if r.Float64() >= good {
		tested.Defects = 2 + r.IntN(12)
	}
	p, defects, err := plate(b, r.Uint64(), tested)
	g, _, err2 := plate(b, r.Uint64(), golden)
	return pair{tested: p, golden: g, defects: defects, err: errors.Join(err, err2)}
}

// varied are options from the whole range that the model should bear, the
// middle of it more often than its ends.
func varied(style board.Style, r *rand.Rand) board.Options {
	often := func(limit float64) float64 { return limit * r.Float64() * r.Float64() }
	shift := 3.0
	if r.IntN(3) == 0 {
		shift = 8
	}
	return board.Options{
		Style: style, Pen: style == board.Plate && r.IntN(4) > 0 || style == board.Photo && r.IntN(4) == 0,
		Rough: 1.2 * r.Float64(), Grain: []float64{1, 1.5, 2, 3, 5}[r.IntN(5)],
		Etch: often(2.6), Shift: often(shift), Rotate: often(0.7),
		Light: 0.7 * r.Float64(), Noise: 1 + 7*r.Float64(), Blur: 0.4 + r.Float64(),
	}
}

// plate is a sample reduced to a plate; in gentler light where the appliance
// would refuse the picture.
func plate(b *board.Board, seed uint64, o board.Options) ([]byte, []inspector.Defect, error) {
	for {
		p, defects, err := b.Sample(seed, o)
		if err != nil || o.Style == board.Plate {
			return p.Data, defects, err
		}
		dst := make([]byte, p.Width*p.Height)
		if err = classify.Plate(dst, p, classify.Bright); err == nil || o.Light < 0.01 {
			return dst, defects, err
		}
		o.Light, o.Noise, o.Blur = o.Light/4, o.Noise/2, o.Blur/2
	}
}
