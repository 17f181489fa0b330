package main

import (
	"os"
	"path/filepath"
	"slices"

	"inspector"
	"inspector/board"
)

// draw writes STYLE.bin, the golden board and then the others, every second
// with defects.
func draw(t task) error {
	b, err := board.New(1, t.Size)
	if err != nil {
		return err
	}
	for _, style := range styles {
		golden, err := b.Golden(style)
		if err != nil {
			return err
		}
		bytes := golden.Data
		for i := range t.Boards {
			o := board.Usual(style)
			o.Defects = 3 * (i % 2)
			p, _, err := b.Sample(uint64(i), o)
			if err != nil {
				return err
			}
			bytes = append(bytes, p.Data...)
		}
		if err := os.WriteFile(filepath.Join(t.Dir, string(style)+".bin"), bytes, 0o666); err != nil {
			return err
		}
	}
	return nil
}

// drawn reads what draw wrote.
func (t task) drawn(style board.Style) (golden inspector.Pixels, boards []inspector.Pixels, err error) {
	data, err := os.ReadFile(filepath.Join(t.Dir, string(style)+".bin"))
	if err != nil {
		return golden, nil, err
	}
	channels := 1
	if style == board.Photo {
		channels = 3
	}
	for part := range slices.Chunk(data, t.Size*t.Size*channels) {
		boards = append(boards, inspector.Pixels{Width: t.Size, Height: t.Size, Channels: channels, Stride: t.Size * channels, Data: part})
	}
	return boards[0], boards[1:], nil
}
